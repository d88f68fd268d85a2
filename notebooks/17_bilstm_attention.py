# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 17. A softmax over time
#
# *Hardware: any laptop, one CPU core, about 20 seconds.*
#
# **The question.** [You and Korhonen (2020)](../book/bibliography.md) put a dense layer and a softmax over *time* behind a CNN and a
# bidirectional LSTM, and report large gains on UCF-101. Which frames does such an attention weigh, what
# happens to videos that are too short, and could a person correct it, as we correct $M_t$?

# %% tags=["hide-input"]
import csv
import json
import math

import numpy as np
import torch
from torch.nn import functional as F

from stabn.data.mini.drawn import DrawnVideos
from stabn.data.transforms import eval_transform, normalise
from stabn.figures import arms_figure, describe_arms, temporal_figure
from stabn.figures.sheet import COLOURS, LINES, MARKERS, Sheet, styled
from stabn.metrics import beyond_habit, fixed_curve, rank_correlation
from stabn.models.attention import TemporalHead
from stabn.models.bilstm import BiLSTM, DenseSoftmax
from stabn.models.encoders import ENCODERS
from stabn.models.resnet3d import count_parameters
from stabn.tables.fault import LISTS, top1
from stabn.tables.finetunings import ARMS, SHORT, paired, read_finetunings
from stabn.training.checkpoint import REPOSITORY, load_trained

_ = torch.manual_seed(0)
torch.set_num_threads(1)  # small tensors: a second thread would only wait

# %% [markdown]
# ## A weight for each frame of each feature
#
# Frame $t$ of a clip is a row of features $x_{t,c}$. Along time stands one dense layer, the same for all
# features, with a kernel $K$ of $T \times T$; a softmax over the frames follows:
#
# $$ A_{t,c} = \frac{\exp e_{t,c}}{\sum_s \exp e_{s,c}}, \qquad
#    e_{t,c} = \sum_s K_{t,s}\, x_{s,c} + b_t, \qquad
#    \hat x_{t,c} = A_{t,c}\, x_{t,c} . $$


# %%
def open_dense_softmax(x, kernel, bias):
    """x (T, C), kernel (T, T), bias (T,) → A (T, C); each column sums to 1."""
    e = kernel @ x + bias[:, None]
    return e.exp() / e.exp().sum(dim=0)


x = torch.tensor([[math.log(3)], [0.0]])  # two frames, one feature: e = x, where K is the identity
weights = open_dense_softmax(x, torch.eye(2), torch.zeros(2))
print("by hand [3/4, 1/4], found", [round(v, 4) for v in weights[:, 0].tolist()])
torch.testing.assert_close(weights[:, 0], torch.tensor([0.75, 0.25]))

library = DenseSoftmax(16)
x = torch.randn(2, 16, 5)  # (N, T, C)
ours = torch.stack([open_dense_softmax(v, library.fc.weight, library.fc.bias) for v in x])
torch.testing.assert_close(ours, library(x))
print("x", tuple(x.shape), "→ A", tuple(ours.shape), "; sums over time are all 1")

# %% [markdown]
# Like our temporal head it ties weights to *positions* ([chapter 5](05_temporal_head.ipynb)). Unlike it, it
# has not one number a frame but one for each frame and feature; what the library calls
# `temporal_attention` is their mean over the features, which sums to 1 as well.
#
# ## After, before, or not at all
#
# The attention stands **after** the LSTM, on its states, or **before** it, on the frames' features. The
# classes are read from all $T$ weighed states in the first case, from the last state of both directions in
# the second.


# %%
def open_forward(net, x):
    """Features (N, T, C) → logits (N, K) and A, or None; no video is short."""
    a = None
    if net.place == "before":
        a = net.attention(x)
        x = a * x
    states, (h, _) = net.lstm(x)  # states (N, T, 2·units): forth and back, side by side
    read = torch.cat([h[0], h[1]], dim=1)  # (N, 2·units)
    if net.place == "after":
        a = net.attention(states)
        read = (a * states).flatten(1)  # (N, T·2·units)
    return net.fc(net.dense(read).relu()), a


small = {"units": 4, "dense": 6, "dropout": 0.0}
for place in ("after", "before", "none"):
    net = BiLSTM(5, 16, 3, attention=place, **small)
    (logits, a), out = open_forward(net, x), net(x)
    torch.testing.assert_close(logits, out.logits)
    if a is not None:
        torch.testing.assert_close(a.mean(dim=2), out.temporal_attention)
    print(f"{place:6s} A {None if a is None else tuple(a.shape)} → logits {tuple(logits.shape)}")

# %% [markdown]
# At full size (features of VGG, flattened: $7 \cdot 7 \cdot 512 = 25{,}088$; 101 classes; $T = 7$, about the
# mean length of UCF-101's videos in seconds) the attention is the smallest part by far. But the place it
# stands at changes how large the *next* layer is:

# %%
FRAMES, FEATURES = 7, 7 * 7 * 512
with torch.device("meta"):
    large = {p: BiLSTM(FEATURES, FRAMES, 101, attention=p) for p in ("after", "before", "none")}
for place, net in large.items():
    sizes = {name: count_parameters(part) for name, part in net.named_children()}
    print(f"{place:6s} {sizes}")
    assert sizes.get("attention", 56) == FRAMES * FRAMES + FRAMES
    assert sizes["dense"] == (512 * (FRAMES if place == "after" else 1) + 1) * 512

# %% [markdown]
# So "after" against "none" compares two things at once: an attention of 56 numbers, and a dense layer
# that reads all states instead of the last. A fair control would read all states without weights.
#
# So many features must not begin too loud. Each of $n$ features of size 1 meets a random weight from
# $-a$ to $a$; the sum that enters a gate then has the standard deviation $a \sqrt{n / 3}$. PyTorch takes
# $a = 1 / \sqrt{\text{units}}$, whatever $n$ is. Keras, in which the authors wrote theirs, takes
# $a = \sqrt{6 / (n + 4 \cdot \text{units})}$, and ours begins as theirs:

# %%
UNITS = 256
widest = {"PyTorch": UNITS**-0.5, "Keras": (6 / (FEATURES + 4 * UNITS)) ** 0.5}
for library, a in widest.items():
    loud = a * math.sqrt(FEATURES / 3)
    shut = math.erfc(4 / loud / math.sqrt(2))  # gates beyond ±4: below 2 or above 98 %
    print(f"{library:8s} sums of size {loud:.1f}:", end=" ")
    print(f"{shut:.1%} of the gates begin as good as shut or open")
found = (BiLSTM(2000, 1, 2, units=50).lstm.weight_ih_l0 @ torch.randn(2000, 500)).std()
assert abs(found / math.sqrt(6 / 2200 * 2000 / 3) - 1) < 0.05

# %% [markdown]
# A gate that is as good as shut passes hardly any gradient, and learns late or never.
#
# ## What the source reports
#
# Its slides give accuracies on UCF-101 (13,320 videos, 101 classes) and on 99 classes of Sports-1M, for five
# encoders. The first table, as published:

# %%
with open(REPOSITORY / "book/results/paper/ucf101.csv", encoding="utf-8", newline="") as file:
    published = list(csv.DictReader(file))
print(f"{'UCF-101, in %':18s}   none  after before")
for backbone in dict.fromkeys(row["backbone"] for row in published if row["backbone"]):
    rows = [row for row in published if row["backbone"] == backbone]
    of = {row["attention"]: 100 * float(row["accuracy"]) for row in rows}
    print(f"{backbone:18s} {of['none']:6.1f} {of['after']:6.1f} {of['before']:6.1f}")
(flat,) = (row for row in published if not row["backbone"])
print(f"{flat['method']:18s} {100 * float(flat['accuracy']):6.1f}")

# %% [markdown]
# "Attention after LSTM better [than] before", the slides conclude, and "VGG16/19 > InceptionV3 > Resnet50 >
# Xception". The table itself disagrees in places: ResNet-50 is better *before*, and Xception stands above it in two of
# three columns. And four things stand between the numbers and that reading; the
# [table of the other systems](results_other_systems.ipynb) names file and function of each:
#
# - The split is random, 70 to 30, without a seed. UCF-101's videos come in *groups* cut from one recording;
#   a random split puts parts of one recording on both sides. The official splits keep groups whole.
# - No videos were held back to choose by. The accuracy is that on the test clips after the last of 60 epochs;
#   settings such as the number of units were chosen "in the experiments".
# - Frames went in as blue-green-red where the preprocessing expects red-green-blue.
# - Short videos are filled up with zeros, and nothing masks them. That is the next section.
#
# ResNet-50 and Xception are better networks than VGG on pictures. That they fall to a quarter without attention
# does not come of how many features they give: InceptionV3 gives more than ResNet-50. We take it as a sign of a
# fault, not as a ranking.
#
# ## Clips of different lengths
#
# The source takes one frame a second and lets $T$ be the mean length of the set: longer videos are cut,
# shorter ones filled up with zeros. Our drawn clips are short, so we take every third frame. Each frame's
# features are the means of the maps of ST-ABN's extractor, frozen; four classes.

# %%
trained = load_trained("mini_st_abn")
CLASSES = (4, 5, 6, 8)
transform = eval_transform(trained.config.image_size, short_side=trained.config.short_side)
print("encoder:", trained.origin)


def encode(per_class: int, salt: int, split: str):
    """Drawn clips → features (n, C) and truth levels (n,) of each, and labels (N,) in 0 … 3."""
    drawn = DrawnVideos(CLASSES, per_class, seed=(17, salt), split=split)
    rows, levels = [], []
    for video in drawn.clips.values():
        chosen = np.arange(0, len(video.frames), 3)
        with torch.no_grad():
            maps = trained.model.features(normalise(transform(video.frames[chosen])[0][None]))
        rows.append(maps.mean(dim=(3, 4))[0].T)  # (n, C)
        levels.append(torch.from_numpy(video.levels[chosen]))
    return rows, levels, torch.tensor([CLASSES.index(v.class_id) for v in drawn.clips.values()])


def filled(rows, num_frames):
    """Rows (n, …) of any n → (N, T, …), cut or filled up with zeros; and true lengths (N,)."""
    out = torch.zeros(len(rows), num_frames, *rows[0].shape[1:])
    for i, row in enumerate(rows):
        out[i, : len(row)] = row[:num_frames]
    return out, torch.tensor([min(len(row), num_frames) for row in rows])


# %%
rows, _, labels = encode(30, 0, "train")
new_rows, new_levels, new_labels = encode(15, 1, "validation")
T = round(np.mean([len(row) for row in rows]))
every = torch.cat(rows)
mean, std = every.mean(dim=0), every.std(dim=0) + 1e-6
features, lengths = filled([(row - mean) / std for row in rows], T)
new, new_lengths = filled([(row - mean) / std for row in new_rows], T)
truth, _ = filled(new_levels, T)
C = features.shape[2]
print(f"T = {T}; features {tuple(features.shape)}, to judge by {tuple(new.shape)}")
print(
    f"lengths after cutting {lengths.min()} to {lengths.max()};",
    f"{(lengths < T).float().mean():.0%} are short",
)

# %% [markdown]
# ## Weight behind the end
#
# What does the published code do with a video of $L < T$ frames? Its softmax runs over all $T$. Take the
# plainest kernel, $K = 0$ and $b = 0$: every $e$ is 0, every frame gets $1/T$, and $(T - L)/T$ of the weight
# lies on frames that do not exist. Our default masks them: they get $e = -\infty$, and the others $1/L$.
# `official=True` is as published.

# %%
plain = {
    name: BiLSTM(C, T, len(CLASSES), units=8, official=name == "official").eval()
    for name in ("masked", "official")
}
short = int(lengths.argmin())
for name, net in plain.items():
    torch.nn.init.zeros_(net.attention.fc.weight)
    torch.nn.init.zeros_(net.attention.fc.bias)
    with torch.no_grad():
        m_t = net(features, lengths=lengths).temporal_attention[short]
    behind = m_t[lengths[short] :].sum().item()
    by_hand = (T - int(lengths[short])) / T if name == "official" else 0.0
    print(f"{name:9s} weight behind the end {behind:.3f}, by hand {by_hand:.3f}")
    assert math.isclose(behind, by_hand, abs_tol=1e-6)

# %% [markdown]
# The LSTM has the same trouble: forwards it reads on after the end, and backwards it *begins* in the zeros. In
# ours it ends, and begins, at the last true frame.
#
# Now we train all arrangements, and "after" without its mask, for a few seconds each.


# %%
def learn(place, official=False, steps=80):
    """Train on the drawn clips; returns the network."""
    torch.manual_seed(0)
    sizes = {"units": 32, "dense": 64, "dropout": 0.5}
    net = BiLSTM(C, T, len(CLASSES), attention=place, official=official, **sizes)
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(steps):
        chosen = torch.randperm(len(features))[:32]
        logits = net(features[chosen], lengths=lengths[chosen]).logits
        loss = F.cross_entropy(logits, labels[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return net.eval()


nets = {"after": learn("after"), "before": learn("before"), "none": learn("none")}
nets["after, official"] = learn("after", official=True)

# %% [markdown]
# What stands behind the end is no part of the video, so the answer must not depend on it. We put noise there
# in place of the zeros.

# %%
present = torch.arange(T) < new_lengths[:, None]  # (N, T)
noisy = torch.where(present[:, :, None], new, torch.randn_like(new))
is_short = new_lengths < T
for name, net in nets.items():
    with torch.no_grad():
        out, other = net(new, lengths=new_lengths), net(noisy, lengths=new_lengths)
    right = (out.logits.argmax(dim=1) == new_labels).float().mean()
    change = (out.logits - other.logits)[is_short].abs().max()
    line = f"{name:16s} right {right:6.1%}   noise moves the logits by up to {change:.2g}"
    if out.temporal_attention is not None:
        behind = (out.temporal_attention * ~present).sum(dim=1)[is_short].mean()
        line += f"   weight behind the end {behind:.2f}"
    print(line)
    assert (change == 0) == (name != "after, official")

# %% [markdown]
# (Sixty clips, one seed: these accuracies rank nothing.) Without the mask part of the attention stays behind
# the end of every short video. What a person would be shown as "when" is then partly "nowhere".


# %%
#| fig-alt: Attention of the masked and of the official network over the frames of one short video; behind its last true frame the masked one is 0 and the official one is not
short = int(torch.where(is_short, new_lengths, T).argmin())
with torch.no_grad():
    series = {
        name: nets[name](new, lengths=new_lengths).temporal_attention[short].numpy()
        for name in ("after", "after, official")
    }
end = int(new_lengths[short])
behind = {name: values[end:].sum() for name, values in series.items()}
print(f"true frames: {end} of {T}; weight behind the end, of this video:", end=" ")
print(", ".join(f"{name} {weight:.2f}" for name, weight in behind.items()))
figure = temporal_figure(series)
figure.axes[0].axvline(end - 0.5, color="black", linewidth=1)
top = 1.2 * max(values.max() for values in series.values())
figure.axes[0].set(xlabel="position in the clip (the line: the video's end)", ylim=(-0.01, top))
figure.axes[0].set_yticks((0, 0.1, 0.2))
figure

# %% [markdown]
# (Above, the mean over all short videos; here, the shortest.) The weights are small: they sum to 1, so $T$ frames
# have $1/T$ each in the mean. Do they follow the truth? On the new videos that fill all $T$ frames, beside
# other videos' truth and a fixed curve (the rule of [chapter 5](05_temporal_head.ipynb)):

# %%
whole = ~is_short
fixed = fixed_curve(truth[whole])
print(f"a fixed curve, the mean truth of the others: {fixed.value:+.2f}")
for name in ("after", "before"):
    with torch.no_grad():
        m_t = nets[name](new, lengths=new_lengths).temporal_attention[whole]
    score = rank_correlation(m_t, truth[whole])
    print(
        f"{name:7s} own truth {score.value:+.2f}   others' truth {score.exchanged:+.2f}", end="   "
    )
    print(f"largest weight {m_t.max():.2f}, 1/T = {1 / T:.2f}")
    print("  " + beyond_habit(score, fixed).replace("M_t", "The mean weight").replace("\n", " "))

# %% [markdown]
# ## Is a frame of weight 0 out?
#
# An attention that is handed in has one number a frame, $(T,)$; it stands for $A_{t,c}$ of every feature $c$. We
# hand both networks one that is even but for a 0 at frame $j$, and put another video's features there. Before the LSTM, $0 \cdot x$ is 0 whatever $x$ is. After it, the states of the *other*
# frames have read frame $j$, in both directions.

# %%
j = T // 2
even = torch.full((1, T), 1 / (T - 1))
even[0, j] = 0
i, k = (int(n) for n in whole.nonzero()[:2])
swapped = new[i : i + 1].clone()
swapped[0, j] = new[k, j]
for name in ("after", "before"):
    with torch.no_grad():
        a, b = (nets[name](v, temporal_attention=even).logits for v in (new[i : i + 1], swapped))
    change = (a - b).abs().max().item()
    print(f"{name:7s} frame {j} of weight 0, exchanged: logits change by up to {change:.3g}")
    assert (change == 0) == (name == "before")

# %% [markdown]
# A person who sets a frame to 0 gets what was asked for only *before* the LSTM, the arrangement that on UCF-101
# did worse than "after" with VGG16, VGG19 and Xception, the same with InceptionV3, better with ResNet-50. And
# there only the frame's *content* is out. Its step is not: the LSTM reads zeros, and its memory fades. And if
# the weights are the network's own, frame $j$ has a say in those of all others, through $K$. (Compare the
# leak of [chapter 6](06_fusion.ipynb).)
#
# ## Can it take an edit of several frames?
#
# A person marks $k$ of $T$ frames with 1 and the others with 0. The weights are shares of 1. By symmetry the
# nearest they can come is $1/k$ on each marked frame, so the loss of an edit, equation (6), which is the mean
# of $(m_t - M_t)^2$ over the frames where $\gamma_t = 1$ ([chapter 7](07_losses.ipynb)),
# cannot fall below
#
# $$ \frac{1}{T}\, k \Bigl(1 - \frac{1}{k}\Bigr)^2 = \frac{(k - 1)^2}{k\,T} . $$
#
# For any edit $m$ the nearest shares are its projection on the simplex, the set of all weights $\ge 0$ that sum
# to 1 ([Held and others, 1974](../book/bibliography.md)): $P(m)_t = \max(m_t - \theta, 0)$ with
# the one $\theta$ for which they sum to 1.


# %%
def nearest_shares(m: torch.Tensor) -> torch.Tensor:
    """Levels (T,) → the nearest weights ≥ 0 that sum to 1."""
    high = m.sort(descending=True).values
    thetas = (high.cumsum(0) - 1) / torch.arange(1, len(m) + 1)
    last = int((high > thetas).nonzero()[-1])  # the last frame that keeps a weight
    return (m - thetas[last]).clamp(min=0)


def floor(m: torch.Tensor) -> float:
    """The least loss of equation (6), γ = 1, that shares of 1 can have."""
    return (m - nearest_shares(m)).square().mean().item()


five = torch.zeros(16)
five[6:11] = 1
levels = torch.tensor([0, 0, 0, 0, 0.5, 0.5, 1, 1, 1, 1, 1, 0.5, 0, 0, 0, 0])
print(f"five frames of 16: by hand {(5 - 1) ** 2 / (5 * 16):.3f}, found {floor(five):.3f}")
print(f"with context of ½ beside them: {floor(levels):.3f}")
assert math.isclose(floor(five), 0.2, rel_tol=1e-6)

# %% [markdown]
# Now the experiment: every weight of the network is free, random features, Adam on equation (6). Beside it the
# sigmoid head of ST-ABN, and the softmax with an edit that was divided by its sum.


# %%
def descend(attention_of, parameters, target, steps=300):
    """Losses (equation (6), γ = 1) at every step, and the weights (T,) at the end."""
    optimiser, losses = torch.optim.Adam(parameters, lr=0.01), []
    for _ in range(steps):
        loss = F.mse_loss(attention_of(), target.expand(8, -1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return np.array(losses), attention_of().detach()


# %%
x = torch.randn(8, 16, 6)
maps = torch.rand(8, 5, 16, 6, 6)
fits = {}
for name, target in (("softmax", five), ("softmax, shares", five / five.sum())):
    torch.manual_seed(1)
    net = BiLSTM(6, 16, 4, units=8, dense=8, dropout=0.0)
    fits[name] = descend(lambda net=net: net(x).temporal_attention, net.parameters(), target)
torch.manual_seed(1)
head = TemporalHead(5, 16)
fits["sigmoid"] = descend(lambda: head(maps), head.parameters(), five)
for name, (losses, reached) in fits.items():
    at = reached[:, 6:11].mean()
    print(f"{name:16s} loss at the end {losses[-1]:.4f}, the five frames have {at:.2f} in the mean")
losses = fits["softmax"][0]
assert floor(five) - 1e-6 <= losses.min()
assert losses[-1] < 1.1 * floor(five)
assert max(fits["sigmoid"][0][-1], fits["softmax, shares"][0][-1]) < 0.01


# %% tags=["hide-input"]
#| fig-alt: Left, loss against the step: the softmax comes down to the dotted floor of 0.2 and stays, the sigmoid goes to 0. Right, weights at the end over the frames: the sigmoid reaches 1 on the five marked frames, the softmax one fifth
@styled
def reach() -> Sheet:
    """Losses on the way to an edit of five frames, and the weights at the end."""
    sheet = Sheet(2.7, layout="constrained")
    left, right = sheet.subplots(1, 2)
    for i, name in enumerate(("softmax", "sigmoid")):
        losses, reached = fits[name]
        look = {"linestyle": LINES[i], "color": COLOURS[i], "marker": MARKERS[i], "ms": 4}
        left.plot(losses, markevery=40, label=name, **look)
        right.plot(reached.mean(dim=0), label=name, **look)
    left.axhline(floor(five), color="black", linewidth=0.9, linestyle=":")
    left.text(300, floor(five) - 0.008, f"floor {floor(five):.2f}", ha="right", va="top")
    left.set(xlabel="step", ylabel="loss", ylim=(-0.01, None))
    right.plot(
        five, drawstyle="steps-mid", color="black", linewidth=0.9, linestyle=":", label="edit"
    )
    right.set(xlabel="frame", ylabel="weight", ylim=(-0.03, 1.05), xticks=range(0, 16, 5))
    left.legend()
    right.legend()
    return sheet


reach()

# %% [markdown]
# The softmax comes to rest at its floor, $1/5$ on each of the five frames. With $\gamma_t = 10$ that is
# a loss of 2 for ever, more than a network of four classes pays for knowing nothing ($\log 4 \approx 1.4$), and
# the pull towards it never ends where the class loss pulls another way.
#
# Divided by its sum the edit is reached. It then says something else: not "these frames matter" but
# "of what matters, these are a fifth each". Levels all ½ and levels all 1 become one edit, an edit of one
# frame asks for five times as much as one of five, and "nothing here matters" cannot be said: 0/0. That is why
# ST-ABN's $M_t$ ends in a sigmoid.
#
# And the edit pulls a *mean over features*. What single features do is left open:

# %%
net = BiLSTM(6, 16, 4, units=8, dense=8, dropout=0.0)
_, reached = descend(lambda: net(x).temporal_attention, net.parameters(), five / five.sum())
with torch.no_grad():
    single = net.attention(net.lstm(x)[0])[:, 6:11]  # (8, 5, 2·units)
print(f"mean over features {reached[:, 6:11].mean():.2f}", end=", ")
print(f"single features {single.min():.2f} to {single.max():.2f}")

# %% [markdown]
# ## The same edits, four arms
#
# `stabn finetune` takes a bi-LSTM with attention as it takes an ST-ABN. What is an edit to it? Not its
# levels, for these cannot be reached, but their shares. Let $m_t$ be the levels of a clip's $T$ frames,
# $S = \sum_t m_t$, and $A_t$ the weights, averaged over the features. The loss is
#
# $$ L_{temp} = \frac{1}{T} \sum_t (m_t - S A_t)^2 . $$
#
# It is 0 where $A_t = m_t / S$: what it asks for are the shares. What it counts are errors of *levels*, $S^2$ times those
# of the shares, so $\gamma_t$, by which it is multiplied, has the size that it has for ST-ABN. "Nothing here
# matters" ($S = 0$) still cannot be said: such an edit asks for nothing. Two frames of four, from even weights:

# %%
m, even = torch.tensor([1.0, 1.0, 0.0, 0.0]), torch.full((4,), 1 / 4)
start = F.mse_loss(m.sum() * even, m).item()
print(f"even weights: by hand {(1 - 2 / 4) ** 2:.2f}, found {start:.2f}")
print(f"shares of the edit: {F.mse_loss(m.sum() * m / m.sum(), m).item():.2f}")
assert math.isclose(start, 0.25)

# %% [markdown]
# A study gives the edits that ST-ABN got on [the set with a known fault](results_fault.ipynb) to two
# bi-LSTMs, with the attention before and after. In that set a round sign, in frames that do not matter, tells the class;
# on the list *swapped* it is the wrong class's. The four arms: the network as it was, and the same fine-tuned with
# the edits (*knowledge*), without them (*control*), or with other videos' edits (*placebo*). From what a frame of weight
# 0 can do, we expect the edits to help *before*, where its content is out, and less *after*, where all states have
# read the sign already. `make study` runs it.

# %%
done = read_finetunings(REPOSITORY, "book/results/others_edits/*_finetune_seed*.json")
of = {"before": [], "after": []}
for one in done:
    of[one.record["config"]["network"]["attention"]].append(one)
panels = {
    title: {
        f"attention {place}": {
            SHORT[arm].removeprefix("network "): list(paired(each, arm, top1(name)).values())
            for arm in ARMS
        }
        for place, each in of.items()
    }
    for name, title in LISTS.items()
}
print(describe_arms(panels, {}) if done else "No record yet: `make study` makes them.")
arms_figure(panels, {}, "top-1, %") if done else None

# %% [markdown]
# And the attention: its rank correlation with the truth on the list *swapped*, and how many points the sign decides (aligned
# less swapped) before fine-tuning.

# %%
for place, each in of.items():
    for one in each:
        on = one.record["results"]
        moved = {arm: on[f"{arm}-validation_swapped"]["rank_correlation"]["value"] for arm in ARMS}
        told = ", ".join(f"{SHORT[arm]} {value:+.2f}" for arm, value in moved.items())
        lists = (on[f"before-validation_{name}"]["top1"] for name in ("aligned", "swapped"))
        aligned, swapped = (100 * top for top in lists)
        print(f"{place}, seed {one.seed}: {told}; the sign decides {aligned - swapped:+.1f} points")

# %% [markdown]
# With one seed, this is what was seen. The edits moved the attention: before the LSTM towards no order at all, after it
# to the side of the truth; most of the way other videos' edits did, too. The answers hardly followed: knowledge and
# placebo differ by a point at most on every list, so what little was gained was not knowledge. And there was little to
# mend. The attention of both networks began on the wrong frames, and yet the sign decides few of their answers. So our
# expectation is not tested: for that a bi-LSTM must first fall for the sign.
#
# ## What a full row costs
#
# A row of the source's table is: 13,320 videos, every second's frame (`stabn features --taken seconds` keeps all, some seven in
# the mean), once through the encoder; then 60 epochs of the rest on 70 % of them. Some of this can be counted: every weight of the LSTM is used once a frame, the
# other weights once a clip, and a training step costs about three forward passes. The features are kept as
# float16.

# %%
videos, epochs = 13_320, 60
frames = videos * FRAMES


def weights_in(part):
    """Weights that are multiplied: matrices, without biases."""
    return sum(p.numel() for p in part.parameters() if p.ndim == 2)


print(f"{'attention after':18s} numbers a frame, on disk; weights of the LSTM; multiply–adds:")
for name, shape in ENCODERS.items():
    numbers = shape.channels * shape.places**2
    with torch.device("meta"):
        net = BiLSTM(numbers, FRAMES, 101, attention="after")
    lstm = weights_in(net.lstm)
    clip = FRAMES * lstm + weights_in(net.dense) + weights_in(net.fc)  # forward
    row = 3 * clip * 0.7 * videos * epochs
    print(f"{name:18s} {numbers:7,d}   {2 * frames * numbers / 1e9:5.1f} GB", end="")
    print(
        f"   {lstm / 1e6:4.0f} M   a clip {clip / 1e6:5,.0f} M, all epochs {row / 1e15:.1f} · 10¹⁵"
    )

# %% [markdown]
# How long an encoder takes can only be measured: `benchmarks/encoders.py` does so. From its records (reading
# the files comes on top, and all figures are of their machine):

# %%
records = sorted((REPOSITORY / "book/results/cost").glob("encoders_*.json"))
for path in records:
    record = json.loads(path.read_text(encoding="utf-8"))
    machine = ", ".join(record["hardware"]["gpus"]) or record["hardware"]["cpu"]
    print(f"{path.name}, {machine}. {record['note'] or ''}")
    for row in record["rows"]:
        hours = frames / row["frames_per_second"] / 3600
        size = frames * row["bytes_cube"] / 1e9
        print(f"  {row['encoder']:18s} {hours:5.1f} hours   {size:5.1f} GB")
if not records:
    print("hours: not measured in this copy of the book. The command that measures them:")
    print("python benchmarks/encoders.py --out book/results/cost/encoders_NAME.json")

# %% [markdown]
# How long the 60 epochs take is not measured here.
#
# ## How it is run
#
# ```bash
# mkdir -p runs/mini_bilstm_after
# papermill notebooks/launch/train.ipynb runs/mini_bilstm_after/notebook.ipynb \
#     -f notebooks/launch/mini_bilstm_after.yaml
# ```
#
# trains the network on mini-SSv2 behind the convolutions of the small 3-D ResNet, through the trainer of ST-ABN;
# `mini_bilstm_before.yaml` and `mini_bilstm_none.yaml` are the other two arrangements. What such runs found
# stands in [chapter 19](19_all_on_the_same_clips.ipynb).
#
# ## What we learned
#
# - One $T \times T$ kernel and a softmax along time give each feature of each frame a share of 1.
# - Without a mask part of the weight lies behind the end of short videos, and the answer depends on how they
#   were filled up.
# - After the LSTM a frame of weight 0 still speaks through its neighbours' states; before it, it does not, as
#   long as the weights are handed in (the network's own know of it, through $K$).
# - A softmax cannot take an edit of $k$ frames: $(k-1)^2 / (kT)$ of the loss remains. Divided by its sum
#   the edit fits, with another meaning.

# %% [markdown]
# ## Questions
#
# **Question 1.** The attention stands *after* the bidirectional LSTM, and the weight of frame $j$
# is 0. Is frame $j$ out?
#
# 1. Yes: its state is multiplied by 0.
# 2. No: the other frames' states know of it.
# 3. Only half: the backward direction has not read it.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: its own state is. Those of the other frames have read it.
# 2. **Right:** forwards the later ones, backwards the earlier ones.
# 3. No: backwards, all earlier frames' states have.
#
# </details>
#
# **Question 2.** UCF-101's videos are split 70 to 30 at random. The videos come in groups, cut from
# one recording. What is the accuracy worth?
#
# 1. It is too high: a recording stands on both sides.
# 2. It is right: no video stands on both sides.
# 3. It is too low: each class has fewer videos to train on.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** the network may recognise the recording, and need not recognise the action.
# 2. No: but its twin does, with the same people and the same background.
# 3. No: 70 % are about what the official splits give.
#
# </details>
#
# **Question 3.** A person marks five of 16 frames with 1. The marks are divided by their sum, so
# that a softmax can reach them. What is lost?
#
# 1. Nothing: only the scale is another.
# 2. The order of the frames.
# 3. How much the frames matter.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: an edit of ½ in the same frames would now be the same edit.
# 2. No: each frame keeps its own share.
# 3. **Right:** shares say which frames matter more than others. Levels say how much each of them
#    does.
#
# </details>
#
# **Question 4.** A person marks $k = 4$ of $T = 16$ frames with 1. How low can a softmax bring the
# loss of equation (6), with $\gamma_t = 1$? (Two decimals.)
#
# <details class="answers"><summary>The answer</summary>
#
# **0.14**, that is `(4 - 1) ** 2 / (4 * 16)`: each marked frame reaches ¼ at best: $4 \cdot (¾)^2 /
# 16$.
#
# - **0:** it would have to give 1 to four frames, and has 1 for all together.
# - **2.25:** this is the sum over the frames; the loss is their mean.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** For which edits of 0, ½ and 1 is the floor 0? Work it out, then check. Which edit has the highest floor?

# %% tags=["hide-cell"]
print("Only where the levels sum to 1: a single frame of 1, or two frames of ½.")
for name, at in (("one frame of 1", {3: 1.0}), ("two frames of ½", {3: 0.5, 9: 0.5})):
    m = torch.zeros(16)
    m[list(at)] = torch.tensor(list(at.values()))
    print(f"{name}: {floor(m):.3f}")
for name, m in (("all 0", torch.zeros(16)), ("all 1", torch.ones(16))):
    print(f"{name}: {floor(m):.4f}")
print(
    f"All 1 is the highest: (T − 1)²/T² = {(15 / 16) ** 2:.4f}; all 0 costs 1/T² = {1 / 256:.4f}."
)

# %% [markdown]
# **2.** One picture, repeated $T$ times, with no kernel that has seen anything: is it weighed evenly? Turn a clip
# round in time: do the weights turn round with it?

# %% tags=["hide-cell"]
fresh = DenseSoftmax(16)
with torch.no_grad():
    still = fresh(torch.randn(1, 1, 6).expand(1, 16, 6)).mean(dim=2)[0]
    there, back = fresh(x).mean(dim=2), fresh(x.flip(1)).mean(dim=2).flip(1)
print(f"a still clip: weights {still.min():.3f} to {still.max():.3f}, even would be {1 / 16:.3f}")
print(f"turned round: differs by up to {(there - back).abs().max():.3f}")
print("Neither: the kernel's rows belong to positions, as those of our temporal head do.")

# %% [markdown]
# **3.** Without a mask the forward LSTM reads zeros after the end. Fill two videos of different classes up
# with more and more zeros. How far apart do its last states stay?

# %% tags=["hide-cell"]
lstm = learn("none", official=True, steps=30).lstm
pair = torch.stack([features[labels == k][0] for k in (0, 3)])
for more in (0, 4, 16, 64, 256):
    with torch.no_grad():
        _, (h, _) = lstm(torch.cat([pair, torch.zeros(2, more, C)], dim=1))
    print(f"{more:3d} zeros behind: distance of the last states {(h[0, 0] - h[0, 1]).norm():.4f}")
print("They meet: what the network knew of a short video fades while it reads nothing.")

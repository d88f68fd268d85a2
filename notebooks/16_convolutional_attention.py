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
# # 16. Soft attention over places
#
# *Hardware: any laptop, one CPU core, about 40 seconds.*
#
# **The question.** ST-ABN sees a clip at once and gives every place of every frame a weight of its own. An
# older network reads frame after frame, remembers, and shares *one unit* of weight among the places of
# each frame: VideoLSTM ([Li and others,
# 2018](../book/bibliography.md)). What can such an attention say, what can it not, and what do
# we know when a report says "an accuracy of 82 %"?

# %% tags=["hide-input"]
import copy
import math

import numpy as np
import torch
from torch.nn import functional as F

from stabn.data.dataset import ClipDataset, collate
from stabn.data.mini.drawn import DrawnVideos
from stabn.data.transforms import eval_transform, normalise
from stabn.figures import curves, describe_curves, upsample
from stabn.figures.overlay import overlay, scale
from stabn.figures.sheet import Sheet, bare, styled
from stabn.metrics import mass_in_mask, pointing_game
from stabn.models.convlstm import (
    AttentiveConvLSTM,
    ConvLSTMCell,
    SoftAttention,
    mean_probability,
    step_accuracy,
    video_accuracy,
)
from stabn.models.resnet3d import count_parameters
from stabn.training.checkpoint import load_trained

_ = torch.manual_seed(0)
torch.set_num_threads(1)  # small tensors: a second thread would only wait

# %% [markdown]
# ## One unit of weight for all places
#
# An encoder turns frame $t$ into feature maps $x_t$, $C$ numbers at each of the $H' \times W'$ places. The
# network remembers $h_{t-1}$, $D$ numbers at each place. It weighs place $p$ by what is there and by what it
# remembers of it:
#
# $$ e_{t,p} = U^\top \tanh\bigl(W_c\, x_{t,p} + W_d\, h_{t-1,p} + b\bigr), \qquad
#    \alpha_{t,p} = \frac{\exp e_{t,p}}{\sum_q \exp e_{t,q}}, \qquad
#    \tilde x_{t,p} = \alpha_{t,p}\, x_{t,p} . $$
#
# The same numbers serve all places, as 1×1 convolutions: $W_c$ is $C \times C$, $W_d$ $C \times D$, $b$ and $U$ have
# $C$ numbers.


# %%
def open_attention(x, h, w_c, w_d, b, u):
    """Places in a row: x (P, C), h (P, D) → α (P,), which sums to 1."""
    e = torch.tanh(x @ w_c.T + h @ w_d.T + b) @ u  # (P,)
    return e.exp() / e.exp().sum()


one = torch.ones(1, 1)
x, h = torch.tensor([[0.5], [0.0]]), torch.tensor([[0.5], [0.0]])  # two places, C = D = 1
alpha = open_attention(x, h, one, one, torch.zeros(1), torch.ones(1))
by_hand = math.exp(math.tanh(1)) / (math.exp(math.tanh(1)) + math.exp(0))
print(f"α of the first place, from e = tanh(½ + ½) and tanh(0): by hand {by_hand:.3f}", end=", ")
print(f"found {alpha[0]:.3f}")
assert math.isclose(alpha[0], by_hand, rel_tol=1e-6)

# %% [markdown]
# The library's, with random weights, on maps of 7×7:

# %%
C, D, SIDE = 32, 16, 7
attention = SoftAttention(C, D)
x, h = torch.randn(1, C, SIDE, SIDE), torch.randn(1, D, SIDE, SIDE)
w_c, w_d, u = (
    layer.weight.flatten(1) for layer in (attention.of_frame, attention.of_memory, attention.energy)
)
with torch.no_grad():
    ours = open_attention(
        x[0].flatten(1).T, h[0].flatten(1).T, w_c, w_d, attention.of_frame.bias, u[0]
    )
    library = attention(x, h)
torch.testing.assert_close(ours.view(SIDE, SIDE), library[0, 0])
print(
    "α", tuple(library.shape), f"sums to {library.sum():.3f}; a mean place has 1/49 = {1 / 49:.3f}"
)

# %% [markdown]
# So a place gains weight only as the others lose it. [Chapter 5](05_temporal_head.ipynb) met the same
# rule in time.
#
# ## A step that cannot be
#
# We follow a [course report](../book/bibliography.md) (Teja and Akunuri, 2020), which describes its attention in other words: the maps
# are compressed "into a vector form (by taking the average of the every 7x7 channel of the feature block)",
# a "context vector" of the frame before is added, the sum "is sent into softmax layer and then reshaped into the initial
# dimensions". Let us do so, with VGG-16's 512 channels.

# %%
cube = torch.rand(512, 7, 7)
vector = cube.mean(dim=(1, 2))  # (512,): the places are gone
weights = (vector + torch.randn(512)).softmax(dim=0)
try:
    weights.reshape(7, 7)
except RuntimeError as error:
    print("RuntimeError:", error)

# %% [markdown]
# 512 numbers are no 7×7 places. They could be a weight for each *channel*, "how much this kind of feature
# counts", but the mean over places has forgotten where anything was: move the whole picture and
# nothing changes.

# %%
moved = cube.roll(3, dims=2)
torch.testing.assert_close(moved.mean(dim=(1, 2)), vector)
with torch.no_grad():
    there = attention(x.roll(3, dims=3), h.roll(3, dims=3))
torch.testing.assert_close(there, library.roll(3, dims=3))
print("moved by three columns: the 512 numbers stay as they are, the 49 weights move along")

# %% [markdown]
# The report shows maps over places, so its code must have done something else than this sentence. We build
# the model it cites, where $\alpha$ has a weight for each place.
#
# ## A memory that keeps its places
#
# A plain LSTM would take one vector. The convolutional LSTM ([Shi and others,
# 2015](../book/bibliography.md)) keeps a vector at each
# place, and its gates are convolutions ($*$) of what comes in and what is remembered:
#
# $$ i = \sigma(K_i * s + b_i), \quad f = \sigma(K_f * s + b_f), \quad o = \sigma(K_o * s + b_o), \quad
#    g = \tanh(K_g * s + b_g), $$
# $$ s = [\tilde x_t, h_{t-1}], \qquad c_t = f \odot c_{t-1} + i \odot g, \qquad h_t = o \odot \tanh c_t . $$
#
# Each kernel $K$ is $D \times (C + D) \times 3 \times 3$, each $b$ has $D$ numbers; $h$ and $c$ are
# $D \times H' \times W'$.


# %%
def open_cell(x, h, c, kernels, biases):
    """x (N, C, H', W'), h and c (N, D, H', W') → the next h and c; kernels (4, D, C + D, 3, 3)."""
    both = torch.cat([x, h], dim=1)
    i, f, o, g = (F.conv2d(both, k, b, padding=1) for k, b in zip(kernels, biases, strict=True))
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


cell, c = ConvLSTMCell(C, D), torch.randn(1, D, SIDE, SIDE)
kernels, biases = cell.gates.weight.unflatten(0, (4, D)), cell.gates.bias.view(4, D)
torch.testing.assert_close(open_cell(x, h, c, kernels, biases), cell(x, (h, c)))
print(
    "x", tuple(x.shape), "h and c", tuple(h.shape), "→", [tuple(s.shape) for s in cell(x, (h, c))]
)

# %% [markdown]
# How far does the cell alone see? A kernel of 3×3 brings news from one place away. After $k$ more steps the
# news has come $k$ places further: a place knows of a square of side $2k + 3$. We ask the gradient. (In the
# whole network news also travels faster: the sum under $\alpha$ joins all places of a frame.)

# %%
for k in range(3):
    frames = torch.randn(k + 1, 1, C, SIDE, SIDE, requires_grad=True)
    state = torch.zeros(1, D, SIDE, SIDE), torch.zeros(1, D, SIDE, SIDE)
    for frame in frames:
        state = cell(frame, state)
    state[0][0, :, SIDE // 2, SIDE // 2].sum().backward()  # the middle place, at the end
    seen = frames.grad[0].abs().sum(dim=(0, 1)) > 0  # (H', W') of the first frame
    side = int(seen.any(dim=0).sum())
    print(f"{k} steps later the middle knows of a square of side {side}, by hand {2 * k + 3}")
    assert side == 2 * k + 3
    assert seen.sum() == side**2

# %% [markdown]
# ## A class at every step
#
# Two layers read $h_t$ and name a class at *every* step, and each step has its cross-entropy:
#
# $$ \mathcal{L} = -\frac{1}{T} \sum_{t=1}^{T} \log p_{t,y}, \qquad
#    p_k = \frac{1}{T} \sum_{t=1}^{T} p_{t,k} , $$
#
# and the answer for the video is the mean probability, $p$. So there are two accuracies. One counts
# *frames* whose own class is their video's, the other counts *videos*. Either may be the higher one:

# %%
for name, sure, unsure in (
    ("sure once, barely wrong twice", 0.9, 0.45),
    ("barely right twice, surely wrong once", 0.1, 0.55),
):
    p = torch.tensor([[[v, 1 - v] for v in (sure, unsure, unsure)]])  # (1, T, K), the class is 0
    torch.testing.assert_close(mean_probability(p.log()).exp(), p.mean(dim=1))
    frames, videos = (f(p.log(), torch.tensor([0])) for f in (step_accuracy, video_accuracy))
    print(f"{name}: frames {frames:.0%}, video {videos:.0%}, p = {p.mean(dim=1)[0, 0]:.2f}")
    assert (frames > videos) == (sure < unsure)

# %% [markdown]
# The report counts frames: "Prediction is calculated individually for each image frame and compared with
# the label of the video containing that frame. Our model produced an accuracy of 82 % for the test data"
# (its section 4), of 10 classes of HMDB-51, short clips of 51 actions from films and the web, with about 730 videos to train, 220 to validate and 78 to test.
#
# How sure is such a number? With $n$ independent answers the interval of 95 % is about
# $\pm 1.96 \sqrt{a (1 - a) / n}$. But the 30 frames that the report takes of a video are no 30 independent answers.
# Where all frames of a video agree, the videos are what counts: the second figure. Several clips of one film
# can make it wider still.

# %%
for n, what in ((78 * 30, "frames, were they independent"), (78, "videos")):
    half = 1.96 * math.sqrt(0.82 * 0.18 / n)
    print(f"82 % of {n:4d} {what}: ± {100 * half:.1f} points")

# %% [markdown]
# ## A toy that trains in seconds
#
# The source trains on features of a frozen VGG-16. Our encoder is the frozen extractor of this book's small
# ST-ABN, its maps averaged to 7×7. Mind the difference: VGG-16 sees one frame, ours has already seen
# each frame's neighbours. (Exercise 2 takes that away.) Four classes of drawn clips, ten equally spaced
# frames each; the clips to judge by show things that no training clip shows.

# %%
trained = load_trained("mini_st_abn")
CLASSES, T = (4, 5, 6, 8), 10
transform = eval_transform(trained.config.image_size, short_side=trained.config.short_side)
print("encoder:", trained.origin)
print("classes:", [trained.classes[k] for k in CLASSES])


def draw(per_class: int, salt: int, split: str):
    """Drawn clips as one batch, their labels (N,) in 0 … 3, and the videos they are from."""
    drawn = DrawnVideos(CLASSES, per_class, seed=(16, salt), split=split)
    dataset = ClipDataset(drawn.records, drawn, T, "segments", transform)
    batch = collate([dataset[i] for i in range(len(dataset))])
    return batch, torch.tensor([CLASSES.index(k) for k in batch.label.tolist()]), drawn


def encode(batch):
    """Clips → features (N, T, C, 7, 7)."""
    with torch.no_grad():
        maps = [trained.model.features(normalise(part)) for part in batch.video.split(16)]
    maps = torch.cat(maps).transpose(1, 2)  # (N, T, C, 14, 14)
    return F.avg_pool2d(maps.flatten(0, 1), 2).unflatten(0, maps.shape[:2])


batch, labels, _ = draw(30, 0, "train")
new, new_labels, drawn = draw(15, 1, "validation")
features, new_features = encode(batch), encode(new)
print("features to learn from", tuple(features.shape), "to judge by", tuple(new_features.shape))

# %% [markdown]
# Every channel is standardised (by the training clips), and 60 steps of Adam follow.


# %%
def untrained(first_state: bool = True) -> AttentiveConvLSTM:
    """The network before training; without its first state it begins with h = c = 0."""
    torch.manual_seed(0)
    net = AttentiveConvLSTM(C, (SIDE, SIDE), len(CLASSES), hidden=D, dense=64, dropout=0.5)
    if not first_state:
        for layer in (net.first_h, net.first_c):
            layer.requires_grad_(False)
            layer.weight.zero_()
            layer.bias.zero_()
    return net


def loss_of(net, x, labels):
    """The mean cross-entropy of all steps."""
    logits = net(x).step_logits  # (N, T, K)
    return F.cross_entropy(logits.flatten(0, 1), labels.repeat_interleave(T))


# %%
def learn(net, features, new_features, steps=60):
    """Train ``net``; returns it, the standardised features to judge by, and what was logged."""
    mean, std = (f(features, (0, 1, 3, 4), keepdim=True) for f in (torch.mean, torch.std))
    x, new_x = (features - mean) / (std + 1e-6), (new_features - mean) / (std + 1e-6)
    optimiser, rows = torch.optim.Adam(net.parameters(), lr=3e-3), []
    for step in range(1, steps + 1):
        chosen = torch.randperm(len(x))[:24]
        loss = loss_of(net.train(), x[chosen], labels[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rows.append({"step": step, "training": loss.item()})
        if step % 10 == 0:
            with torch.no_grad():
                rows[-1]["new"] = loss_of(net.eval(), new_x, new_labels).item()
    return net.eval(), new_x, rows


net, judged, rows = learn(untrained(), features, new_features)
panels = {"loss, mean of all steps": ["training", "new"]}
print(describe_curves(rows, panels, x="step"))
curves(rows, panels, x="step")

# %% [markdown]
# The loss on the training clips and on new ones. Now both accuracies, on the new clips:

# %%
with torch.no_grad():
    out = net(judged)
own = out.step_logits.argmax(dim=-1)  # (N, T)
print(f"frames: {step_accuracy(out.step_logits, new_labels):.1%}")
print(f"videos: {video_accuracy(out.step_logits, new_labels):.1%}")
same = (own == own[:, :1]).all(dim=1).float().mean()
print(f"videos in which all {T} frames have one answer: {same:.0%}")

# %% [markdown]
# In most videos the frames speak with one voice: counting each of them counts the same answer ten times.
#
# ## Where did it look?
#
# The truth of a drawn clip says where the hand and the thing are. While the action is on, does the
# largest weight lie on them, and how much of the weight? Chance stands beside: what a map that
# is the same everywhere gets.

# %%
top, left, height, width = transform.crop(*drawn.clips[new.video_id[0]].frames.shape[1:3], None)
masks, levels = [], []
for video_id, chosen in zip(new.video_id, new.frame_indices.numpy(), strict=True):
    video = drawn.clips[video_id]
    masks.append((video.actor | video.hand)[chosen, top : top + height, left : left + width])
    levels.append(video.levels[chosen])
masks, levels = np.stack(masks), np.stack(levels)
for name, network in (("trained", net), ("untrained", untrained().eval())):
    with torch.no_grad():
        alpha = network(judged).spatial_attention  # (N, 1, T, 7, 7)
    for measure in (pointing_game, mass_in_mask):
        score = measure(alpha, masks, active=levels == 1)
        print(f"{name:10s}{measure.__name__:14s} {score.value:.2f}   chance {score.chance:.2f}")

# %% [markdown]
# What to beat is the untrained network, not chance. Its peaks lie on hand and thing often enough already (perhaps
# because random weights single out places whose features differ from the rest); the mass is what training moves. One toy, one seed: an illustration, no finding. Here
# is the new clip it is most sure about, hits and misses.


# %% tags=["hide-input"]
#| fig-alt: Five frames of one clip, below each the same frame in grey under the attention of that step with a cross at its peak, on one scale; the largest weight of each frame stands below it
@styled
def looks(frames: np.ndarray, alpha: np.ndarray) -> Sheet:
    """Frames (n, H, W, 3), and α (n, H', W') over them."""
    sheet = Sheet(3.35)
    heat = upsample(alpha, frames.shape[1:3])
    limits = (0.0, math.ceil(10 * alpha.max()) / 10)
    for i, frame in enumerate(frames):
        left = 0.25 + 1.35 * i
        bare(sheet.box(left, 0.1, 1.3, 1.3)).imshow(frame)
        overlay(bare(sheet.box(left, 1.45, 1.3, 1.3)), frame, heat[i], limits)
        sheet.note(left + 0.65, 2.88, f"largest {alpha[i].max():.2f}", ha="center", va="center")
    scale(sheet, 3.03, "α", limits)
    return sheet


best = int(out.logits.max(dim=1).values.argmax())
shown = np.linspace(0, T - 1, 5).round().astype(int)
pictures = new.video[best].permute(1, 2, 3, 0).numpy()[shown]
answer, label = (trained.classes[CLASSES[k]] for k in (out.logits[best].argmax(), new_labels[best]))
print(
    f"answer “{answer}”, truth “{label}”; source frames {new.frame_indices[best][shown].tolist()}"
)
its = slice(best, best + 1)
hits = pointing_game(out.spatial_attention[its], masks[its], active=levels[its] == 1)
print(f"of this clip's frames in motion, {hits.value:.0%} have the peak on hand or thing")
looks(pictures, out.spatial_attention[best, 0].numpy()[shown])

# %% [markdown]
# Above the frames, below them $\alpha$ with a cross at its peak, on one scale. A weight of 1/49 ≈ 0.02
# is no preference.
#
# ## The look depends on the past
#
# $h_{t-1}$ is part of $e_t$. So the same frame can be looked at in two ways, after two pasts. We put the
# last frame of each clip behind the nine first of another. With $W_d = 0$ the past must have no say.

# %%
mixed = judged.roll(20, dims=0)
mixed[:, T - 1] = judged[:, T - 1]
deaf = copy.deepcopy(net)
deaf.attention.of_memory.weight.data.zero_()
for name, network in (("as trained", net), ("W_d = 0", deaf)):
    with torch.no_grad():
        here, there = (network(f).spatial_attention[:, 0, -1] for f in (judged, mixed))
    gap = (here - there).abs().amax(dim=(1, 2)).mean().item()
    print(
        f"{name:10s}: α of the same frame after another past differs by up to {gap:.2g},", end=" "
    )
    print(f"mean of {len(here)} pairs; the largest α is {here.amax(dim=(1, 2)).mean():.2g}")
    assert (gap < 1e-6) == (name == "W_d = 0")

# %% [markdown]
# So the past has its say, and a small one beside the weights themselves.
#
# ## Edit it: does the answer follow?
#
# $\alpha$ is part of the computation, so we may put another in its place: the same everywhere, all on
# the thing and the hand, all *off* them; and, as a probe that no softmax could give, 0 everywhere. (A frame
# in which neither is seen gets even weights; that is what the small numbers below are for.)

# %%
covered = F.adaptive_avg_pool2d(torch.from_numpy(masks).float(), SIDE)[:, None] + 1e-6


def shared(weights):
    """Weights (N, 1, T, H', W') → of each frame, shares that sum to 1."""
    return weights / weights.sum(dim=(3, 4), keepdim=True)


edits = {"its own": None, "the same everywhere": shared(torch.ones_like(covered))}
edits |= {"on hand and thing": shared(covered), "off hand and thing": shared(1.001 - covered)}
edits |= {"0 everywhere": torch.zeros_like(covered)}


def edit_table(network):
    """The answers under each α; returns the logits (N, K) by α."""
    logits = {}
    for name, alpha in edits.items():
        with torch.no_grad():
            edited = network(judged, spatial_attention=alpha)
        logits[name] = edited.logits
        p = edited.logits.exp()[torch.arange(len(judged)), new_labels].mean()
        right = video_accuracy(edited.step_logits, new_labels)
        luck = 1.96 * math.sqrt(right * (1 - right) / len(judged))
        print(f"α {name:20s} videos {right:6.1%} ± {100 * luck:4.1f}", end="   ")
        print(f"mean probability of the true class {p:.2f}")
    return logits


given = edit_table(net)
changed = given["its own"].argmax(dim=1) != given["0 everywhere"].argmax(dim=1)
print(f"without any attention {changed.float().mean():.0%} of the answers change")

# %% [markdown]
# Compare the first line with the last. With $\alpha = 0$ not one weighed feature enters the ConvLSTM. An
# answer that is still right came by another way, however well $\alpha$ points. Which way?
#
# ## The other way in
#
# The memory does not begin empty. Its first state is made of the *mean frame*, which $\alpha$ does not
# weigh, and which holds the whole clip before the first step:
#
# $$ h_0 = \tanh\bigl(V_h * \bar x + a_h\bigr), \qquad c_0 = \tanh\bigl(V_c * \bar x + a_c\bigr), \qquad
#    \bar x = \frac{1}{T} \sum_t x_t . $$
#
# Beside it $\alpha \odot x$ is small: in the beginning 49 times smaller than $x$. So we shut this way
# ($h_0 = c_0 = 0$) and train again. Now $\alpha = 0$ must leave the network nothing to see: one answer for
# all clips, a quarter of them right.

# %%
shut, _, _ = learn(untrained(first_state=False), features, new_features)
given = edit_table(shut)
blank = given["0 everywhere"]
torch.testing.assert_close(blank, blank[:1].expand_as(blank))
assert (blank.argmax(dim=1) == new_labels).float().mean() == 1 / len(CLASSES)
right = {name: (logits.argmax(dim=1) == new_labels).float() for name, logits in given.items()}
off = "off hand and thing"
for name in ("on hand and thing", "its own"):
    gap = right[name] - right[off]  # of the same clips: compared clip by clip
    error = 2 * gap.std() / len(gap) ** 0.5
    print(f"{name} less {off}: {100 * gap.mean():+.1f} ± {100 * error:.1f} points")

# %% [markdown]
# Now the answer hangs on $\alpha$: with 0 everywhere nothing is left of it. The rows are of the same sixty
# clips, so two of them are compared clip by clip, as above, and not by whether their own ± overlap. Where a
# difference is less than its ±, the two are not told apart.

# %%
#| fig-alt: Share of right answers at each step of the clip, for the network with its first state and for the one without
names = {"first state of the mean frame": net, "first state 0": shut}
with torch.no_grad():
    right = {n: k(judged).step_logits.argmax(-1) == new_labels[:, None] for n, k in names.items()}
rows = [
    {"step": t + 1} | {name: of[:, t].float().mean().item() for name, of in right.items()}
    for t in range(T)
]
panels = {"share of right answers": list(names)}
print(describe_curves(rows, panels, x="step"))
curves(rows, panels, x="step")

# %% [markdown]
# The share of right answers at each step. With its first state the network may answer at step 1, before it
# has read a second frame: it has seen all of them. Without, it has to read. (A toy of seconds; whether a
# network of full size goes the same way, this page does not say. The way is open there too.)
#
# An attention may be *inside* the computation and still not carry the answer. Only the edit shows it; the
# picture does not. In ST-ABN every feature that reaches the answer has been weighed, but with the paper's
# fusion never silenced: a weight is 1 or more, and a frame of $M_t = 0$ keeps most of its effect
# ([chapter 6](06_fusion.ipynb)). Only its variants, `fusion="gated"` and the closing one, shut a frame out. So
# there, too, the edit has to be made.
#
# Two more differences. Here every frame's weights are shares: to raise five places lowers the other 44, and
# no edit can say "nothing here matters". And there is no $M_t$: nothing in this network says *when*.
#
# ## At full size
#
# The model that the report cites has 512 channels in the memory and 1024 units before the classes. The report speaks
# of "parameters in the range of 100,000".

# %%
with torch.device("meta"):
    large = AttentiveConvLSTM(512, (7, 7), num_classes=10)
sizes = {name: count_parameters(part) for name, part in large.named_children()}
print({name: f"{size / 1e6:.2f} M" for name, size in sizes.items() if size})
assert sizes["cell"] == 4 * 512 * (2 * 512 * 9 + 1)
assert sizes["dense"] == 1024 * (49 * 512 + 1)
print(f"in all {count_parameters(large) / 1e6:.1f} M: one of 100,000 is another network")

# %% [markdown]
# | part | the report | here |
# |---|---|---|
# | attention | of a vector of 512, "reshaped" | of each place, as in the model it cites |
# | encoder | VGG-16, one frame at a time | at full size the same; in this page's toy that of ST-ABN |
# | accuracy | of frames | of frames and of videos |
# | test set | 78 videos | the toy's 60 drawn clips, which say nothing about HMDB-51 |
#
# ## How it is run
#
# ```bash
# mkdir -p runs/mini_convlstm
# papermill notebooks/launch/train.ipynb runs/mini_convlstm/notebook.ipynb \
#     -f notebooks/launch/mini_convlstm.yaml
# ```
#
# trains the network on mini-SSv2 behind the convolutions of the small 3-D ResNet, through the trainer of ST-ABN. They
# begin as [chapter 9](09_mini_ssv2.ipynb)'s pretext left them and learn with the network. (The
# report's encoder sees single frames. What that is worth where the class is a motion is exercise 2.) What such runs
# found stands in [chapter 19](19_all_on_the_same_clips.ipynb). What
# fills the report's row on HMDB-51 stands in
# [the table of the other systems](results_other_systems.ipynb).
#
# ## What we learned
#
# - Soft attention shares one unit of weight among the places of a frame. Averaged over the places first,
#   as the report words it, it could not say where.
# - A ConvLSTM keeps what it remembers at its place; a step carries it one place further.
# - With a class at every step, frames and videos give two accuracies. Frames of one video are not
#   independent, so a number over frames looks surer than it is.
# - An attention inside the computation need not carry the answer: the first state goes around it. Take the
#   attention away and see what is left, before you believe its picture.
# - $\alpha$ takes edits of *where*, within shares that sum to 1, and none of *when*.

# %% [markdown]
# ## Questions
#
# **Question 1.** Each channel is averaged over all places, and a softmax of the means gives one
# weight a channel. What can this attention say?
#
# 1. *Where*: which places count.
# 2. *What*: which kinds of features count.
# 3. *When*: which frames count.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: the mean over places has forgotten them.
# 2. **Right:** one weight a channel tells channels apart, and nothing else.
# 3. No: the softmax of a frame shares out the weight within this frame.
#
# </details>
#
# **Question 2.** With $\alpha = 0$ at every place and step the network still answers rightly. What
# is the best explanation?
#
# 1. The attention points badly.
# 2. $\alpha$ was even before, so nothing was lost.
# 3. The answer came by another way.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: it may point well. The answer does not need it.
# 2. No: an even $\alpha$ lets features through; 0 lets none.
# 3. **Right:** the first state of the memory is made of the mean frame, which $\alpha$ does not
#    weigh.
#
# </details>
#
# **Question 3.** "82 % of the frames are right", of 78 test videos with 30 frames each. How sure is
# the 82?
#
# 1. About as sure as 78 answers make it.
# 2. As sure as 2,340 answers make it, ± 1.6 points.
# 3. Fully: each frame was checked.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** the frames of a video mostly agree, so they are hardly more than one answer: about ±
#    8.5 points.
# 2. No: this counts frames of one video as independent answers.
# 3. No: another 78 videos would give another number.
#
# </details>
#
# **Question 4.** The map has 7×7 places, and the softmax over them prefers none. What is the weight
# of one place? (Three decimals.)
#
# <details class="answers"><summary>The answer</summary>
#
# **0.020**, that is `1 / 7**2`: one unit, shared by 49 places.
#
# - **0.143:** this is 1/7: rows alone. There are 49 places.
# - **1:** the weights of all places add up to 1; each has its share.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** In the beginning $\alpha \approx 1/49$, so the ConvLSTM's input is 49 times smaller than $x$. Is a
# network that reads $49\,\alpha \odot x$ another family of functions, or does it only begin elsewhere?

# %% tags=["hide-cell"]
scaled = ConvLSTMCell(C, D)
scaled.load_state_dict(cell.state_dict())
scaled.gates.weight.data[:, :C] *= 49  # only the kernels over x, not those over h
for mine, theirs in zip(scaled(x / 49, (h, c)), cell(x, (h, c)), strict=True):
    torch.testing.assert_close(mine, theirs)
print("The kernels over x take up the factor: the same functions, another beginning (and, with")
print("Adam, whose steps do not know of the factor, another path).")

# %% [markdown]
# **2.** Let the encoder see one frame at a time, as VGG-16 does: encode every frame as a clip of one. Train
# as before. What do the two losses say?

# %% tags=["hide-cell"]


def encode_frames(batch):
    """As `encode`, but no frame's features know of another frame."""
    frames = normalise(batch.video).transpose(1, 2).flatten(0, 1)[:, :, None]  # (N·T, 3, 1, H, W)
    with torch.no_grad():
        maps = torch.cat([trained.model.features(part)[:, :, 0] for part in frames.split(200)])
    return F.avg_pool2d(maps, 2).unflatten(0, (len(batch), T))


blind, blind_x, blind_rows = learn(untrained(), encode_frames(batch), encode_frames(new))
with torch.no_grad():
    logits = blind(blind_x).step_logits
print(
    f"loss at the end: training {blind_rows[-1]['training']:.2f}, new {blind_rows[-1]['new']:.2f}"
)
print(f"new videos: {video_accuracy(logits, new_labels):.0%}, by chance {1 / len(CLASSES):.0%}")
print(
    f"a network that knows nothing has a loss of log {len(CLASSES)} = {math.log(len(CLASSES)):.2f}."
)
print(
    "Where the new clips' loss is above that, the training clips are learnt by heart. These classes"
)
print("are motions: behind such an encoder the memory alone has to find them, from 120 clips.")

# %% [markdown]
# **3.** The soft attention of picture captions *sums* over places: $\tilde x = \sum_p \alpha_p x_p$. Exchange
# left and right in a frame and in the memory. What does the sum notice? What would a network behind it
# miss?

# %% tags=["hide-cell"]
with torch.no_grad():
    sums = [(attention(a, b) * a).sum(dim=(2, 3)) for a, b in ((x, h), (x.flip(3), h.flip(3)))]
    cells = [cell(*state)[0] for state in ((x, (h, c)), (x.flip(3), (h.flip(3), c.flip(3))))]
torch.testing.assert_close(*sums)
mine, theirs = (h_next.mean(dim=(2, 3)) for h_next in cells)  # where a thing is counts no more
gap = (mine - theirs).abs().max()
print(f"the sum: no difference. The ConvLSTM's h, in the mean over places: up to {gap:.3f}")
print("Left to right and right to left would look alike, frame by frame.")

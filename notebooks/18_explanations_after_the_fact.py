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
# # 18. Explanations after the fact
#
# *Hardware: any laptop, two CPU cores, about 40 seconds.*
#
# **The question.** ST-ABN shows its attention because it was built with one. Most video networks were
# not, and people explain them *after the fact*: by the gradient of the answer, or by hiding parts of the
# clip and watching the answer fall. What do such explanations say of *when* and *where*? Are they better
# than an explanation that looks at nothing? And what do they cost?
#
# These methods are not the paper's, so the equations here carry letters instead of its numbers.

# %% tags=["hide-input"]
from itertools import product

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from stabn.attribution import (
    Evidence,
    Question,
    agreement,
    deletion,
    explained,
    insertion,
    logits_of,
)
from stabn.data.dataset import ClipDataset, collate
from stabn.data.mini.drawn import DrawnVideos
from stabn.data.transforms import eval_transform, normalise
from stabn.figures import describe_explanations, explanations_figure
from stabn.metrics import fixed_curve, rank_correlation
from stabn.training.checkpoint import load_trained

_ = torch.set_grad_enabled(False)  # nothing is trained in this chapter

# %% [markdown]
# Two networks are explained: the **baseline**, a 3-D ResNet without attention, and ST-ABN, which has the
# same backbone. The clips are synthetic, one of each class; we know when and where their action is.

# %%
trained, other = load_trained("mini_baseline"), load_trained("mini_st_abn")
baseline, st_abn = trained.model, other.model
config, names = trained.config, trained.classes
print("baseline:", trained.origin)
print("ST-ABN:", other.origin)
transform = eval_transform(config.image_size, short_side=config.short_side)
drawn = DrawnVideos(range(len(names)), per_class=1, seed=18, split="validation")
dataset = ClipDataset(drawn.records, drawn, config.num_frames, config.sampling, transform)
batch = collate([dataset[i] for i in range(len(dataset))])
clip = normalise(batch.video)  # (N, 3, T, H, W)
N, T = clip.shape[0], clip.shape[2]
levels, masks = [], []
for video_id, at in zip(batch.video_id, batch.frame_indices.numpy(), strict=True):
    video = drawn.clips[video_id]
    levels.append(video.levels[at])
    masks.append(transform.masks((video.actor | video.hand)[at]))  # cropped as the clip was
levels, masks = np.stack(levels), np.stack(masks)
print("clips", tuple(clip.shape), " levels", levels.shape, " masks", masks.shape)

# %% [markdown]
# ## One clip, one question
#
# All methods ask about the class $k$ that the network answered, of one clip $x$. Those that hide
# something ask for the probability of $k$ when a **mask** $m$ with values in $[0, 1]$ keeps a part:
#
# $$p_k(m) = \mathrm{softmax}\big(f(m \odot x + (1 - m) \odot \tilde x)\big)_k \tag{A}$$
#
# Here $f$ is the whole network, $p_k(1)$ the probability for the whole clip. A method gives **evidence**:
# $E(t, i, j)$ of frame $t$ and place $(i, j)$, $E(r)$ of a part $r$.
# $\tilde x$ is the **fill** that stands where the clip is hidden. There is no neutral one. We use two: one
# colour, the mean of the clip; and a clip that stands still, the mean of its frames.

# %%
logits = logits_of(baseline, clip)
answers = logits.argmax(dim=1)
print(f"the baseline is right on {(answers == batch.label).sum()} of {N} clips")
chosen = int((answers == batch.label).int().argmax())  # the first of these
one, answer = clip[chosen], int(answers[chosen])
question = Question(baseline, one, answer, fill="mean")


def probability(mask: torch.Tensor) -> float:
    """Equation (A), for a mask that can be spread over (3, T, H, W)."""
    fill = one.mean(dim=(1, 2, 3), keepdim=True)
    return float(baseline((mask * one + (1 - mask) * fill)[None]).softmax(dim=1)[0, answer])


half = (torch.arange(T) < T // 2).float().view(1, T, 1, 1)  # keeps the first half of the clip
print(f"answer: {names[answer]}, probability {question.whole():.3f}")
print(f"of the first half of the clip alone: {probability(half):.3f}")
# a question takes masks (n, T, H′, W′), here one of 1×1 places
assert abs(probability(half) - question(half).item()) < 1e-5

# %% [markdown]
# ## Grad-CAM
#
# Grad-CAM hides nothing. It takes the last feature maps $A_c$ that still keep frames and places apart,
# and weighs each channel by the mean gradient of the class's logit $y_k$:
#
# $$w_c = \frac{1}{T H' W'} \sum_{t, i, j} \frac{\partial y_k}{\partial A_c(t, i, j)}, \qquad
# E(t, i, j) = \max\Big(0, \sum_c w_c\, A_c(t, i, j)\Big) \tag{B}$$
#
# The mean runs over frames and places *together*: then the maps of all frames have one scale, and the
# mean of a frame's map says how much that frame counts.

# %%
maps = baseline.layer3(baseline.features(one[None])).requires_grad_()
with torch.enable_grad():
    pooled = maps.mean(dim=(2, 3, 4))
    logit = baseline.fc(baseline.norm(pooled))[0, answer]
    (gradient,) = torch.autograd.grad(logit, maps)
weight = gradient.mean(dim=(2, 3, 4))  # (1, C)
cam = torch.einsum("nc,ncthw->thw", weight, maps).clamp(min=0)
print("maps", tuple(maps.shape), " cam", tuple(cam.shape))
library = explained("grad_cam", question)
torch.testing.assert_close(torch.from_numpy(library.evidence.spatial), cam.detach())
print(
    f"the library's is the same; it took {library.passes} passes, the backward one counted as two"
)

# %% [markdown]
# ## Occlusion
#
# Hide a part $r$, and see how far the probability falls:
#
# $$E(r) = p_k(1) - p_k(1 - r) \tag{C}$$
#
# In time $r$ is one frame. In space it is one cell of a grid, hidden for several frames in a row, for a
# single frame's cell would hardly be missed.

# %%
frames = torch.eye(T).view(T, 1, T, 1, 1)  # each hides one
fall = torch.tensor([probability(torch.ones(1)) - probability(1 - frame) for frame in frames])
library = explained("occlusion", question, cells=4, frames=8)
torch.testing.assert_close(torch.from_numpy(library.evidence.temporal), fall, atol=1e-5, rtol=0)
print(
    "largest fall",
    round(fall.max().item(), 4),
    "at frame",
    int(batch.frame_indices[chosen, fall.argmax()]),
)
print("when", library.evidence.temporal.shape, " where", library.evidence.spatial.shape, end=" ")
print("after", library.passes, "passes")

# %% [markdown]
# ## RISE
#
# Hiding one part at a time misses what two parts can do for each other. RISE keeps many parts at random,
# $m_1 \dots m_n$, and averages the answers by how far they kept a place:
#
# $$E(t, i, j) = \frac{\sum_{l} m_l(t, i, j)\, p_k(m_l)}{\sum_{l} m_l(t, i, j)}
# - \frac{1}{n}\sum_{l=1}^{n} p_k(m_l) \tag{D}$$
#
# Two things differ from the method as published, which divides by the masks' expected sum and subtracts nothing: we divide by
# the sum of the masks that were drawn, and subtract the mean answer. It is the same everywhere, and without it a map would look bright
# all over. Masks for *when* and for *where* are drawn apart, so RISE takes twice as many passes as it has masks.

# %%
coins = (torch.rand(32, T, generator=torch.Generator().manual_seed(1)) < 0.5).float()
given = question(coins[:, :, None, None])  # (32,)
gain = (coins * given[:, None]).sum(dim=0) / coins.sum(dim=0) - given.mean()
for t in range(T):  # of coins 0 and 1 the weighed mean is the mean where the frame was kept
    torch.testing.assert_close(gain[t], given[coins[:, t] == 1].mean() - given.mean())
agree = rank_correlation(gain[None], fall[None], permutations=1).value
print(f"rank correlation of RISE with occlusion in time, this clip: {agree:.2f}")

# %% [markdown]
# ## Explanations that look at nothing
#
# `random` is noise. `centre` is high in the middle of the clip and of every frame, where people film what
# matters. Neither looks at clip or network. An explanation that is no better than these two explains
# nothing, however good it looks.
#
# ## A known truth
#
# How would one know that an explanation is right? Build a network whose answer depends on *one* frame
# and *one* place. It multiplies the brightness of every cell by 0, except at one spot. The clip is bright
# there, and twice as bright at another spot, which the network does not read: so an "explanation" that
# merely returns the `brightness` must fail.


# %%
class Spot(nn.Module):
    """Logits (0, brightness at one of 4 × 3 × 3 places): class 1 hangs on that place alone."""

    def __init__(self, at: tuple[int, int, int]):
        super().__init__()
        self.seen = torch.zeros(4, 3, 3)
        self.seen[at] = 72.0
        self.maps = nn.Identity()  # the last maps, already weighed, are what Grad-CAM reads

    def forward(self, clips):
        bright = F.avg_pool3d(clips.mean(dim=1, keepdim=True), (1, 4, 4))  # (N, 1, 4, 3, 3)
        logit = self.maps(bright * self.seen).mean(dim=(1, 2, 3, 4))
        return torch.stack([torch.zeros_like(logit), logit], dim=1)


def lit(at: tuple[int, int, int]) -> torch.Tensor:
    """Cells (4, 3, 3): 1 at the spot, 2 at another frame and place, else 0."""
    cells = torch.zeros(4, 3, 3)
    cells[at] = 1
    cells[(at[0] + 2) % 4, (at[1] + 1) % 3, (at[2] + 1) % 3] = 2
    return cells


# %%
def found(method: str, at: tuple[int, int, int], **options) -> tuple[int, int, int]:
    """Frame, row and column that a method ranks first."""
    cells = lit(at)
    clip = cells.repeat_interleave(4, dim=1).repeat_interleave(4, dim=2).expand(3, -1, -1, -1)
    if method == "brightness":
        evidence = Evidence(cells.mean(dim=(1, 2)).numpy(), cells.numpy())
    else:
        evidence = explained(method, Question(Spot(at), clip, 1), **options).evidence
    frame = evidence.temporal.argmax()
    return frame, *np.unravel_index(evidence.spatial[frame].argmax(), (3, 3))


places = list(product(range(4), range(3), range(3)))
grids = {
    "grad_cam": {},
    "occlusion": {"cells": 3, "frames": 1},
    "rise": {"cells": 3, "frames": 1, "masks": 100},
    "centre": {"cells": 3},
    "brightness": {},
}
for method, options in grids.items():
    right = np.mean([found(method, at, **options) == at for at in places])
    print(f"{method:10s} finds frame and place of {right:4.0%} of {len(places)} spots")
    assert {"centre": 0 < right < 0.1, "brightness": right == 0}.get(method, right == 1)

# %% [markdown]
# The three methods find every spot; `centre` is right where the spot happens to lie in the middle,
# `brightness` never. So the code does what it should. For Grad-CAM this holds where it reads the maps *behind* the weighing;
# those before it would give it the brightness. Real networks are another
# matter: what they depend on is spread over the clip, and nobody knows it.
#
# ## One clip of mini-SSv2

# %%
GRID = {"occlusion": {"cells": 4, "frames": 8}, "rise": {"cells": 4, "frames": 8, "masks": 32}}


def of_all(model: nn.Module, methods: list[str]) -> dict:
    """{method: its explanation of the answer to every clip, with its cost}."""
    own_answers = logits_of(model, clip).argmax(dim=1).tolist()
    return {
        method: [
            explained(
                method,
                Question(model, clip[i], own_answers[i]),
                **GRID.get(method, {}) | ({"seed": i} if method == "random" else {}),
            )
            for i in range(N)
        ]
        for method in methods
    }


after = of_all(baseline, ["grad_cam", "occlusion", "rise", "centre", "random"])
own = of_all(st_abn, ["intrinsic", "grad_cam"])

# %%
best = logits[chosen].softmax(dim=0).topk(2)
evidence = {method: each[chosen].evidence for method, each in after.items()}
pairs = {method: (its.temporal, its.spatial) for method, its in evidence.items()}
shown = {
    "frame_indices": batch.frame_indices[chosen].tolist(),
    "predictions": [(names[k], float(p)) for p, k in zip(*best, strict=True)],
    "truth": names[batch.label[chosen]],
}
print(describe_explanations(pairs, **shown))
seen = batch.video[chosen].permute(1, 2, 3, 0).numpy()
explanations_figure(seen, pairs, levels=levels[chosen], **shown)

# %% [markdown]
# The clip, the truth, and below them two rows for each method: *when* as numbers, *where* as a map. Eight
# of the sixteen frames are drawn, evenly spread; a peak may lie on one of the others. Each method has a unit
# of its own, so each is divided by its largest value in the clip, which stands at the left; what is below 0
# is drawn as 0. Of occlusion and RISE the unit is a probability: there a small largest value is a warning
# that the method found hardly anything, and that the colours may show noise.
#
# ## Against the truth
#
# The measures are those of [chapter 12](12_reading_attention.ipynb): *when* is a rank correlation with
# the true levels, ± two standard errors over the clips; *pointing* is the share of frames whose peak lies on actor or
# hand, *mass* the share of the evidence there. One is new, the **temporal IoU**: take as many frames as
# are in motion, those that the method ranks first, and compare the two sets. Each stands beside what tells
# nothing: other clips' truth in time, a uniform map in space or frames drawn by lot (*chance*). In the columns *own* the
# truth is the clip's own. `intrinsic` is the network's own attention. Wrong answers are explained, too.

# %%
heads = {"when, rank correlation": 22, "IoU": 22, "pointing": 15, "mass": 15, "cost": 16}
columns = ["own", "±", "others", "own", "others", "chance", "own", "chance", "own", "chance"]
print(" " * 20 + "".join(f"{head:>{width}s}" for head, width in heads.items()))
print(" " * 20, *(f"{column:>6s}" for column in columns), f"{'passes':>7s}{'seconds':>8s}")
rows = {f"baseline, {m}": each for m, each in after.items()}
rows |= {f"ST-ABN, {m}": each for m, each in own.items()}


def sure(per_clip: np.ndarray) -> float:
    """Two standard errors of a mean over clips."""
    return 2 * np.nanstd(per_clip, ddof=1) / np.isfinite(per_clip).sum() ** 0.5


when = {}
for name, each in rows.items():
    is_ = agreement([e.evidence for e in each], levels, masks)
    when[name] = is_.when.per_clip
    values = [is_.when.value, sure(when[name]), is_.when.exchanged]
    values += [is_.iou.value, is_.iou.exchanged, is_.iou.chance]
    values += [is_.pointing.value, is_.pointing.chance, is_.mass.value, is_.mass.chance]
    print(f"{name:20s}", *(f"{value:6.2f}" for value in values), end="")
    passes, seconds = (np.mean([getattr(e, what) for e in each]) for what in ("passes", "seconds"))
    print(f"{passes:8.0f}{seconds:8.2f}")
    if name.endswith("centre"):  # which is the same for all clips
        assert abs(is_.when.value - is_.when.exchanged) < 1e-9

# %% [markdown]
# `centre` earns as much with other clips' truth as with its own, to the last digit: what it has is the habit
# that the action rarely lies at the very ends of a clip. A method that earns less *when* than `centre`
# says less than this habit does. Clip by clip, each method less
# `centre`, and chapter 12's fixed curve with them:

# %%
when["a fixed curve"] = fixed_curve(levels).per_clip
habit = when.pop("baseline, centre")


def compared(these: np.ndarray, those: np.ndarray) -> str:
    """The mean difference clip by clip, ± two standard errors, and what it says."""
    mean, error = np.nanmean(these - those), sure(these - those)
    verdict = (
        "more than" if mean > error else "less than" if mean < -error else "not told apart from"
    )
    return f"{mean:+.2f} ± {error:.2f}: {verdict}"


for name, per_clip in when.items():
    print(f"{name:20s} − centre {compared(per_clip, habit)} centre")
print(
    "of ST-ABN, grad_cam − M_t ",
    compared(when["ST-ABN, grad_cam"], when["ST-ABN, intrinsic"]),
    "M_t",
)

# %% [markdown]
# Only what is "more than centre" is shown to be better than looking at nothing, of *when* and on these clips,
# one of each class. "Not told apart" does not show that a method says nothing: fourteen clips are few, and the error is large.
# Look at ST-ABN's own $M_t$: as an explanation it has to pass this test like any other,
# and the last line sets it against Grad-CAM of the same network. A network weighs by its attention; it
# need not say with it what the answer came from. (Chapter 12 scores both attentions on many more clips.)
#
# Two more cautions. The networks are two, and
# **localisation across networks is not a race**: one may look elsewhere and still be right. And the truth
# is the *action's*, while an explanation is of the *network*: a network that decides by the background is
# explained well by a map that lies on the background.
#
# ## Against the network
#
# So there is a test that needs no truth. **Insertion** begins with the fill alone and inserts what the
# explanation ranks first; **deletion** begins with the clip and takes that away. A faithful explanation
# makes the probability rise early and fall early: a large area below the first curve, a small one below
# the second. We do it over *time* alone (whole frames) and over *space* alone (the same share of every
# frame), and with both fills, on six clips and in four steps. That is few: look at the halves before you believe an order.
# ([Chapter 19](19_all_on_the_same_clips.ipynb) has 56 clips, with errors.)

# %%
few, score = 6, {}
for over, fill, method in product(("time", "space"), ("mean", "still"), after):
    areas = []
    for i in range(few):
        ask, evidence = (
            Question(baseline, clip[i], int(answers[i]), fill),
            after[method][i].evidence,
        )
        curves = [curve(ask, evidence, over, steps=4) for curve in (insertion, deletion)]
        areas.append([curve.area for curve in curves])
    score[over, fill, method] = np.array(areas)  # (few, 2)
print(f"{'insertion, deletion':22s}", *(f"{m:>14s}" for m in after))
for over, fill in product(("time", "space"), ("mean", "still")):
    cells = [score[over, fill, m].mean(axis=0) for m in after]
    print(f"{over}, {fill} fill".ljust(22), *(f"{a:7.2f}{b:7.2f}" for a, b in cells))


# %%
def order(over: str, fill: str, some: slice) -> str:
    """Methods by insertion minus deletion over some of the clips, the best first."""
    gap = {m: -np.diff(score[over, fill, m][some]).mean() for m in after}
    return " > ".join(sorted(gap, key=gap.get, reverse=True))


parts = {"all": slice(None), "one half": slice(0, None, 2), "the other": slice(1, None, 2)}
for over, fill in product(("time", "space"), ("mean", "still")):
    print(f"{over}, {fill} fill")
    for part, some in parts.items():
        print(f"  {part:10s} {order(over, fill, some)}")

# %% [markdown]
# The order is by insertion minus deletion. Where two halves of the clips differ, it is partly luck; where it
# changes with the fill, it may be partly the fill: hiding frames behind one grey colour makes clips that no
# network has seen, and the answer to such a clip is not only about what is missing. A claim that "method A is more faithful than method B" should therefore name
# its fill, hold for another one, and hold for other clips.
#
# ## What only attention of its own allows
#
# An explanation after the fact can be looked at. It cannot be *edited*: nothing in the network reads it.
# ST-ABN's $M_t$ and $M_s$ are read by the layers behind them, so changing them changes the answer
# ([chapter 13](13_editing_attention.ipynb)), and a loss can pull them to where a person put them
# ([chapter 14](14_fine_tuning.ipynb)). This, more than a better picture, is the reason to build attention
# in.
#
# On [a video of your own](your_own_video.ipynb), from the command line; this network knows fourteen synthetic
# motions and nothing else, so it is the explaining that you see, not an answer worth explaining:
#
# ```bash
# stabn explain VIDEO --checkpoint runs/mini_baseline/best.pt --out figure.png \
#     --method grad_cam --compare occlusion --compare random
# ```
#
# A network that learned from the features of a frozen encoder ([chapter 17](17_bilstm_attention.ipynb))
# is put behind that encoder again, so the same command explains it; `--weights` names the encoder's
# weights, if they are not ImageNet's.
#
# ## What we learned
#
# - Grad-CAM costs one forward and one backward pass; methods that hide parts cost dozens here, and
#   hundreds with a finer grid and more masks.
# - On a network whose truth is known by construction all three find it; that checks the code, not the
#   method on a real network.
# - Every score stands beside what looking at nothing earns. Measured so, a method counts as saying *when* only where it
#   earns more than `centre`. ST-ABN's own $M_t$ does not agree best with the action by being built in; what it alone
#   allows is the edit.
# - Insertion and deletion test the explanation against the network, agreement tests it against the
#   action. The two may differ, and both are right.
# - Hiding needs a fill, and the fill may have a say in the result; so may the clips.

# %% [markdown]
# ## Questions
#
# **Question 1.** The explanation `centre` earns as much with other clips' truth as with its own,
# exactly. Why?
#
# 1. The action has the same place in each clip.
# 2. Too few clips were drawn.
# 3. It is the same for each clip.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: it has not; then every explanation would earn the same with both.
# 2. No: with any number of clips it would be so.
# 3. **Right:** it never looks at the clip, so it does not matter whose truth it is compared with.
#
# </details>
#
# **Question 2.** A network decides by the background. A map of its explanation lies on the
# background, and not on the action. Is the explanation bad?
#
# 1. No: it is right about the network.
# 2. Yes: it misses the object.
# 3. Yes: its pointing game is below chance.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** it says what the answer depends on. That the network should not depend on it is
#    another matter.
# 2. No: the truth is the action's, an explanation is of the network.
# 3. No: that measures agreement with the action. Insertion and deletion ask the network.
#
# </details>
#
# **Question 3.** Filled with grey, method A beats B in insertion and deletion. Filled with a still
# picture, B beats A. What can be said?
#
# 1. A is better: grey is the usual fill.
# 2. They are equal: the two results cancel.
# 3. Which is better depends on the fill.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: a grey frame is a flash that no network has seen.
# 2. No: two results that contradict each other are no third one.
# 3. **Right:** part of what was ranked is the fill. A claim has to name it.
#
# </details>
#
# **Question 4.** Occlusion hides each of 16 frames of a clip, one at a time. How many forward
# passes does it take?
#
# <details class="answers"><summary>The answer</summary>
#
# **17**, that is `1 + 16`: one for each hidden frame, and one for the whole clip, to compare with.
#
# - **16:** the probability of the whole clip is needed, too: the fall is counted from there.
# - **32:** the whole clip is asked once, and not once for each frame.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** Does Grad-CAM of ST-ABN point where its own $M_s$ points? Compare both maps, cell by cell.

# %% tags=["hide-cell"]
pairs = []
for attention, gradient in zip(own["intrinsic"], own["grad_cam"], strict=True):
    m_s = torch.from_numpy(attention.evidence.spatial)[:, None]  # (T, 1, H′, W′)
    size = gradient.evidence.spatial.shape[1:]
    m_s = nn.functional.adaptive_avg_pool2d(m_s, size)  # to Grad-CAM's coarser grid
    pairs.append((m_s.flatten(), torch.from_numpy(gradient.evidence.spatial).flatten()))
both = [torch.stack(each) for each in zip(*pairs, strict=True)]
alike = rank_correlation(*both, permutations=100)
print(f"rank correlation over the cells {alike.value:.2f}, with other clips' {alike.exchanged:.2f}")
print(
    "M_s weighs features on the way to the answer; Grad-CAM weighs those of the last stage, later."
)

# %% [markdown]
# **2.** Occlude in time with both fills. Do they name the same frames? Why may they not?

# %% tags=["hide-cell"]
hidden = 1 - torch.eye(T)[:, :, None, None]
by_fill = {}
for fill in ("mean", "still"):
    asks = [Question(baseline, clip[i], int(answers[i]), fill) for i in range(few)]
    by_fill[fill] = torch.stack([ask.whole() - ask(hidden) for ask in asks])
alike = rank_correlation(*by_fill.values(), permutations=100)
print(
    f"rank correlation of the two fills {alike.value:.2f}, with other clips' {alike.exchanged:.2f}"
)
print("A grey frame is a flash: two sudden changes that were not there. A still frame has none.")

# %% [markdown]
# **3.** An explanation that is turned upside down should do badly. Test two methods so, in time. By how
# much, and why by just so much?

# %% tags=["hide-cell"]
for method, sign in product(("grad_cam", "occlusion"), (1, -1)):
    areas = []
    for i in range(few):
        its = after[method][i].evidence
        ask = Question(baseline, clip[i], int(answers[i]), "still")
        turned = Evidence(sign * its.temporal, sign * its.spatial)
        areas.append([curve(ask, turned, "time", steps=4).area for curve in (insertion, deletion)])
    rising, falling = np.mean(areas, axis=0)
    side = "as it is" if sign == 1 else "upside down"
    print(f"{method:10s} {side:12s} insertion {rising:.2f}, deletion {falling:.2f}")
print("The areas change places: inserting from the other end is deleting, read backwards.")
print("So their difference changes its sign, and is near 0 for an order that means nothing.")

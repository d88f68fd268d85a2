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
# # 19. All on the same clips
#
# *Hardware: any laptop, two CPU cores, about 50 seconds; nothing is trained.*
#
# **The question.** Networks with attention over time, over places, over both, and with none; and for each
# of them explanations after the fact, which need no attention. Which should one pick, and for what? That
# can only be asked on one **protocol**: the same clips, the same questions, and the same measures, each
# beside what can be earned without any knowledge. This chapter works the protocol out on one network, then
# shows the tables that it fills over all networks and seeds, as far as they have been run.

# %% tags=["hide-input"]
from itertools import combinations, permutations, product

import numpy as np
import torch
from IPython.display import HTML, Markdown

from stabn.attribution import (
    METHODS,
    Question,
    Unexplained,
    agreement,
    deletion,
    explained,
    insertion,
    logits_of,
)
from stabn.data.dataset import ClipDataset, collate
from stabn.data.mini.drawn import DrawnVideos
from stabn.data.transforms import eval_transform, normalise
from stabn.figures import ranked_figure
from stabn.figures.sheet import COLOURS, LINES, MARKERS, Sheet, styled
from stabn.models.output import VideoOutput
from stabn.models.resnet3d import count_multiply_adds, count_parameters
from stabn.tables import rankings, together
from stabn.training.build import build_model
from stabn.training.checkpoint import load_trained
from stabn.training.config import read_config

# %% [markdown]
# ## The networks
#
# Eight of them, all small enough for mini-SSv2: the 3-D ResNet and ST-ABN on it
# ([chapter 8](08_st_abn.ipynb)), the latter also with our gated fusion
# ([chapter 6](06_fusion.ipynb)); soft attention over places before a convolutional LSTM
# ([chapter 16](16_convolutional_attention.ipynb)); a bi-LSTM with attention before it, after it, and without
# ([chapter 17](17_bilstm_attention.ipynb)); and the 3-D CNN of 2013, the bi-LSTM's baseline. What they are can be
# counted before anything is trained; which explanations fit them, too.

# %%
_ = torch.set_grad_enabled(False)  # nothing is trained in this chapter
FILES = {network: f"mini_{network}" for network in together.NETWORKS} | {"gated": "mini_st_abn"}
print(f"{'':26s}{'parameters':>10s}{'multiply–adds':>15s}   own attention over   Grad-CAM")
for network, title in together.NETWORKS.items():
    run = read_config(f"launch/{FILES[network]}.yaml")
    if network == "gated":
        run = run.model_copy(update={"fusion": "gated"})
    with torch.device("meta"):  # shapes without numbers: enough to count
        video = torch.empty(3, run.num_frames, run.image_size, run.image_size)
        work = count_multiply_adds(build_model(run, 14), video[None])
    model = build_model(run, 14).eval()
    ask = Question(model, torch.zeros(video.shape), target=0)
    output = model(ask.clip[None])
    fields = {"time": "temporal_attention", "places": "spatial_attention"}
    over = [w for w, field in fields.items() if getattr(output, field, None) is not None]
    try:
        fits = f"{explained('grad_cam', ask).evidence.spatial.shape[0]} maps"
    except Unexplained:
        fits = "does not fit"
    print(f"{title:26s}{count_parameters(model):10,d}{work / 1e6:13,.0f} M", end="   ")
    print(f"{' and '.join(over) or 'nothing':20s} {fits}")

# %% [markdown]
# The 3-D CNN of 2013 shrinks the clip in time too, so it has no map for each frame: Grad-CAM cannot say
# *when*; of this network, only methods that hide parts can. And a network that weighs places alone
# treats all frames alike: as an explanation of *when*, its own attention is a constant, and scores 0, as chance does.
#
# In the study below they are trained alike, with one exception: on the same clips, with the same seeds, number of epochs and form of the
# learning rate over time. From scratch, on so few clips, small networks hardly learn to see motion
# ([chapter 9](09_mini_ssv2.ipynb)); so the networks first learn the same **pretext**: to name the motion of photographs
# that drift, grow or turn. Seven share what sees: they begin with the convolutions of one 3-D ResNet that learned it, and
# differ in what stands behind. (The sources' encoders see single frames; here the class is a motion, and single
# frames do not show it.) The 3-D CNN of 2013 has convolutions of its own. It learned the pretext, too, but from there
# nothing of these clips; so it begins from random numbers, with a smaller learning rate than the others, at which it learned.
# All other settings were found for ST-ABN and its baseline: **the accuracy of the other networks is that of these
# settings**, not the best they could reach.
#
# ## The clips and the questions
#
# One network stands for all while we work the protocol out: ST-ABN, for it has an attention of its own. The
# clips are synthetic, one of each class, so we know when and where their action is. The question is always
# about the class that the network *answered*, right or wrong.

# %%
trained = load_trained("mini_st_abn")
model, config, names = trained.model, trained.config, trained.classes
print("ST-ABN:", trained.origin)
transform = eval_transform(config.image_size, short_side=config.short_side)
drawn = DrawnVideos(range(len(names)), per_class=1, seed=19, split="validation")
dataset = ClipDataset(drawn.records, drawn, config.num_frames, config.sampling, transform)
batch = collate([dataset[i] for i in range(len(dataset))])
clip, labels = normalise(batch.video), batch.label  # (N, 3, T, H, W), (N,)
levels, masks = [], []
for video_id, at in zip(batch.video_id, batch.frame_indices.numpy(), strict=True):
    video = drawn.clips[video_id]
    levels.append(video.levels[at])
    masks.append(transform.masks((video.actor | video.hand)[at]))  # cropped as the clip was
levels, masks = np.stack(levels), np.stack(masks)  # (N, T), (N, T, H, W)
answers = logits_of(model, clip).argmax(dim=1)
N, T = levels.shape
print(f"{N} clips of {T} frames; right on {int((answers == labels).sum())}")

# %% [markdown]
# Every explanation gives the same two things, numbers for frames and maps for places
# ([chapter 18](18_explanations_after_the_fact.ipynb)). Two look at nothing: `random` and `centre`. `intrinsic` is the network's own attention. Here
# the methods that hide parts work on a coarse grid with few masks; the study below gives them more.

# %%
COARSE = {"occlusion": {"cells": 4, "frames": 8}, "rise": {"cells": 4, "frames": 8, "masks": 16}}
found = {}
for method in METHODS:
    found[method] = []
    for i in range(N):
        options = {"seed": i} if method == "random" else COARSE.get(method, {})
        ask = Question(model, clip[i], int(answers[i]))
        found[method].append(explained(method, ask, **options))
    passes = np.mean([one.passes for one in found[method]])
    print(f"{method:10s} {passes:4.0f} forward passes an explanation (a backward one counts as 2)")
assert found["occlusion"][0].passes == 1 + T + -(-T // 8) * 4**2
assert found["rise"][0].passes == 2 * 16

# %% [markdown]
# ## Against the truth: when and where
#
# Four measures, each beside what tells nothing. *When*: the rank correlation of the frames' evidence with
# the truth, and beside it what the **other clips'** truth earns; the temporal IoU, likewise. *Where*: how
# often a frame's peak lies on actor or hand, and the share of the evidence there, beside what a uniform
# map earns, **chance**.

# %%
heads = ["when", "±", "others", "IoU", "others", "pointing", "chance", "mass", "chance"]
print(f"{'':10s}", *(f"{head:>8s}" for head in heads))
for method, each in found.items():
    score = agreement([one.evidence for one in each], levels, masks)
    per_clip = score.when.per_clip
    sure = 2 * np.nanstd(per_clip, ddof=1) / np.isfinite(per_clip).sum() ** 0.5
    values = [score.when.value, sure, score.when.exchanged, score.iou.value, score.iou.exchanged]
    values += [score.pointing.value, score.pointing.chance, score.mass.value, score.mass.chance]
    print(f"{method:10s}", *(f"{value:8.2f}" for value in values))

# %% [markdown]
# The sign ± is two standard errors over these few clips: look at it before ranking the methods. Compare
# `when` with `others` in the same row, and with `centre`, as in chapter 18. Then the caution of chapter 18: agreement with the truth is about
# the *action*, an explanation is about the *network*. Within one network the methods can be compared.
# **Across networks this is no race**: one may look elsewhere and be right.
#
# ## Against the network: insertion and deletion
#
# The area below the curve of insertion less that below deletion says whether the answer comes and goes
# with what the explanation ranks first. Hiding needs a fill, and there are two here: one colour
# (`mean`), and the clip standing still (`still`).

# %%
FILLS = together.FILLS
few = range(0, N, 2)[:6]  # every second clip: six
gap = {}
for over, fill, method in product(("time", "space"), FILLS, METHODS):
    areas = []
    for i in few:
        ask, evidence = Question(model, clip[i], int(answers[i]), fill), found[method][i].evidence
        both = [curve(ask, evidence, over, steps=4).area for curve in (insertion, deletion)]
        areas.append(both[0] - both[1])
    gap[over, fill, method] = np.array(areas)  # one for each of the few clips
print(f"{'insertion − deletion':22s}", *(f"{method:>10s}" for method in METHODS))
for over, fill in product(("time", "space"), FILLS):
    told = []
    for method in METHODS:
        each = gap[over, fill, method]
        told.append(f"{each.mean():.2f}±{2 * each.std(ddof=1) / len(each) ** 0.5:.2f}")
    print(f"over {over}, {fill} fill".ljust(22), *(f"{words:>10s}" for words in told))

# %% [markdown]
# ## Does the order survive?
#
# "Method A explains best" is a claim about an *order*. It should survive what it does not mention: the
# fill, other clips, another seed of the same network. How far two orders agree is **Kendall's τ**: over all
# pairs of methods, the share that stand the same way round in both, less the share that are turned:
#
# $$\tau = \frac{\#\text{same} - \#\text{turned}}{\#\text{pairs}} \tag{A}$$
#
# 1 is the same order, −1 the reverse. Orders that know nothing of each other have 0 in the mean, but
# single ones scatter. How far?

# %%
six = dict(zip(METHODS, range(6), strict=True))
taus = []
for places in permutations(range(6)):
    other = dict(zip(METHODS, places, strict=True))
    signs = [(six[a] - six[b]) * (other[a] - other[b]) for a, b in combinations(METHODS, 2)]
    taus.append(np.sign(signs).mean())  # equation (A), pair by pair
assert abs(np.mean(taus)) < 1e-9
assert abs(taus[-1] - rankings.same_order(six, other)) < 1e-9
assert taus[-1] == -1  # the last order is the reverse
print(f"all {len(taus)} orders of six methods against one:")
for bar in (0.2, 0.6, 0.8):
    print(f"  τ ≥ {bar}: {np.mean(np.array(taus) >= bar - 1e-9):6.1%} of them")

# %% [markdown]
# Six methods are few: a τ of 0.2 says next to nothing, and two of the six, `random` and `centre`, are there to
# be beaten. Methods that tie count as neither the same nor turned. Now the orders of our network: between the two fills, and
# between two halves of the few clips. Where the first number is high and the others are low, the order hangs on the
# clips more than on the fill.


# %%
def order(over: str, fill: str, part: slice = slice(None)) -> dict[str, float]:
    """Method → insertion minus deletion, mean over some of the few clips."""
    return {method: gap[over, fill, method][part].mean() for method in METHODS}


HALVES = (slice(0, None, 2), slice(1, None, 2))
print("Kendall’s τ    between fills   between halves:", *(f"{fill} fill" for fill in FILLS))
for over in ("time", "space"):
    cells = [rankings.same_order(*(order(over, fill) for fill in FILLS))]
    cells += [rankings.same_order(*(order(over, fill, half) for half in HALVES)) for fill in FILLS]
    print(f"over {over:10s}{cells[0]:+13.2f}{cells[1]:+28.2f}{cells[2]:+11.2f}")

# %%
#| fig-alt: Two panels, over time and over space. In each a line a method leads from its insertion minus deletion with the mean fill, at the left, to that with the still fill, at the right. Where lines cross, the order of the two methods depends on the fill. The marks of centre are hollow.


@styled
def between_fills() -> Sheet:
    """A line a method from one fill to the other; lines that cross have changed their order."""
    sheet = Sheet(2.8, layout="constrained")
    for axes, over in zip(sheet.subplots(1, 2, sharey=True), ("time", "space"), strict=True):
        for k, method in enumerate(METHODS):
            points = [order(over, fill)[method] for fill in FILLS]
            style = {"color": COLOURS[k % 5], "ls": LINES[k % 5], "marker": MARKERS[k % 5]}
            style |= {"mfc": "white"} if k >= 5 else {}  # the sixth begins the colours again
            axes.plot(points, label=method if over == "time" else None, lw=1, ms=5, **style)
        axes.set_xticks(range(2), [f"{fill} fill" for fill in FILLS])
        axes.set(title=f"over {over}", xlim=(-0.2, 1.2))
    sheet.axes[0].set_ylabel("insertion − deletion")
    sheet.legend(loc="outside right center")
    return sheet


between_fills()

# %% [markdown]
# ## Edit it: does the answer follow?
#
# Only a network with an attention of its own can take the last test. Put other values in its place and watch the answer:
# the clip's own **truth** should help, **another clip's** truth should not, and if neither moves the
# answer, then the answer is not made with the attention, however well it looks. How far it **moved** is half
# the sum of the absolute changes of all classes' probabilities, from 0 to 1. Here is the test, first on two networks
# that are made by hand.


# %%
def followed(model, clips, edits: dict[str, list], labels) -> dict[str, np.ndarray]:
    """Whose attention → (right, probability of the true class, moved), means over clips."""
    rows = {"own": [], "truth": [], "another": []}
    for i, video in enumerate(clips):
        own = logits_of(model, video[None]).softmax(dim=1)[0]
        for whose in rows:
            j = i - 1 if whose == "another" else i
            given = {} if whose == "own" else {name: each[j] for name, each in edits.items()}
            p = model(video[None], **given).logits.softmax(dim=1)[0]
            right = float(p.argmax() == labels[i])
            rows[whose].append([right, float(p[labels[i]]), float((p - own).abs().sum() / 2)])
    return {whose: np.mean(values, axis=0) for whose, values in rows.items()}


class Weighed(torch.nn.Module):
    """Logits (4, 8 · brightness weighed by M_t), and M_t is 0.5 throughout."""

    used = True

    def forward(self, clips, temporal_attention=None):
        own = torch.full(clips.shape[:3:2], 0.5)  # (N, T)
        shown = own if temporal_attention is None else temporal_attention
        bright = clips.amax(dim=(1, 3, 4))  # (N, T)
        logit = 8 * ((shown if self.used else own) * bright).sum(dim=1)
        return VideoOutput(torch.stack([0 * logit + 4, logit], dim=1), temporal_attention=shown)


class Ornament(Weighed):
    """The same attention, shown and not used."""

    used = False


# %% [markdown]
# Two clips of four frames and class 1, the one bright in its first frame, the other in its third. With $M_t$ at 0.5
# the logits are (4, 4). With the clip's own truth they are (4, 8): the probability of class 1 becomes
# $1 / (1 + e^{-4})$. With the other clip's they are (4, 0).

# %%
pair, truth = torch.zeros(2, 3, 4, 2, 2), []
for i, frame in enumerate((0, 2)):
    pair[i, :, frame] = 1
    truth.append(torch.nn.functional.one_hot(torch.tensor([frame]), 4).float())  # (1, T)
p = 1 / (1 + np.exp(-4))
by_hand = {"own": (0, 0.5, 0), "truth": (1, p, p - 0.5), "another": (0, 1 - p, p - 0.5)}
for network in (Weighed(), Ornament()):
    got = followed(network, pair, {"temporal_attention": truth}, [1, 1])
    for whose, (right, probability, moved) in got.items():
        print(f"{type(network).__name__:9s}{whose:8s} p {probability:.3f}, moved {moved:.3f}")
        wanted = by_hand[whose if network.used else "own"]  # an ornament never moves
        np.testing.assert_allclose((right, probability, moved), wanted, atol=1e-6)
assert got["truth"][2] == 0

# %% [markdown]
# Both show the same attention, and by agreement with the truth they could not be told apart. The edit tells
# them apart at once. Now ST-ABN, its $M_t$ and its $M_s$, one at a time. (A network whose weights sum
# to 1 is given the truth divided by its sum.)

# %%
size = model(clip[:1]).spatial_attention.shape[-2:]
when = [torch.from_numpy(row)[None].float() for row in levels]  # each (1, T)
where = [
    torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(m).float(), size)[None, None]
    for m in masks
]
print(f"{'':27s} right   p of the true class   moved")
for name, edits in {"temporal_attention": when, "spatial_attention": where}.items():
    got = followed(model, clip, {name: edits}, labels)
    for whose, (right, probability, moved) in got.items():
        print(f"{name:19s}{whose:8s}{right:6.0%}{probability:22.2f}{moved:8.2f}")
    assert got["own"][2] == 0

# %% [markdown]
# Read it in this order. *Moved*: does the answer depend on the attention at all? Then `truth` against
# `another`, which has the same scale: is it better with the right edit than with a wrong one? Only then `truth` against
# `own`: does the network, as it is, profit from a correction? Often it does not: it was never trained with values that are
# 0 and 1, and their scale alone moves the answer (exercise 1). [Chapter 14](14_fine_tuning.ipynb) teaches a
# network to.
#
# ## All networks side by side
#
# The same on more clips of each class, with a finer grid, more masks and several seeds a network: `make study`
# trains, explains, and puts what it found into the runs' records (`studies/together.py`, `studies/explained.py`).
# What follows is read from those records. A cell is a mean over seeds ± their standard deviation; of one seed there is none.
# All seeds saw the same clips, so below it stands, in small print, what these say of other clips: ± two standard errors over the
# clips. A dash stands where nothing was run yet, or where something does not fit a network.

# %%
HTML(together.networks_table())

# %% [markdown]
# Parameters and multiply–adds are counted. The time of a step is measured while the study ran, beside whatever
# else the machine did: take its size from it, not its last digit.
#
# What the explanations are worth, in one picture; insertion minus deletion is the mean of both fills. The bars are two
# standard errors over the clips, not over seeds:

# %% tags=["hide-input"]
#| fig-alt: Three panels, agreement with the truth over time, insertion minus deletion over time and over space. In each a row for every network that was run, in it a mark with its error for every method that fits it. The means stand in the tables that follow.
seen = rankings.ranked()
ranked_figure(seen) if any(seen.values()) else None

# %% [markdown]
# Behind it, folded: *when* and *where*, each figure beside what it would be without knowledge,

# %% tags=["hide-output"]
HTML(together.methods_table("when", "iou", "pointing", "mass"))

# %% [markdown]
# and insertion minus deletion, the two fills apart:

# %% tags=["hide-output"]
HTML(together.methods_table(*(f"{over}_{fill}" for over in together.OVERS for fill in FILLS)))

# %% [markdown]
# Whether these orders survive the other fill, the other seeds, and other clips (equation (A)):

# %%
HTML(rankings.rankings_table())

# %% [markdown]
# What an explanation costs:

# %%
HTML(together.methods_table("cost"))

# %% [markdown]
# Whether the answer follows an edit, on the clips that were explained (the first table is of all validation clips):

# %%
HTML(together.edits_table())

# %% [markdown]
# And which method stands first, network by network. The first of several is chosen after looking, so its lead
# looks larger than it is. *Again* says in what share of draws of as many clips, each drawn from these clips and put back,
# the same method is first. It was chosen on these clips, so it comes back often even among equals: take a half for
# undecided, and only what is near 100 % for a lead.

# %%
HTML(rankings.leaders_table())

# %% [markdown]
# ## What was found
#
# Each network has one seed so far, so this is about these networks on these clips, and no order here has been seen to
# survive another seed. In words (differences are taken before rounding):

# %% tags=["remove-input"]
Markdown(rankings.own_attention())

# %% [markdown]
# - **Over time, own attention did well where it gates.** In two networks all that passes is multiplied by the attention
#   over time: ST-ABN with the gate, and the bi-LSTM with attention *before* it. There it
#   scores as high as Grad-CAM, within the clips' errors. (Before the bi-LSTM a part of it is habit: other clips' truth earns some
#   of it, too.) In the other two a way leads around it: through the spatial half of the paper's fusion, and through the
#   memory of an LSTM that has read all frames *before* they are weighed. There it is clearly behind, and no higher
#   than `centre`. A pattern in four networks, and no law: the ST-ABN of this chapter's first half, another
#   training on other clips, agreed better with the truth than the study's, and the clip's own truth helped it more than another's.
# - **Edits fit that.** The clip's own truth beats another clip's most with the gate; less in the two bi-LSTMs, which
#   do not differ clearly from each other; in the paper's fusion no difference is seen. But none does better with the truth over time
#   than with its own attention: none was trained to take it.
# - **Over places occlusion and RISE lead** in insertion minus deletion, with both fills. Grad-CAM and the own attention over
#   places are behind, and by this measure not clearly better than `centre` (on actor and hand some of them are). (The bi-LSTMs weigh no places: their map is even, and scores as chance.)
# - **Over time the first place is often undecided**: by the mean of both fills the first of Grad-CAM, occlusion
#   and RISE is not clearly before the second in the ResNet, in both ST-ABNs and in the bi-LSTM with attention before it. In the three other recurrent networks, and
#   in the 3-D CNN, RISE leads. With the truth Grad-CAM agrees best, or as well as the best, wherever it fits.
# - **The 3-D CNN of 2013 learned little here**: it is right on fewer than one clip in five (chance is one in 14), and has more
#   parameters than the 3-D ResNet. What explains it says less of *when* the action is than `centre` does.
#
# **Which to pick?** As far as this goes: for *when the action is*, Grad-CAM, three passes (of the bi-LSTM without attention not even this
# was better than `centre`). For *when the answer hangs on it*, RISE or occlusion do as well or better by the mean of both fills, and
# for *where* they do better: some two hundred passes. To *correct* a network: an attention over
# time that gates, for there the right edit differed most from a wrong one. As it is trained, even the true edit makes the true class less probable:
# it has to be taught first ([chapter 14](14_fine_tuning.ipynb)). What stays unknown: other seeds, other sizes, and
# networks that were tuned (only ST-ABN and the ResNet were, and of the 3-D CNN the learning rate).

# %% [markdown]
# ## What we learned
#
# - Some of the choice is made by what fits. To edit an attention, or to teach it, a network must have it and
#   use it. Of a network without a map for each frame, only methods that hide parts say *when*.
# - Costs are known beforehand: own attention takes one pass, Grad-CAM three, occlusion and RISE as many as
#   their grid and masks ask for.
# - A score means something beside what earns it without knowledge: other clips' truth, a uniform map, `centre`.
# - An order of methods is a result if it survives the fill, the clips and the seed; with so few methods a
#   middling τ may be luck.
# - Attention that agrees with the truth may be an ornament. The edit tells: if nothing moves, the answer is
#   not made with it.
# - Agreement compares methods within a network. It does not rank networks.
# - Over time, on these clips, own attention was not clearly worse than Grad-CAM in the two networks where it gates (one seed).

# %% [markdown]
# ## Questions
#
# **Question 1.** Two networks show the same attention, which agrees well with the truth. Which
# measure can tell the one that uses it from the one that does not?
#
# 1. The rank correlation with the truth.
# 2. How far an edit moves the answer.
# 3. The number of forward passes.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: what is shown is the same in both, so this is the same, too.
# 2. **Right:** the attention that is not used can be replaced by anything, and nothing moves.
# 3. No: both take one; it says what an explanation costs, not what it is worth.
#
# </details>
#
# **Question 2.** Five methods are put in order with both fills. The two orders differ in one pair of
# neighbours, which has changed places. What is Kendall's τ?
#
# <details class="answers"><summary>The answer</summary>
#
# **0.8**, that is `(9 - 1) / 10`: five methods make ten pairs, of which nine stand the same way round and one
# is turned.
#
# - **0.9:** the turned pair is not only missing from the same ones, it counts against them.
# - **0.6:** two methods have moved, but they are one pair.
#
# </details>
#
# **Question 3.** Of network A the own attention points at the hand in 60 % of the frames, of network B in 40 %. Is A's
# attention the better explanation?
#
# 1. That does not follow: B may decide by something else than the hand.
# 2. Yes: the same clips and the same measure were used, so the larger one wins.
# 3. Yes, if the difference is larger than its standard deviation.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** the truth is the action's, an explanation is of the network.
# 2. No: the networks are not the same, and each explanation is of its own.
# 3. No: then A surely points at the hand more often, and that is all.
#
# </details>
#
# **Question 4.** With the clip's own truth in place of $M_t$ a network is right on 10 points more clips. With
# another clip's truth it is, too. What has helped?
#
# 1. The knowledge of when the action is.
# 2. Nothing: the two results cancel.
# 3. The form of an edit, not what it says.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: the other clip's truth has no such knowledge of this clip.
# 2. No: both are gains; they just say nothing of *when*.
# 3. **Right:** zeros and ones in place of a soft attention may help by themselves. Hence the control.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** How does the attention's *scale* matter? Halve the truth before you put it in for $M_t$. The order of the
# frames is the same: does the answer stay?

# %% tags=["hide-cell"]
for share in (1, 0.5, 0.25):
    got = followed(model, clip, {"temporal_attention": [share * row for row in when]}, labels)
    print(
        f"truth × {share:4}: p of the true class {got['truth'][1]:.2f}, moved {got['truth'][2]:.2f}"
    )
print("The layers behind have learned one range of values; the ranks alone are not what they read.")
print("A rank correlation cannot see this: it is the same for all three.")

# %% [markdown]
# **2.** Is `random` last, as it should be? Its place among six methods is luck too: count, over the few
# clips one by one, how often it is the worst over time, with each fill.

# %% tags=["hide-cell"]
for fill in FILLS:
    each = np.stack([gap["time", fill, method] for method in METHODS])  # (methods, clips)
    last = (each.argmin(axis=0) == list(METHODS).index("random")).mean()
    print(f"{fill} fill: random is the worst on {last:.0%} of {each.shape[1]} clips", end="; ")
    print(f"by pure luck any method would be on {1 / len(METHODS):.0%}")

# %% [markdown]
# **3.** How many pairs of six methods must be turned before τ falls below 0.6?

# %% tags=["hide-cell"]
pairs = 6 * 5 // 2
for turned in range(5):
    print(f"{turned} of {pairs} pairs turned: τ = {(pairs - 2 * turned) / pairs:.2f}")
print("Four: with three turned pairs it is just 0.6.")

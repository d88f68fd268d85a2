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
# # 14. Fine-tuning with edited attention
#
# *Hardware: any laptop, two CPU cores, about a minute.*
#
# **The question.** People have said *when* the action is. How does the network learn from that, and
# how would we know that it was *their knowledge* that helped, and not simply more training?

# %% tags=["hide-input"]
import copy

import numpy as np
import torch
from IPython.display import Markdown

from stabn.data.dataset import ClipDataset, collate
from stabn.data.mini.drawn import DrawnVideos
from stabn.data.transforms import eval_transform, normalise
from stabn.figures import curves, describe_curves, describe_temporal, temporal_figure
from stabn.knowledge.finetuning.arms import trainable_copy
from stabn.knowledge.finetuning.targets import at_frames, swapped
from stabn.losses import classification_loss, temporal_loss
from stabn.metrics import rank_correlation
from stabn.tables import glance
from stabn.training.checkpoint import load_trained

# %%
trained = load_trained("mini_st_abn")
model, names, T = trained.model, trained.classes, trained.config.num_frames
print("weights:", trained.origin)

# %% [markdown]
# ## Edits to learn from
#
# We draw synthetic clips of four classes, and let the truth *stand in* for people: nobody edited
# anything here. An edit is one level for every **source frame** of a video, so edits of different
# videos have different lengths.

# %%
transform = eval_transform(trained.config.image_size, short_side=trained.config.short_side)


def batch_of(per_class: int, salt: int):
    """Drawn clips as one batch, with the levels of every source frame of every video."""
    drawn = DrawnVideos(range(0, 12, 3), per_class, seed=(14, salt), split="train")
    dataset = ClipDataset(drawn.records, drawn, T, "segments", transform)
    return collate([dataset[i] for i in range(len(dataset))]), drawn.levels


batch, levels = batch_of(per_class=10, salt=0)
new, new_levels = batch_of(per_class=10, salt=1)  # nobody edits these: they judge
print("clips", tuple(batch.video.shape), " to judge by", tuple(new.video.shape))
print("levels of the first three videos:", [row.shape for row in list(levels.values())[:3]])

# %% [markdown]
# ## Targets are looked up by source frame
#
# A clip is $T$ frames *sampled* from its video, and in training the sample is another one every epoch.
# So the target $M_t'$ of a clip is read from the edit at the frames that were drawn. Confusing the two
# numberings would teach the network to look at the wrong time, silently.


# %%
def open_lookup(edits: dict, video_id: str, frame_indices: torch.Tensor) -> torch.Tensor:
    """Levels (n,) of the whole video → M_t′ (T,) of one clip."""
    return torch.tensor([float(edits[video_id][t]) for t in frame_indices])


target, edited = at_frames(levels, batch.video_id, batch.frame_indices)
for i, video_id in enumerate(batch.video_id):
    assert torch.equal(target[i], open_lookup(levels, video_id, batch.frame_indices[i]))
print("M_t′", tuple(target.shape), " edited", edited.sum().item(), "of", len(edited))
some = {name: row for name, row in levels.items() if name.endswith(("0", "1", "2"))}
print(
    "with edits of some videos only:", at_frames(some, batch.video_id, batch.frame_indices)[1][:6]
)

# %% [markdown]
# ## What is frozen
#
# The paper does not update the feature extractor. Freezing its *weights* is not enough: a batch
# normalisation in training mode also updates its running mean and variance, at every forward pass,
# without any gradient. The extractor would drift away from the one whose features were trained.

# %%
drifting = copy.deepcopy(model.backbone).train().requires_grad_(False)
mean_before = drifting.bn1.running_mean.clone()
with torch.no_grad():
    drifting.features(normalise(batch.video[:8]))
moved = (drifting.bn1.running_mean - mean_before).abs().max()
print(f"all weights frozen, and yet the first running mean moved by {moved:.4f}")

arm = trainable_copy(model)  # frozen *and* in evaluation mode
mean_before = arm.backbone.bn1.running_mean.clone()
with torch.no_grad():
    arm.features(normalise(batch.video[:8]))
assert torch.equal(arm.backbone.bn1.running_mean, mean_before)
free = sum(p.numel() for p in arm.parameters() if p.requires_grad)
print(f"trained: {free} of {sum(p.numel() for p in arm.parameters())} parameters")

# %% [markdown]
# While the extractor is frozen, $f(x)$ is computed once and serves every network that starts from it.
# `stabn finetune` draws other frames and crops of a video in each epoch; with `draws: 2` the clips of
# the first two epochs come again in all later ones: each $f(x)$ is computed once and kept on disk, and
# no epoch needs the videos or the extractor.

# %%
with torch.no_grad():
    features = torch.cat([model.features(normalise(part)) for part in batch.video.split(16)])
    new_features = torch.cat([model.features(normalise(part)) for part in new.video.split(16)])
print("f", tuple(features.shape))

# %% [markdown]
# ## Equation (5)
#
# $$ \mathcal{L} = \mathcal{L}_{att} + \mathcal{L}_{per} + \mathcal{L}_{temp},\qquad
# \mathcal{L}_{temp}(x_i) = \gamma_t \frac{1}{n}\sum_{j=1}^{n}
# \left(\{M_t'(x_i)\}_j - \{M_t(x_i)\}_j\right)^2 \tag{5, 6} $$
#
# with $\gamma_t = 10$ in the paper. Clips without an edit have no $\mathcal{L}_{temp}$. The mean is
# taken over the *edited* clips of a batch: divided by all of them instead, the same $\gamma_t$ would
# mean less the fewer videos are edited (the paper edits 1.4 % of its training set).


# %%
def step(arm, optimizer, rows, target, edited, gamma=10.0, seed=0):
    """One step of equation (5) on cached features; returns the two parts of the loss."""
    torch.manual_seed(seed)  # the same features are dropped in every arm
    out = arm.from_features(features[rows])
    classes = classification_loss(out.logits, out.attention_logits, batch.label[rows]).total
    pull = temporal_loss(out.temporal_attention, target[rows], edited[rows], gamma)
    optimizer.zero_grad()
    (classes + pull).backward()
    optimizer.step()
    return classes.item(), pull.item()


# %% [markdown]
# ## Four arms
#
# A network that is trained longer changes, with or without edits. So one network is never enough:
#
# | arm | what pulls $M_t$ | what it shows |
# |---|---|---|
# | before | | where we start |
# | control | nothing | what more training does by itself |
# | placebo | the edit of *another* video of the class | what the look of an edit does |
# | knowledge | the edit of *this* video | and only the rest is what people knew |
#
# The last three learn from the same clips in the same order. The placebo gives each video the edit of
# another one of its class, stretched to its length:

# %%
class_of = dict(zip(batch.video_id, batch.label.tolist(), strict=True))
others = swapped(levels, class_of, seed=0)
assert all(len(others[name]) == len(levels[name]) for name in levels)
same = np.mean([np.array_equal(others[name], levels[name]) for name in levels])
print(f"videos whose placebo happens to equal their own edit: {same:.0%}")
between = [rank_correlation(others[name][None], levels[name][None]).value for name in levels]
print(f"rank correlation of a placebo with the own edit: {np.nanmean(between):+.2f}")

# %% [markdown]
# Were that correlation near 1, the placebo would be knowledge under another name. On this set an
# action may lie anywhere in its video, so another video's edit says little.

# %%
targets = {"control": None, "placebo": others, "knowledge": levels}
arms = {name: trainable_copy(model) for name in targets}
optimizers = {name: torch.optim.AdamW(a.parameters(), lr=1e-3) for name, a in arms.items()}
lines = []
for number in range(60):
    rows = torch.randperm(len(batch), generator=torch.Generator().manual_seed(number))[:16]
    for name, wanted in targets.items():
        goal = at_frames(wanted, batch.video_id, batch.frame_indices)
        classes, pull = step(arms[name], optimizers[name], rows, *goal, seed=number)
        if number == 0:
            print(f"{name:10s} first step: L_att + L_per {classes:.3f}   L_temp {pull:.3f}")
        lines.append({"step": number, name: classes, f"{name} ": pull or None})

# %% [markdown]
# At the first step the classification losses are equal to the last digit: same weights, same clips,
# same dropout. From then on the arms differ by their targets, and by nothing else.

# %%
first = [next(iter(v for k, v in line.items() if k in targets)) for line in lines[:3]]
assert first[0] == first[1] == first[2]
panels = {"L_temp (γ_t in it)": ["placebo ", "knowledge "], "L_att + L_per": list(targets)}
print(describe_curves(lines, panels, x="step"))
curves(lines, panels, x="step")

# %% [markdown]
# ## Did the attention give way?
#
# First on the clips that were edited, then on new ones that nobody edited. Beside the agreement
# stands what the same $M_t$ earns with *other* clips' truth: habit.

# %%
truth, _ = at_frames(new_levels, new.video_id, new.frame_indices)
print(f"{'arm':10s}  edited clips: own edit      new clips: own truth, others' truth    top-1")
for name, network in {"before": model, **arms}.items():
    with torch.no_grad():
        network.eval()
        here = network.from_features(features).temporal_attention
        there = network.from_features(new_features)
    learnt = rank_correlation(here, target).value
    score = rank_correlation(there.temporal_attention, truth)
    top1 = (there.logits.argmax(dim=1) == new.label).float().mean()
    print(
        f"{name:10s}  {learnt:+.2f}                        {score.value:+.2f}"
        f"                 {score.exchanged:+.2f}             {top1:.1%}"
    )

# %% [markdown]
# The first column says whether $\mathcal{L}_{temp}$ works at all. The second says whether what it
# teaches carries over to other videos, and counts only as far as it exceeds the third. The accuracies
# are of a handful of clips after sixty steps and prove nothing. [Table 2](results_table2.ipynb) has
# five seeds, the whole validation split, and paired tests of knowledge against the control:

# %% tags=["hide-input"]
Markdown(glance.answers_follow())

# %%
i = int(
    np.nanargmax(
        rank_correlation(
            arms["knowledge"].from_features(features).temporal_attention, target
        ).per_clip
    )
)
series = {}
for name in ("knowledge", "control"):
    with torch.no_grad():
        series[name] = arms[name].from_features(features[i : i + 1]).temporal_attention[0].numpy()
with torch.no_grad():
    series["before"] = model.from_features(features[i : i + 1]).temporal_attention[0].numpy()
shown = {"levels": target[i].numpy(), "levels_name": "edit"}
shown |= {"frame_indices": batch.frame_indices[i].tolist()}
print(
    f"“{names[batch.label[i]]}”, the clip that gave way most.", describe_temporal(series, **shown)
)
temporal_figure(series, **shown)

# %% [markdown]
# $M_t$ of the edited clip on which knowledge follows its edit best, before and after; the hatched
# steps are the edit. It is the best of all, and chosen for that.
#
# ## Several processes
#
# On GPUs a batch is shared out. Each process sees its clips only, and DistributedDataParallel
# averages the *gradients*. If every process divided by its own number of edited clips, a process with
# one edited clip would pull as hard as one with eight; if it divided by all clips, $\gamma_t$ would
# shrink. So the divisor is the number of edited clips in the *whole* batch over the number of
# processes, and the average is what one process would have computed:

# %%
mask = torch.rand(16, generator=torch.Generator().manual_seed(0)) < 0.3
m_t, goal = torch.rand(16, T), torch.rand(16, T)
whole = temporal_loss(m_t, goal, mask, gamma=10.0)
divisor = mask.sum() / 2
ranks = [temporal_loss(m_t[r::2], goal[r::2], mask[r::2], 10.0, divisor) for r in (0, 1)]
naive = [temporal_loss(m_t[r::2], goal[r::2], mask[r::2], 10.0) for r in (0, 1)]
torch.testing.assert_close(sum(ranks) / 2, whole)
print(f"edited clips on the two processes: {[int(mask[r::2].sum()) for r in (0, 1)]}")
print(
    f"one process {whole:.4f}   two, averaged {sum(ranks) / 2:.4f}   naively {sum(naive) / 2:.4f}"
)

# %% [markdown]
# ## How it is run
#
# ```bash
# papermill notebooks/launch/select.ipynb runs/mini_st_abn/select.ipynb \
#     -f notebooks/launch/mini_select.yaml
# make annotate          # people edit; or, for a synthetic set, the truth stands in:
# stabn stand-in --queue runs/mini_st_abn/queue --out runs/mini_st_abn/edits.json
# mkdir -p runs/mini_finetune
# papermill notebooks/launch/finetune.ipynb runs/mini_finetune/notebook.ipynb \
#     -f notebooks/launch/mini_finetune.yaml
# ```
#
# `edits` names a JSON file or a store (`edits.sqlite`, or the address of a PostgreSQL database). One
# call trains all arms and scores all of them, with $1 - M_s$ too. The paper's settings stand in
# `ssv2_finetune.yaml`.
#
# ## Will the answer follow?
#
# $\mathcal{L}_{temp}$ moves $M_t$. Whether the *answer* moves with it is the fusion's affair
# ([chapter 6](06_fusion.ipynb)): in the paper's, a frame of weight 0 still speaks through the spatial
# half, and a learned weight is never quite 0. Where edits are to mend a network that looks at the wrong
# time, fine-tune with **a gate that closes**, ours:
#
# ```bash
# mkdir -p runs/mended
# papermill notebooks/launch/finetune.ipynb runs/mended/notebook.ipynb \
#     -f notebooks/launch/mini_biased_finetune.yaml -p name mended \
#     -p run runs/YOURS -p edits YOUR_EDITS -p fusion gated -p closed 0.3
# ```
#
# `mini_biased_finetune.yaml` holds the settings of [a known fault](results_fault.ipynb), $\gamma_t = 100$ among
# them, and names that set's lists: give your own with `-p report_split` and `-p also_report`.
# `ssv2_closing_finetune.yaml` is the same for Something-Something v2. The gate has no weights, so a network
# that was trained with the paper's fusion can take it. The arm *before* keeps its own fusion. The control gets
# the gate, too: what the gate does by itself is not credited to the edits. A network of the 2022 release becomes
# such a run by `stabn adopt` ([chapter 8](08_st_abn.ipynb)).
# The page of the known fault has what this mends, and where it harms: what is shut out is gone. Where
# nothing is broken our way ends below the paper's: by a little with right edits, by much with other videos' edits. So close the
# gate where attention shows a fault, on edits that a second person has checked.
#
# ## What we learned
#
# - Targets are looked up by source frame, because every epoch samples other frames.
# - Freezing means weights *and* batch-normalisation statistics.
# - $\mathcal{L}_{temp}$ does change $M_t$; whether that reaches the answer is the fusion's affair. On
#   [a set with a known fault](results_fault.ipynb), where there is something to mend, a gate that
#   closes decides it.
# - Without a control, "after" measures more training; without a placebo, it measures what edits look
#   like. Only what is left is knowledge.

# %% [markdown]
# ## Questions
#
# **Question 1.** The network fine-tuned with edits is three points better than before. So is the
# control. What did the edits give?
#
# 1. Three points.
# 2. Nothing that shows: more training gave the three points.
# 3. Six points.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: the control had none of them, and is as good.
# 2. **Right:** only the difference from the control is owed to edits.
# 3. No: both are compared with the same start. Gains do not add up over networks.
#
# </details>
#
# **Question 2.** The extractor's weights are frozen, but its batch normalisation is in training
# mode. What happens?
#
# 1. Nothing: no gradient reaches it.
# 2. Its weights are trained after all.
# 3. Its running statistics drift, and its features with them.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: running means need no gradient. They follow each batch that passes.
# 2. No: they stay. It is the statistics that move.
# 3. **Right:** each forward pass moves them, until this is no longer the extractor whose features
#    were learned.
#
# </details>
#
# **Question 3.** Targets are read from the edit by the *position* in the clip, and not by source
# frame. What do you see?
#
# 1. No error, and a network taught the wrong time.
# 2. An error: the lengths differ.
# 3. The same: a clip keeps the order of the frames.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** position 6 of a clip may be source frame 17. Only the agreement with the edits would
#    tell.
# 2. No: the video is usually longer than the clip, so each position exists in the edit.
# 3. No: the order is right, the times are not: the edit's first frames are stretched over the whole
#    clip.
#
# </details>
#
# **Question 4.** Four clips of a batch of 64 are edited, and each has an $\mathcal{L}_{temp}$ of 2.
# What is it for the batch if one divides by *all* clips?
#
# <details class="answers"><summary>The answer</summary>
#
# **0.125**, that is `4 * 2 / 64`: the sum over the four is 8, divided by 64.
#
# - **2:** this is our mean, over the edited clips.
# - **0.5:** the sum is 8: four clips of 2 each, to be divided by 64 and not by 16.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** A batch of 64 clips holds one that is edited. By which factor does $\mathcal{L}_{temp}$ shrink if
# it is divided by the whole batch? [Chapter 7](07_losses.ipynb) finds a smaller factor over *all* batches
# of the paper, where 1.4 % of the videos are edited. Why?

# %% tags=["hide-cell"]
mask = torch.arange(64) == 0
m_t, goal = torch.rand(64, T), torch.rand(64, T)
by_edited = temporal_loss(m_t, goal, mask, gamma=10.0)
by_batch = temporal_loss(m_t, goal, mask, gamma=10.0, divisor=float(len(mask)))
print(f"in this batch {by_edited / by_batch:.0f} times smaller")
rate = 2396 / 168_913
factor = (1 - (1 - rate) ** 64) / rate  # share of batches with an edit, over the share of edits
print(f"over all batches {factor:.0f} times: some hold two edits or more, and there it is less")

# %% [markdown]
# **2.** A placebo that marks the *wrong* time is not fair: it teaches something false. Train an arm with
# edits turned round by half a video and look at the agreement of its $M_t$ with the own edits.

# %% tags=["hide-cell"]
from stabn.knowledge.finetuning.targets import shifted

wrong = trainable_copy(model)
optimizer = torch.optim.AdamW(wrong.parameters(), lr=1e-3)
goal = at_frames(shifted(levels), batch.video_id, batch.frame_indices)
for number in range(60):
    rows = torch.randperm(len(batch), generator=torch.Generator().manual_seed(number))[:16]
    step(wrong, optimizer, rows, *goal, seed=number)
with torch.no_grad():
    m_t = wrong.eval().from_features(features).temporal_attention
    start = model.from_features(features).temporal_attention
print(f"with the own edits: {rank_correlation(m_t, target).value:+.2f}")
print(f"before:             {rank_correlation(start, target).value:+.2f}")

# %% [markdown]
# **3.** Set $\gamma_t = 0$ in the knowledge arm. Which arm is it now? Show that the weights agree to
# the last bit after ten steps.

# %% tags=["hide-cell"]
pair = {"edits, γ = 0": (levels, 0.0), "control": (None, 10.0)}
ends = []
for wanted, gamma in pair.values():
    network = trainable_copy(model)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    goal = at_frames(wanted, batch.video_id, batch.frame_indices)
    for number in range(10):
        step(network, optimizer, torch.arange(16), *goal, gamma=gamma, seed=number)
    ends.append(network.state_dict())
assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
print(" and ".join(pair), "are the same network")

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
# # 12. Reading attention
#
# *Hardware: any laptop, two CPU cores, about 35 seconds.*
#
# **The question.** ST-ABN answers with a class, and with two kinds of attention: *where*, the maps
# $M_s$, and *when*, the weights $M_t$. How are they read? And how far may a reader trust them: do
# they show what is true of the clip, and does the answer depend on them?

# %% tags=["hide-input"]
import numpy as np
import torch

from stabn.data.dataset import ClipDataset, collate
from stabn.data.mini.drawn import DrawnVideos
from stabn.data.sampling import interleaved_indices
from stabn.data.transforms import eval_transform, normalise
from stabn.figures import (
    attention_figure,
    describe_attention,
    describe_temporal,
    temporal_figure,
)
from stabn.metrics import (
    beyond_habit,
    fixed_curve,
    mass_in_mask,
    pointing_game,
    rank_correlation,
    topk_accuracy,
)
from stabn.training.checkpoint import load_trained

_ = torch.set_grad_enabled(False)  # nothing is trained in this chapter

# %%
trained = load_trained("mini_st_abn")
model, names, T = trained.model, trained.classes, trained.config.num_frames
print("weights:", trained.origin)

# %% [markdown]
# ## Clips whose truth is known
#
# We draw synthetic clips that the network has never seen. For each frame we keep the truth level (0,
# 0.5 or 1) and a mask of the acting object and the hand.

# %%
transform = eval_transform(trained.config.image_size, short_side=trained.config.short_side)
drawn = DrawnVideos(range(len(names)), per_class=12, seed=12, split="validation")
dataset = ClipDataset(drawn.records, drawn, T, "segments", transform)
batch = collate([dataset[i] for i in range(len(dataset))])
clip = normalise(batch.video)  # (N, 3, T, H, W)
print("clips", tuple(clip.shape))

# %%
levels, masks = [], []
for video_id, indices in zip(batch.video_id, batch.frame_indices.numpy(), strict=True):
    video = drawn.clips[video_id]
    levels.append(video.levels[indices])
    masks.append(transform.masks((video.actor | video.hand)[indices]))  # cropped as the clip was
levels, masks = np.stack(levels), np.stack(masks)
print("levels", levels.shape, " masks", masks.shape)

# %% [markdown]
# The network is cut at the attention point: the feature extractor runs once, and every question
# below is put to what follows it.

# %%
features = torch.cat([model.features(part) for part in clip.split(16)])
own = model.from_features(features)
probability = own.logits.softmax(dim=1)
right = own.logits.argmax(dim=1) == batch.label
print("f  ", tuple(features.shape))
print("M_s", tuple(own.spatial_attention.shape), " M_t", tuple(own.temporal_attention.shape))
print(f"top-1 {right.float().mean():.1%} of {len(batch)} clips")

# %% [markdown]
# ## One clip
#
# This is the paper's Figure 3 for one of them. Raw values are shown, on a scale from 0 to 1 that is
# the same for every frame and every clip. Stretching each map to its own minimum and maximum would
# look livelier and say less: a map that is the same everywhere would then seem to point somewhere.


# %%
def figure_of(i: int):
    """Figure 3 for clip i of the batch, with its description printed."""
    best = probability[i].topk(3)
    seen = {
        "temporal": own.temporal_attention[i].numpy(),
        "spatial": own.spatial_attention[i].numpy(),
        "frame_indices": batch.frame_indices[i].tolist(),
        "predictions": [(names[k], float(p)) for p, k in zip(*best, strict=True)],
        "truth": names[batch.label[i]],
    }
    print(describe_attention(**seen))
    return attention_figure(batch.video[i].permute(1, 2, 3, 0).numpy(), levels=levels[i], **seen)


agreement = rank_correlation(own.temporal_attention, levels)
order = np.argsort(-np.nan_to_num(agreement.per_clip, nan=-2))
good = next(int(i) for i in order[len(order) // 4 :] if right[i])
figure_of(good)

# %% [markdown]
# A clip that the network gets right, chosen by rule and not by looks: the first right one in the
# second quarter of clips by agreement between $M_t$ and the truth. Each column is a frame with its
# source index; below it the weight $M_t$, the truth level, and the map $M_s$ with a cross at its
# peak.
#
# ## When: $M_t$ against the truth
#
# One clip proves little. Over all of them we use Spearman's rank correlation between $M_t$ and the
# truth levels in each clip. Its chance level is 0, and more numbers guard against luck: what
# shuffled weights would get, and what $M_t$ gets with the truth of *other* clips. A third needs no
# network: a fixed curve.

# %%
print(f"rank correlation {agreement.value:.2f} over {agreement.n} clips (chance 0)")
print(
    f"shuffled weights: 95 % of means in [{agreement.interval[0]:.2f}, {agreement.interval[1]:.2f}]"
)
print(f"truth of other clips: {agreement.exchanged:.2f}")
fixed = fixed_curve(levels)
print(f"a fixed curve, the mean truth of the others: {fixed.value:.2f}")
print(beyond_habit(agreement, fixed))
print(f"right answers {np.nanmean(agreement.per_clip[right]):.2f}", end="   ")
print(f"wrong answers {np.nanmean(agreement.per_clip[~right.numpy()]):.2f}")

# %% [markdown]
# Compare the first number with "truth of other clips". What $M_t$ earns there, it earns without
# looking: it is a habit of position, which frames as inputs of linear layers make possible
# ([chapter 5](05_temporal_head.ipynb)). A fixed curve has nothing but habit.
#
# **The rule:** above the truth of other clips, $M_t$ follows its own clip; only above a fixed curve too
# does it show more of *when* than habit does. The sentences printed above apply it to this network
# and these clips; over those of chapters 5 and [9](09_mini_ssv2.ipynb) the verdict on the fixed curve may
# be another one. Then it is not settled.
#
# The last line is the reason to correct attention by hand: if the network looks at the wrong time where
# it is wrong, then correcting *when* may help. If the two numbers are close, there is little to correct.
#
# The habit itself is easily seen: the mean of $M_t$ over all clips, beside the mean truth.

# %%
series = {"mean M_t over all clips": own.temporal_attention.mean(dim=0).numpy()}
print(describe_temporal(series, levels=levels.mean(axis=0)))
temporal_figure(series, levels=levels.mean(axis=0))

# %% [markdown]
# Positions 0 to T − 1 in the clip from left to right; the line is the mean weight, the hatched steps
# are the mean truth level.
#
# ## Where: $M_s$ against the masks
#
# Two measures, both over the frames in which the action happens. The **pointing game** asks whether
# the peak of the map lies on the acting object or the hand. **Mass in mask** asks what share of the
# map's sum lies there. A uniform map gets the mask's share of the picture: that is chance.

# %%
active = levels == 1
for name, measure in {"pointing game": pointing_game, "mass in mask": mass_in_mask}.items():
    score = measure(own.spatial_attention, masks, active=active)
    print(f"{name:14s} {score.value:.3f}   chance {score.chance:.3f}   over {score.n} clips")
low, high = own.spatial_attention.min(), own.spatial_attention.max()
print(f"raw values of M_s lie between {low:.2f} and {high:.2f}")

# %% [markdown]
# A mass above chance means high values on the thing, a mass below chance low values. Both can serve the
# network: its maps weigh features as $(1 + M_s)\cdot f$, a convolution follows, and the loss does not ask
# which of the two it is. Training decides. On the page of [Figure 3](results_figure3.ipynb) the mass lies
# above chance for every seed of the study, and by about as much. The paper's pictures show maps that are
# high on the hand and the object.
#
# ## Does the answer depend on it?
#
# Attention that agrees with the truth may still be a decoration that the answer ignores. So we put
# other attention in its place and watch the answer. Nothing else changes.

# %%
m_t, m_s = own.temporal_attention, own.spatial_attention
generator = torch.Generator().manual_seed(0)
elsewhere = torch.randperm(len(batch), generator=generator)
replaced = {
    "its own": {},
    "M_t: mean weight everywhere": {"temporal_attention": m_t.mean().expand_as(m_t)},
    "M_t: of another clip": {"temporal_attention": m_t[elsewhere]},
    "M_t: reversed in time": {"temporal_attention": m_t.flip(1)},
    "M_t: 1 − M_t": {"temporal_attention": 1 - m_t},
    "M_t: the truth levels": {"temporal_attention": torch.from_numpy(levels)},
    "M_s: mean value everywhere": {"spatial_attention": m_s.mean().expand_as(m_s)},
    "M_s: of another clip": {"spatial_attention": m_s[elsewhere]},
    "M_s: 1 − M_s (equation 7)": {"invert_spatial": True},
}
print(f"{'attention used':30s}  top-1   same answer")
for what, arguments in replaced.items():
    logits = model.from_features(features, **arguments).logits
    same = (logits.argmax(dim=1) == own.logits.argmax(dim=1)).float().mean()
    print(f"{what:30s}  {topk_accuracy(logits, batch.label, 1):5.1%}   {same:5.1%}")
print(f"(standard error of top-1 at most {(0.25 / len(batch)) ** 0.5:.1%})")

# %% [markdown]
# Read the table with care. The network was trained with its own attention, so any replacement is
# something it has never met, and a drop shows *dependence*, not that the attention was right. This
# holds for the truth levels too. The layers behind $M_t$ learned with the network's own curves, so the
# right levels can cost accuracy until the network is trained with them
# ([chapter 14](14_fine_tuning.ipynb)).
#
# The known truth for this test: with its own attention put in by hand, nothing may change.

# %%
by_hand = model.from_features(features, spatial_attention=m_s, temporal_attention=m_t)
torch.testing.assert_close(by_hand.logits, own.logits)
assert by_hand.attention_logits is None  # the attention branch had nothing left to do
print("its own attention, passed in: the same logits")

# %% [markdown]
# ### Turn it yourself
#
# In the pages of the built book the network itself stands here: two clips that it gets right and two that
# it gets wrong, chosen by rule. Pull the bars. $M_s$ stays as it is, and only what lies behind the attention
# point is computed again. The line in a bar is the network's own $M_t$, the hatching the truth.
#
# <div class="live" data-live="when"></div>
#
# (In JupyterLab the place above is empty: change `replaced` instead.)
#
# Three things to try. *All 0* leaves the temporal half of the fusion without a signal, and there is an
# answer nevertheless: it comes through $(1 + M_s) \cdot f$, which $M_t$ does not weigh
# ([chapter 6](06_fusion.ipynb)). *The truth* mends one clip that the network gets wrong, if there was such a
# clip among those that were tried, and leaves another wrong. And *Shuffle* keeps the weights and gives them to
# other frames: does the answer care which frame has which?
#
# ## Every frame of a video
#
# A clip has $T$ frames; a video may have three times as many. $M_t$ depends on the position in the
# clip, and the clips of training are spread over the whole video, so contiguous windows would be
# something the network has never met. Instead we take *interleaved* samples: the first frame of
# every segment, then the second, and so on. Each is a clip of the kind the network knows, and
# together they visit every frame.

# %%
longest = max(drawn.clips, key=drawn.frames)
video = drawn.clips[longest]
samples = interleaved_indices(len(video.frames), T)  # (J, T)
assert set(samples.ravel()) == set(range(len(video.frames)))  # every frame is visited
clips = torch.stack([transform(video.frames[row])[0] for row in samples])
weights = model(normalise(clips)).temporal_attention.numpy()  # (J, T)
print(f"{len(video.frames)} frames: {len(samples)} interleaved clips of {T}")

# %%
total, visits = np.zeros(len(video.frames)), np.zeros(len(video.frames))
np.add.at(total, samples.ravel(), weights.ravel())
np.add.at(visits, samples.ravel(), 1)
whole = {"M_t of every frame": total / visits}  # a frame visited twice gets the mean
print(video.caption + ".", describe_temporal(whole, levels=video.levels))
temporal_figure(whole, levels=video.levels)

# %% [markdown]
# $M_t$ of all source frames of the longest clip (line), and the truth (hatched steps). This is what
# an annotator will be shown to correct.
#
# ## What we learned
#
# - Attention is read on a fixed scale, with its raw values; stretching it per picture misleads.
# - Agreement with the truth is measured over many clips, with chance and with habit beside it.
# - Whether an answer *depends* on attention is another question, asked by replacing it.
# - Attention for every frame of a video comes from interleaved segment samples.

# %% [markdown]
# ## Questions
#
# **Question 1.** The truth levels are put in the place of $M_t$, and accuracy falls. What is the
# most likely reason?
#
# 1. The truth is wrong.
# 2. The answer does not depend on $M_t$.
# 3. The layers behind learned with the network's own curves.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: here it comes from the program that drew the clips.
# 2. No: then nothing would have changed.
# 3. **Right:** they have never met such levels. Fine-tuning gives them the chance.
#
# </details>
#
# **Question 2.** The peak of $M_s$ nearly always lies on the object. Inverted, $M_s$ changes hardly
# any answer. What does that say of $M_s$?
#
# 1. It agrees with the truth, and the answer hardly depends on it.
# 2. It explains well why the network answers so.
# 3. It is wrong.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** these are two questions, with two measures.
# 2. No: an explanation would name what the answer depends on.
# 3. No: by the pointing game it is right. It is just little used.
#
# </details>
#
# **Question 3.** Mass in mask is 0.15 over many clips, and the masks cover 15 % of the frames. How
# good are the maps?
#
# 1. Poor: 85 % of the attention misses the object.
# 2. By this measure no better than an even map.
# 3. Good: 15 % is the object's share, so they fit it.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: so does that of any map of even weight. What matters is the distance from chance.
# 2. **Right:** an even map has as much of its sum in the mask as the mask has of the frame.
# 3. No: a map that fits would have far more of its sum there.
#
# </details>
#
# **Question 4.** A mask covers 30 of the 14×14 cells of a map. What mass in mask does a map have
# that is the same everywhere? (Two decimals.)
#
# <details class="answers"><summary>The answer</summary>
#
# **0.15**, that is `30 / 14**2`: chance is the mask's share of the cells.
#
# - **0.5:** in and out are two cases, but not two of the same size.
# - **0.85:** this is what lies outside the mask.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** Look at a clip that the network gets wrong. Did it look at the wrong time, at the wrong
# place, or neither?

# %% tags=["hide-cell"]
wrong = [int(i) for i in order[::-1] if not right[i]]
figure_of(wrong[0])

# %% [markdown]
# **2.** Put a grey patch over the acting object in every frame. What happens to the answer, and to
# the map? And if the patch covers an equal area elsewhere?

# %% tags=["hide-cell"]
covered, shifted = clip.clone(), clip.clone()
mask = torch.from_numpy(masks)[:, None]  # (N, 1, T, H, W)
covered[mask.expand_as(covered)] = 0
shifted[mask.roll(clip.shape[-1] // 2, dims=-1).expand_as(shifted)] = 0
for name, changed in {"as it is": clip, "on the action": covered, "elsewhere": shifted}.items():
    logits = torch.cat([model(part).logits for part in changed.split(16)])
    print(f"grey patch {name:14s} top-1 {topk_accuracy(logits, batch.label, 1):.1%}")

# %% [markdown]
# **3.** Is a frame with a larger $M_t$ also one that the answer depends on more? Set one frame's
# weight to zero at a time and compare the change of the true class's logit with $M_t$.

# %% tags=["hide-cell"]
rows = torch.arange(0, len(batch), 4)
true_logit = own.logits[rows, batch.label[rows]]
change = []
for t in range(T):
    without = m_t[rows].clone()
    without[:, t] = 0
    out = model.from_features(
        features[rows], spatial_attention=m_s[rows], temporal_attention=without
    )
    change.append((true_logit - out.logits[torch.arange(len(rows)), batch.label[rows]]).abs())
found = rank_correlation(m_t[rows], torch.stack(change, dim=1))
print(f"rank correlation of M_t with the change {found.value:.2f}; shuffled {found.interval}")

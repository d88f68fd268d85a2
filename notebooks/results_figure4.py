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
# # Figure 4: attention before and after
#
# *Hardware: any laptop, no training here, under a minute.*
#
# **The question.** The paper's Figure 4 shows two videos before and after fine-tuning with edited
# attention: afterwards the network looks at the motion, and answers rightly. Here is the same picture
# with the two columns that it lacks: the *control*, trained as long without edits, and the *truth*.

# %% tags=["hide-input"]
import numpy as np
import torch

from stabn.data.dataset import ClipDataset, collate
from stabn.data.mini.drawn import DrawnVideos
from stabn.data.transforms import eval_transform, normalise
from stabn.figures import describe_temporal, filmstrip, temporal_figure
from stabn.metrics import rank_correlation
from stabn.training.checkpoint import load_trained

_ = torch.set_grad_enabled(False)

# %%
arms = {"before": load_trained("mini_st_abn")}
arms |= {arm: load_trained("mini_finetune", checkpoint=arm) for arm in ("control", "knowledge")}
for arm, trained in arms.items():
    print(f"{arm:10s} {trained.origin}")

# %% [markdown]
# ## Fresh clips, chosen by rule
#
# The clips are synthetic, drawn now from photographs that no training clip uses. Nobody edited them:
# if their attention improves, something was *learned*.

# %%
config, names = arms["before"].config, arms["before"].classes
transform = eval_transform(config.image_size, short_side=config.short_side)
drawn = DrawnVideos(range(len(names)), per_class=8, seed=4, split="validation")
dataset = ClipDataset(drawn.records, drawn, config.num_frames, "segments", transform)
batch = collate([dataset[i] for i in range(len(dataset))])
print("clips", tuple(batch.video.shape))

# %%
truth = np.stack(
    [
        drawn.clips[video_id].levels[indices]
        for video_id, indices in zip(batch.video_id, batch.frame_indices.numpy(), strict=True)
    ]
)  # (N, T)
features = torch.cat([arms["before"].model.features(normalise(c)) for c in batch.video.split(16)])
output = {arm: trained.model.from_features(features) for arm, trained in arms.items()}
answer = {arm: out.logits.argmax(dim=1) for arm, out in output.items()}
agreement = {arm: rank_correlation(out.temporal_attention, truth) for arm, out in output.items()}
for arm in arms:
    right = (answer[arm] == batch.label).float().mean()
    score = agreement[arm]
    print(
        f"{arm:10s} right {right:.1%}   M_t with the truth {score.value:+.2f}"
        f"   with others' truth {score.exchanged:+.2f}"
    )

# %% [markdown]
# One extractor serves all three: fine-tuning does not touch it. Now the rule. Of the clips that were
# wrong before and are right with knowledge (the paper shows such), we take the one whose agreement
# rose by the median amount: not the prettiest.

# %%
rise = agreement["knowledge"].per_clip - agreement["before"].per_clip


def median_of(chosen: np.ndarray) -> int | None:
    """The clip whose rise is the median of the chosen ones; None where there is none."""
    places = np.flatnonzero(chosen & ~np.isnan(rise))
    return int(places[np.argsort(rise[places])[len(places) // 2]]) if len(places) else None


was_wrong = (answer["before"] != batch.label).numpy()
now_right = (answer["knowledge"] == batch.label).numpy()
control_right = (answer["control"] == batch.label).numpy()
print(f"wrong before, right with knowledge: {(was_wrong & now_right).sum()} clips")
print(f"wrong before, right in the control: {(was_wrong & control_right).sum()} clips")
print(f"right before, wrong with knowledge: {(~was_wrong & ~now_right).sum()} clips")
print(f"right before, wrong in the control: {(~was_wrong & ~control_right).sum()} clips")


# %%
def show(i: int):
    """The frames that the network read."""
    print(f"“{names[batch.label[i]]}”")
    for arm in arms:
        print(f"{arm:10s} “{names[answer[arm][i]]}”, agreement {agreement[arm].per_clip[i]:+.2f}")
    frames = batch.video[i].permute(1, 2, 3, 0).numpy()
    return filmstrip(frames, frame_indices=batch.frame_indices[i].tolist())


def weights(i: int):
    """M_t of the three networks over the truth."""
    series = {arm: out.temporal_attention[i].numpy() for arm, out in output.items()}
    shown = {"levels": truth[i], "frame_indices": batch.frame_indices[i].tolist()}
    print(describe_temporal(series, **shown))
    return temporal_figure(series, **shown)


repaired = median_of(was_wrong & now_right)
repaired = median_of(was_wrong) if repaired is None else repaired
show(repaired)

# %%
weights(repaired)

# %% [markdown]
# And one that the pictures of a paper do not show: right before, wrong with knowledge (or, where there
# is none, simply one that is still wrong).

# %%
broken = median_of(~was_wrong & ~now_right)
broken = median_of(~now_right) if broken is None else broken
show(broken)

# %%
weights(broken)

# %% [markdown]
# **How to read it.** Lines are the raw weights in [0, 1] over source frames; the hatched steps are the
# truth. If *knowledge* lies on the steps and *control* does not, the edits taught the network *when*.
# Whether that makes its answers better is not seen in two clips: count the four lines above, and read
# [Table 2](results_table2.ipynb).

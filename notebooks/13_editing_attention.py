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
# # 13. Editing attention
#
# *Hardware: any laptop, two CPU cores, about 30 seconds.*
#
# **The question.** When the network answers wrongly, did it look at the wrong time? And what does
# its answer become when a person says *when* to look?
#
# The paper (section 3.2.1) embeds human knowledge in three steps. **Step 1:** collect the temporal
# attention of misclassified videos. **Step 2:** people correct it. **Step 3:** the network learns from
# the corrections ([chapter 14](14_fine_tuning.ipynb)).

# %% tags=["hide-input"]
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from IPython.display import display
from scipy.stats import binomtest
from torch.utils.benchmark import Timer

from stabn.data.mini.make import example
from stabn.data.sampling import segment_indices
from stabn.data.transforms import eval_transform, normalise
from stabn.figures import describe_temporal, filmstrip, temporal_figure
from stabn.knowledge.editor.editor import Editor
from stabn.knowledge.edits.edit import Draft, Edit, EditError
from stabn.knowledge.edits.words import describe
from stabn.knowledge.selection.queue import Queue, QueuedVideo, read_queue, write_queue
from stabn.knowledge.selection.select import candidates, weak_classes
from stabn.knowledge.selection.whole_video import whole_video_attention
from stabn.metrics import rank_correlation
from stabn.models.resnet3d import count_multiply_adds
from stabn.models.st_abn import STABNOutput
from stabn.training.checkpoint import load_trained

# %%
_ = torch.set_grad_enabled(False)  # nothing is trained in this chapter
trained = load_trained("mini_st_abn")
model, names, T = trained.model, trained.classes, trained.config.num_frames
K = len(names)
print("weights:", trained.origin)

# %% [markdown]
# ## Step 1: which videos are worth a person's time?
#
# The paper takes weak classes, eight under 50 % "on both the training and evaluation data" (section
# 4.2), and of these the training videos that the network gets wrong.
#
# The notebook [select](launch/select.ipynb) does this for a data set on disk. Here we draw new synthetic
# clips, small and in memory, with the photographs of the training split and of the tuning split.

# %%
transform = eval_transform(trained.config.image_size, short_side=trained.config.short_side)


class Drawn:
    """Synthetic clips as a source of videos, their labels, and the truth about when."""

    def __init__(self, splits: dict[str, int]):
        self.small, self.levels, self.origin = {}, {}, {}
        for s, (split, per_class) in enumerate(splits.items()):
            for k, i in np.ndindex(K, per_class):
                origin = {"template_index": k, "seed": (13, s, k, i), "split": split}
                clip, video_id = example(**origin), f"{split} {k:02d}-{i:02d}"
                self.small[video_id] = transform(clip.frames)[0].permute(1, 2, 3, 0).numpy()
                self.levels[video_id] = clip.levels  # (n,), one for each frame of the video
                self.origin[video_id] = origin

    def frames(self, video_id: str) -> int:
        return len(self.small[video_id])

    def read(self, video_id: str, indices: np.ndarray) -> np.ndarray:
        return self.small[video_id][indices]


drawn = Drawn({"train": 16, "tuning": 10})
ids = list(drawn.small)
print(len(ids), "videos of", K, "classes; the first one", drawn.small[ids[0]].shape)

# %% [markdown]
# We take one clip of $T$ frames of each, and cut the network at the attention point, as in
# [chapter 12](12_reading_attention.ipynb).

# %%
rows = [segment_indices(drawn.frames(v), T) for v in ids]  # source frame indices
clips = [transform(drawn.read(v, row))[0] for v, row in zip(ids, rows, strict=True)]
label = torch.tensor([drawn.origin[v]["template_index"] for v in ids])
features, outputs = [], []
for batch in torch.stack(clips).split(16):
    features.append(model.features(normalise(batch)))
    outputs.append(model.from_features(features[-1]))
features = torch.cat(features)
own = STABNOutput(*map(torch.cat, zip(*outputs, strict=True)))
right = (own.logits.argmax(dim=1) == label).numpy()
truth = np.stack([drawn.levels[v][row] for v, row in zip(ids, rows, strict=True)])  # at the clip
print("f", tuple(features.shape), " M_t", tuple(own.temporal_attention.shape), end="  ")
print("truth", truth.shape)
print(f"top-1 {right.mean():.1%} of {len(ids)} clips")

# %% [markdown]
# Weak classes are below the threshold on *both* splits. (If none is below 50 %, we raise the threshold
# until there is one: `select` would stop and say so.)

# %%
predictions = pd.DataFrame({"video_id": ids, "label": label, "logits": list(own.logits.numpy())})
split = np.array([v.split()[0] for v in ids])
accuracy = {
    k: tuple(right[(split == s) & (label == k).numpy()].mean() for s in ("train", "tuning"))
    for k in range(K)
}
threshold = 0.5
while not any(max(both) < threshold for both in accuracy.values()):
    threshold += 0.05
weak = tuple(k for k, both in accuracy.items() if max(both) < threshold)
assert weak == weak_classes(accuracy, threshold)
table = pd.DataFrame.from_dict(accuracy, orient="index", columns=["train", "tuning"])
table.insert(0, "class", names)
table["weak"] = ["yes" if k in weak else "" for k in accuracy]
table.sort_values(["train", "tuning"]).style.format("{:.0%}", subset=["train", "tuning"]).hide()

# %% [markdown]
# The queue: their misclassified training videos, the lowest probability of the true class first.

# %%
probability = own.logits.softmax(dim=1)[torch.arange(len(ids)), label].numpy()  # of the true class
wanted = (split == "train") & ~right & np.isin(label, weak)
places = sorted(np.flatnonzero(wanted), key=lambda i: (probability[i], ids[i]))
queue = [ids[i] for i in places]
library = candidates(predictions[split == "train"], weak)
assert queue == list(library["video_id"])
print(f"{len(queue)} of {(split == 'train').sum()} training videos are queued; the worst:")
for i in places[:5]:
    answer = names[own.logits[i].argmax()]
    print(f"  {ids[i]}  {probability[i]:.1%} for “{names[label[i]]}”, answered “{answer}”")

# %% [markdown]
# ## Did it look at the wrong time?
#
# Step 1 believes that these videos went wrong *because* attention was wrong. With the truth we can test
# that: Spearman's rank correlation between $M_t$ and the truth levels in each clip, for right answers
# and for wrong ones.

# %%
agreement = rank_correlation(own.temporal_attention, truth)
mean, error = {}, {}
for what, these in {"right": right, "wrong": ~right}.items():
    values = agreement.per_clip[these]
    values = values[np.isfinite(values)]
    mean[what], error[what] = values.mean(), values.std(ddof=1) / len(values) ** 0.5
    print(
        f"{what} answers: {mean[what]:+.3f}, standard error {error[what]:.3f}, {len(values)} clips"
    )
gap, gap_error = mean["right"] - mean["wrong"], np.hypot(*error.values())
print(f"difference {gap:+.3f} ± {gap_error:.3f}; ", end="")
if abs(gap) < 2 * gap_error:
    print("less than two standard errors: where it is wrong, it looked no worse than elsewhere")
else:
    print("it looked", "worse" if gap > 0 else "better", "where it is wrong, by more than luck")
print(f"all clips {agreement.value:+.3f}; with the truth of other clips {agreement.exchanged:+.3f}")

# %% [markdown]
# If the difference is small, wrong answers have another cause than the wrong time, and the belief fails
# *for this network*. What $M_t$ earns with the truth of *other* clips is habit, not attention to this
# one.
#
# ## Step 2: an edit
#
# The authors' annotators classified "frames into three levels" (their poster). Here 1 is for the
# motion that the class is about, 0.5 for context, 0 for the rest. *Every* frame of the video gets a
# level, because training takes other frames in each epoch (exercise 3). So a person sees $M_t$ of every
# source frame, read from interleaved samples as in chapter 12. We take the worst video.

# %%
worst = queue[0]
attention = whole_video_attention(model, drawn, worst, T, transform)
levels = drawn.levels[worst]
print(f"{worst}: {len(attention)} frames, {attention.dtype}", attention.shape)
shown = {"$M_t$ of the network": attention}
print(describe_temporal({"M_t of the network": attention}, levels=levels))
temporal_figure(shown, levels=levels)

# %% [markdown]
# Line: where the network looked. Hatched steps: the truth, which an annotator does not see.
#
# While somebody works there is a **draft**: a list of snapshots of the levels and a place in it. Undo
# steps back, redo steps forward, a new change cuts off what lay ahead. A change that changes nothing is
# no step. Who comes back to a video later finds these steps again: they are made anew from what was saved.


# %%
class OpenDraft:
    """Levels (n,) of one video while they are edited."""

    def __init__(self, attention):
        self.steps, self.now = [np.array(attention, float)], 0

    levels = property(lambda self: self.steps[self.now])

    def step(self, levels):
        if not np.allclose(levels, self.levels, rtol=0, atol=1e-9):
            self.steps, self.now = [*self.steps[: self.now + 1], levels], self.now + 1

    def paint(self, first, last, level):
        t = np.arange(len(self.levels))
        self.step(np.where((t >= first) & (t <= last), level, self.levels))

    def fill(self, first, last):
        t, ends = np.arange(len(self.levels)), [first, last]
        line = np.interp(t, ends, self.levels[ends])
        self.step(np.where((t >= first) & (t <= last), line, self.levels))

    def smooth(self):
        near = [self.levels[max(0, t - 1) : t + 2] for t in range(len(self.levels))]
        self.step(np.array([some.mean() for some in near]))

    def undo(self):
        self.now = max(self.now - 1, 0)

    def redo(self):
        self.now = min(self.now + 1, len(self.steps) - 1)


# %% [markdown]
# Is it the library's `Draft`? Chance presses the keys, and we compare after each press.

# %%
rng = np.random.default_rng(13)
ours, library, done = OpenDraft(attention), Draft(attention), {}
for _ in range(1000):
    what = str(rng.choice(["paint", "fill", "smooth", "undo", "redo"], p=[0.3, 0.1, 0.1, 0.3, 0.2]))
    first, last = sorted(int(t) for t in rng.integers(len(attention), size=2))
    given = {"paint": (first, last, float(rng.choice([0, 0.5, 1]))), "fill": (first, last)}
    for draft in ours, library:
        getattr(draft, what)(*given.get(what, ()))
    np.testing.assert_allclose(ours.levels, library.levels, atol=1e-9)
    done[what] = done.get(what, 0) + 1
print("the same levels after each of", ", ".join(f"{n} × {what}" for what, n in done.items()))
while library.undo():
    pass
assert np.array_equal(library.levels, library.attention)
print("undone to the end: the network's attention, to the bit")

# %% [markdown]
# Now the worst video. **These strokes are simulated**: they follow the truth, and set in one frame late,
# as a hand may.

# %%
draft = Draft(attention)
seen, acting = np.flatnonzero(levels > 0), np.flatnonzero(levels == 1)
draft.paint(0, draft.levels.size - 1, 0)
draft.paint(int(seen[0]), int(seen[-1]), 0.5)
draft.paint(min(int(acting[0]) + 1, int(acting[-1])), int(acting[-1]), 1)
row = rows[ids.index(worst)]
print(describe(draft, truth=names[label[ids.index(worst)]]))
print(f"The draft is the truth in {np.mean(draft.levels == levels):.0%} of the frames.")
# under each frame of the network's clip: M_t → the draft
captions = [f"{attention[t]:.2f} → {draft.levels[t]:g}" for t in row]
filmstrip(example(**drawn.origin[worst]).frames[row], frame_indices=row, captions=captions)

# %% [markdown]
# What is kept is an **edit**: the levels; who made it, when, in how many seconds; which network's
# attention was corrected (the SHA-256 of its file, here made up), and that attention.

# %%
edit = Edit(
    video_id=worst,
    verdict="edited",
    levels=tuple(draft.levels),
    annotator="simulated",
    model="13" * 32,
    attention=tuple(draft.attention),
    made=datetime(2026, 1, 1, 12, tzinfo=UTC),
    seconds=40,
)
assert Edit.from_plain(edit.plain(), "this page") == edit  # what JSON keeps is all there is
for field, value in edit.plain().items():
    print(f"{field:10s} {str(value)[:70]}")

# %% [markdown]
# The **verdict** says what kind of answer this is. `edited` comes with levels. `nothing_to_correct` says
# that the attention is right as it is; `cannot_tell` and `bad_video` speak for themselves; `open` takes
# back what was said before, as undo does. These four come without levels. An edit with the very levels
# that were shown corrects nothing, so it *is* `nothing_to_correct`, whoever writes it down.

# %%
untouched = Edit.from_plain(edit.plain() | {"levels": edit.plain()["attention"]}, "this page")
print(untouched.verdict, untouched.levels)
assert untouched.verdict == "nothing_to_correct"

# %% [markdown]
# An impossible edit is refused, with the video, the field and the frame.

# %%
for levels_given in (edit.levels[:-1], (*edit.levels[:-1], 1.5), (*edit.levels[:-1], float("nan"))):
    try:
        Edit.from_plain(edit.plain() | {"levels": list(levels_given)}, "edits.json, entry 1")
    except EditError as refused:
        print(refused)

# %% [markdown]
# ## What the answer becomes
#
# $M_t$ enters in equation (2), $f'_t = M_t \cdot f$, *after* the feature extractor. So an edit changes
# neither $f$ nor $M_s$: only fusion (equation (3)) and perception branch are computed again, with the
# levels of the clip's source frames.

# %%
i = ids.index(worst)
f, m_s, indices = features[i : i + 1], own.spatial_attention[i : i + 1], torch.from_numpy(rows[i])


@torch.no_grad()  # the editor below calls this from a thread of its own
def rescore(levels: np.ndarray) -> np.ndarray:
    """Levels (n,) of the whole video → class probabilities (K,)."""
    m_t = torch.tensor(levels, dtype=torch.float32)[indices][None]  # (1, T)
    out = model.from_features(f, spatial_attention=m_s, temporal_attention=m_t)
    return out.logits.softmax(dim=1)[0].numpy()


clip = normalise(clips[i][None])
m_t = torch.tensor(draft.levels, dtype=torch.float32)[indices][None]
whole = model(clip, temporal_attention=m_t).logits.softmax(dim=1)[0].numpy()
before, after = own.logits[i].softmax(dim=0).numpy(), rescore(draft.levels)
np.testing.assert_allclose(after, whole, atol=1e-5)
print("clip", tuple(clip.shape), "→ f", tuple(f.shape), "→ probabilities", after.shape)
print("from features: the same as the whole network with M_t put in")

# %%
for k in dict.fromkeys([int(label[i]), int(before.argmax()), int(after.argmax())]):
    print(f"“{names[k]}”: {before[k]:.3f} before, {after[k]:.3f} after", end="")
    print("  (the true class)" if k == label[i] else "")

# %% [markdown]
# People work fluently only if the answer comes while they drag. So what does it cost?

# %%
from stabn.knowledge.selection.rescoring import load_head, save_head

timers = {
    "re-scoring": Timer("f(l)", globals={"f": rescore, "l": draft.levels}),
    "whole network": Timer("f(x)", globals={"f": model, "x": clip}),
}
seconds = {name: [] for name in timers}
for _ in range(5):  # in turns, so that other load on the machine falls on both
    for name, timer in timers.items():
        seconds[name].append(timer.timeit(2).mean)
best = {name: min(times) for name, times in seconds.items()}
for name, time in best.items():
    print(f"{name:14s} {1000 * time:6.1f} ms")
print(f"ratio {best['re-scoring'] / best['whole network']:.2f} in time, ", end="")

with tempfile.TemporaryDirectory() as folder:
    save_head(Path(folder) / "head.pt", model, trained.config)
    head = load_head(Path(folder) / "head.pt")  # fusion and perception branch alone
ratio = count_multiply_adds(head, f, m_s, m_t) / count_multiply_adds(model, clip)
print(f"{ratio:.2f} in multiply–adds")

# %% [markdown]
# `benchmarks/rescoring_cost.py` prints this ratio for a ResNet-50.
#
# Annotators need neither the extractor nor a GPU: `select` writes each queued video's features, in half
# precision, and the weights of these two parts into the queue's folder. The library's `Rescorer`
# answers from that folder.

# %%
from stabn.knowledge.selection.rescoring import Features, Rescorer, save_features

with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    m_t = own.temporal_attention[i : i + 1]
    save_head(folder / "head.pt", model, trained.config)
    save_features(folder / "worst.npz", Features(f, m_s, m_t, indices[None]))
    entry = QueuedVideo(
        video_id=worst,
        label=int(label[i]),
        predicted=int(before.argmax()),
        probability=float(before[label[i]]),
        attention=tuple(attention.tolist()),
        sampled=tuple(indices.tolist()),
        features="worst.npz",
    )
    about = {"run": "", "checkpoint": "best", "model": edit.model, "data_root": "", "key": ""}
    more = {"splits": ("train", "tuning"), "weak": weak, "accuracy": {}, "provenance": {}}
    write_queue(Queue(folder, classes=names, num_frames=T, videos=(entry,), **about, **more))
    rescorer = Rescorer(read_queue(folder))
    np.testing.assert_allclose(rescorer(worst, draft.levels), after, atol=5e-3)
    np.testing.assert_allclose(rescorer.own(worst), before, atol=5e-3)
    for path in sorted(folder.iterdir()):
        print(f"{path.name:12s} {path.stat().st_size / 1000:6.0f} kB")
print("the library's answers, from the folder: the same, to half precision")

# %% [markdown]
# ## Over many clips
#
# What do answers become with the *true* levels in place of $M_t$, and no training? The truth is what a
# perfect annotator would draw. To the network it is a strange input: the layers behind $M_t$ learned with
# the network's own curves and never met such levels. So the truth may cost accuracy, and it is no upper
# bound: other levels may do better.
#
# Two traps. Among wrong answers alone every change seems to help, so we count over all clips, those
# **helped** (wrong, then right) and those **harmed**. And levels of *any* video may help because they
# look like an edit, so we compare with the truth of another video of the same class.

# %%
truth_in = torch.from_numpy(truth)
neighbour = np.arange(len(ids))
for s, k in np.ndindex(2, K):  # within each split and class, each takes the next one's place
    group = np.flatnonzero((split == ("train", "tuning")[s]) & (label == k).numpy())
    neighbour[group] = np.roll(group, 1)
replaced = {
    "its own M_t": own.temporal_attention,
    "the truth": truth_in,
    "another video's truth": truth_in[neighbour],
    "everywhere the mean of M_t": own.temporal_attention.mean().expand(len(ids), T),
    "1 − the truth": 1 - truth_in,
}


def put_in(m_t: torch.Tensor) -> torch.Tensor:
    """M_t (N, T) → logits (N, K), everything else unchanged."""
    parts = (x.split(32) for x in (features, own.spatial_attention, m_t))
    return torch.cat(
        [
            model.from_features(f, spatial_attention=m_s, temporal_attention=part).logits
            for f, m_s, part in zip(*parts, strict=True)
        ]
    )


logits = {what: put_in(m_t) for what, m_t in replaced.items()}
torch.testing.assert_close(logits["its own M_t"], own.logits)

# %% [markdown]
# The last column: the chance of a split at least as uneven if help and harm were equally likely (the
# exact binomial test).

# %%
correct = {what: (z.argmax(dim=1) == label).numpy() for what, z in logits.items()}


def changed(before: np.ndarray, after: np.ndarray) -> tuple[int, int, float]:
    """How many answers are helped and harmed, and the p-value of the exact binomial test."""
    helped, harmed = int((after & ~before).sum()), int((before & ~after).sum())
    p = binomtest(helped, helped + harmed).pvalue if helped + harmed else 1.0
    return helped, harmed, p


def shown_p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


print(f"{'M_t put in':28s} top-1   helped  harmed        p")
for what, now in correct.items():
    helped, harmed, p = changed(right, now)
    print(f"{what:28s} {now.mean():5.1%}   {helped:6d}  {harmed:6d}  {shown_p(p):>7s}")
print(f"(standard error of one top-1 at most {(0.25 / len(ids)) ** 0.5:.1%}; n = {len(ids)})")


# %%
def in_words(what: str, helped: int, harmed: int, p: float) -> str:
    """The verdict on one comparison; 0.05 is a convention, not a border."""
    if p >= 0.05:
        return f"{what}: {helped} better and {harmed} worse are what luck gives (p {shown_p(p)})."
    more = "better than worse" if helped > harmed else "worse than better"
    return f"{what}: more answers {more} ({helped} and {harmed}, p {shown_p(p)}), hardly luck."


print(in_words("The truth in place of the network's own", *changed(right, correct["the truth"])))
knowing = changed(correct["another video's truth"], correct["the truth"])
print(in_words("The truth in place of another video's", *knowing))
queued = np.isin(ids, queue)
for what in ("the truth", "another video's truth"):
    print(f"of the {queued.sum()} queued videos, {what} turns {correct[what][queued].sum()} right")

# %% [markdown]
# These sentences are computed for the network that is loaded above; another training seed may turn them.
# In any case:
#
# - The network has *learnt with its own* $M_t$. It may still learn from a truth that does not help at
#   once.
# - $M_t$ governs one half of what is fused; the other half, $(1 + M_s)\cdot f$, lets every frame through
#   ([chapter 6](06_fusion.ipynb)). A network may lean on that half.
# - If another video's truth does as well as this one's, what helped is the shape of an edit, and
#   nothing that a person saw.
#
# ## The editor
#
# The library's editor shows all source frames, the network's attention, the draft, and the
# probabilities before and after, which follow each stroke. It is mouse or keys. The mouse:
# drag sideways to select frames, drag a bar up or down to set its level, click a frame to look at it and a
# level's button to set it. The keys:
#
# | key | what it does |
# |---|---|
# | 0, 5, 1 | set the frame, or those selected, to irrelevant (0), context (0.5), the action (1) |
# | 0, 5, 1, held | while the video plays: set all frames that pass |
# | i, then o | select from here to there, also while the video plays |
# | ← → | go to the frame before, after; with Shift, select several |
# | ↑ ↓ | level up, down by 0.05 |
# | Home, End | first, last frame |
# | f, s | fill a straight line between the ends of the selection; smooth |
# | Ctrl-Z, Ctrl-Y | undo, redo, without limit (⌘ on a Mac) |
# | Space; <, >; l | play, pause; slower, faster; in a loop or once |
# | w | show or hide where the network looks, $M_s$ |
# | Enter | next video, where there is a queue |
#
# ![The editor. Above, what the video shows and what the network answered. Left, the frame that is looked at, with the spatial attention laid over it, and the player. Right, buttons for the levels and the probabilities before and after. Below, all frames in two rows, each over the bar of its level, with the network's attention as a line.](../book/assets/editor.png)
#
# *The editor with a synthetic clip, on the annotators' page of
# [chapter 15](15_annotating_together.ipynb); `make screens` takes the picture.*
#
# A page of a book cannot compute, so here stands, as a picture and in words, what an annotator sees
# before and after the strokes above.


# %%
def show_editor() -> Editor:
    """The worst video in the editor, live: its draft is the one above."""
    return Editor(
        example(**drawn.origin[worst]).frames,
        draft,
        sampled=indices.tolist(),
        truth=names[label[i]],
        predicted=names[before.argmax()],
        spatial=m_s[0, 0].numpy(),
        rescore=rescore,
        classes=names,
        own=before,
    )


# %% [markdown]
# **To edit it yourself:** start JupyterLab with `make lab`, open this chapter and run its cells up to
# and including the next. (In another program than JupyterLab, write `live = True`.) Run the cell again
# to see your own draft in the picture.

# %%
live = "JPY_SESSION_NAME" in os.environ  # JupyterLab sets it for the notebooks that it opens
if live:
    display(show_editor())
about = {"truth": names[label[i]], "predicted": names[before.argmax()], "classes": names}
print(describe(Draft(attention), **about, own=before))
print(describe(draft, **about, own=before, after=rescore(draft.levels)))
temporal_figure(shown | {"the draft": draft.levels}, levels=levels)

# %% [markdown]
# Solid with dots: the network's attention. Dashed with squares: the draft. Hatched steps: the truth.
#
# `make annotate` serves the same editor as a page for people who do not code:
# [chapter 15](15_annotating_together.ipynb).
#
# ## What we learned
#
# - Step 1 is a rule: classes weak on two splits, their misclassified training videos, worst first.
# - That wrong answers come from looking at the wrong time is a belief to be tested.
# - An edit is a level for every source frame, with its provenance. A draft is a list of snapshots.
# - An edit is answered from features at the attention point, exactly, at a fraction of the cost.
# - Count what is harmed, and put in the edits of *other* videos: else you see help where there is none.

# %% [markdown]
# ## Questions
#
# **Question 1.** Among the videos that a network gets wrong, edits make 20 % right and harm none.
# What follows?
#
# 1. That edits do no harm.
# 2. That too few videos were tried.
# 3. Nothing yet: only right answers can be harmed.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: a wrong answer cannot be made wrong. Harm shows among the right ones.
# 2. No: more of them would show the same, for the same reason.
# 3. **Right:** so all clips are counted, those helped beside those harmed.
#
# </details>
#
# **Question 2.** The edits of *another* video of the same class help as much as those of the video
# itself. What helped?
#
# 1. The look of an edit.
# 2. The care of the annotators.
# 3. Nothing: the network does not use $M_t$.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** what a person saw in this very video added nothing.
# 2. No: an edit of another video was made with as much care, and knows nothing of this one.
# 3. No: then neither would have changed an answer.
#
# </details>
#
# **Question 3.** An annotator finds the network's attention right, and saves it as it is. What is
# kept?
#
# 1. The verdict *edited*, with the levels that were shown.
# 2. The verdict *nothing to correct*, without levels.
# 3. Nothing: the video comes back into the queue.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: levels that change nothing correct nothing, and would pull the network to where it is.
# 2. **Right:** that is a judgement, too, and it is kept as what it is.
# 3. No: the person has worked and said something.
#
# </details>
#
# **Question 4.** A video has 40 frames. An edit sets frames 20 to 29 to 1, the others to 0. How
# many of the 16 targets of its clip are 1, in evaluation?
#
# <details class="answers"><summary>The answer</summary>
#
# **4**, that is `sum(20 <= k < 30 for k in segment_indices(40, 16))`: the clip takes frames 21, 23,
# 26 and 28 of these ten.
#
# - **10:** this counts frames of the video. The clip takes only some of them.
# - **16:** the clip spans the whole video, and most of its frames lie outside the action.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** Wrong answers crowd in a few classes. Is the difference between right and wrong answers one
# between classes? Compare within each class.

# %% tags=["hide-cell"]
within, weights = [], []
for k in range(K):
    usable = (label == k).numpy() & np.isfinite(agreement.per_clip)
    a, b = agreement.per_clip[usable & right], agreement.per_clip[usable & ~right]
    if len(a) > 1 and len(b) > 1:
        within.append(a.mean() - b.mean())
        weights.append(1 / (1 / len(a) + 1 / len(b)))  # how much this class can tell
inside = np.average(within, weights=weights)
spread = agreement.per_clip[np.isfinite(agreement.per_clip)].std() / np.sum(weights) ** 0.5
print(f"right minus wrong: {gap:+.3f} ± {gap_error:.3f} over all clips,")
print(f"{inside:+.3f} ± {spread:.3f} within {len(within)} classes that have both")

# %% [markdown]
# **2.** How exact must an edit be? Put the truth in, but late or early by a few source frames.

# %% tags=["hide-cell"]
for late in (-8, -4, -2, 0, 2, 4, 8):
    moved = []
    for video_id, row in zip(ids, rows, strict=True):
        known = drawn.levels[video_id]
        moved.append(known[np.clip(row - late, 0, len(known) - 1)])
    now = (put_in(torch.from_numpy(np.stack(moved))).argmax(dim=1) == label).numpy()
    print(f"{late:+d} frames: top-1 {now.mean():.1%}")
print(f"its own M_t: {right.mean():.1%}")

# %% [markdown]
# **3.** The network reads $T$ frames. Why must an edit have a level for *every* frame of the video?

# %% tags=["hide-cell"]
n, rng = max(drawn.frames(v) for v in ids), np.random.default_rng(0)
met: set[int] = set()
for epoch in range(1, 13):
    met |= set(segment_indices(n, T, rng).tolist())
    if epoch in (1, 2, 4, 12):
        print(f"after {epoch:2d} epochs training has met {len(met)} of {n} frames")
print(f"evaluation always takes the same {len(set(segment_indices(n, T).tolist()))}")

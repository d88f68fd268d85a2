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
# # 11. Something-Something v2
#
# *Any laptop, no GPU: about 30 seconds on two CPU cores.*
#
# **The question.** What does it take to train on the real set, and how do we know beforehand that it
# will go through? The set cannot come with this book: it is free for research, from its publisher,
# after registration. So this chapter takes a handful of small files that look like it through every
# step that the real ones will take, and says what the real ones will cost: GPUs, for days.

# %% tags=["hide-input"]
import json
import subprocess
import sys
import tempfile
from contextlib import chdir
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import HTML

# %% tags=["hide-input"]
from stabn.data.mini.make import example
from stabn.data.sampling import segment_indices, tsn_indices, two_clip_indices, views
from stabn.data.ssv2 import class_of_template, class_text
from stabn.data.transforms import eval_transforms
from stabn.data.video import write_video
from stabn.figures.sheet import COLOURS, FAINT, Sheet, styled
from stabn.tables import cost, paper_rows
from stabn.tables.html import DASH, table
from stabn.tables.work import hours, loader_of, projected, works
from stabn.training.checkpoint import REPOSITORY
from stabn.training.cluster.launch import launch_config
from stabn.training.config import RunConfig, read_config, read_yaml
from stabn.training.preflight.findings import PreflightError
from stabn.training.preflight.training import preflight

scratch = tempfile.TemporaryDirectory()
FOLDER = Path(scratch.name)

# %% [markdown]
# ## What the set is
#
# 220,847 videos of people who do something to something: 168,913 to train on, 24,777 for validation,
# 27,157 for a test whose labels were long withheld. Each is `<id>.webm`: VP9, 240 pixels high, mostly 427
# wide, 12 frames a second, mostly two to six seconds; 19.4 GB in all. There are 174 classes, and their sizes
# in training run from 91 videos to 3,284.
#
# A class is a *template* with its objects left open. The lists give each video its template with the
# open places in square brackets; the label file has the class texts without. Whatever stands in the
# brackets, only the brackets go. The obvious shortcut is wrong for 20 of the 174:

# %%
templates = [
    "Pushing [something] so that it slightly moves",
    "Putting [number of] [something] onto [something]",
]
templates += [
    "Pretending to put [something] on a surface",
    "Spilling [something] next to [something]",
]
templates += ["Bending [something] until it breaks", "Putting [something] into [something]"]
classes = sorted(class_text(t) for t in templates)
for t in templates[:2]:
    shortcut = t.replace("[something]", "something")
    print(f"{class_of_template(t, classes)}  {class_text(t)}")
    print(
        f"   by the shortcut: “{shortcut}”, {'found' if shortcut in classes else 'NO such class'}"
    )
assert [class_of_template(t, classes) for t in templates] == [
    classes.index(t.replace("[", "").replace("]", "")) for t in templates
]

# %% [markdown]
# ## Videos shorter than a clip
#
# The network reads $T = 32$ frames. Counted on the public lists, the training videos have 8 to 120
# frames, 45 in the middle: **15.1 % have fewer than 32**, 76.6 % have 32 to 63, and 8.3 % have 64 or
# more. A sampling rule is tried here, and not on long films.
#
# Ours cuts the video's *time* into $T$ equal segments and takes from each the frame on screen at a
# moment $u_i \in [0, 1)$ in it, drawn uniformly in training and the middle in evaluation. For
# $i = 0, \dots, T - 1$:
#
# $$ t_i = \left\lfloor \frac{(i + u_i)\,n}{T} \right\rfloor $$
#
# TSN's rule, which the published ST-ABN code uses for its "32", takes
# $t_i = i\,\lfloor n/T\rfloor + r_i$ with $r_i$ drawn from $0,\dots,\lfloor n/T\rfloor-1$, and frame 0
# for all $i$ if $n < T$. Work out by hand what that does:
#
# - $n < T$: 32 copies of the first frame, a still picture;
# - $T \le n < 2T$: $\lfloor n/T\rfloor = 1$, so the *first* 32 frames, always the same, and whatever comes
#   after them is never seen.

# %%
T, lengths = 32, np.arange(8, 121)
rng = np.random.default_rng(0)


def met(rule, n: int, draws: int = 300) -> float:
    """Share of a video's frames that training ever meets."""
    return len(np.unique([rule(n, T, rng) for _ in range(draws)])) / n


ours = np.array([met(segment_indices, n) for n in lengths])
tsn = np.array([met(tsn_indices, n) for n in lengths])
short, middle = lengths < T, (lengths >= T) & (lengths < 2 * T)
assert (ours == 1).all()  # every frame of every video has its turn
assert np.allclose(tsn[short], 1 / lengths[short])  # by hand: one frame of n
assert np.allclose(tsn[middle], T / lengths[middle])  # by hand: the first 32 of n
for n in (8, 31, 45):
    print(f"n = {n:2d}  TSN {tsn_indices(n, T, rng)[:9]} …  ours {segment_indices(n, T)[:9]} …")


# %% tags=["hide-input"]
@styled
def coverage_figure() -> Sheet:
    """Share of frames that training meets, by the video's length."""
    sheet = Sheet(2.7, layout="constrained")
    axes = sheet.subplots()
    axes.plot(lengths, ours, COLOURS[0], lw=2, label="segments (ours)")
    axes.plot(lengths, tsn, COLOURS[1], lw=2, ls="--", label="TSN's rule (“official_32”)")
    for left, right, share in ((8, 32, "15.1 %"), (32, 64, "76.6 %"), (64, 120, "8.3 %")):
        axes.axvline(right, color=FAINT, lw=0.8, ls=":")
        axes.text((left + right) / 2, 1.08, f"{share} of videos", ha="center", fontsize=8.5)
    axes.set_xlabel("frames in the video, n")
    axes.set_ylabel("share that training meets")
    axes.set_xlim(8, 120)
    axes.set_ylim(0, 1.05)
    axes.legend(loc="lower right")
    return sheet


# %%
#| fig-alt: Segments meet all frames at every length; TSN's rule one frame below 32, and few up to 64
coverage_figure()

# %% [markdown]
# Above: the shares of the training set in each range of lengths. TSN's rule meets all frames only where
# the length is an exact multiple of 32.
#
# "32×2" has two readings too. The paper's text: two sets of 32 frames, one from each half of the video
# (`two_clip`; every video gives two clips, in training as in the score). The published code: one clip
# of 32 frames at stride 2 (`official_32x2`). Both are offered:

# %%
n = 45
both = two_clip_indices(n, T)
print("two_clip      ", both[0, :5], "…", both[0, -3:], "and", both[1, :5], "…", both[1, -3:])
stride = views("official_32x2", n, T)[0]
print("official_32x2 ", stride[:5], "…", stride[-12:])
print(f"{n - len(set(stride))} of {n} frames unseen, the last one {np.sum(stride == n - 1)} times")
assert both[0].max() <= n // 2 <= both[1].min()  # one half each

# %% [markdown]
# ## Getting it in
#
# The set is [Something-Something V2](https://www.qualcomm.com/developer/software/something-something-v-2-dataset).
# TwentyBN made it (Goyal et al., 2017); Qualcomm gives it out, after registration. In the end the folder,
# `data_root` of a run, looks like this:
#
# ```text
# ssv2/
# ├── labels.json         174 class texts and their ids
# ├── train.json          id, caption, template, placeholders of each video
# ├── validation.json     the same
# ├── test.json           ids alone; may be missing
# ├── manifest.parquet    written by verify
# └── videos/
#     ├── 1.webm
#     └── …               to 220847.webm
# ```
#
# The JSON files come in the publisher's archive of labels: copy them. Their older names
# (`something-something-v2-train.json`, `…-labels.json`) are read too.
#
# Three scripts in `data_scripts/` lead from the publisher's 20 parts to a set that is known to be
# whole. Each can be killed at any moment and started again, works on one machine or as the array of a
# cluster, and ends by saying what it found.
#
# ```bash
# mkdir -p data/ssv2 && cp ~/Downloads/labels/*.json data/ssv2/
# python data_scripts/assemble.py ~/Downloads/ssv2 --out data/ssv2
# python data_scripts/verify.py --root data/ssv2 --jobs 16
# ```
#
# - **assemble** puts the parts in numeric order (shells sort part 10 before part 2), checks them, and
#   unpacks with a check of every video's size, without writing the joined archive.
# - **verify** decodes every video to its last frame, with two decoders and in workers that a time limit
#   can end, and writes `manifest.parquet`. What is broken is listed; nothing is guessed.
# - **prepare** encodes the videos again, so that they are quicker to read: smaller ones as VP9, or (`--codec h264`) as
#   H.264, whose files are larger. Each copy must have its source's frames, upright, and show in them what its source shows.
#
# Training takes the number of frames of each video from the manifest. A number belongs to a file's bytes:
# a file that changed since is counted anew. Those bytes are read once, to be looked up and to be decoded;
# a parallel file system answers a second opening slowly.
#
# We make a data set by hand to try verify and prepare on: labels and lists in the official form, and nine small webm
# files, some in two passes as the real ones were. They are drawn by a program: *synthetic*.

# %%
root = FOLDER / "ssv2"
(root / "videos").mkdir(parents=True)
templates = [
    "Moving [something] from left to right",
    "Moving [something] up",
    "Covering [something] with [something]",
]
names = sorted(class_text(t) for t in templates)
(root / "labels.json").write_text(json.dumps({name: str(k) for k, name in enumerate(names)}))
lists = {"train": range(1, 7), "validation": range(7, 10)}
for split, numbers in lists.items():
    entries = []
    for number in numbers:
        template = templates[number % 3]
        video = example([7, 8, 1][number % 3], number)
        path = root / "videos" / f"{number}.webm"
        write_video(path, video.frames, fps=12, two_pass=number == 2)
        about = {"id": str(number), "label": video.caption, "template": template}
        entries.append(about | {"placeholders": ["a thing"] * template.count("[")})
    (root / f"{split}.json").write_text(json.dumps(entries))
print(json.dumps(entries[0]))

# %% [markdown]
# Then we break two things, as they break on the way: a file is cut short, and another has not arrived.

# %%
whole = (root / "videos" / "4.webm").read_bytes()
(root / "videos" / "4.webm").write_bytes(whole[: len(whole) // 2])
(root / "videos" / "9.webm").rename(FOLDER / "9.webm")


def data_script(name: str, *options: str) -> int:
    """Run one of the three scripts as a command; prints what it says, returns its exit status."""
    command = [sys.executable, REPOSITORY / "data_scripts" / f"{name}.py", *options]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True)
    print("$", f"{name}.py", *options)
    print(done.stdout)
    return done.returncode


status = data_script("verify", "--root", "ssv2", "--jobs", "2")
assert status == 1  # done, and something was found wrong

# %%
columns = ["id", "status", "frames", "promised", "width", "height", "fps", "bytes"]
manifest = pd.read_parquet(root / "manifest.parquet")
pd.set_option("display.max_colwidth", None)
HTML(manifest[columns].convert_dtypes().to_html(index=False, na_rep=DASH))

# %% [markdown]
# The cut file still opens in a player, as a shorter video. This library's reader would refuse it, one
# night in the midst of an epoch; others would train on it without a word. We copy both again and repeat
# the command: only what changed is decoded.

# %%
(root / "videos" / "4.webm").write_bytes(whole)
(FOLDER / "9.webm").rename(root / "videos" / "9.webm")
assert data_script("verify", "--root", "ssv2", "--jobs", "2") == 0
assert data_script("prepare", "--root", "ssv2", "--out", "ssv2_64", "--short-side", "64") == 0

# %% [markdown]
# For the whole set these are the costs, as projected in `data_scripts/README.md` from files of the
# set's form, and read from there:

# %%
lines = (REPOSITORY / "data_scripts" / "README.md").read_text().splitlines()
steps = ("| step |", "| assemble |", "| verify | 0", "| prepare,")
picked = [
    line.replace("`", "").strip("| ").split(" | ") for line in lines if line.startswith(steps)
]
head, *rows = picked
assert {len(row) for row in picked} == {5}
rows = [[escape(cell) for cell in row] for row in rows]
HTML(table("What bringing the set in costs (projected from 120 files)", head, rows, text_columns=1))

# %% [markdown]
# To train at 224 pixels, as the paper does, `prepare` can be left out: 240 lines are not much more than
# that, and a run scales what it reads to its `short_side`. `prepare` pays for smaller crops, and at any size as H.264
# (`--codec h264`) where the cores that decode are what one waits for; the same page of `data_scripts` says by how much.
#
# ## Which file fills which cell
#
# A training is one notebook and one file of parameters. What a file does not name has the notebook's
# default, and the defaults are the paper's settings; where its text and its code differ, they follow
# [chapter 8's table](08_st_abn.ipynb). The table is read from the files.

# %%
WORDS = {"segments": "32", "two_clip": "32×2", "official_32x2": "32×2, the code's"}
ARM = {"baseline": "Baseline of the paper", "st_abn": "ST-ABN"}
printed = {(row["system"], row["backbone"], row["frames"]): row["top1"] for row in paper_rows()}
rows, also, folder = [], set(), REPOSITORY / "notebooks/launch"
for path in sorted(folder.glob("ssv2_*_r*.yaml")):
    config, named = read_config(path), read_yaml(path)
    cell = (
        ARM[config.model],
        config.backbone.replace("resnet", "3D ResNet-"),
        WORDS[config.sampling],
    )
    others = {k: v for k, v in named.items() if k not in ("name", "model", "backbone", "sampling")}
    also.add(", ".join(f"{k}: {v}" for k, v in others.items()))
    system = "baseline" if config.model == "baseline" else "ST-ABN"
    shown = (system, config.backbone.replace("resnet", "R"), WORDS[config.sampling])
    rows.append([f"<code>{path.stem}</code>", *shown, printed.get(cell, DASH)])
assert {row[4] for row in rows} - {DASH} == {v for k, v in printed.items() if k[0] in ARM.values()}
(rest,) = also
print("named in each, too:", rest)
assert "precision: bf16" in rest
head = ["….yaml", "System", "Backbone", "Frames", "The paper's top-1"]
caption = "Files of parameters, and the row of Table 1 that each fills"
HTML(table(caption, head, rows, text_columns=4))

# %% [markdown]
# All together they fill the paper's eight cells, and four more beside them. Settings that all share:

# %%
paper = RunConfig(name="paper")
shared = ["num_frames", "image_size", "short_side", "optimizer", "lr", "momentum", "weight_decay"]
shared += ["schedule", "epochs", "batch_size", "workers"]
print(", ".join(f"{name} {getattr(paper, name)}" for name in shared))

# %% [markdown]
# The paper is silent on precision; the files say bf16, which today's GPUs compute faster.
# Some devices and libraries have computed convolutions in bf16 wrongly, and others slowly, without a word.
# So the preflight takes a step of two clips in bf16 and in fp32, compares its loss, and every
# layer's results and gradients, and refuses a run that would be wrong. It says which of the two this machine should
# use, and why. It does so before a run in fp32, too, if the device has units for bf16.
# `-p precision fp32` is always there. [Chapter 10](10_one_process_to_ddp.ipynb) says what each
# parameter does, and how other published recipes differ.
#
# **Which split chooses, and which gives the score?** `eval_split` chooses `best.pt`; `report_split` is
# scored once, at the end, with it. Both are `validation` by default, as is usual on this set. Then the score
# comes from the split that chose the weights, and is a little too high. To keep them apart, move a part of
# the videos of `train.json` into a list of their own, `tuning.json`, and say `-p eval_split tuning`. For a twentieth,
# once:
#
# ```python
# import json, random
# from pathlib import Path
#
# videos = json.loads(Path("data/ssv2/train.json").read_text())
# random.Random(0).shuffle(videos)
# for name, part in {"tuning": videos[:8000], "train": videos[8000:]}.items():
#     Path(f"data/ssv2/{name}.json").write_text(json.dumps(part))
# ```
#
# No run with CUDA or NCCL is on record in this book: what it says of GPUs is projected, and untested there.
#
# `weights: imagenet` starts from pictures. SlowFast's published figures on this set start from Kinetics-400.
# `-p weights SLOW_8x8_R50.pyth` takes such a file, as pytorchvideo or PySlowFast wrote it: their slow
# ResNet is ours, layer by layer, so every tensor finds its place and the features are theirs. The class
# layer, the attention branch and the fusion stay as initialised, and the log says so. Their frames are
# normalised by other numbers, so we change the first convolution's weights to fit ours: the features are the same
# everywhere but at the edge of a clip. A SlowFast or a
# C2D network is refused, with the tensors that have no place.
#
# ## Will it go through? A minute that saves a night
#
# A mistyped path, a set with a hole, weights of another network, a disk that is nearly full, a batch
# that does not fit in memory: each of these ends a run, and the later it does the dearer it is. So
# a **preflight** goes before every training, with the very parameters of the run. It looks at the data and
# their manifest, the weights and the room on the disk. It reads clips as the run will, and takes a few steps
# forward and backward at full size. Then it tells how much memory that takes, when the run will be done, how
# many videos each class has, and over how many clips BN takes its statistics. It fails in a minute and not
# in a night. Evaluation, selection and fine-tuning have theirs. It can be asked before a job waits in a queue, on any
# machine that sees the data:
#
# ```bash
# stabn preflight train --config notebooks/launch/ssv2_st_abn_r50_32.yaml
# ```
#
# Here is one, for a small network on the little tree from above. For the real set it prints the same
# lines; where something is in the way it lists all of it, and nothing is started:

# %%
trial = RunConfig(
    name="trial",
    out_dir="runs",
    data_root="ssv2",
    backbone="small",
    num_frames=8,
    image_size=56,
    short_side=56,
    train_short_side=(56, 56),
    batch_size=2,
    workers=0,
)
with chdir(FOLDER):
    launch_config("stabn preflight train", trial)

# %% [markdown]
# And one that fails: the weights have gone, and the validation list goes by another name. Both are told at
# once.

# %%
wrong = {"weights": "SLOW_8x8_R50.pyth", "report_split": "val"}
try:
    with chdir(FOLDER):
        preflight(trial.model_copy(update=wrong))
except PreflightError as error:
    print("error:", error)

# %% [markdown]
# ## Started, and left alone
#
# One command trains one row on the GPUs of one machine:
#
# ```bash
# mkdir -p runs/ssv2_st_abn_r50_32
# papermill notebooks/launch/train.ipynb runs/ssv2_st_abn_r50_32/notebook.ipynb \
#     -f notebooks/launch/ssv2_st_abn_r50_32.yaml -p nproc_per_node 8
# ```
#
# On a cluster with Slurm the same goes into the queue, here on two nodes:
#
# ```bash
# sbatch --nodes=2 --gpus-per-node=4 --cpus-per-task=32 --time=24:00:00 \
#     notebooks/launch/slurm.sh train ssv2_st_abn_r50_32
# ```
#
# Either way there are eight GPUs with eight clips each, over which BN takes its statistics. On more GPUs there are fewer
# clips on each: then say `-p sync_bn true`. Before you submit:
#
# - The repository, the data (`-p data_root PATH`, if they lie elsewhere) and the run's folder must be visible on every
#   node. `pip install '.[launch]'` makes the environment; what must be loaded before it, modules or conda, goes into a
#   `setup.sh` beside the script, which sources it.
# - Nodes without internet cannot fetch ImageNet's weights. Put torchvision's file (`resnet50-0676ba61.pth` from
#   download.pytorch.org/models) where they see it, and say `-p weights FILE`.
#
# The script finds out the nodes, the GPUs and the place where the machines meet, and runs one papermill
# on each node; the first one's notebook is `runs/…/notebook.ipynb`, the job's own output `slurm-JOB.out`. Slurm sends it
# SIGTERM two minutes before its time is over (`#SBATCH --signal=TERM@120` in
# the script; a `--signal` of your own goes before it). Then:
#
# | what happens | back in the queue? | what is lost |
# |---|---|---|
# | pre-empted, requeued, at the end of its time (SIGTERM) | yes | nothing: the step is stored |
# | a node is lost | yes, by Slurm (`--requeue`) | what came after the last save |
# | a process is killed outright, as when memory runs out | no | what came after the last save |
# | an error: broken data, a full disk, a loss that is not finite | no, so that it cannot fail for ever | the same |
#
# `last.pt` is saved every ten minutes (`save_minutes`). After all of these, once the cause is gone, the same command goes on.
#
# Nobody watches it, so it must speak for itself:
#
# - It goes on from the stored step as if nothing had been, to the bit on one and on two processes
#   ([chapter 10](10_one_process_to_ddp.ipynb) shows it, and what differs on more and on GPUs).
# - Each line of its log says how many clips a second are trained, evaluations and saves left out, and how
#   long the rest will take, evaluations counted in. The notebook shows the last lines and all that
#   matters; the text of every start is kept in `train.log`.
# - `metrics.jsonl` has a line an interval, and TensorBoard shows the same numbers while it runs:
#   `tensorboard --logdir runs`.
# - A video that cannot be decoded is replaced by the next in the list, and stands with its cause in
#   `decode_failures.jsonl`. In an evaluation nothing takes its place: the figures say `videos` and
#   `failed`, side by side, and the record lists which. A score over 24,770 videos is not one over 24,777.
# - `record.json` says what the run was: every setting, the commit, a fingerprint of the data, the
#   machine, the seed, where it was interrupted and on how many processes it went on, the time, the
#   figures. [Table 1](results_table1.ipynb) is made from such records and from nothing else: `make tables` enters the
#   runs that have finished.
#
# ## What it costs
#
# Three things are kept apart here. What can be **counted** is the same on every machine: the network's
# multiply–adds $m$ for one clip, the clips of all epochs $c$, and the clips scored after each epoch $s$. A
# training step costs about three forward passes (backward is two), and a multiply–add is two operations:
#
# $$ \text{work} = 2\,m\,\bigl(3\,c + s\bigr). $$

# %%
HTML(cost.work_table())

# %% [markdown]
# EFLOP: $10^{18}$ operations. "32×2" is the paper's (`two_clip`): two clips of every video, and so it costs twice as much; the
# code's (`official_32x2`) is one clip, and costs what "32" does.
# Checkpoints: `last.pt` (weights and momentum) and `best.pt`. Is the count right? For one row by hand:

# %%
one = works()[1]
print(*one.names, f"{one.multiply_adds / 1e9:.0f} G multiply–adds a clip")
steps_an_epoch = 168_913 // one.config.batch_size
assert one.trained == 150 * 64 * steps_an_epoch == 150 * (168_913 - 168_913 % 64)
assert one.scored == (150 + 1) * 24_777  # after every epoch, and the report
by_hand = 2 * one.multiply_adds * (3 * one.trained + one.scored)
assert np.isclose(by_hand, one.clips * one.gflop * 1e9)
print(f"{steps_an_epoch} steps an epoch, {by_hand / 1e18:.1f} EFLOP")

# %% [markdown]
# What was **measured** is a training step at full size, on the machines that were at hand:

# %%
HTML(cost.steps_table())

# %% [markdown]
# How many clips does one GPU hold? That is **estimated**: the tensors that a step keeps of a clip for the
# way back, counted from their shapes, beside weights, gradients and momentum. A machine needs more for a
# moment; compare one clip with the measured peak above, and leave a third of the memory free:

# %%
HTML(cost.memory_table())

# %% [markdown]
# The paper's 64 clips are 8 on each of eight GPUs. On fewer or smaller GPUs raise `accumulate`: the same 64
# clips go through in parts. `checkpoint_activations` keeps less of each clip and computes it again.
#
# And what is **projected** is time on a GPU that nobody here has timed: the counted work over a share
# of the rate that NVIDIA publishes for dense bf16 arithmetic. That share is a supposition, and all
# projected hours hang on it. The column "share" above is larger, but of a processor, and of the rate at
# which it really multiplies matrices. A GPU has less memory bandwidth for each operation, so expect less
# of it. The rate is that of bf16, as in the files;
# fp32 is slower. (On a GPU fp32 uses TF32 units, which keep 10 bits of each factor, as PyTorch lets its
# convolutions do unless told otherwise; a run's record says so.)
#
# `make gpu` measures these networks on a GPU in under ten minutes: from memory and from videos, in fp32,
# TF32 and bf16, compiled and not, with the memory that they take and the time in which the GPU waits.

# %%
HTML(cost.hours_table(share=0.2))

# %% [markdown]
# On eight GPUs divide by eight, if the videos come fast enough, and the network between the machines does not slow the
# sums of gradients down. The videos can be reckoned:

# %%
loader = loader_of(one)
if loader:
    print(f"one core, through the whole loader: {loader.rate:.1f} clips/s of {T} frames", end=", ")
    print(f"{loader.row['ratio_to_raw']:.0%} of what the decoder alone does ({loader.machine})")
HTML(cost.decode_table(share=0.2))

# %% [markdown]
# The rate of a core was measured with clips of the set's form, on this book's processor. A training
# process has `workers` loader processes: by default as many as its share of the machine's cores, but one,
# and no more than 16. Compare with the cores in the table; the preflight says how many it took and how
# fast they read. Decoding runs in parallel with the GPU, so too few cores show in one way only: the GPU
# waits. And on disk: 19.4 GB of videos (and as much again for the parts, until they are deleted), a
# prepared copy where you want one, and the checkpoints above.
#
# All of these are somebody else's machines. The preflight measures the step, the memory and the loader
# on yours, in a minute, and says when the run would be done.
#
# ## What can be believed
#
# The paper's plain ResNet-50 rises from 51.4 to 63.8 when 32 frames become 32×2, and its ResNet-101 from
# 57.7 to 65.3. No change of the network in Table 1 is worth as much. Now look again at the first
# figure: if "32" was sampled by TSN's rule, as in the published code, that network saw a still picture of
# nearly every seventh video and the first 32 frames of most others, while the code's "32×2" reaches twice
# as far. Then much of the jump is sampling. And the largest gain of attention, 7.2 points, stands in
# exactly that row. We do not know which rule made the printed numbers. What can be done is to train
# every reading with everything else equal. `segments`, `two_clip` and `official_32x2` have a file of
# parameters each; `official_32` is the first of them with `-p sampling official_32` and a `name` of its own.

# %%
top1 = {key: float(value) for key, value in printed.items() if key[0] in ARM.values()}
for backbone in ("3D ResNet-50", "3D ResNet-101"):
    base, ours = ([top1[arm, backbone, f] for f in ("32", "32×2")] for arm in ARM.values())
    print(f"{backbone}: sampling {base[1] - base[0]:+.1f}; attention", end=" ")
    print(f"{ours[0] - base[0]:+.1f} with 32, {ours[1] - base[1]:+.1f} with 32×2")

# %% [markdown]
# And how near must a figure be to count as the same? The score of 24,777 videos alone has a standard error of 0.3 points, and
# two seeds of one network differ by more than nothing, too. So gains of 0.3 or 0.5 points need several seeds of both arms.
#
# For scale, what others report on the validation split: Slow R50 with 8 frames, from Kinetics-400, 60.0;
# SlowFast R50, from Kinetics-400, 61.7; TSM R50 with 8 frames, from ImageNet, 61 to 62.7. A ResNet-50 that
# reads 32 frames and reaches 51.4 lies below them all.
#
# ## Scored as others score
#
# But is it the same examination? Our figures are of one clip and its centre, as ST-ABN's are. Others look
# at a video several times and average: the 60.0 above are of "1×3 views", one clip at three places. A
# network scored so gains without having learned more, so one figure should stand only beside others of
# its protocol. `temporal_views` and `spatial_crops` make them:
#
# ```bash
# papermill notebooks/launch/evaluate.ipynb runs/ssv2_st_abn_r50_32/views.ipynb \
#     -p run runs/ssv2_st_abn_r50_32 -p spatial_crops 3 -p short_side 224
# ```
#
# - Of $m$ **spatial crops** the first and the last lie at the ends of the frame's longer side, the others
#   evenly between: left, centre, right. With `short_side` at the clip's 224 they are as high as the frame,
#   as is usual with several crops; PySlowFast uses 256 of 256 (`-p image_size 256 -p short_side 256`).
# - Of $n$ **temporal views** view $v$ takes from each of the $T$ segments the frame on screen at the share
#   $u = (v + \tfrac12)/n$ of it. One view takes the middles, as ever; two take a quarter and three
#   quarters. (Where the rule is a window, `official_32x2`, the windows' starts are spread in this way.)
# - The **probabilities** of the $n\,m$ views are averaged, after the softmax, as PySlowFast and MMAction2
#   do it; TSM's script averages before it.

# %%
n = 45
once, twice = views("segments", n, T), views("segments", n, T, temporal=2)
print("one view ", once[0, :9], "…", once[0, -3:])
for v, frames in enumerate(twice):
    print("two views", frames[:9], "…", frames[-3:], f"at {(v + 1 / 2) / 2:.2f} of each segment")
both = np.sort(twice.ravel())
assert (both == segment_indices(n, 2 * T)).all()  # together, the middles of twice as many segments
assert set(once[0]) < set(both) == set(range(n))  # the frames that one clip of 32 has to leave out
boxes = [t.crop(240, 427, None) for t in eval_transforms(224, short_side=224, crops=3)]
print("three crops of 240 × 427, (top, left, height, width):", *boxes)
assert [left for _, left, _, _ in boxes] == [0, (427 - 240) // 2, 427 - 240]

# %% [markdown]
# The record keeps each protocol under a name of its own, as in `validation-1x3-224of224`, with all that
# makes it; [Table 1](results_table1.ipynb) takes the run's own and no other. The score with $1 - M_s$ is made
# by the same views.
#
# **The test split** has no labels in its list. `-p split test` asks a network for its answers: no accuracy,
# but a file `answers-test.csv` in the form that the benchmark's server took (TSM's published test script
# writes it so): for each video its id and five class ids, the likeliest first. By now the archive of labels holds
# the truth as well, `id;class text` in `test-answers.csv`, and it scores the file:
#
# ```python
# import pandas as pd
# from stabn.data.ssv2 import read_classes
#
# answers = pd.read_csv("answers-test.csv", sep=";", header=None, index_col=0)
# truth = pd.read_csv("test-answers.csv", sep=";", header=None, index_col=0)[1]
# hits = answers.eq(truth.map(read_classes("data/ssv2").index), axis=0)
# print(hits[1].mean(), hits.any(axis=1).mean())  # top-1, top-5
# ```
#
# ## What we learned
#
# - 15 % of the videos are shorter than a clip. A rule that forgets them, or the end of the others, is a
#   result of its own.
# - Every video is decoded once before anything is trained on it. What is broken is known by name.
# - Counted, measured and projected are three different words, and a table of costs needs all three.
# - A run that nobody watches must leave enough behind to be judged: what failed to decode, where it was
#   interrupted, on what it ran.

# %% [markdown]
# ## Questions
#
# **Question 1.** `best.pt` is the epoch that scored highest on *validation*, and the same score is
# reported. What is it worth?
#
# 1. It is exact: no network learned from these videos.
# 2. It is a little too high.
# 3. It is too low: the last epoch would be better.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: no gradient came from them, but a choice did.
# 2. **Right:** the best of many epochs is partly the luckiest on these very videos.
# 3. No: the last epoch scored no higher on this split, by the way it was chosen.
#
# </details>
#
# **Question 2.** In an evaluation seven of 24,777 videos cannot be decoded. What is honest?
#
# 1. To take the next videos of the list in their place.
# 2. To count them as wrong, and say nothing.
# 3. To leave them out, and say so beside the score.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: then some videos count twice, and the score is of another set.
# 2. No: then a fault of a disk is reported as one of the network.
# 3. **Right:** a reader can then see that the score is of 24,770 videos.
#
# </details>
#
# **Question 3.** Your network reaches 60 % with three crops a video. Another's 60 % is of one
# centre crop. Which is better?
#
# 1. It cannot be told from these two.
# 2. They are equal: both are top-1 on the same videos.
# 3. Yours: it saw more of every video.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** more views raise the score of the same network. Only figures of one protocol stand
#    side by side.
# 2. No: it was not the same examination.
# 3. No: it needed more views to get as far, if anything.
#
# </details>
#
# **Question 4.** One forward pass takes 100 G multiply–adds. You train on 100,000 clips for 10
# epochs, without evaluations. How many EFLOP ($10^{18}$ operations) is that?
#
# <details class="answers"><summary>The answer</summary>
#
# **0.6**, that is `2 * 3 * 100e9 * 100_000 * 10 / 1e18`: a step costs three forward passes, and a
# multiply–add is two operations.
#
# - **0.3:** a multiply–add is two operations.
# - **0.2:** backward costs two forward passes more.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** How much does the time for ST-ABN-50 hang on the supposed share? Project a run on eight H100 for
# shares from 5 % to 40 %.

# %% tags=["hide-cell"]
for share in (0.05, 0.1, 0.2, 0.4):
    rate = projected(one, "H100", share)
    print(f"{share:.0%}: {rate:5.0f} clips/s a GPU, {hours(one, rate) / 8:5.1f} hours on eight")

# %% [markdown]
# **2.** A clip of 32×224² is shipped to the GPU as uint8 and turned to floats there. How many bytes a
# second do eight H100 take at the projected rate, and how many if floats were shipped?

# %% tags=["hide-cell"]
clip_bytes = 3 * 32 * 224**2
rate = 8 * projected(one, "H100")
print(f"{clip_bytes / 1e6:.1f} MB a clip; {rate * clip_bytes / 1e9:.1f} GB/s as uint8,", end=" ")
print(f"{4 * rate * clip_bytes / 1e9:.1f} GB/s as float32")

# %% [markdown]
# **3.** How often does a clip of `segments` show the same frame twice? Count distinct frames of
# evaluation clips for n from 8 to 120, and compare with min(n, T).

# %% tags=["hide-cell"]
distinct = np.array([len(set(segment_indices(n, T))) for n in lengths])
assert (distinct == np.minimum(lengths, T)).all()
print(
    "always min(n, T): a short video is shown whole, "
    "each frame as often as its neighbours or once more"
)

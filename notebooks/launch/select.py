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
# # Select videos to be corrected
#
# The first step of fine-tuning with human knowledge: which videos are worth a person's time? The
# paper's answer is those that the network gets wrong, in the classes that it gets wrong most of the
# time, on the training split and on another one too. This notebook writes them to a folder, the
# *queue*, worst first. It needs the folder of an ST-ABN's run:
#
# ```bash
# papermill notebooks/launch/select.ipynb runs/mini_st_abn/select.ipynb -f notebooks/launch/mini_select.yaml
# ```
#
# People then correct the temporal attention of the queued videos in the editor, and the notebook
# `finetune` takes their edits.

# %%
import pandas as pd

from stabn.data.mini.truth import has_truth, read_truth
from stabn.figures import describe_temporal, temporal_figure
from stabn.knowledge.selection.config import SelectConfig
from stabn.knowledge.selection.queue import read_queue
from stabn.training.cluster.launch import from_notebook, launch_config

NAMES_BEFORE = set(globals())  # a plain value that is new after the next cells is a parameter

# %% [markdown]
# ## Parameters
#
# Only `run` is needed. Everything left at `None` is as it was in training.

# %% tags=["parameters"]
run: str = ""  # run folder, as in runs/mini_st_abn
checkpoint: str = "best"  # best | last
out = None  # type: str|null the queue's folder; null: queue, in the run's

threshold: float = 0.5  # classes less accurate on both splits
train_split = None  # type: str|null split to take videos from; null: the run's
check_split = None  # type: str|null the other split; null: the run's eval_split
classes = None  # type: list[int|str]|null class ids or texts, in place of the threshold
include_correct: bool = False  # also videos that are classified correctly
order: str = "worst"  # worst first | random: by lot, to say something about all videos
limit = None  # type: int|null keep so many videos, the first

data_root = None  # type: str|null null: as in training
prepared = None  # type: str|null null: as in training
batch_size = None  # type: int|null null: as in training
workers = None  # type: int|null null: as in training
precision = None  # type: str|null null: as in training

nproc_per_node: int = 1  # processes on each machine: one per GPU
nnodes: int = 1  # machines; run the notebook on each
rdzv_endpoint = None  # type: str|null host:port of one machine, if nnodes > 1

# %% [markdown]
# The values that papermill was given stand in the cell above. A name that is not in the list stops
# the notebook here, and so does a value that cannot be.

# %%
config, options = from_notebook(SelectConfig, globals(), NAMES_BEFORE)
pd.Series(config.model_dump(), name=config.run).to_frame()

# %% [markdown]
# ## Preflight
#
# The same processes first look at all that selecting will need: the checkpoint and its attention, the
# classes if they are named, the lists of both splits and their videos, whether another queue is in the
# way. They read and score clips at full size, look at the longest video whole, since that takes most
# memory, and say how long both will take and what room the feature maps need. Whatever is in the way
# is listed, and the notebook stops here.

# %%
launch_config("stabn preflight select", config, options)

# %% [markdown]
# ## Selecting
#
# Each process runs `stabn/knowledge/selection/select.py` on its share of the videos; several are
# started by torchrun. Both splits are scored as in evaluation, without augmentation. Then the network is shown
# every frame of each selected video: $M_t$ depends on a frame's position in the clip, so it is read
# from interleaved samples, the first frame of every segment, then the second, and so on. A frame
# that is visited twice gets the mean.
#
# The feature maps of each video are kept beside the queue, so that the editor can say at once what
# an edit changes in the answer. They take room: about a quarter of a megabyte a video for the small
# network, about 13 MB for a ResNet-50 on 32 frames of 224 pixels. `limit` keeps only the first
# videos; with `order: random` they are a sample of all, which says something about all.
#
# The whole text of every start is in `select.log`, in the run's folder.
#
# A video that cannot be decoded is left out: it counts in no accuracy, and nobody is asked to correct
# it. The queue lists such videos with the cause.
#
# The folder appears whole or not at all. A queue that is there already stays: the same one is not
# made again, and another one is not overwritten, since people may be working on it.

# %%
launch_config("stabn select", config, options)

# %% [markdown]
# ## The classes
#
# Accuracy of each class on both splits, weakest first. The selected ones are marked.

# %%
queue = read_queue(config.folder)
accuracy = pd.DataFrame.from_dict(queue.accuracy, orient="index", columns=queue.splits)
accuracy.insert(0, "class", queue.classes)
accuracy["selected"] = ["yes" if c in queue.weak else "" for c in accuracy.index]
accuracy["videos queued"] = [sum(v.label == c for v in queue.videos) for c in accuracy.index]
weakest = accuracy[[*queue.splits]].max(axis=1).sort_values().index
accuracy.loc[weakest].style.format("{:.1%}", subset=[*queue.splits], na_rep="–")

# %% [markdown]
# ## The queue
#
# Its length, what had to be left out, and its first videos: those to whose true class the network
# gave the lowest probability.

# %%
frames = sum(video.frames for video in queue.videos)
size = sum(path.stat().st_size for path in queue.folder.rglob("*") if path.is_file())
print(f"{queue.folder}: {len(queue.videos)} videos, {frames} frames, {size / 1e6:.0f} MB")
for cause in queue.failed.values():
    print(f"left out, cannot be decoded: {cause}")
pd.DataFrame(
    {
        "video": video.video_id,
        "true class": queue.classes[video.label],
        "answer": queue.classes[video.predicted],
        "probability of the true class": f"{video.probability:.2%}",
        "frames": video.frames,
    }
    for video in queue.videos[:10]
)

# %% [markdown]
# $M_t$ of every frame of the worst video: what an annotator is shown first. Where the data set
# comes with the truth (mini-SSv2 does), its levels stand behind it as hatched steps; annotators do
# not see them.

# %%
worst = queue.videos[0]
truth = None
if has_truth(queue.data_root):
    truth = read_truth(queue.data_root, worst.video_id).levels
print(describe_temporal({"M_t": worst.attention}, levels=truth))
temporal_figure({"$M_t$": worst.attention}, levels=truth)

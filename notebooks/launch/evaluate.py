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
# # Evaluate a network
#
# Training ends with one evaluation; this notebook makes any other: another split, another sampling
# rule, several views of each video, the spatial attention turned round. It needs the folder of a run:
#
# ```bash
# papermill notebooks/launch/evaluate.ipynb runs/mini_st_abn/evaluate.ipynb -p run runs/mini_st_abn
# ```
#
# Every video is scored once, whatever the number of processes, and the figures are those that a
# single process would give.

# %%
from pathlib import Path

import numpy as np
import pandas as pd

from stabn.figures import confusion, describe_confusion
from stabn.metrics import confusion_counts
from stabn.tables.per_class import per_class
from stabn.training.checkpoint import read
from stabn.training.cluster.launch import from_notebook, launch_config
from stabn.training.eval_config import EvalConfig
from stabn.training.records import agreement_table, read_record, results_table

NAMES_BEFORE = set(globals())  # a plain value that is new after the next cells is a parameter

# %% [markdown]
# ## Parameters
#
# Only `run` is needed. Everything left at `None` is as it was in training.
#
# Published figures are often those of several *views*: `temporal_views` clips of each video times
# `spatial_crops` crops of each clip, whose probabilities (after the softmax) are averaged. "1×3 views"
# are `-p spatial_crops 3 -p short_side 224`: squares as high as the frame, at its left, its centre and
# its right. [Chapter 11](../11_something_something_v2.ipynb) says which moments a temporal view takes.
#
# A list without labels, as `-p split test` has one, gets no figures. What the network answers goes to
# `answers-test.csv` in the benchmark's form, `id;class;class;class;class;class`, the likeliest first.

# %% tags=["parameters"]
run: str = ""  # run folder, as in runs/mini_st_abn
checkpoint: str = "best"  # best | last | an arm of a fine-tuning
split = None  # type: str|null null: the run's report_split
sampling = None  # type: str|null null: as in training
temporal_views: int = 1  # clips of each video, each at other moments of the segments
spatial_crops: int = 1  # crops of each clip along the longer side; 3: both ends and the centre
image_size = None  # type: int|null null: as in training
short_side = None  # type: int|null null: as in training; as image_size: crops as high as the frame
invert_spatial: bool = True  # also with 1 − M_s (Table 3), if it attends
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
config, options = from_notebook(EvalConfig, globals(), NAMES_BEFORE)
pd.Series(config.model_dump(), name=config.run).to_frame()

# %% [markdown]
# ## Preflight
#
# Scoring 25 000 videos takes hours on a small machine. So the same processes first look at all that it
# will need: the checkpoint, and whether it is of this data set; the list, the videos that it names,
# what the manifest says of them; the folder and the room in it. They read clips as the scoring will,
# score a batch at full size, and say when all will be scored. Whatever is in the way is listed, and
# the notebook stops here. Videos that are missing or broken are not in the way, unless all are: they
# will be left out and counted.

# %%
launch_config("stabn preflight evaluate", config, options)

# %% [markdown]
# ## Scoring
#
# Each process runs `stabn/training/evaluate.py` on its share of the videos; several are started by
# torchrun.
# A network with spatial attention is scored twice: as it is, and with $1 - M_s$ in place of $M_s$
# (the paper's equation (7) and Table 3). If the network uses what its attention says, the second
# score is lower. What takes long says every minute how far it is. The whole text of every start is in
# `evaluate.log`, in the run's folder.

# %%
launch_config("stabn evaluate", config, options)

# %% [markdown]
# ## What came out
#
# All evaluations of this run so far, from its record. Each has its predictions in a parquet file
# of the run's folder, one row a video: label, logits of both branches, temporal attention with the
# source frames it belongs to. The name of an evaluation says what differs from the run's own
# (`validation-2x3`: two temporal views, three crops), and the record has the whole protocol.

# %%
results_table(read_record(Path(config.run) / "record.json"))

# %% [markdown]
# The evaluation that was just made, class by class, the weakest first, with the class that each is most
# often taken for. Without labels there is nothing to tell.

# %%
made = [p for p in Path(config.run).glob("predictions*.parquet") if "-inverted" not in p.stem]
newest = max(made, key=lambda path: path.stat().st_mtime)
predictions, classes = (
    pd.read_parquet(newest),
    read(Path(config.run) / f"{config.checkpoint}.pt")["classes"],
)
labelled = "label" in predictions
print(newest.name)
if labelled:
    counts = confusion_counts(np.stack(predictions["logits"]), predictions["label"])
    print(describe_confusion(counts, classes))
per_class(counts, classes).style.format({"top-1": "{:.1%}"}, na_rep="–") if labelled else None

# %%
confusion(counts, classes) if labelled else None

# %% [markdown]
# Where the data set comes with the truth (mini-SSv2 does), the attention is compared with it: the
# rank correlation of $M_t$ with the true levels, and how often the peak (`pointing`) and how much
# of the sum (`mass_in_mask`) of $M_s$ lie on the acting object or the hand while it moves. Beside
# each stands what attention that says nothing would get. The table is empty where no truth is
# known.

# %%
agreement_table(read_record(Path(config.run) / "record.json"))

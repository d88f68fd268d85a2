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
# # Train a network
#
# This notebook trains one network, from a laptop to several machines with GPUs. papermill runs it,
# and everything that can be chosen is a parameter:
#
# ```bash
# mkdir -p runs/mini_st_abn
# papermill notebooks/launch/train.ipynb runs/mini_st_abn/notebook.ipynb \
#     -f notebooks/launch/mini_st_abn.yaml
# ```
#
# The small synthetic set and Something-Something v2 go through the same cells; they differ in the
# YAML file alone. One value can be changed on the command line, after the file: `-p seed 1`. The
# whole list is printed by `papermill --help-notebook notebooks/launch/train.ipynb`.
#
# The same YAML file also serves `stabn train --config FILE`, without a
# notebook.

# %%
import numpy as np
import pandas as pd

from stabn.figures import confusion, curves, describe_confusion
from stabn.metrics import confusion_counts
from stabn.tables.per_class import per_class
from stabn.training.build import class_texts
from stabn.training.cluster.launch import from_notebook, launch_config
from stabn.training.config import RunConfig
from stabn.training.journal import read_journal
from stabn.training.records import read_record, results_table

NAMES_BEFORE = set(globals())  # a plain value that is new after the next cells is a parameter

# %% [markdown]
# ## Parameters
#
# Their defaults are the paper's settings on Something-Something v2 (where its text and its code differ:
# what chapter 8's table calls ours); only `name` has none. `null` in a YAML file is `None` here.

# %% tags=["parameters"]
name: str = ""  # the run's folder is out_dir/name
out_dir: str = "runs"  # where run folders lie

data: str = "ssv2"  # ssv2: files | pretext: neutral clips, drawn as they are read
pretext_clips: int = 2000  # pretext: training clips; other splits a tenth
data_root: str = "data/ssv2"  # folder with labels, splits and videos/
prepared = None  # type: str|null decoded frames, of `stabn prepare`; or features, of `stabn features`
train_split: str = "train"  # split to learn from
eval_split: str = "validation"  # split that steers: plateau, best checkpoint
report_split: str = "validation"  # split scored once, after training

model: str = "st_abn"  # baseline | st_abn | convlstm | bilstm | cnn3d
network = None  # type: dict|null convlstm, bilstm, cnn3d: their own settings, {name: value}
backbone: str = "resnet50"  # resnet50 | resnet101 | small
num_frames: int = 32  # T, frames in a clip
sampling: str = "segments"  # segments | two_clip | official_32 | official_32x2
class_head: str = "fc"  # fc (code) | gap (paper's text)
temporal_tail: str = "two_fc"  # two_fc (code) | literal (paper's text)
fusion: str = "paper"  # paper | gated (ours)
fusion_relu: bool = True  # end the fusion with ReLU
closed: float = 0.0  # gated: M_t up to this shuts a frame out
attention_start: str = "random"  # random (code) | evidence (ours): M follows the class maps
dropout: float = 0.5  # dropout in both branches
constant_spatial = None  # type: float|null control: M_s held at it
constant_temporal = None  # type: float|null control: M_t held at it
weights = None  # type: str|null start from: a checkpoint, ImageNet's or Kinetics' weights, or 'imagenet'

image_size: int = 224  # side of the square clip, in pixels
short_side: int = 256  # evaluation: short side before the centre crop
train_short_side: list[int] = [256, 320]  # training: range of short sides before a random crop
train_area = None  # type: list[float]|null instead: random resized crop, shares of the frame
flip: bool = False  # mirror half of the clips, swapping left/right labels
jitter: float = 0.0  # brightness, contrast, saturation: 1 ± this

label_smoothing: float = 0.0  # share of both branches' target that all classes get alike
optimizer: str = "sgd"  # sgd | adamw | rmsprop
lr: float = 0.01  # learning rate (one_cycle, cosine: its peak), for this batch_size
lr_batch_size = None  # type: int|null lr is meant for so many clips a step: scale it to batch_size
momentum: float = 0.9  # sgd only
nesterov: bool = True  # sgd only
weight_decay: float = 0.0005  # on all parameters
decay_bn_and_biases: bool = True  # false: weight decay on kernels alone
clip_norm = None  # type: float|null clip the gradient's norm at this
schedule: str = "plateau"  # plateau | milestones | one_cycle | cosine
milestones: list[int] = [75, 125]  # epochs at which milestones drops
patience: int = 5  # plateau: evaluations without a better loss
lr_factor: float = 0.1  # plateau, milestones: the drop
warmup_epochs: float = 0.0  # cosine: epochs in which lr rises first
epochs: int = 150  # passes over the training split
batch_size: int = 64  # clips a step, over all processes together
accumulate: int = 1  # equal parts of a step, one after the other; BN sees each by itself
sync_bn: bool = False  # BN's statistics over all processes; GPUs only
checkpoint_activations: bool = False  # residual stages computed twice: less memory, the same result
precision: str = "fp32"  # fp32 | bf16 | fp16, where the device can
seed: int = 0  # decides weights, order, augmentation, dropout

workers = None  # type: int|null loader processes for each training process; null: by its cores
eval_every: int = 1  # epochs between evaluations
precise_bn: int = 0  # training batches that give BN its statistics before an evaluation
save_every = None  # type: int|null also save after so many steps
save_minutes: float = 10.0  # also save after so many minutes
keep_last: int = 1  # checkpoints to resume from that are kept
resume_changed: bool = False  # go on although the configuration has changed; the record says how
log_every: int = 50  # steps between lines of the log
profile_steps: int = 0  # steps of which torch.profiler writes a trace and a table
max_decode_failures: float = 0.01  # stop when more of the clips, of 1,000 at least, fail to decode
max_nonfinite_steps: int = 0  # steps left out for a loss or gradient that is NaN or infinite

nproc_per_node: int = 1  # processes on each machine: one per GPU
nnodes: int = 1  # machines; run the notebook on each
rdzv_endpoint = None  # type: str|null host:port of one machine, if nnodes > 1

# %% [markdown]
# papermill puts the values it was given into a cell of their own, just above this text. Now they
# are checked: a name that is not in the list stops the notebook here, with the nearest name that
# is, and so does a value that cannot be.

# %%
config, options = from_notebook(RunConfig, globals(), NAMES_BEFORE)
pd.Series(config.model_dump(), name=str(config.folder)).to_frame()

# %% [markdown]
# ## Preflight
#
# A run of a week should not stop in its first night for a full disk. So the same processes first look
# at all that it will need: the lists and the videos they name, what the manifest says of them, the
# starting weights, the folder and the room in it. They read clips as the training will, take a few
# steps at full size, and say what memory that takes, whether the network will wait for clips, and when
# the run will have finished. Whatever is in the way is listed, and the notebook stops here.

# %%
launch_config("stabn preflight train", config, options)

# %% [markdown]
# ## Training
#
# `nproc_per_node` processes run `stabn/training/train.py`; several are started by torchrun. That file
# can be read from top to bottom. A line is printed every `log_every` steps: the loss over
# both branches, the accuracy on the clips of that interval, the learning rate, the speed, and how long
# the rest will take. After every `eval_every` epochs `eval_split` is scored as well; the weights with
# the best accuracy there are kept as `best.pt`. The output below is one that is updated: the last
# steps, and everything else that was said. The whole text of every start is in `train.log`, in the
# run's folder, warnings included.
#
# If a process fails, this cell fails, and its error begins with the cause. If this notebook is stopped,
# the processes stop too. A cluster that needs its machines back sends SIGTERM: the processes finish
# the step that they are in, store it, and this cell says that the run was pre-empted. They do the same
# when this notebook has gone. Run again with the same parameters, it goes on from the last checkpoint,
# which is `save_minutes` old at most. While it is at work, nothing else can work in its folder.
#
# A video that cannot be decoded is replaced by the next one in the list, and listed with the cause
# in `decode_failures.jsonl`; when there are too many (`max_decode_failures`), the run stops. In an
# evaluation it is left out: the figures say how many `failed`. A step whose loss is NaN stops the run
# as well, unless `max_nonfinite_steps` may be left out.

# %%
launch_config("stabn train", config, options)

# %% [markdown]
# ## How it went
#
# Both losses are those of the perception branch, the answer. `train` is measured on augmented
# clips with dropout and `label_smoothing`, `eval` on whole frames without: their difference is not
# only overfitting.

# %%
curves(
    read_journal(config.folder / "metrics.jsonl"),
    {"cross-entropy": ["train_loss", "eval_loss"], "top-1": ["train_top1", "eval_top1"]},
    x="step",
)

# %% [markdown]
# ## What came out
#
# `report_split`, scored once, after training, with `best.pt`. The figures are computed from
# `predictions.parquet`, which has one row a video; the record keeps them together with the
# settings, the commit, the data's fingerprint, the machine and the time.

# %%
results_table(read_record(config.folder / "record.json"))

# %% [markdown]
# Class by class, the weakest first, with the class that each is most often taken for:

# %%
predictions = pd.read_parquet(config.folder / "predictions.parquet")
counts = confusion_counts(np.stack(predictions["logits"]), predictions["label"])
classes = class_texts(config)
per_class(counts, classes).style.format({"top-1": "{:.1%}"}, na_rep="–")

# %%
print(describe_confusion(counts, classes))
confusion(counts, classes)

# %% [markdown]
# Everything lies in the run's folder:

# %%
print(*sorted(config.folder.iterdir()), sep="\n")

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
# # Fine-tune with edited attention
#
# The third step of the paper's method: a trained ST-ABN learns on, and where people have said *when*
# a video's action is, its temporal attention is pulled towards what they said. It needs a run and
# edits of videos of its training split:
#
# ```bash
# mkdir -p runs/mini_finetune
# papermill notebooks/launch/finetune.ipynb runs/mini_finetune/notebook.ipynb \
#     -f notebooks/launch/mini_finetune.yaml
# ```
#
# One call trains three networks, which see the same clips in the same order, and scores four:
#
# - **before**: the network as it was;
# - **knowledge**: $L_{att} + L_{per} + \gamma_t L_{temp}$ with the edits;
# - **control**: the same further training with $\gamma_t = 0$. What it gains, no edit gave;
# - **placebo**: with $L_{temp}$, but every video has another video's edit. What it gains, no
#   knowledge of *this* video gave.
#
# The paper compares *knowledge* with *before*, which mixes the three causes.
#
# A bi-LSTM with attention that reads frames is fine-tuned in the same way, without $L_{att}$ and
# without $M_s$. Its weights sum to 1; chapter 17 says what an edit is to them.

# %%
import pandas as pd

from stabn.figures import curves
from stabn.knowledge.finetuning.config import FinetuneConfig
from stabn.training.cluster.launch import from_notebook, launch_config
from stabn.training.journal import read_journal
from stabn.training.records import read_record, results_table

NAMES_BEFORE = set(globals())  # a plain value that is new after the next cells is a parameter

# %% [markdown]
# ## Parameters
#
# `name`, `run` and `edits` are needed. The other defaults are the paper's settings. A
# setting that is missing here (the sampling, the size of a clip) is the run's own.

# %% tags=["parameters"]
name: str = ""  # the run's folder is out_dir/name
out_dir: str = "runs"  # where run folders lie
run: str = ""  # run folder to start from, as in runs/mini_st_abn
checkpoint: str = "best"  # best | last
edits: str = ""  # a JSON file of edits, or a store of them
arms: list[str] = ["knowledge", "control", "placebo"]  # beside 'before'
placebo: str = "swap"  # swap: other videos' edits | shift: wrong times, an ablation
gamma: float = 10.0  # γ_t of equation (5)
divisor: str = "edited"  # L_temp is averaged over: edited clips of the batch | all clips
fusion = None  # type: str|null null: as in training
closed = None  # type: float|null null: as in training | 0.3: shut out what M_t rejects (ours)
edited_only: bool = False  # train on edited videos alone
edited_repeats: int = 1  # clips taken of each edited video an epoch
draws = None  # type: int|null epochs after which the same clips come again; null: never
optimizer: str = "sgd"  # sgd | adamw
lr: float = 0.0001  # learning rate (one_cycle: its peak)
momentum: float = 0.9  # sgd only
nesterov: bool = True  # sgd only
weight_decay: float = 0.0005  # on all parameters that are trained
schedule: str = "constant"  # constant | one_cycle
epochs: int = 10  # passes over the training split
batch_size: int = 64  # clips a step, over all processes together
seed: int = 0  # decides order, augmentation, dropout, swaps
report_split = None  # type: str|null null: the run's report_split
also_report: list[str] = []  # further splits to score all arms on
invert_spatial: bool = True  # also score with 1 − M_s (Table 3)
data_root = None  # type: str|null null: as in training
prepared = None  # type: str|null null: as in training
workers = None  # type: int|null null: as in training
precision = None  # type: str|null null: as in training
save_every = None  # type: int|null also save after so many steps
save_minutes: float = 10.0  # also save after so many minutes
log_every: int = 50  # steps between lines of the log

nproc_per_node: int = 1  # processes on each machine: one per GPU
nnodes: int = 1  # machines; run the notebook on each
rdzv_endpoint = None  # type: str|null host:port of one machine, if nnodes > 1

# %% [markdown]
# papermill puts the values it was given into a cell of their own, just above this text. A name that
# is not in the list stops the notebook here, and so does a value that cannot be.

# %%
config, options = from_notebook(FinetuneConfig, globals(), NAMES_BEFORE)
pd.Series(config.model_dump(), name=str(config.folder)).to_frame()

# %% [markdown]
# ## Preflight
#
# The same processes first look at all that fine-tuning will need: the checkpoint and its attention,
# the lists and videos of every split, the edits (of which data set they are, how many there are, how
# many can be learned from), the folder, what lies in it already, and room for the checkpoints of all
# arms and for features that are kept. They take steps of all arms at full size, and say what memory that takes and when all networks
# will have been scored. Whatever is in the way is listed, and the notebook stops here.

# %%
launch_config("stabn preflight finetune", config, options)

# %% [markdown]
# ## Training
#
# `nproc_per_node` processes run `stabn/knowledge/finetuning/finetune.py`; several are started by
# torchrun. The feature
# extractor is frozen, its batch normalisation too, so each batch passes through it once and serves
# all arms. With fewer `draws` than `epochs` the same clips come again: what the extractor makes of each
# is then computed once, before the first step, and kept in the run's folder until training ends, if half
# of the free disk can hold it; the networks are the same, bit for bit on a CPU. $L_{temp}$ is averaged over the edited clips of a batch, over all processes, and is
# nothing for the others. Each arm has a line of its own, with how long the rest will take. The whole
# text of every start is in `finetune.log`, in the run's folder. Run again with the same parameters, it goes on from the last checkpoint,
# with the edits it began with.

# %%
launch_config("stabn finetune", config, options)

# %% [markdown]
# ## How it went
#
# The first panel is $\gamma_t L_{temp}$ of the arms that have it: it shows whether the temporal
# attention gave way at all. The second is the answer's cross-entropy on the clips trained on.

# %%
lines = []
for arm in config.arms:
    for line in read_journal(config.folder / f"metrics-{arm}.jsonl"):
        lines.append({"step": line["step"], arm: line["train_loss"]})
        if arm != "control":
            lines[-1][f"{arm} "] = line["train_temporal"]  # a blank tells the panels' keys apart
pulled = [f"{arm} " for arm in config.arms if arm != "control"]
curves(lines, {"γ · L_temp": pulled, "cross-entropy": config.arms}, x="step")

# %% [markdown]
# ## What came out
#
# Figures on the run's `report_split`; `inverted` is scored with $1 - M_s$ (Table 3).

# %%
record = read_record(config.folder / "record.json")
results_table(record).T

# %% [markdown]
# Table 2 splits the accuracy: over the classes whose videos were edited, over the others, over all.

# %%
from stabn.tables.finetunings import parts_of_record

pd.DataFrame(parts_of_record(record)).T.round(1)

# %% [markdown]
# What the arms learned from:

# %%
pd.Series(record["edits"], name="edits").to_frame()

# %%
print(*sorted(config.folder.iterdir()), sep="\n")

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
# # 10. From one process to DDP
#
# *Any laptop, no GPU: about 40 seconds on two CPU cores.*
#
# **The question.** One GPU would need days or weeks for the real set
# ([chapter 11](11_something_something_v2.ipynb) projects them), so eight share the work. What must hold so
# that N processes train the same network as one? And what must hold so that a run which was killed
# goes on as if nothing had happened?

# %% tags=["hide-input"]
import contextlib
import io
import json
import logging
import os
import signal
import tempfile
from html import escape
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from IPython.display import HTML
from torch.utils.data import DistributedSampler

# %% tags=["hide-input"]
from stabn.data.dataset import ClipKey, EvalSampler, TrainSampler, clip_rng, collate
from stabn.data.transforms import normalise
from stabn.figures.sheet import COLOURS, INK, Sheet, styled
from stabn.losses import classification_loss
from stabn.models.st_abn import STABN
from stabn.tables.html import DASH, table
from stabn.training.build import dataset
from stabn.training.checkpoint import REPOSITORY, read
from stabn.training.cluster.launch import LaunchError, LaunchOptions, launch
from stabn.training.config import RunConfig
from stabn.training.nonfinite import NonFiniteLossError
from stabn.training.optimizer import share_of_peak
from stabn.training.step import in_parts
from stabn.training.train import train

torch.set_num_threads(1)  # small tensors: a second thread would only wait
scratch = tempfile.TemporaryDirectory()
FOLDER = Path(scratch.name)

# %% [markdown]
# ## Eight clips and a network
#
# Nothing here needs a file: *neutral clips* (those that the book's small networks start from) are drawn
# as they are read. We compute in double precision, so that rounding does not disturb, and hold batch
# normalisation (BN) and dropout still. Both come back below.

# %%
settings = {
    "data": "pretext",
    "pretext_clips": 24,
    "backbone": "small",
    "num_frames": 8,
    "image_size": 40,
    "short_side": 40,
    "train_short_side": (40, 40),
    "optimizer": "adamw",
    "lr": 1e-3,
    "schedule": "one_cycle",
    "batch_size": 8,
    "workers": 0,
}
config = RunConfig(name="whole", out_dir=str(FOLDER), epochs=2, log_every=1, **settings)
clips = dataset(config, "train", training=True)
batch = collate([clips[ClipKey(i)] for i in range(8)])
K, T = int(max(record.class_id for record in clips.records)) + 1, config.num_frames
torch.manual_seed(0)
model = STABN("small", K, T, dropout=0.0).double().eval()
print("video", tuple(batch.video.shape), batch.video.dtype, " labels", batch.label.tolist())
print("parameters:", sum(p.numel() for p in model.parameters()))

# %% [markdown]
# ## The gradient of a mean is the mean of the gradients
#
# The loss of a batch is the mean over its $N$ clips. Give each of $R$ processes an equal share
# $S_r$ of $N/R$ clips, and let each take the mean over its own. Then
#
# $$ \nabla\,\frac{1}{N}\sum_{i=1}^{N}\mathcal{L}(x_i) \;=\;
# \frac{1}{R}\sum_{r=1}^{R}\;\nabla\,\frac{1}{|S_r|}\sum_{i\in S_r}\mathcal{L}(x_i)
# \qquad\text{if}\quad |S_1|=\dots=|S_R|=\frac{N}{R}. $$
#
# Data-parallel training is this one equation: copy the network, share out the batch, average the
# gradients. We test it with equal shares and with unequal ones.


# %%
def gradient(model, rows) -> torch.Tensor:
    """The gradient of all parameters, in one row, of the mean loss over some clips."""
    model.zero_grad()
    out = model(normalise(batch.video[rows]).double())
    classification_loss(out.logits, out.attention_logits, batch.label[rows]).total.backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def apart(a: torch.Tensor, b: torch.Tensor) -> float:
    """How far b lies from a, as a share of a's length."""
    return ((a - b).norm() / a.norm()).item()


whole = gradient(model, slice(0, 8))
by_hand = (gradient(model, slice(0, 8, 2)) + gradient(model, slice(1, 8, 2))) / 2
unequal = (gradient(model, slice(0, 6)) + gradient(model, slice(6, 8))) / 2
print("gradient", tuple(whole.shape))
print(f"two shares of 4 and 4: {apart(whole, by_hand):.1e} from the whole batch's")
print(f"two shares of 6 and 2: {apart(whole, unequal):.1e}")
torch.testing.assert_close(by_hand, whole)
assert apart(whole, unequal) > 1e-3

# %% [markdown]
# With shares of 6 and 2 each of the last two clips counts as much as three of the others. So a
# `batch_size` that the processes cannot share equally is refused.
#
# **Gradient accumulation** takes the parts one after the other on one process, which saves memory. It
# is one line in the training loop, `for part in in_parts(batch, accumulate, network)`:

# %%
model.zero_grad()
for part in in_parts(batch, 4, model):
    out = model(normalise(part.video).double())
    loss = classification_loss(out.logits, out.attention_logits, part.label)
    (loss.total / 4).backward()  # gradients add up in .grad
accumulated = torch.cat([p.grad.flatten() for p in model.parameters()])
torch.testing.assert_close(accumulated, whole)
print(f"four parts of {len(part)} clips: {apart(whole, accumulated):.1e} from the whole batch's")

# %% [markdown]
# ## Two real processes
#
# `torchrun` starts the same script several times, and tells each process by environment variables
# which one it is (`RANK`) and how many there are (`WORLD_SIZE`). `DistributedDataParallel` (DDP) wraps
# the network: during `backward()` it averages the gradients over all processes, by an *all-reduce* (of
# NCCL on GPUs, of gloo on CPUs). Here is a whole script.

# %%
SCRIPT = """
import sys
import torch
from torch.nn.parallel import DistributedDataParallel
from stabn.losses import classification_loss
from stabn.models.st_abn import STABN
from stabn.training.process import joined

def backward(network, rows):
    out = network(given["video"][rows])
    loss = classification_loss(out.logits, out.attention_logits, given["label"][rows])
    loss.total.backward()
    return torch.cat([p.grad.flatten() for p in network.parameters()])

given = torch.load("given.pt", weights_only=True)
with joined() as me:  # reads RANK and WORLD_SIZE
    model = STABN("small", given["classes"], given["video"].shape[2], dropout=0.0).double()
    model.load_state_dict(given["model"])
    network, mine = DistributedDataParallel(model.eval()), slice(me.rank, None, me.world_size)
    found = {"shared": backward(network, mine)}
    network.zero_grad()
    with network.no_sync():
        found["alone"] = backward(network, mine)
    network.train()(given["video"][mine])
    torch.save(found | {"mean": model.backbone.bn1.running_mean}, f"rank{me.rank}.pt")
"""

# %% [markdown]
# The library's `launch` runs it under torchrun. It prints what the processes print, ends all of them
# when one fails or the notebook is stopped, and raises an error that names the cause.

# %%
(FOLDER / "two_ranks.py").write_text(SCRIPT)
given = {"video": normalise(batch.video).double(), "label": batch.label, "classes": K}
torch.save(given | {"model": model.state_dict()}, FOLDER / "given.pt")
os.environ["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), str(FOLDER)])
# 1×1×1 kernels: DDP compares strides along axes of length 1, where a stride says nothing, and warns
os.environ["PYTHONWARNINGS"] = "ignore:Grad strides do not match bucket view strides"


def on_two_ranks(module: str) -> list[dict]:
    """Launch a module on two processes; what each of them saved, by rank."""
    with contextlib.chdir(FOLDER):
        launch(module, options=LaunchOptions(nproc_per_node=2))
        return [torch.load(f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]


first, second = on_two_ranks("two_ranks")
torch.testing.assert_close(first["shared"], by_hand)
assert torch.equal(first["shared"], second["shared"])
print(f"DDP's gradient: {apart(by_hand, first['shared']):.1e} from the one made by hand,")
print("and on both ranks the same to the last bit")

# %% [markdown]
# Both ranks then take the same step from the same weights, so they stay equal. Within `no_sync()` each
# rank keeps its own gradients. `in_parts` does that for all parts but the last, so that accumulation
# costs one all-reduce a step.

# %%
torch.testing.assert_close(first["alone"], gradient(model, slice(0, 8, 2)))
torch.testing.assert_close(second["alone"], gradient(model, slice(1, 8, 2)))
print(f"not averaged, they lie {apart(first['alone'], second['alone']):.2f} apart")

# %% [markdown]
# ## What DDP does not share
#
# **Batch normalisation.** In training each rank normalises by the mean and variance of *its own*
# clips: good statistics with 8 large clips of 32 frames, poor ones with our 4 small clips. They are
# never those of the whole batch, so the gradient is another one:

# %%
model.train()
whole_bn = gradient(model, slice(0, 8))
halves_bn = (gradient(model, slice(0, 8, 2)) + gradient(model, slice(1, 8, 2))) / 2
model.eval()
print(f"BN in training mode: two shares of 4 are {apart(whole_bn, halves_bn):.2f} from one of 8")
print(f"running means of the two ranks: {(first['mean'] - second['mean']).abs().max():.1e} apart")
assert apart(whole_bn, halves_bn) > 1e-3
assert not torch.equal(first["mean"], second["mean"])

# %% [markdown]
# So *training* on two ranks, or with accumulation, differs a little from training on one. `sync_bn:
# true` takes the statistics over all processes; it costs a round of messages in every BN layer, and
# PyTorch has it for GPUs only.
#
# Evaluation uses the *running* statistics, which drift apart too. Only rank 0's network is stored, and
# every rank must score that one: before an evaluation rank 0 hands its statistics to all
# (`share_statistics`). They average one rank's clips over steps with other weights. `precise_bn: 200`
# takes them anew before every evaluation, from 200 training batches of all ranks through the network
# as it is now.
#
# **Dropout** draws its numbers from (seed, step, rank): other ones on each rank, the same ones again
# after a restart.
#
# ## What a step looks like
#
# DDP hides the time of an all-reduce: it packs gradients into buckets and sends each as soon as its
# last gradient is there, while `backward()` goes on to the layers below. A second script writes down
# when things happen, in the third of three steps.

# %%
TIMED = """
import time, torch, torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from stabn.models.st_abn import STABN
from stabn.training.process import joined

def watched(events, bucket):
    began, numbers = time.time(), bucket.buffer().div_(dist.get_world_size())
    def arrived(future):
        events.append((f"bucket {bucket.index()}", began, time.time()))
        return future.value()[0]
    return dist.all_reduce(numbers, async_op=True).get_future().then(arrived)

with joined() as me:
    network = DistributedDataParallel(STABN("small", 7, 16), bucket_cap_mb=0.05)
    network.register_comm_hook(events := [], watched)
    for _ in range(3):
        dist.barrier()
        events.clear()
        start = time.time()
        loss = sum(part.sum() for part in network(torch.randn(6, 3, 16, 56, 56))[:2])
        middle = time.time()
        loss.backward()
        parts = [("forward", start, middle), ("backward", middle, time.time()), *events]
    torch.save({"parts": parts}, f"rank{me.rank}.pt")
"""

# %%
(FOLDER / "timed.py").write_text(TIMED)
timed = on_two_ranks("timed")


# %% tags=["hide-input"]
@styled
def timeline_figure(ranks) -> Sheet:
    """Two ranks, two rows each: what the network does, and which buckets are on their way."""
    sheet = Sheet(2.6, layout="constrained")
    axes = sheet.subplots()
    zero = min(part[1] for rank in ranks for part in rank["parts"])
    for r, rank in enumerate(ranks):
        for i, (name, start, end) in enumerate(rank["parts"]):
            on_its_way = name.startswith("bucket")
            row = 3 * r + on_its_way + 0.25 * (i % 2 if on_its_way else 0)
            look = {"color": COLOURS[1] if on_its_way else COLOURS[0 if i else 4], "ec": "white"}
            look |= {"hatch": "////" if on_its_way else None}
            left, width = 1000 * (start - zero), 1000 * (end - start)
            axes.barh(row, width, left=left, height=0.22 if on_its_way else 0.8, **look)
            if not on_its_way:
                axes.text(left + width / 2, row, name, ha="center", va="center", color="white")
    axes.set_yticks([0, 1.1, 3, 4.1], ["rank 0", "all-reduce", "rank 1", "all-reduce"])
    axes.set_xlabel("milliseconds")
    axes.invert_yaxis()
    return sheet


# %%
for number, rank in enumerate(timed):
    _, began, ended = rank["parts"][1]
    buckets = rank["parts"][2:]
    early = sum(start < ended for _, start, _ in buckets)
    print(f"rank {number}: backward {1000 * (ended - began):.0f} ms,", end=" ")
    print(f"{early} of {len(buckets)} buckets set out before its end")
timeline_figure(timed)

# %% [markdown]
# Measured just now, on this machine: solid, what the network computes; hatched, buckets from setting
# out to arrival. An all-reduce begins when the *last* rank has come to it, so the rank that is ahead
# has the long hatched bars. On GPUs the slow rank is usually the one that waits for its videos.
#
# ## The data: the same clips for any number of ranks
#
# A step sees the same clips however many processes share them, so a run can move to another number of
# GPUs. The order of an epoch is a permutation drawn from (seed, epoch); global batch $b$ is the $b$-th
# stretch of it; rank $r$ of $R$ takes every $R$-th clip, from the $r$-th on.


# %%
def open_shares(n: int, size: int, ranks: int, seed: int, epoch: int) -> list[list[list[int]]]:
    """[batch][rank] → the clips, in the open."""
    order = np.random.default_rng((seed, epoch)).permutation(n).tolist()
    batches = [order[start : start + size] for start in range(0, n - size + 1, size)]
    return [[batch[r::ranks] for r in range(ranks)] for batch in batches]


shares = {ranks: open_shares(14, 6, ranks, seed=0, epoch=3) for ranks in (1, 2, 3)}
for ranks, batches in shares.items():
    for r in range(ranks):
        sampler = TrainSampler(14, 6, r, ranks, seed=0, epoch=3)
        assert [[key.index for key in keys] for keys in sampler] == [b[r] for b in batches]
for b in range(2):
    same = [sorted(chain(*batches[b])) for batches in shares.values()]
    assert same[0] == same[1] == same[2]
    print(f"global batch {b}: clips {same[0]} on 1, 2 and 3 ranks alike")


# %% tags=["hide-input"]
@styled
def shares_figure(shares) -> Sheet:
    """Which rank takes which clip of each global batch."""
    sheet = Sheet(1.9, layout="constrained")
    axes = sheet.subplots()
    for row, (ranks, batches) in enumerate(shares.items()):
        size = sum(map(len, batches[0]))
        for b, batch in enumerate(batches):
            for r, clips in enumerate(batch):
                for i, clip in enumerate(clips):
                    x = b * (size + 0.7) + r + i * ranks
                    look = {"color": COLOURS[r], "alpha": 0.25, "ec": INK}
                    axes.barh(row, 0.94, left=x, height=0.8, **look)
                    axes.text(x + 0.47, row - 0.12, clip, ha="center", va="center")
                    axes.text(x + 0.47, row + 0.24, f"rank {r}", ha="center", fontsize=6.5)
    axes.set_yticks(range(len(shares)), [f"{ranks} rank{'s' * (ranks > 1)}" for ranks in shares])
    axes.set_xticks([size / 2, 1.5 * size + 0.7], ["global batch 0", "global batch 1"])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.invert_yaxis()
    return sheet


# %%
#| fig-alt: Two global batches of six clips; each row shows which of one, two or three ranks takes which
shares_figure(shares)

# %% [markdown]
# Two global batches of six clips out of 14; the last two clips fill no batch and wait for another
# epoch's order. A clip's crop, frames and colours come from a hash of (seed, epoch, video id, repeat),
# and not from rank, worker or restart.

# %%
for epoch, video in [(0, "17"), (1, "17"), (0, "18"), (0, "17")]:
    print(
        f"epoch {epoch}, video {video}:",
        clip_rng(0, video, ClipKey(0, epoch)).integers(100, size=6),
    )

# %% [markdown]
# The last line repeats the first: any worker draws the same clip.
#
# **Evaluation** must count every video once. Three ranks cannot share seven videos equally. The usual
# sampler pads: it hands out some videos twice. Ours does not, because scoring needs no equal shares.

# %%
ours = [[key.index for key in EvalSampler(7, 1, r, 3)] for r in range(3)]
padded = [list(DistributedSampler(range(7), 3, r, shuffle=False)) for r in range(3)]
right = np.array([1, 1, 0, 0, 1, 0, 0])  # suppose these three were answered rightly
assert sorted(chain(*ours)) == list(range(7))
print("ours  ", ours, f" top-1 {right[list(chain(*ours))].mean():.1%} = 3 / 7")
print("padded", padded, f" top-1 {right[list(chain(*padded))].mean():.1%} = 5 / 9")

# %% [markdown]
# ## A run that was killed goes on
#
# A checkpoint must hold all that the next step depends on and that cannot be computed again: the
# weights with BN's running statistics; the optimizer's memory (momentum, Adam's averages); the
# schedule's place; the scaler's scale in fp16; the place in the data. Random numbers are *not* among
# them: they follow from the seed and the place. `last.pt` is written whole or not at all: into a
# temporary file, flushed to the disk, then renamed.
#
# We train for two epochs of three steps without a break.

# %%
train(config)
uninterrupted = read(config.folder / "last.pt")

# %% [markdown]
# Now the same run, interrupted. A cluster sends SIGTERM when it wants a machine back. Here a listener
# to the log sends it at the second step. The run finishes its step, stores it, and leaves with status
# 143.


# %%
class Cluster(logging.Handler):
    """Wants its machine back after the second step."""

    def emit(self, record):
        if "step 2/" in record.getMessage():
            signal.raise_signal(signal.SIGTERM)


cut = config.model_copy(update={"name": "cut"})
logging.getLogger("stabn").addHandler(cluster := Cluster())
try:
    train(cut)
except SystemExit as exit:
    print("left with status", exit.code)
logging.getLogger("stabn").removeHandler(cluster)
stored = read(cut.folder / "last.pt")
print("stored:", {k: stored["progress"][k] for k in ("epoch", "batch", "step")})

# %%
for name, value in stored["training"].items():
    print(f"{name:10s}", ", ".join(map(str, value)) or "(not in use: no fp16 here)")
print("model     ", len(stored["model"]), "tensors; config, classes, progress, format beside them")

# %% [markdown]
# The same command once more finds `last.pt` and goes on in mid-epoch:

# %%
train(cut)
resumed = read(cut.folder / "last.pt")
assert resumed["progress"]["step"] == uninterrupted["progress"]["step"]
for name, tensor in uninterrupted["model"].items():
    assert torch.equal(tensor, resumed["model"][name]), name
for key in ("exp_avg", "exp_avg_sq"):
    for i, state in uninterrupted["training"]["optimizer"]["state"].items():
        assert torch.equal(state[key], resumed["training"]["optimizer"]["state"][i][key])
print(f"{len(resumed['model'])} tensors of the network, and the optimizer's: equal bit for bit")

# %% [markdown]
# What is **not** the same bit for bit, and cannot be:
#
# - *Another number of ranks.* BN and dropout see the same clips in other shares. The log says so, and
#   the record keeps both numbers.
# - *Three ranks and more.* A floating-point sum depends on its order. DDP arranges its buckets anew after
#   the first step, also after a restart, and may then add three or more addends in another order.
# - *Another number of threads.* Threads on a CPU share out sums too. A process takes its part of the
#   machine's cores; to go on bit for bit elsewhere, set `OMP_NUM_THREADS` as it was.
# - *GPUs.* Some CUDA kernels add in whatever order their threads come.

# %%
a, b, c = torch.tensor([1.0, 1e8, -1e8])
print("two addends:  ", (a + b).item() == (b + a).item())
print("three addends:", ((a + b) + c).item(), "or", (a + (b + c)).item())

# %% [markdown]
# ## What goes wrong at night
#
# [Troubleshooting](../book/troubleshooting.md) has a table: what can happen to a run, what becomes of it,
# what to do. Mostly it is "the same command again". We try two cases. First a process that is killed
# outright, as when memory runs out:

# %%
KILLED = """
import os, signal, time
if os.environ["RANK"] == "1":
    os.kill(os.getpid(), signal.SIGKILL)
time.sleep(600)
"""
(FOLDER / "killed.py").write_text(KILLED)
try:
    with contextlib.redirect_stdout(io.StringIO()):  # torchrun's account of it is long
        on_two_ranks("killed")
except LaunchError as error:
    print(str(error).splitlines()[0])

# %% [markdown]
# Rank 0 would have slept for ten minutes; it was ended with the other. Then a learning rate that no
# network survives:

# %%
wild = config.model_copy(update={"name": "wild", "optimizer": "sgd", "lr": 1e30})
try:
    train(wild)
except NonFiniteLossError as error:
    print(error)

# %% [markdown]
# Promises like these need tests. A script kills training at random moments and compares the weights in
# the end. It found three faults, now mended: a loader's worker inherited a lock from gloo's thread and
# waited for ever; a process outlived its torchrun, killed while it still imported; a kill between two
# writes left a record incomplete. The tables list the random kills since then, one table for each random
# seed: which process was killed, when, and whether the weights in the end were equal. A *loader* reads videos for a rank;
# the *kernel* is the notebook's process, which papermill starts; the *report* is the scoring at the end. *At step* is what
# this start had reached: 0 while it starts up, whatever an earlier start had stored. A run went on at a *later* step where
# the ranks outlived papermill or the kernel for a moment, and stored what they did.


# %%
def kills(path: Path) -> str:
    """A soak's record as a table."""
    record = json.loads(path.read_text())
    columns = {
        "victim": "Victim",
        "signal": "Signal",
        "phase": "In",
        "step": "At step",
        "goes_on_at": "Went on at",
        "seconds_until_none_was_left": "All gone after s",
        "equal": "Equal",
    }
    cells = [
        [escape("yes" if kill[key] is True else str(kill[key])) for key in columns]
        for kill in record["struck"]
    ]
    caption = (
        f"{record['equal']} of {record['kills']} kills, seed {record['seed']}, equal to the bit"
    )
    return table(caption, list(columns.values()), cells, text_columns=3)


records = sorted((REPOSITORY / "book/results/soak").glob("kills_*.json"))
HTML("".join(map(kills, records)) or f"<p>{DASH} No record yet: <code>make soak</code></p>")

# %% [markdown]
# ## How large a step
#
# Twice as many clips in a batch, half as many steps in an epoch: how far should each step go? As long
# as the weights hardly move, $k$ small steps with learning rate $\eta$ see nearly the same gradients that
# one batch of $k$ times the size averages:
#
# $$ \theta - \eta\sum_{j=1}^{k}\nabla\mathcal{L}_j(\theta_{j-1}) \;\approx\;
# \theta - (k\,\eta)\,\frac{1}{k}\sum_{j=1}^{k}\nabla\mathcal{L}_j(\theta),
# \qquad\text{so}\quad \eta' = \eta\,\frac{N'}{N}. $$
#
# This is the **linear scaling rule** (Priya Goyal et al., *Accurate, large minibatch SGD*, 2017; another
# Goyal than the data set's). It holds for short steps; we watch its error as they grow longer.

# %%
start = torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def moved(lr: float, parts: list[slice]) -> torch.Tensor:
    """How far SGD steps over these parts of the batch carry the weights."""
    torch.nn.utils.vector_to_parameters(start.clone(), model.parameters())
    for rows in parts:
        step = lr * gradient(model, rows)
        now = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
        torch.nn.utils.vector_to_parameters(now - step, model.parameters())
    end = torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()
    torch.nn.utils.vector_to_parameters(start.clone(), model.parameters())
    return end - start


small = [slice(i, i + 2) for i in range(0, 8, 2)]
errors = {}
for lr in (1e-5, 1e-4, 1e-3, 1e-2):
    errors[lr] = apart(moved(lr, small), moved(4 * lr, [slice(0, 8)]))
    print(f"four steps of 2 clips at {lr:.0e}, one of 8 at {4 * lr:.0e}: {errors[lr]:.1%} apart")
assert errors[1e-5] < errors[1e-4] < errors[1e-3] < errors[1e-2]
assert errors[1e-5] < 0.02  # in the limit of short steps the two are one

# %% [markdown]
# So the rule fails where steps are long: in the first epochs (hence the usual warm-up), with rates near
# the largest that converge, and for very large batches. It is a rule for SGD; Adam's steps do not grow
# with the gradient.
#
# The *number of GPUs* needs no rule: `batch_size` counts the clips of a step over all processes and
# parts, so the paper's 64 clips at 0.01 stay 64 clips at 0.01:

# %%
paper = RunConfig(name="paper")
rows = []
for ranks, accumulate in [(1, 1), (1, 8), (4, 1), (4, 2), (8, 1), (32, 1)]:
    each = paper.batch_size / (ranks * accumulate)
    assert each * ranks * accumulate == paper.batch_size
    rows.append([str(v) for v in (ranks, accumulate, f"{each:g}", paper.batch_size, paper.lr)])
head = ["Processes", "accumulate", "Clips that BN sees", "Clips a step", "lr"]
HTML(table("One step of the paper's training, on any number of GPUs", head, rows, text_columns=0))

# %% [markdown]
# Only the third column changes, and with it BN's statistics. The preflight warns below 8 clips:
# `sync_bn` takes them over all GPUs, a lower `accumulate` or fewer processes give each more. The small
# network normalises over the clips alone in its last layers, so a batch of one clip is refused. If you
# change `batch_size`, change `lr` in proportion; `lr_batch_size: 64` does it for you.

# %%
large = RunConfig(name="large", batch_size=512, lr_batch_size=64)
assert large.scaled_lr == 8 * paper.lr
print(f"{large.batch_size} clips a step at {large.scaled_lr:g}, as 64 at {large.lr:g}")

# %% [markdown]
# ## The rest of a recipe
#
# The defaults are the paper's settings; where its text and its code differ, they follow
# [chapter 8's table](08_st_abn.ipynb). Other published recipes need these parameters, which do nothing
# unless they are set:
#
# | parameter | what it does |
# |---|---|
# | `schedule: cosine` | the learning rate falls along half a cosine, step by step, to nothing at the end |
# | `warmup_epochs: 5` | before that it rises in equal parts: long steps do not suit fresh weights |
# | `lr_batch_size: 64` | `lr` is meant for 64 clips a step, and scaled to `batch_size` |
# | `decay_bn_and_biases: false` | weight decay on kernels alone, not on BN's scales and shifts, nor on biases |
# | `label_smoothing: 0.1` | a tenth of the target is shared by all classes alike, in both branches |
# | `clip_norm: 20` | a gradient that is longer is shortened to this |
# | `precise_bn: 200` | BN's statistics are taken anew before an evaluation |
# | `max_nonfinite_steps: 5` | so many steps may be left out because they are not finite |
# | `profile_steps: 10` | `torch.profiler` watches ten steps: a table in the log, `trace.json.gz` in the folder |
#
# A resumed run must find the rate where it was. So `cosine` is a function of the step alone:

# %%
course = [share_of_peak(step, 5, 30) for step in range(30)]
assert np.allclose(course[:5], [0.2, 0.4, 0.6, 0.8, 1.0])  # the warm-up
assert course[5] == 1
assert 0 < course[-1] < 0.01
print(" ".join(f"{share:.2f}" for share in course))

# %% [markdown]
# ## What we learned
#
# - The gradient of a mean is the mean of the gradients, if the shares are equal.
# - BN's statistics are not shared: training on more ranks is a slightly different training. Evaluation
#   is the same for any number.
# - Nothing random may depend on who computes it. Then any number of ranks sees the same clips, and a
#   restart needs no stored random numbers.
# - A checkpoint holds what the next step depends on. The test is bit-for-bit equality.
# - `batch_size` and `lr` belong together; the number of GPUs is no part of it.

# %% [markdown]
# ## Questions
#
# **Question 1.** Two processes take 6 and 2 clips of a batch. Each takes the mean gradient of its
# own, and DDP averages the two. What comes out?
#
# 1. The gradient of the whole batch: a mean of means is a mean.
# 2. One in which the 6 clips count too much.
# 3. One in which each of the 2 clips counts three times as much.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: only if the shares are equal.
# 2. No: the other way round: each of them counts 1/12.
# 3. **Right:** $\frac12 \cdot \frac12 = \frac14$ for each of the two, $\frac12 \cdot \frac16 =
#    \frac1{12}$ for each of the six.
#
# </details>
#
# **Question 2.** A run was killed, and goes on from its checkpoint. What must the checkpoint hold
# beside the weights and the place in the data?
#
# 1. The state of the random generators.
# 2. The optimizer's averages.
# 3. The gradients of the last step.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: here all chance follows from the seed and the place. Nothing is to be kept.
# 2. **Right:** the next step depends on them, and the weights do not tell them.
# 3. No: the next step computes its own.
#
# </details>
#
# **Question 3.** A clip's crop is drawn from (seed, epoch, video, repeat), and not from the
# worker's own generator. What for?
#
# 1. Any number of processes draws the same crop.
# 2. So that a video has the same crop in each epoch.
# 3. Because a worker's generator is too slow.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** so a run can move to other machines, or go on after a kill, and see the same clips.
# 2. No: the epoch is among the four, so the crop changes with it.
# 3. No: it is as quick. But it depends on who draws, and when.
#
# </details>
#
# **Question 4.** The paper's rate is 0.01 for 64 clips a step. Which rate does the linear scaling
# rule give for 256?
#
# <details class="answers"><summary>The answer</summary>
#
# **0.04**, that is `0.01 * 256 / 64`: four times as many clips, and a step four times as long.
#
# - **0.0025:** the rate grows with the batch: fewer steps must lead as far.
# - **0.02:** this is the rule of the square root. For SGD and short steps the rule is linear.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** Shares of 6 and 2 clips gave a wrong gradient. Which weights would make it right?

# %% tags=["hide-cell"]
weighted = 6 / 8 * gradient(model, slice(0, 6)) + 2 / 8 * gradient(model, slice(6, 8))
torch.testing.assert_close(weighted, gradient(model, slice(0, 8)))
print("each rank's share of the clips: 6/8 and 2/8; DDP has no place for them, so shares are equal")

# %% [markdown]
# **2.** Suppose a checkpoint held the weights and the place, but not the optimizer's averages. How far
# from the uninterrupted run does it end? Compare with how far training went after the interruption.

# %% tags=["hide-cell"]
forgetful = config.model_copy(update={"name": "forgetful"})
forgetful.folder.mkdir()
content = stored | {"config": forgetful.model_dump(mode="json")}
content["training"] = stored["training"] | {
    "optimizer": {**stored["training"]["optimizer"], "state": {}}
}
torch.save(content, forgetful.folder / "last.pt")
with contextlib.redirect_stdout(io.StringIO()):
    train(forgetful)
flat = {
    name: torch.cat([state[n].flatten() for n, _ in model.named_parameters()])
    for name, state in {
        "stored": stored["model"],
        "whole": uninterrupted["model"],
        "forgetful": read(forgetful.folder / "last.pt")["model"],
    }.items()
}
way = (flat["whole"] - flat["stored"]).norm()
print(f"it ends {(flat['forgetful'] - flat['whole']).norm() / way:.0%} of that way off")

# %% [markdown]
# **3.** Something-Something v2 has 24,777 validation videos. How many would a padding sampler count
# twice on 8 ranks, and by how much can that move top-1 at most?

# %% tags=["hide-cell"]
n, ranks = 24_777, 8
extra = -n % ranks
print(f"{extra} videos twice: between {0} and {extra} of them right")
for top1 in (0.5, 0.6):
    low, high = (top1 * n) / (n + extra), (top1 * n + extra) / (n + extra)
    print(f"top-1 {top1:.0%} reads {low:.3%} to {high:.3%}")
print("Little; but one rank's figures and two ranks' differ then: is more wrong? Nobody knows.")

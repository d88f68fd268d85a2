"""What would stop a run at night, found before it: ``python -m stabn.training.preflight``.

Given the run's ``--config`` and launched as the run will be, on as many processes, it looks at what
the run will need, reads clips as the run's loader does, takes steps at full size, and says what
memory that takes and when the run will have finished. What it trains is thrown away.
"""

import argparse
import logging
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import psutil
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from stabn.data.dataset import Batch
from stabn.data.transforms import normalise
from stabn.training.build import class_texts, split_videos
from stabn.training.checkpoint import USER_ERRORS
from stabn.training.config import RunConfig, read_config
from stabn.training.files import replacing
from stabn.training.process import Process, autocast, heeding_sigterm, joined
from stabn.training.step import NonFiniteLossError, Run, set_up, take_step

log = logging.getLogger(__name__)

READING = 10.0  # seconds for which clips are read, beyond the first batch
STEPPING = 45.0  # seconds that steps at full size may take; a longer one is extrapolated
SPARE = 1.2  # times the memory and the disk that were counted


class PreflightError(Exception):
    """The run would not go through; the message lists what is in its way."""


@dataclass
class Findings:
    """What was found so far: rank 0 says it as it comes, and tells the faults again at the end."""

    me: Process
    faults: list[str] = field(default_factory=list)

    def good(self, name: str, text: str) -> None:
        """Nothing in the way."""
        log.info("  ok       %-12s %s", name, text)

    def warn(self, name: str, text: str) -> None:
        """The run can go on, but somebody should know."""
        log.info("  warning  %-12s %s", name, text)

    def fault(self, name: str, text: str) -> None:
        """The run cannot go through like this."""
        log.info("  FAULT    %-12s %s", name, text)
        self.faults.append(f"{name}: {text}")

    @contextmanager
    def checking(self, name: str) -> Iterator[None]:
        """An error that a user can cause becomes a fault; the checks after it still run."""
        try:
            yield
        except USER_ERRORS as error:
            self.fault(name, str(error))

    def settle(self) -> None:
        """Go on only if no process found a fault; a collective call.

        Raises:
            PreflightError: on rank 0; the others leave without a word.
            SystemExit: all were sent SIGTERM.
        """
        stop, faults = self.me.total(self.me.terminated.is_set(), len(self.faults))
        if stop:
            self.me.leave()
        if faults and not self.me.is_main:
            raise SystemExit(1)
        if faults:
            count = "this is" if len(self.faults) == 1 else f"{len(self.faults)} things are"
            listed = "\n  ".join(self.faults)
            raise PreflightError(f"{count} in the run's way:\n  {listed}")


def preflight(config: RunConfig) -> None:
    """Check all that a training run needs, and measure what it will take.

    Raises:
        PreflightError: something would stop the run; the message lists everything that would.
    """
    with joined() as me, heeding_sigterm(me):
        found = Findings(me)
        splits = (config.train_split, config.eval_split, config.report_split)
        counts = check_data(found, config, splits)
        check_folder(found, config.folder)
        found.settle()
        with found.checking("run"):
            run = set_up(config, me)
        found.settle()
        if run.progress.epoch >= config.epochs:
            found.good("run", f"{config.folder} is trained already: nothing is left but its report")
            return
        begun = f"goes on after step {run.progress.step}" if run.progress.step else "begins"
        found.good("run", f"{config.folder} {begun}; {me.world_size} processes, {run.precision}")

        batches, reading = read_ahead(run.loader, config.batch_size, me)
        tell_failures(found, batches)
        run.network.train()
        step = time_steps(found, batches, run)
        scoring = time_scoring(run, batches[0])
        check_disk(found, config.folder, stored_bytes(run))
        found.settle()
        left = run.steps - run.progress.step
        passes = (config.epochs - run.progress.epoch) // config.eval_every + 1
        scored = passes * counts[config.eval_split] + counts[config.report_split]
        trained = left * together(config.batch_size / reading, step, config.workers)
        evaluated = scored * together(1 / reading, scoring, config.workers)
        tell_time(found, config, reading, step, trained + evaluated, f"{left} steps")


def check_data(found: Findings, config: RunConfig, splits: Sequence[str]) -> dict[str, int]:
    """Lists, videos and manifest of each split; {split: its number of videos}."""
    counts: dict[str, int] = {}
    with found.checking("data"):
        classes = class_texts(config)
        used: dict[str, None] = {}
        for split in dict.fromkeys(splits):
            records, videos = split_videos(config, split)
            counts[split] = len(records)
            used |= dict.fromkeys(record.video_id for record in records)
            if split == config.train_split:
                per_class = Counter(record.class_id for record in records)
                without = [text for c, text in enumerate(classes) if not per_class[c]]
                if without:
                    text = f"{len(without)} classes have no video in {split}: {without[0]!r}"
                    found.warn("data", text + (", …" if len(without) > 1 else ""))
        listed = " · ".join(f"{split} {count}" for split, count in counts.items())
        found.good("data", f"{len(classes)} classes · {listed} videos")
        if config.data == "ssv2":
            there = set(videos.video_ids())
            where = config.prepared or f"{config.data_root}/videos"
            missing = [video_id for video_id in used if video_id not in there]
            _tell_share(found, config, "videos", missing, len(used), where, ("in", "not in"))
            if not config.prepared:
                check_manifest(found, config, used)
    return counts


def check_manifest(found: Findings, config: RunConfig, used: dict[str, None]) -> None:
    """What ``data_scripts/verify.py`` said of the videos that the run uses."""
    path = Path(config.data_root) / "manifest.parquet"
    if not path.is_file():
        found.warn(
            "manifest",
            f"none at {path}: a broken video will only show when it is read; to know before: "
            f"python data_scripts/verify.py --root {config.data_root}",
        )
        return
    try:
        rows = pd.read_parquet(path, columns=["id", "status"]).set_index("id")["status"]
    except (OSError, ValueError, KeyError) as error:
        found.fault("manifest", f"{path}: cannot be read ({error}); run verify.py again")
        return
    unknown = [video_id for video_id in used if video_id not in rows.index]
    if unknown:
        found.warn("manifest", f"{len(unknown)} videos came after {path}, as {unknown[0]}")
    bad = rows[rows.index.isin(list(used)) & (rows != "ok")]
    _tell_share(found, config, "manifest", list(bad.index), len(used), path, ("ok in", "not ok in"))


def _tell_share(
    found: Findings,
    config: RunConfig,
    name: str,
    ids: Sequence[str],
    total: int,
    where: str | Path,
    words: tuple[str, str],
) -> None:
    """How many videos are not as they should be, and whether training would bear it."""
    right, wrong = words
    if not ids:
        found.good(name, f"all {total} videos are {right} {where}")
        return
    text = f"{len(ids)} of {total} videos are {wrong} {where}, {', '.join(ids[:3])} among them"
    if len(ids) > config.max_decode_failures * total:
        found.fault(name, f"{text}: more than max_decode_failures ({config.max_decode_failures:g})")
    else:
        found.warn(name, text)


def check_folder(found: Findings, folder: Path) -> None:
    """Whether the run's folder can be written; if it was not there, it is not there afterwards."""
    try:
        if found.me.is_main:
            there = folder.exists()
            with replacing(folder / ".preflight") as file:
                file.write(b"ok")
            (folder / ".preflight").unlink()
            if not there:
                folder.rmdir()
    except OSError as error:
        found.fault("folder", f"{folder} cannot be written ({error.strerror}); choose out_dir")


def stored_bytes(run: Run) -> int:
    """Bytes of the checkpoints that stand in a run's folder at its fullest moment.

    Those to go on from and one being written, each with the optimizer's state; the best weights
    and those being written in their place.
    """
    weights = sum(t.numel() * t.element_size() for t in run.model.state_dict().values())
    states = [value for values in run.optimizer.state.values() for value in values.values()]
    state = sum(t.numel() * t.element_size() for t in states if isinstance(t, Tensor))
    return (run.config.keep_last + 1) * (weights + state) + 2 * weights


def check_disk(found: Findings, folder: Path, needed: float) -> None:
    """Whether what will stand in the folder finds room."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    text = f"{needed / 2**30:.2f} GiB of checkpoints, {free / 2**30:.1f} GiB free"
    if SPARE * needed > free:
        found.fault("disk", f"{text} at {folder}: free some, or choose another out_dir")
    else:
        found.good("disk", text)


def read_ahead(loader: DataLoader, batch_size: int, me: Process) -> tuple[list[Batch], float]:
    """A few batches as training reads them, and clips a second over all processes.

    The first batch is not timed where there are workers: they are starting.
    """
    batches, clips = [], 0
    start = since = time.monotonic()
    for batch in loader:
        batches = [*batches, batch][:4]
        if len(batches) == 1 and clips == 0 and loader.num_workers:
            since, clips = time.monotonic(), -len(batch)
        clips += len(batch)
        over = torch.tensor(time.monotonic() - since > READING or me.terminated.is_set())
        if me.total(int(over))[0]:
            break
    if clips <= 0:  # an epoch of one batch
        clips, since = len(batches[0]), start
    mine = clips / max(time.monotonic() - since, 1e-6)
    return batches, me.total(round(1000 * mine))[0] / 1000


def tell_failures(found: Findings, batches: Sequence[Batch]) -> None:
    """Videos among those just read that could not be decoded."""
    for failure in [failure for batch in batches for failure in batch.failures][:3]:
        found.warn("reading", failure.cause)


def time_steps(found: Findings, batches: Sequence[Batch], run: Run) -> float:
    """Seconds of a step at full size; what memory it takes is told.

    Two clips a part first (BN needs two): they say whether the whole share finds room in the
    memory, before the system ends the process for it, and whether a step is short enough to be
    waited for.
    """
    me, parts = run.me, run.config.accumulate
    size = len(batches[0]) // parts
    few = min(2, size)
    probe = first(batches[0], parts * few)
    with counting_saved(run.model) as saved:
        timed(take_step, run, probe)  # this one fetches kernels and memory, too
    check_memory(found, saved[0] / parts / few, size, me)
    found.settle()
    expected = timed(take_step, run, probe) * size / few
    expected = me.total(round(1000 * expected))[0] / 1000 / me.world_size
    if expected > STEPPING:
        found.warn("step", f"a whole one would take {expected:.0f} s: reckoned from {few} clips")
        return expected
    seconds = min(timed(take_step, run, batch) for batch in batches)
    if me.device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(me.device) / 2**30
        card = torch.cuda.get_device_properties(me.device).total_memory / 2**30
        found.good("memory", f"{peak:.1f} of the card's {card:.1f} GiB at its peak")
    return me.total(round(1e6 * seconds))[0] / 1e6 / me.world_size


def first(batch: Batch, count: int) -> Batch:
    """The first ``count`` clips of a batch."""
    tensors = batch.video[:count], batch.label[:count]
    return Batch(*tensors, batch.video_id[:count], batch.frame_indices[:count])


def check_memory(found: Findings, per_clip: float, size: int, me: Process) -> None:
    """Whether ``size`` clips find room beside each other; a GPU says so by itself."""
    text = f"{per_clip / 2**30:.2f} GiB kept of each clip for the way back, {size} at a time"
    if me.device.type == "cuda":
        found.good("memory", text)
        return
    local = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    free, needed = psutil.virtual_memory().available, SPARE * per_clip * size * local
    text += f" in {local} processes; {free / 2**30:.0f} GiB are free"
    if needed > free:
        remedy = "lower batch_size, raise accumulate or set checkpoint_activations"
        found.fault("memory", f"{text}, {needed / 2**30:.0f} are needed: {remedy}")
    else:
        found.good("memory", text)


@contextmanager
def counting_saved(model: nn.Module) -> Iterator[list[int]]:
    """Count the bytes that forward passes within keep for the way back, weights left out."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    total, seen = [0], set()

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights and storage.data_ptr() not in seen:
            seen.add(storage.data_ptr())
            total[0] += storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield total


def timed(work: Callable[[Run, Batch], object], run: Run, batch: Batch) -> float:
    """Seconds that some work on a batch takes on this process, its GPU included."""
    start = time.monotonic()
    work(run, batch)
    if run.me.device.type == "cuda":
        torch.cuda.synchronize(run.me.device)
    return time.monotonic() - start


@torch.no_grad()
def score(run: Run, batch: Batch) -> None:
    """A forward pass as an evaluation does it."""
    with autocast(run.precision, run.me.device):
        run.model(normalise(batch.video.to(run.me.device)))


def time_scoring(run: Run, batch: Batch) -> float:
    """Seconds that a clip takes to be scored, over all processes."""
    run.model.eval()
    some = batch if run.me.device.type == "cuda" else first(batch, 1)
    timed(score, run, some)
    return timed(score, run, some) / len(some) / run.me.world_size


def together(reading: float, computing: float, workers: int) -> float:
    """Seconds where workers read ahead: the longer of the two; without any, their sum."""
    return max(reading, computing) if workers else reading + computing


def tell_time(
    found: Findings, config: RunConfig, reading: float, step: float, seconds: float, what: str
) -> None:
    """How fast clips are read and trained on, which of them is waited for, and the end."""
    training = config.batch_size / step
    found.good("speed", f"{training:.2f} clips/s trained, {reading:.2f} clips/s read")
    if reading < training and config.workers:
        found.warn(
            "speed",
            f"the network would wait for clips: {training / reading:.1f} times as many workers on "
            f"as many cores, or smaller prepared videos, would keep it busy",
        )
    end = datetime.now().astimezone() + timedelta(seconds=seconds)
    hours = f"{seconds / 3600:.1f} hours" if seconds > 5400 else f"{seconds / 60:.1f} minutes"
    found.good("time", f"about {hours} for {what} and the scoring: until {end:%Y-%m-%d %H:%M %Z}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", required=True, help="YAML file: one `name: value` a line")
    arguments = parser.parse_args()
    try:
        preflight(read_config(arguments.config))
    except (*USER_ERRORS, NonFiniteLossError, PreflightError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

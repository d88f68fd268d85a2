"""A run's journal: one line an interval in the log, in ``metrics.jsonl`` and for TensorBoard."""

import json
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from stabn.losses import ClassificationLoss
from stabn.training.files import replacing
from stabn.training.pace import Pace, duration
from stabn.training.process import Process

log = logging.getLogger(__name__)


class Journal:
    """Averages over the clips of an interval, over all processes; rank 0 writes them down.

    TensorBoard (``tensorboard --logdir runs``) finds the same figures below ``tensorboard/`` beside
    the file, against the step; what is done again after an interruption replaces what was there.

    Args:
        path: ``metrics.jsonl``. Lines of steps after ``step``, and of evaluations after ``epoch``
            epochs (parts that are done again after an interruption), are dropped.
        step: optimizer steps done so far.
        every: steps between lines.
        me: this process.
        epoch: epochs completed so far, evaluation included.
    """

    def __init__(self, path: Path, step: int, every: int, me: Process, epoch: float = math.inf):
        self.path, self.every, self.me = path, every, me
        self.arm = path.stem.removeprefix("metrics").removeprefix("-")  # of a fine-tuning
        self.told, took = step, []
        if me.is_main:
            lines = [line for line in read_journal(path) if line["step"] <= step]
            lines = [x for x in lines if "eval_split" not in x or x["epoch"] <= epoch]
            took = [x["eval_seconds"] for x in lines if "eval_seconds" in x][-1:]
            with replacing(path, "w") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)
            from torch.utils.tensorboard import SummaryWriter  # large, and rank 0's alone

            events = path.parent / "tensorboard" / path.stem
            self.board = SummaryWriter(str(events), purge_step=step + 1)
        self.pace = Pace(*took)  # an evaluation's time is known from before an interruption
        self._start()

    def _start(self) -> None:
        self.since = time.monotonic()
        self.totals: dict[str, Tensor] = {}
        self.apart = {"evaluation": 0.0, "saving": 0.0}  # seconds of this interval

    @contextmanager
    def aside(self, doing: str) -> Iterator[None]:
        """Within it nothing is trained: ``"evaluation"`` or ``"saving"``, told by itself."""
        since = time.monotonic()
        yield
        seconds = time.monotonic() - since
        self.apart[doing] += seconds
        if doing == "evaluation":
            self.pace.evaluation = seconds

    def add(self, loss: ClassificationLoss, logits: Tensor, labels: Tensor, **more: Tensor) -> None:
        """Count one step's clips; ``more`` are further means over them, by name."""
        n = len(labels)
        correct = (logits.detach().argmax(dim=1) == labels).double().sum()
        means = {"total": loss.total, "attention": loss.attention, "perception": loss.perception}
        sums = {name: n * value.detach().double() for name, value in (means | more).items()}
        sums |= {"clips": torch.full_like(correct, n), "correct": correct}
        self.totals = {name: self.totals.get(name, 0) + value for name, value in sums.items()}

    def trained(self, epoch: int, step: int, steps: int, lr: float, evaluations: int = 0) -> None:
        """After ``step`` of ``steps``, ``epoch`` epochs being completed: write a line if due.

        ``evaluations`` lie ahead as well. The clips a second are those of the training alone.
        """
        if not self.totals or (step % self.every and step != steps):
            return
        sums = torch.stack(list(self.totals.values()))
        if self.me.world_size > 1:
            dist.all_reduce(sums)
        totals = dict(zip(self.totals, sums.tolist(), strict=True))
        clips = totals.pop("clips")
        means = {name: total / clips for name, total in totals.items()}
        spent = time.monotonic() - self.since - self.apart["evaluation"]
        self.pace.stepped(step - self.told, spent)
        line = {
            "epoch": epoch + 1,
            "step": step,
            "train_total": means.pop("total"),
            "train_loss": means.pop("perception"),
            "train_attention_loss": means.pop("attention"),
            "train_top1": means.pop("correct"),
            **{f"train_{name}": mean for name, mean in means.items()},
            "lr": lr,
            "clips_per_second": clips / (spent - self.apart["saving"]),
            "saving_seconds": self.apart["saving"],
        }
        aside = [f"{doing} {duration(s)}" for doing, s in self.apart.items() if s >= 0.5]
        log.info(
            "%sepoch %d  step %d/%d  loss %.4f  top-1 %.3f  lr %.2e  %.1f clips/s%s  %s left",
            f"{self.arm}  " if self.arm else "",
            *(epoch + 1, step, steps, line["train_total"], line["train_top1"], lr),
            *(line["clips_per_second"], f" (+ {', '.join(aside)})" if aside else ""),
            self.pace.left(steps - step, evaluations),
        )
        self._write(line)
        self.told = step
        self._start()

    def evaluated(self, epoch: int, step: int, split: str, figures: dict[str, Any]) -> None:
        """After an evaluation: write its figures, and how long it took."""
        plain = {f"eval_{k}": v for k, v in figures.items() if isinstance(v, int | float)}
        plain |= {"eval_seconds": self.pace.evaluation}
        self._write({"epoch": epoch, "step": step, "eval_split": split, **plain})

    def _write(self, line: dict[str, Any]) -> None:
        if self.me.is_main:
            finite = {k: v if _finite(v) else None for k, v in line.items()}
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(finite) + "\n")
            for name, value in finite.items():
                if name not in ("epoch", "step") and isinstance(value, int | float):
                    # "train_top1" → "top1/train": a chart a figure
                    part, _, figure = name.partition("_")
                    tag = f"{figure}/{part}" if figure and part in ("train", "eval") else name
                    self.board.add_scalar(tag, value, line["step"])
            self.board.flush()


def read_journal(path: str | Path) -> list[dict[str, Any]]:
    """The lines of a ``metrics.jsonl``, without a torn last one; none where there is no file."""
    path = Path(path)
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)

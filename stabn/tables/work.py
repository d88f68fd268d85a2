"""What training on Something-Something v2 asks of a machine, and what machines do in a second.

The work of a row of Table 1 is counted: its network's multiply–adds, its file of parameters in
``notebooks/launch``, the videos of the set. Rates are read from the records of
``benchmarks/training_step.py`` and ``benchmarks/loader.py``, or *projected*: a share of the peak
that a card's vendor publishes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from stabn.data.sampling import views
from stabn.models.resnet3d import count_multiply_adds
from stabn.tables.runs import ARMS, REAL_CLASSES, TableError
from stabn.tables.table1 import SAMPLING
from stabn.training.build import build_model
from stabn.training.checkpoint import REPOSITORY
from stabn.training.config import RunConfig, read_config
from stabn.training.preflight.memory import counting_saved
from stabn.training.process import autocast

STEPS, LOADERS = "book/results/cost/step_*.json", "book/results/cost/loader_*.json"
LAUNCH = "notebooks/launch/ssv2_*_r*_*.yaml"
TRAIN, VALIDATION = 168_913, 24_777  # videos, counted on the public lists
PEAKS = {"A100": 312.0, "H100": 989.0}  # dense bf16 TFLOP/s, as NVIDIA publishes them (SXM cards)
SHARE = 0.2  # of that peak, supposed of a whole training step
STEP_KEYS = {"model", "backbone", "frames", "size", "batch", "precision", "options"}
STEP_KEYS |= {"clips_per_second", "peak_gib", "gflop_per_clip", "share_of_matrix_rate"}
LOADER_KEYS = {"source", "frames", "size", "stage", "clips_per_second_per_core", "ratio_to_raw"}


@dataclass(frozen=True)
class Work:
    """What one row of Table 1 asks for; nothing in it is measured.

    Attributes:
        config: its file of parameters.
        parameters: of the network.
        multiply_adds: of one clip's forward pass.
        trained: clips that all epochs train on.
        scored: clips that the evaluations score, and the report after them.
    """

    config: RunConfig
    parameters: int
    multiply_adds: int
    trained: int
    scored: int

    @property
    def gflop(self) -> float:
        """Of a training step, a clip: 2 for a multiply–add, and backward costs twice forward."""
        return 6 * self.multiply_adds / 1e9

    @property
    def clips(self) -> float:
        """All clips in units of a trained one: to score a clip is a third of training on it."""
        return self.trained + self.scored / 3

    @property
    def names(self) -> list[str]:
        """System, backbone and frames, as Table 1 has them."""
        words = {rule: frames for frames, rule in SAMPLING.items()}
        backbone = self.config.backbone.replace("resnet", "ResNet-")
        return [ARMS[self.config.model], backbone, words[self.config.sampling]]


@dataclass(frozen=True)
class Measured:
    """One row of a benchmark's record.

    Attributes:
        row: its values.
        machine: the GPU's name, else the processor's.
        gpu: whether it was measured on a GPU.
        link: address of the record, relative to a page or notebook in ``notebooks/``.
    """

    row: Mapping[str, Any]
    machine: str
    gpu: bool
    link: str

    @property
    def rate(self) -> float:
        """Clips a second: of a training step, or of one core that reads."""
        return self.row.get("clips_per_second") or self.row["clips_per_second_per_core"]


def works(root: Path = REPOSITORY) -> list[Work]:
    """The paper's own rows of Table 1, in its order."""
    configs = [read_config(path) for path in root.glob(LAUNCH)]
    configs = [config for config in configs if config.sampling in SAMPLING.values()]
    return sorted((work(config) for config in configs), key=_place)


def _place(one: Work) -> tuple[int, str, str]:
    config = one.config
    return int(config.backbone.removeprefix("resnet")), config.sampling, config.model


@cache
def work(config: RunConfig) -> Work:
    """Count what a run on Something-Something v2 takes; no weight is allocated."""
    with torch.device("meta"):
        model = build_model(config, REAL_CLASSES)
        clip = torch.empty(1, 3, config.num_frames, config.image_size, config.image_size)
    each = len(views(config.sampling, config.num_frames, config.num_frames))
    full = TRAIN * each // config.batch_size * config.batch_size  # what fills no batch is left out
    return Work(
        config,
        sum(p.numel() for p in model.parameters()),
        count_multiply_adds(model, clip),
        trained=config.epochs * full,
        scored=(-(-config.epochs // config.eval_every) + 1) * VALIDATION * each,
    )


@cache
def kept_bytes(config: RunConfig) -> int:
    """Bytes that a training step keeps of one clip for the way back; fake tensors take none.

    That is what a second clip adds: fp32 weights written as bf16 are kept once, for all clips.
    """
    kept = []
    with FakeTensorMode():
        model = build_model(config, REAL_CLASSES).train()
        for clips in (1, 2):
            clip = torch.empty(clips, 3, config.num_frames, config.image_size, config.image_size)
            with counting_saved(model) as saved, autocast(config.precision, clip.device):
                model(clip)
            kept.append(saved[0])
    return kept[1] - kept[0]


def step_bytes(one: Work, clips: int) -> int:
    """Bytes of a training step on so many clips: what is kept of them, and three copies in fp32.

    The copies are weights, gradients and momentum. Left out is what a machine adds for a moment:
    workspaces of convolutions, gaps between tensors, fp32 weights written as bf16.
    """
    return clips * kept_bytes(one.config) + 3 * 4 * one.parameters


def read_rows(root: Path, pattern: str, keys: set[str]) -> list[Measured]:
    """The rows of all records that match ``pattern`` below ``root``.

    Raises:
        TableError: a file that is no such record.
    """
    found = []
    for path in sorted(root.glob(pattern)):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            gpus = record["hardware"]["gpus"]
            machine = gpus[0] if gpus else record["hardware"]["cpu"]
            link = f"../{path.relative_to(root).as_posix()}"
            if missing := [k for row in record["rows"] for k in sorted(keys - row.keys())]:
                raise KeyError(missing[0])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TableError(
                f"{path}: is no benchmark's record ({error!r}); delete or restore it"
            ) from error
        found += [Measured(row, machine, bool(gpus), link) for row in record["rows"]]
    return found


def steps_of(one: Work, root: Path = REPOSITORY) -> list[Measured]:
    """The training steps on record for a row's network, at its clip's size, that fitted."""
    config = one.config
    wanted = (config.model, config.backbone, config.num_frames, config.image_size)
    return [
        step
        for step in read_rows(root, STEPS, STEP_KEYS)
        if tuple(step.row[k] for k in ("model", "backbone", "frames", "size")) == wanted
        and step.row["clips_per_second"] is not None
    ]


def fastest(one: Work, root: Path = REPOSITORY) -> dict[str, Measured]:
    """{GPU: its fastest step on record}; empty where no GPU was at hand."""
    steps = sorted(steps_of(one, root), key=lambda step: step.rate)
    return {step.machine: step for step in steps if step.gpu}


def projected(one: Work, card: str, share: float = SHARE) -> float:
    """Clips a second that a card would train on if it gave this share of its peak."""
    return share * PEAKS[card] * 1e3 / one.gflop


def hours(one: Work, clips_per_second: float) -> float:
    """Of one GPU for the whole training, evaluations included."""
    return one.clips / clips_per_second / 3600


def rates(one: Work, root: Path = REPOSITORY, share: float = SHARE) -> dict[str, float]:
    """{GPU, and whether measured or projected: clips a second that it trains on}."""
    measured = {f"{gpu}, measured": step.rate for gpu, step in fastest(one, root).items()}
    return measured | {f"{card}, projected": projected(one, card, share) for card in PEAKS}


def loader_of(one: Work, root: Path = REPOSITORY) -> Measured | None:
    """What one core reads of a row's clips through the whole DataLoader; the best on record."""
    wanted = ("DataLoader", one.config.num_frames, one.config.image_size)
    found = [
        loader
        for loader in read_rows(root, LOADERS, LOADER_KEYS)
        if tuple(loader.row[k] for k in ("stage", "frames", "size")) == wanted
    ]
    return max(found, key=lambda loader: loader.rate, default=None)

"""Every explanation that fits a network, on the same clips: how right, how faithful, how dear.

``python -m studies.explained runs/mini_st_abn`` explains the network's own answers, and enters what
it measured in the run's record, under ``explained``.
"""

import argparse
import copy
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import torch
from torch import nn

from stabn.attribution import (
    FILLS,
    METHODS,
    Question,
    Unexplained,
    agreement,
    deletion,
    explained,
    insertion,
    logits_of,
)
from stabn.attribution.methods import Explained
from stabn.errors import UserError
from stabn.losses import loss_of
from stabn.metrics import Score
from stabn.models.resnet3d import count_multiply_adds, count_parameters
from stabn.training.build import build_model
from stabn.training.checkpoint import Trained, load
from stabn.training.config import RunConfig
from stabn.training.process import Process, joined
from studies.edited import followed
from studies.known import Known, known_clips
from studies.measured import finished, keep

PER_CLASS = 4  # clips; of mini-SSv2's 14 classes 56
MASKS = 100  # of RISE, in time and as many in space
STEPS = 5  # that are timed


def measure(
    trained: Trained, run: RunConfig, me: Process, per_class: int = PER_CLASS, masks: int = MASKS
) -> dict[str, Any]:
    """All methods that fit one network, what it costs, and how it takes edits.

    Args:
        trained: a network that reads frames of videos whose truth is known.
        run: says where the set is, how its clips are read, and on which list it is reported.
        me: one process.
        per_class: clips of each class.
        masks: of RISE.

    Returns:
        ``clips`` and ``masks``, how many; ``top1`` on these clips; ``parameters``,
        ``multiply_adds`` of one clip, ``step_seconds`` of a training step of ``batch_size`` clips;
        ``methods`` {method: see :func:`_judged`}; ``edited``, see :func:`studies.edited.followed`.
    """
    model = trained.model.to(me.device).eval()
    clips = known_clips(run, per_class, me.device)
    with torch.no_grad():
        answers = [int(logits_of(model, clip.video[None]).argmax()) for clip in clips]
    methods = {}
    for method in METHODS:
        options = [_options(method, number, masks) for number in range(len(clips))]
        try:
            each = [
                explained(method, Question(model, clip.video, target), **chosen)
                for clip, target, chosen in zip(clips, answers, options, strict=True)
            ]
        except Unexplained:
            continue
        methods[method] = _judged(model, clips, answers, each)
    return {
        "clips": len(clips),
        "masks": masks,
        "top1": mean(
            float(clip.label == target) for clip, target in zip(clips, answers, strict=True)
        ),
        "parameters": count_parameters(model),
        "multiply_adds": multiply_adds(run, len(trained.classes)),
        "step_seconds": step_seconds(model, clips, run.batch_size),
        "batch_size": run.batch_size,
        "methods": methods,
        "edited": followed(model, clips),
    }


def _options(method: str, number: int, masks: int) -> dict[str, int]:
    """Noise is another one for every clip; RISE has a smaller number of masks than it may have."""
    return {"random": {"seed": number}, "rise": {"masks": masks}}.get(method, {})


def _judged(
    model: nn.Module, clips: Sequence[Known], answers: Sequence[int], each: Sequence[Explained]
) -> dict[str, Any]:
    """One method's figures, means over clips.

    ``when``, ``iou``, ``pointing`` and ``mass``, each beside its chance; ``passes`` and ``seconds``
    an explanation; ``faithful`` {fill: {over: {insertion, deletion: area below the curve; gap: the
    one less the other, clip by clip}}}. Scores and gaps are kept clip by clip, so that a reader can
    ask whether a method would lead on other clips too.
    """
    levels, masks = (np.stack([getattr(c, name) for c in clips]) for name in ("levels", "masks"))
    scores = agreement([one.evidence for one in each], levels, masks)
    faithful: dict[str, dict[str, dict[str, Any]]] = {fill: {} for fill in FILLS}
    for fill, over in product(FILLS, ("time", "space", "both")):
        areas = {
            curve.__name__: [
                curve(Question(model, clip.video, target, fill), one.evidence, over).area
                for clip, target, one in zip(clips, answers, each, strict=True)
            ]
            for curve in (insertion, deletion)
        }
        faithful[fill][over] = {name: mean(values) for name, values in areas.items()}
        faithful[fill][over]["gap"] = _rounded(np.subtract(*areas.values()))
    return {
        **{name: _plain(score) for name, score in scores._asdict().items()},
        "passes": mean(one.passes for one in each),
        "seconds": mean(one.seconds for one in each),
        "faithful": faithful,
    }


def _plain(score: Score) -> dict[str, Any]:
    """A score for a record."""
    return asdict(score) | {"per_clip": _rounded(score.per_clip)}


def _rounded(values: np.ndarray) -> list[float | None]:
    """Single clips' figures for a record; None where a clip could not be measured."""
    return [round(float(value), 4) if np.isfinite(value) else None for value in values]


def multiply_adds(run: RunConfig, classes: int) -> int:
    """Of one clip through the network of a run: counted, not measured."""
    with torch.device("meta"):
        clip = torch.empty(1, 3, run.num_frames, run.image_size, run.image_size)
        return count_multiply_adds(build_model(run, classes), clip)


def step_seconds(model: nn.Module, clips: Sequence[Known], batch_size: int) -> float:
    """Median seconds of forward and backward pass of a batch; the first, slower one is left out."""
    model = copy.deepcopy(model).train()
    some = [clips[number % len(clips)] for number in range(batch_size)]
    batch = torch.stack([clip.video for clip in some])
    labels = torch.tensor([clip.label for clip in some], device=batch.device)
    taken = []
    for _ in range(1 + STEPS):
        begun = time.perf_counter()
        model.zero_grad()
        loss_of(model(batch), labels).total.backward()
        if batch.device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - begun)
    return median(taken[1:])


def explain_run(folder: Path, **sizes: int) -> dict[str, Any]:
    """:func:`measure` of a run's best network; kept under ``explained`` in its record.

    ``sizes`` are ``per_class`` and ``masks``.

    Raises:
        CheckpointError: the run is not finished, or its clips' truth is not known.
        AnnotationError, PreparationError, VideoError, FileNotFoundError: the set cannot be read.
    """
    finished(folder)
    trained = load(folder / "best.pt")
    with joined() as me:
        found = measure(trained, trained.config, me, **sizes)
    keep(folder, explained=found)
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.explained", description=__doc__.split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="folder of a finished run on videos with truth")
    try:
        found = explain_run(parser.parse_args().folder)
    except (UserError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
    for method, figures in found["methods"].items():
        when, mass = figures["when"], figures["mass"]
        print(f"{method}: when {when['value']:.2f} (other clips {when['exchanged']:.2f})", end=", ")
        print(f"mass {mass['value']:.2f} (chance {mass['chance']:.2f})", end=", ")
        print(f"{figures['passes']:.0f} passes, {figures['seconds']:.2f} s")


if __name__ == "__main__":
    main()

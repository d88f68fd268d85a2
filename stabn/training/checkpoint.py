"""Checkpoints: written whole or not at all, read safely, refused with a reason.

A checkpoint describes itself: beside the weights it holds the run's configuration and its class
texts, so that a file alone is enough to rebuild the network that made it.
"""

import logging
import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from stabn import given
from stabn.errors import UserError
from stabn.models.weights import is_truncated, plain_names
from stabn.training.build import build_model
from stabn.training.config import ConfigError, RunConfig, parse
from stabn.training.files import replacing

log = logging.getLogger(__name__)

FORMAT = "stabn checkpoint 1"
# where `runs/` and `book/` lie; a quick look at the book names a folder without runs
REPOSITORY = Path(os.environ.get("STABN_ROOT", Path(__file__).resolve().parents[2]))


class CheckpointError(UserError):
    """A checkpoint that cannot be read, used or written; the message names file and remedy."""


class Trained(NamedTuple):
    """A trained network, in eval mode on the CPU.

    Attributes:
        model: the network.
        config: the run that made it.
        classes: class texts, by class id.
        origin: one sentence on where it came from, to be shown to the reader.
    """

    model: nn.Module
    config: RunConfig
    classes: tuple[str, ...]
    origin: str


def save(
    path: str | Path,
    model: nn.Module,
    config: RunConfig,
    classes: tuple[str, ...],
    **more: Any,
) -> None:
    """Write a checkpoint, as :func:`content_of` and :func:`write` do.

    Raises:
        CheckpointError: no permission, disk full.
    """
    write(path, content_of(model, config, classes, **more))


def content_of(
    model: nn.Module, config: RunConfig, classes: tuple[str, ...], **more: Any
) -> dict[str, Any]:
    """What a checkpoint holds; its tensors are those of the network, not copies.

    Args:
        model: its weights are stored.
        config: stored as plain values.
        classes: class texts, by class id.
        more: tensors and plain values, e.g. ``progress``, and ``training`` for resuming.
    """
    return {
        "format": FORMAT,
        "config": config.model_dump(mode="json"),
        "classes": list(classes),
        "model": model.state_dict(),
        **more,
    }


def write(path: str | Path, content: dict[str, Any]) -> None:
    """Write a checkpoint atomically (temporary file, fsync, rename).

    A checkpoint already at ``path`` stays whole if this fails.

    Raises:
        CheckpointError: no permission, disk full.
    """
    try:
        with replacing(path) as file:
            torch.save(content, file)
    except (OSError, RuntimeError) as error:
        full = "is the disk full?"  # torch's own words name a place in its archive
        cause = error.strerror if isinstance(error, OSError) and error.strerror else full
        whole = "the earlier one is whole" if Path(path).is_file() else "there is no earlier one"
        raise CheckpointError(
            f"{path}: the checkpoint could not be written ({cause}); {whole}. Free "
            f"some space or make the folder writable, then start again: the run goes on"
        ) from error


def read(path: str | Path) -> dict[str, Any]:
    """The content of a checkpoint, tensors on the CPU.

    Raises:
        CheckpointError: missing, truncated, not a checkpoint, or not one of ours.
    """
    content = _load(given.path(path))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: holds PyTorch data, but is not a checkpoint of stabn.training; other files "
            f"of weights can be given as `weights` to start a run from"
        )
    for part, kind in {"config": dict, "classes": list, "model": dict}.items():
        if not isinstance(content.get(part), kind):
            raise CheckpointError(f"{path}: is damaged, it holds no {part}; copy it again")
    return content | {"model": plain_names(content["model"])}


def _load(path: Path) -> Any:
    if path.is_dir():
        raise CheckpointError(f"{path}: is a folder; give a file in it, as in {path / 'best.pt'}")
    if path.parent.is_file():
        raise CheckpointError(f"{path.parent}: is a file where a run's folder is meant; give that")
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in path.parent.glob("*.pt")))
        remedy = f"there are {there}" if there else "train one, or correct the path"
        raise CheckpointError(f"{path}: no such checkpoint; {remedy}")
    try:
        truncated = is_truncated(path)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen kinds for damaged files
        what = "is not a checkpoint; give a file that training wrote"
        if truncated:
            what = "is truncated; copy it again, or delete it and train again"
        raise CheckpointError(f"{path}: {what}") from error


def load(path: str | Path, classes: tuple[str, ...] | None = None) -> Trained:
    """Rebuild the network that a checkpoint describes.

    Args:
        path: file written by :func:`save`.
        classes: class texts of the data set at hand, where the two must agree.

    Raises:
        CheckpointError: as :func:`read`; or the classes differ; or its weights do not fit the
            architecture that it names.
    """
    content = read(path)
    own = tuple(content["classes"])
    if classes is not None and own != classes:
        what = (
            f"{len(own)} classes, the data set {len(classes)}"
            if len(own) != len(classes)
            else "other class texts than the data set"
        )
        raise CheckpointError(f"{path}: has {what}; use the data set that it was trained on")
    try:
        config = parse(RunConfig, content["config"], path)
    except ConfigError as error:
        raise CheckpointError(f"{error}; it was written by another version of stabn") from error
    model = build_model(config, len(own))
    load_state(model, content["model"], path)
    progress = content.get("progress", {})
    epoch = progress.get("epoch")
    after = f", after {epoch} epochs" if epoch is not None else ""
    return Trained(model.eval(), config, own, f"{config.name}: {path}{after}")


def load_state(model: nn.Module, state: dict[str, Tensor], path: str | Path) -> None:
    """Copy ``state`` into ``model``, every tensor or none.

    Raises:
        CheckpointError: another class count or another architecture; the message says which. Or
            weights that are no numbers, of a training that went wrong.
    """
    check_finite(state, path)
    target = model.state_dict()
    missing = [name for name in target if name not in state]
    unknown = [name for name in state if name not in target]
    reshaped = [n for n in target if n in state and state[n].shape != target[n].shape]
    if not (missing or unknown or reshaped):
        model.load_state_dict(state)
        return
    if not missing and not unknown and "fc.bias" in {n.removeprefix("backbone.") for n in reshaped}:
        name = next(n for n in reshaped if n.endswith("fc.bias"))
        raise CheckpointError(
            f"{path}: has {len(state[name])} classes, the network {len(target[name])}; use the "
            f"data set it was trained on, or give it as `weights` to start from (without its heads)"
        )
    example = (missing + unknown + reshaped)[0]
    raise CheckpointError(
        f"{path}: is of another architecture ({len(missing)} tensors missing, {len(unknown)} "
        f"unknown, {len(reshaped)} of another shape, {example} among them); use the model, "
        f"backbone and num_frames that it was trained with"
    )


def check_finite(state: dict[str, Tensor], path: str | Path) -> None:
    """Weights are numbers.

    Raises:
        CheckpointError: some are NaN or infinite.
    """
    broken = [name for name, tensor in state.items() if not tensor.isfinite().all()]
    if broken:
        raise CheckpointError(
            f"{path}: holds NaN or infinity ({len(broken)} of {len(state)} tensors, {broken[0]} "
            f"among them), so its training went wrong; use an earlier checkpoint, or train again "
            f"with a lower lr"
        )


def load_trained(name: str, root: str | Path = REPOSITORY, *, checkpoint: str = "best") -> Trained:
    """The network of run ``name``: this machine's own, else the small one kept beside the book.

    Args:
        name: of the run, as in ``runs/<name>``.
        root: folder that holds ``runs/`` and ``book/assets/``.
        checkpoint: which of the run's networks: its best, or an arm of a fine-tuning.

    Raises:
        CheckpointError: neither exists (the message holds the command that trains it), or unusable.
    """
    own = Path(root) / "runs" / name / f"{checkpoint}.pt"
    asset = name if checkpoint == "best" else f"{name}-{checkpoint}"
    kept = Path(root) / "book" / "assets" / f"{asset}.pt"
    if own.is_file():
        trained = load(own)
        return trained._replace(origin=f"trained on this machine (runs/{name})")
    if kept.is_file():
        trained = load(kept)
        return trained._replace(
            origin=f"the small checkpoint that comes with the book (book/assets/{asset}.pt): "
            f"runs/{name} has not been trained on this machine"
        )
    notebook = "train" if checkpoint == "best" else "finetune"
    raise CheckpointError(
        f"{own}: no such checkpoint, and none comes with the book; train it with: mkdir -p "
        f"runs/{name} && papermill notebooks/launch/{notebook}.ipynb runs/{name}/notebook.ipynb "
        f"-f notebooks/launch/{name}.yaml"
    )

"""Files of weights that others wrote: read safely, and taken out of what they are wrapped in."""

import hashlib
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stabn.errors import UserError

# What stands around a state dict: PySlowFast's and pytorchvideo's; Lightning's and OpenMMLab's; …
WRAPPERS = ("model_state", "state_dict", "model_state_dict", "model")
# What stands before every name: DataParallel's, torch.compile's, Lightning's.
PREFIXES = ("module.", "_orig_mod.", "model.")


class WeightsError(UserError):
    """Weights that cannot be used; the message names the file and what to do."""


def read_content(path: str | Path) -> Any:
    """What a file of PyTorch data holds, tensors on the CPU.

    Raises:
        WeightsError: no such file, one that promises another hash by its name, or holds more than
            tensors and plain values.
    """
    path = Path(path)
    if path.is_dir():
        raise WeightsError(f"{path}: is a folder; give a file in it, as in {path / 'best.pt'}")
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; correct the path, or let 'imagenet' fetch one")
    promised = re.search(r"-([0-9a-f]{8,})\.pth$", path.name)
    if promised:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if not found.startswith(promised[1]):
            raise WeightsError(
                f"{path}: its SHA-256 starts with {found[: len(promised[1])]}, its name promises "
                f"{promised[1]}: the file is damaged or another one; delete it and fetch it again"
            )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen kinds for damaged files
        if is_truncated(path):
            raise WeightsError(f"{path}: is truncated; copy it again") from error
        if not isinstance(error, pickle.UnpicklingError) or not is_pickled(path):
            raise WeightsError(
                f"{path}: is no file of PyTorch weights; give one that torch.save wrote"
            ) from error
        cause = str(error).splitlines()[0]
        raise WeightsError(
            f"{path}: not a file of PyTorch weights alone ({cause}); one that you trust can be "
            f"read with torch.load(…, weights_only=False), and its state dict saved by itself"
        ) from error


def is_truncated(path: Path) -> bool:
    """Whether a file begins as torch.save's archives do, and lacks their end."""
    with open(path, "rb") as file:
        return file.read(2) == b"PK" and not zipfile.is_zipfile(file)


def is_pickled(path: Path) -> bool:
    """Whether a file begins as torch.save's do, archives or not."""
    with open(path, "rb") as file:
        return file.read(2).startswith((b"PK", b"\x80"))


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """The state dict in a file, unwrapped.

    Raises:
        WeightsError: as :func:`read_content`, or there is no state dict in it.
    """
    return state_dict_in(read_content(path), path)


def state_dict_in(content: Any, path: str | Path) -> dict[str, Tensor]:
    """The state dict that a file's content is or wraps, by the network's own names.

    Raises:
        WeightsError: there is none.
    """
    state = content
    if isinstance(content, dict):
        state = next(
            (content[key] for key in WRAPPERS if isinstance(content.get(key), dict)), state
        )
    if not (
        isinstance(state, dict) and state and all(isinstance(v, Tensor) for v in state.values())
    ):
        wrappers = ", ".join(WRAPPERS)
        raise WeightsError(
            f"{path}: expected a dict of tensors by name, bare or under one of {wrappers}"
        )
    return plain_names(state)


def plain_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors by the names that they had before a wrapper put one of its own in front."""
    while state and (
        prefix := next((p for p in PREFIXES if all(n.startswith(p) for n in state)), "")
    ):
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return {name.replace("._orig_mod.", "."): tensor for name, tensor in state.items()}

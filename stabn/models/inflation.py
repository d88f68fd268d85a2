"""ImageNet weights for a 3-D ResNet: find a 2-D state dict, inflate its kernels along time.

A kernel that answers to a picture is repeated kt times along time and divided by kt: on a still
video the inflated network gives what the 2-D one gives on the picture.
"""

import hashlib
import logging
import re
from pathlib import Path

import torch
from torch import Tensor

from stabn.errors import UserError
from stabn.models.resnet3d import ResNet3d

log = logging.getLogger(__name__)

# torchvision's files; the part after the dash is the start of the file's SHA-256.
IMAGENET_URLS = {
    "resnet50": "https://download.pytorch.org/models/resnet50-0676ba61.pth",
    "resnet101": "https://download.pytorch.org/models/resnet101-63fe2227.pth",
}


class WeightsError(UserError):
    """Weights that cannot be used; the message names the file and what to do."""


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """A torchvision-format state dict from a file, without any ``module.`` prefix.

    Raises:
        WeightsError: no such file, not tensors, or a name that promises another hash.
    """
    path = Path(path)
    if not path.is_file():
        published = " and ".join(IMAGENET_URLS.values())
        raise WeightsError(f"{path}: no such file; torchvision's ImageNet weights are {published}")
    promised = re.search(r"-([0-9a-f]{8,})\.pth$", path.name)
    if promised:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if not found.startswith(promised[1]):
            raise WeightsError(
                f"{path}: its SHA-256 starts with {found[: len(promised[1])]}, its name promises "
                f"{promised[1]}: the file is damaged or another one; delete it and fetch it again"
            )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise WeightsError(f"{path}: not a file of PyTorch weights ({error})") from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsError(f"{path}: expected a flat dict of tensors in torchvision's format")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def imagenet_state_dict(backbone: str, path: Path | None = None) -> dict[str, Tensor]:
    """torchvision's ImageNet weights: from ``path``, else the hub cache, else the URL.

    Raises:
        WeightsError: none of the three has them.
    """
    if path is not None:
        return read_state_dict(path)
    if backbone not in IMAGENET_URLS:
        raise WeightsError(
            f"no ImageNet weights are published for backbone {backbone!r}: set weights to null"
        )
    url = IMAGENET_URLS[backbone]
    cached = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[1]
    if not cached.is_file():
        log.info("fetching %s", url)
        cached.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(cached), progress=False)
        except OSError as error:
            raise WeightsError(
                f"cannot fetch {url} ({error}); without internet, put the file at {cached}"
            ) from error
    return read_state_dict(cached)


def inflate(kernel: Tensor, frames: int) -> Tensor:
    """A 2-D kernel (O, I, h, w) as a 3-D one (O, I, kt, h, w): repeated kt times, divided by kt."""
    return kernel.unsqueeze(2).repeat(1, 1, frames, 1, 1) / frames


def load_inflated(model: ResNet3d, state_2d: dict[str, Tensor], source: str = "weights") -> None:
    """Copy a 2-D ResNet's weights into ``model`` by name; its last layer ``fc`` keeps its own.

    BN's affine parameters and running statistics are copied as they are.

    Raises:
        WeightsError: tensors are missing or of another shape; nothing has been copied then.
    """
    inflated, faults = {}, []
    for name, target in model.state_dict().items():
        if name.startswith("fc.") or name.endswith("num_batches_tracked"):
            continue
        if name not in state_2d:
            faults.append(f"{name} is missing")
            continue
        tensor = state_2d[name]
        if tensor.dim() == 4:
            tensor = inflate(tensor, target.shape[2])
        if tensor.shape != target.shape:
            faults.append(f"{name} is {tuple(tensor.shape)}, not {tuple(target.shape)}")
        inflated[name] = tensor
    if faults:
        listed = "; ".join(faults[:3]) + ("; …" if len(faults) > 3 else "")
        raise WeightsError(
            f"{source}: not a ResNet of this depth ({len(faults)} tensors do not fit: {listed})"
        )
    model.load_state_dict(inflated, strict=False)

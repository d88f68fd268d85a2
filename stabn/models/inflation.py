"""ImageNet weights for a 3-D ResNet: find a 2-D state dict, inflate its kernels along time.

A kernel that answers to a picture is repeated kt times along time and divided by kt: on a still
video the inflated network gives what the 2-D one gives on the picture.
"""

import logging
from pathlib import Path

import torch
from torch import Tensor

from stabn.models.resnet3d import ResNet3d
from stabn.models.weights import WeightsError, read_state_dict

log = logging.getLogger(__name__)

# torchvision's files; the part after the dash is the start of the file's SHA-256.
IMAGENET_URLS = {
    "resnet50": "https://download.pytorch.org/models/resnet50-0676ba61.pth",
    "resnet101": "https://download.pytorch.org/models/resnet101-63fe2227.pth",
}


def imagenet_state_dict(backbone: str) -> dict[str, Tensor]:
    """torchvision's ImageNet weights: from the hub cache, else from the URL.

    Raises:
        WeightsError: neither has them.
    """
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
    """Copy a ResNet's weights into ``model`` by name; its last layer ``fc`` keeps its own.

    2-D kernels are inflated; those that have a time axis, BN's affine parameters and its running
    statistics are copied as they are.

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
            f"{source}: not a ResNet of this depth and these kernels ({len(faults)} tensors do not "
            f"fit: {listed})"
        )
    model.load_state_dict(inflated, strict=False)

"""Frames → clip. Every random choice is made once per clip, so no frame differs by chance.

uint8 in and uint8 out, in plain torch: a clip travels to the device as uint8, a quarter of the
bytes, and :func:`normalise` makes it float there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn.functional import interpolate

MEAN = (0.485, 0.456, 0.406)  # ImageNet's, RGB, for values in [0, 1]
STD = (0.229, 0.224, 0.225)
GREY = (0.299, 0.587, 0.114)  # Rec. 601 luma of R, G, B

Box = tuple[int, int, int, int]  # top, left, height, width, in source pixels
Crop = Callable[[int, int, Generator | None], Box]


def resize(frames: np.ndarray, height: int, width: int) -> Tensor:
    """Frames uint8 (T, H, W, 3) → uint8 (T, 3, height, width), bilinear with antialiasing."""
    video = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)  # (T, 3, H, W)
    if video.shape[2:] == (height, width):
        return video
    return interpolate(video, (height, width), mode="bilinear", antialias=True)


@dataclass(frozen=True)
class CentreCrop:
    """The central square whose side is ``fraction`` of the short side (224 of 256: 0.875)."""

    fraction: float

    def __call__(self, height: int, width: int, rng: Generator | None) -> Box:
        side = max(1, round(self.fraction * min(height, width)))
        return (height - side) // 2, (width - side) // 2, side, side


@dataclass(frozen=True)
class LongSideCrop:
    """One of ``count`` (2 or more) such squares, evenly spaced from end to end of the longer side.

    Of three, ``index`` 0, 1, 2 are left, centre, right; top, centre, bottom in an upright frame.
    """

    fraction: float
    index: int
    count: int

    def __call__(self, height: int, width: int, rng: Generator | None) -> Box:
        top, left, side, _ = CentreCrop(self.fraction)(height, width, rng)
        along = (max(height, width) - side) * self.index // (self.count - 1)
        return (along, left, side, side) if height > width else (top, along, side, side)


@dataclass(frozen=True)
class RandomCrop:
    """A square anywhere, its side a fraction of the short side drawn from ``fractions``.

    The same as resizing the short side to a random length and cropping a fixed square, with one
    interpolation: short sides 256 to 320 and a crop of 224 are fractions 0.7 to 0.875.
    """

    fractions: tuple[float, float]

    def __call__(self, height: int, width: int, rng: Generator | None) -> Box:
        side = max(1, round(rng.uniform(*self.fractions) * min(height, width)))
        return (*_place(height, width, side, side, rng), side, side)


@dataclass(frozen=True)
class RandomResizedCrop:
    """A box anywhere, of a random share of the frame's area and a random aspect ratio.

    A draw that does not fit into the frame is cut back to it.
    """

    area: tuple[float, float]
    aspect: tuple[float, float] = (3 / 4, 4 / 3)

    def __call__(self, height: int, width: int, rng: Generator | None) -> Box:
        area = rng.uniform(*self.area) * height * width
        aspect = np.exp(rng.uniform(*np.log(self.aspect)))  # width / height
        h = min(height, max(1, round(np.sqrt(area / aspect))))
        w = min(width, max(1, round(np.sqrt(area * aspect))))
        return (*_place(height, width, h, w, rng), h, w)


@dataclass(frozen=True)
class ClipTransform:
    """Crop, resize, flip and colour jitter, the same for all frames of a clip.

    Attributes:
        size: Height and width of the clip.
        crop: Which box of the frame to take.
        mirror: None for no flip. A mapping {class id: class id of its mirror image} flips half of
            the clips and gives them their mirror image's label; classes outside it keep theirs.
        jitter: Brightness, contrast and saturation change by factors from [1 − jitter, 1 + jitter].
    """

    size: int
    crop: Crop
    mirror: Mapping[int, int] | None = None
    jitter: float = 0.0

    def __call__(
        self, frames: np.ndarray, label: int | None = None, rng: Generator | None = None
    ) -> tuple[Tensor, int | None]:
        """Frames uint8 (T, H, W, 3) → clip uint8 (3, T, size, size) and its label.

        The clip's memory has the channels last, as the frames' has: nothing is copied to turn it.
        ``rng=None`` means evaluation: no flip, no jitter, and the crop must be a deterministic one.
        """
        top, left, height, width = self.crop(*frames.shape[1:3], rng)
        video = resize(frames[:, top : top + height, left : left + width], self.size, self.size)
        if rng is not None and self.mirror is not None and rng.random() < 0.5:
            video, label = video.flip(3), self.mirror.get(label, label)
        if rng is not None and self.jitter:
            video = colour_jitter(video, *rng.uniform(1 - self.jitter, 1 + self.jitter, 3))
        return video.transpose(0, 1), label  # (T, 3, H, W) → (3, T, H, W)

    def masks(self, masks: np.ndarray) -> np.ndarray:
        """What becomes of masks, bool (T, H, W) → (T, size, size), in evaluation."""
        painted = np.repeat(masks[..., None].astype(np.uint8) * 255, 3, axis=3)  # (T, H, W, 3)
        return self(painted)[0][0].numpy() > 127


def train_transform(
    size: int,
    *,
    short_side: tuple[int, int] | None = None,
    area: tuple[float, float] | None = None,
    mirror: Mapping[int, int] | None = None,
    jitter: float = 0.0,
) -> ClipTransform:
    """The training transform: random crop, optional label-swapping flip, optional colour jitter.

    Args:
        size: Height and width of the clip.
        short_side: Random crop of ``size`` after resizing the short side to a length from this
            range; by default 8/7 to 10/7 of ``size`` (256 to 320 at 224).
        area: Instead, a random resized crop of this share of the frame, e.g. (0.5, 1.0).
        mirror: Mirror pairs from :func:`stabn.data.ssv2.mirror_pairs`; None for no flip.
        jitter: Strength of the colour jitter; 0 for none.
    """
    if area is not None and short_side is not None:
        raise ValueError("give short_side or area, not both")
    low, high = short_side or (round(size * 8 / 7), round(size * 10 / 7))
    if not size <= low <= high:
        raise ValueError(f"short_side {low} to {high} must hold a crop of {size}")
    crop = RandomCrop((size / high, size / low)) if area is None else RandomResizedCrop(area)
    return ClipTransform(size, crop, mirror, jitter)


def eval_transform(size: int, *, short_side: int | None = None) -> ClipTransform:
    """The evaluation transform: centre crop of ``size`` after resizing the short side.

    ``short_side`` is 8/7 of ``size`` by default: 256 at 224.
    """
    short_side = short_side or round(size * 8 / 7)
    if short_side < size:
        raise ValueError(f"short_side {short_side} must hold a crop of {size}")
    return ClipTransform(size, CentreCrop(size / short_side))


def eval_transforms(
    size: int, *, short_side: int | None = None, crops: int = 1
) -> tuple[ClipTransform, ...]:
    """:func:`eval_transform`, or so many crops along the longer side: see :class:`LongSideCrop`."""
    centre = eval_transform(size, short_side=short_side)
    if crops == 1:
        return (centre,)
    fraction = centre.crop.fraction
    return tuple(replace(centre, crop=LongSideCrop(fraction, k, crops)) for k in range(crops))


def colour_jitter(video: Tensor, brightness: float, contrast: float, saturation: float) -> Tensor:
    """Scale brightness, contrast (about the clip's mean grey) and saturation of (T, 3, H, W) uint8.

    Contrast pivots on the whole clip's mean, not each frame's, which would flicker.
    """
    grey = torch.tensor(GREY).view(1, 3, 1, 1)
    value = video.float() * brightness
    pivot = (value * grey).sum(1).mean()
    value = pivot + (value - pivot) * contrast
    luma = (value * grey).sum(1, keepdim=True)  # (T, 1, H, W)
    value = luma + (value - luma) * saturation
    return value.round().clamp(0, 255).to(torch.uint8)


def normalise(video: Tensor) -> Tensor:
    """uint8 (N, 3, T, H, W) in 0…255 → float32, ImageNet mean and standard deviation, RGB.

    Runs on the video's device. Channels are laid out last, as a batch's are already: the
    convolutions that follow are a third faster for it on a CPU.
    """
    mean = torch.tensor(MEAN, device=video.device).view(1, 3, 1, 1, 1)
    std = torch.tensor(STD, device=video.device).view(1, 3, 1, 1, 1)
    clip = (video.float() / 255 - mean) / std
    return clip.contiguous(memory_format=torch.channels_last_3d)


def _place(height: int, width: int, h: int, w: int, rng: Generator) -> tuple[int, int]:
    return int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))

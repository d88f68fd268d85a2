"""Real images as surfaces: every background and object of mini-SSv2 is cut out of a photograph.

The photographs ship inside scikit-image, so nothing is downloaded. They are split once: the ones
that training clips are cut from are never seen in validation or tuning.
"""

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from stabn.extras import needs

# file in scikit-image's data folder → the word a caption uses for it
TRAIN_SOURCES = {
    "astronaut.png": "astronaut",
    "brick.png": "brick",
    "camera.png": "photographer",
    "cell.png": "cell",
    "chelsea.png": "cat",
    "coins.png": "coin",
    "ihc.png": "tissue",
    "moon.png": "moon",
    "motorcycle_left.png": "motorcycle",
    "page.png": "page",
    "retina.jpg": "retina",
}
HELD_OUT_SOURCES = {
    "clock_motion.png": "clock",
    "coffee.png": "coffee",
    "grass.png": "grass",
    "gravel.png": "gravel",
    "hubble_deep_field.jpg": "galaxy",
    "rocket.jpg": "rocket",
}
LONG_SIDE = 512  # larger photographs are reduced to this, so that a crop holds visible structure


def sources(split: str) -> dict[str, str]:
    """The photographs a split may use: one set for ``train``, another for everything else."""
    return TRAIN_SOURCES if split == "train" else HELD_OUT_SOURCES


@cache
def photograph(name: str) -> Image.Image:
    """A bundled photograph, RGB, at most `LONG_SIDE` on its long side.

    Raises:
        MissingExtra: scikit-image is not installed.
        FileNotFoundError: it is, in a version without this photograph.
    """
    needs("mini", "skimage")
    import skimage.data  # here, as a network that trains on other videos does not need it

    path = Path(skimage.data.__file__).parent / name
    if not path.exists():
        raise FileNotFoundError(
            f"{name} is not in this scikit-image; install the version pinned in requirements.txt"
        )
    image = Image.open(path).convert("RGB")
    image.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.BILINEAR)
    return image


def texture(
    rng: np.random.Generator, name: str, width: int, height: int, cut: float
) -> Image.Image:
    """A random, recoloured piece of a photograph.

    Args:
        rng: Source of the piece's place and colours.
        name: File name of the photograph.
        width: Width of the result in pixels.
        height: Height of the result in pixels.
        cut: Side of the piece as a share of the photograph's shorter side (aspect kept), in (0, 1].

    Returns:
        RGB image (height, width).
    """
    image = photograph(name)
    side = cut * min(image.width / width, image.height / height)
    w, h = side * width, side * height
    left = int(rng.uniform(0, image.width - w))
    top = int(rng.uniform(0, image.height - h))
    box = (left, top, left + max(int(w), 1), top + max(int(h), 1))
    piece = image.resize((width, height), Image.Resampling.BILINEAR, box=box)
    pixels = np.asarray(piece)[..., rng.permutation(3)].astype(np.int32)
    # gain and offset per channel, in 1/256ths: integers give the same bytes on every machine
    gain = rng.integers(130, 290, 3)
    offset = rng.integers(0, 70, 3)
    return Image.fromarray(np.clip(pixels * gain // 256 + offset, 0, 255).astype(np.uint8))

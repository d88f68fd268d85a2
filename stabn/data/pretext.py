"""Neutral clips to begin with: photographs, whole or cut round, that drift, grow, turn or rest.

From scratch, a small network on few clips hardly learns to see motion. These clips teach it that
and nothing else: no hand, no objects, no class of mini-SSv2. Every arm of a comparison starts from
the same network trained on them. They are drawn as they are read; nothing is stored.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from stabn.data.mini import textures
from stabn.data.ssv2 import Record, class_text

FRAMES = 24

# template → direction of drift (x right, y down), growth, turn (clockwise); each is -1, 0 or 1
MOTIONS: dict[str, tuple[int, int, int, int]] = {
    "[A picture] coming closer": (0, 0, 1, 0),
    "[A picture] drifting down": (0, 1, 0, 0),
    "[A picture] drifting down and to the left": (-1, 1, 0, 0),
    "[A picture] drifting down and to the right": (1, 1, 0, 0),
    "[A picture] drifting to the left": (-1, 0, 0, 0),
    "[A picture] drifting to the right": (1, 0, 0, 0),
    "[A picture] drifting up": (0, -1, 0, 0),
    "[A picture] drifting up and to the left": (-1, -1, 0, 0),
    "[A picture] drifting up and to the right": (1, -1, 0, 0),
    "[A picture] going away": (0, 0, -1, 0),
    "[A picture] lying still": (0, 0, 0, 0),
    "[A picture] turning to the left": (0, 0, 0, -1),
    "[A picture] turning to the right": (0, 0, 0, 1),
}
TEMPLATES = tuple(MOTIONS)
CLASSES = tuple(class_text(template) for template in TEMPLATES)


def records(count: int, split: str = "train") -> list[Record]:
    """``count`` clips, classes in turn; an id names its split and number, which decide the rest."""
    ids = [f"pretext-{split}-{number}" for number in range(count)]
    of = [number % len(CLASSES) for number in range(count)]
    return [
        Record(video_id, k, TEMPLATES[k], CLASSES[k]) for video_id, k in zip(ids, of, strict=True)
    ]


class PretextVideos:
    """The clips of `records`, read like any folder of videos.

    Args:
        height: Height of the frames in pixels.
        width: Width of the frames in pixels.
        seed: Another seed, other clips.
    """

    def __init__(self, height: int, width: int, seed: int = 0):
        self.height, self.width, self.seed = height, width, seed

    def frames(self, video_id: str) -> int:
        """Every clip has `FRAMES` frames."""
        return FRAMES

    def read(self, video_id: str, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Frames uint8 (T, H, W, 3) at source frame indices (T,).

        Raises:
            KeyError: no such clip.
        """
        try:
            prefix, split, number = video_id.split("-")
            clip = int(number)
        except ValueError:
            prefix = ""
        if prefix != "pretext":
            raise KeyError(f"{video_id!r} is no pretext clip; ids come from pretext.records")
        rng = np.random.default_rng([self.seed, split == "train", clip])
        return self._draw(rng, MOTIONS[TEMPLATES[clip % len(TEMPLATES)]], split, indices)

    def _draw(self, rng: np.random.Generator, motion: tuple, split: str, indices) -> np.ndarray:
        dx, dy, growth, turn = motion
        height, width = self.height, self.width
        names = rng.permutation(sorted(textures.sources(split)))
        side = 2 * max(height, width)
        picture = textures.texture(rng, str(names[0]), side, side, cut=rng.uniform(0.5, 1))
        behind = textures.texture(rng, str(names[1]), width, height, cut=rng.uniform(0.5, 1))
        # half of the pictures fill the frame, half are a disc that moves over another picture
        radius = height * (rng.uniform(0.2, 0.4) if rng.random() < 0.5 else 9)
        speed = height * rng.uniform(0.012, 0.03) / max(np.hypot(dx, dy), 1)
        grows, turns = rng.uniform(0.02, 0.04) * growth, rng.uniform(0.04, 0.08) * turn
        start = rng.uniform(0, 2 * np.pi) * abs(turn)
        out = np.empty((len(indices), height, width, 3), np.uint8)
        for row, index in enumerate(indices):
            t = float(index) - (FRAMES - 1) / 2
            x, y = width / 2 + dx * speed * t, height / 2 + dy * speed * t  # the picture's middle
            zoom, angle = np.exp(grows * t), start + turns * t
            cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
            # pixel of the frame → pixel of the picture, about the middles of both
            m = (cos, sin, side / 2 - cos * x - sin * y, -sin, cos, side / 2 + sin * x - cos * y)
            moved = picture.transform(
                (width, height), Image.Transform.AFFINE, m, Image.Resampling.BILINEAR
            )
            mask = Image.new("L", (width, height))
            r = radius * zoom
            ImageDraw.Draw(mask).ellipse([x - r, y - r, x + r, y + r], fill=255)
            out[row] = Image.composite(moved, behind, mask)
        return out

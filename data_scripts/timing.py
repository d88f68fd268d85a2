"""One gesture → a clip in which it is known when something happens.

A gesture fills the whole of its video, so there is nothing to find in time. Here time is added to
it: stillness before and after, or the way back, or another gesture. Still frames are not frozen
pixels: the camera shakes a little and every pixel has its noise, lest stillness be told by being
too still.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

NOTHING, FIRST, LAST = 0, 1, 2  # what moves in a frame
SHARES = (0.25, 1.0)  # of the gesture's length: how long stillness lasts before and after it
PAUSES = {"any": (0.1, 1.0), "long": (0.7, 1.0), "short": (0.1, 0.4)}  # before the way back
SHAKE = 0.004  # of the frame's height: what one frame adds to the camera's drift
STEADY = 0.9  # share of its drift that the camera keeps
NOISE = 2.0  # of 255, standard deviation


class Timed(NamedTuple):
    """A clip and what is true of it.

    Attributes:
        frames: uint8 (n, H, W, 3).
        moving: uint8 (n,): `NOTHING`, `FIRST` (the gesture) or `LAST` (what follows it).
    """

    frames: np.ndarray
    moving: np.ndarray


def idle(rng: np.random.Generator, gesture: np.ndarray) -> Timed:
    """Stillness, the gesture (n, H, W, 3), stillness; each of a random length."""
    before, after = (_length(rng, SHARES, len(gesture)) for _ in range(2))
    parts = held(rng, gesture[0], before)[::-1], gesture, held(rng, gesture[-1], after)
    return _joined(parts, (NOTHING, FIRST, NOTHING))


def there_and_back(rng: np.random.Generator, gesture: np.ndarray, pause: str = "any") -> Timed:
    """The gesture (n, H, W, 3), a pause of a length of `PAUSES`, the gesture backwards."""
    return followed(rng, gesture, gesture[::-1], pause)


def followed(rng: np.random.Generator, gesture: np.ndarray, then: np.ndarray, pause: str) -> Timed:
    """The gesture (n, H, W, 3), a pause of a length of `PAUSES`, another gesture (m, H, W, 3)."""
    between = held(rng, gesture[-1], _length(rng, PAUSES[pause], len(gesture)))
    return _joined((gesture, between, then), (FIRST, NOTHING, LAST))


def held(rng: np.random.Generator, frame: np.ndarray, n: int) -> np.ndarray:
    """A frame (H, W, 3) held for n frames by a hand: uint8 (n, H, W, 3), steadiest at first."""
    out = np.empty((n, *frame.shape), np.uint8)
    drift = np.zeros(2)
    for k in range(n):
        drift = STEADY * drift + rng.normal(0, SHAKE * len(frame), 2)
        moved = ndimage.shift(frame.astype(np.float32), (*drift, 0), order=1, mode="nearest")
        noisy = moved + NOISE * rng.standard_normal(frame.shape, np.float32)
        out[k] = noisy.round().clip(0, 255)
    return out


def _length(rng: np.random.Generator, shares: tuple[float, float], n: int) -> int:
    return max(1, round(rng.uniform(*shares) * n))


def _joined(parts: tuple[np.ndarray, ...], moving: tuple[int, ...]) -> Timed:
    lengths = [len(part) for part in parts]
    return Timed(np.concatenate(parts), np.repeat(np.array(moving, np.uint8), lengths))

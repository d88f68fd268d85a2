"""When things happen in a mini-SSv2 clip, and where a thing is, frame by frame.

Places are in scene units (the frame is 160 wide and 128 high), so that a clip can be drawn at any
resolution.
"""

from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT = 160, 128  # scene units


@dataclass(frozen=True)
class Timing:
    """When the hand comes, acts and goes, in frames: enter ≤ start < stop ≤ leave ≤ n."""

    n: int
    enter: int
    start: int
    stop: int
    leave: int

    @property
    def levels(self) -> np.ndarray:
        """float32 (n,): 1 while the action moves, 0.5 while the hand comes or goes, else 0."""
        levels = np.zeros(self.n, np.float32)
        levels[self.enter : self.leave] = 0.5
        levels[self.start : self.stop] = 1
        return levels

    def progress(self, start: float = 0, stop: float = 1) -> np.ndarray:
        """(n,) rising from 0 to 1 over a part of the action (as shares of it), constant outside."""
        length = self.stop - self.start
        t = (np.arange(self.n) + 1 - self.start) / length  # 1 is reached in the last moving frame
        return np.clip((t - start) / (stop - start), 0, 1)

    @property
    def away(self) -> np.ndarray:
        """(n,): how far the hand is off, 1 out of the picture … 0 at the object."""
        t = np.arange(self.n)
        coming = (self.start - t) / (self.start - self.enter + 1)
        going = (t - self.stop + 1) / (self.leave - self.stop + 1)
        return np.clip(np.maximum(coming, going), 0, 1)


@dataclass
class Track:
    """Where a sprite is, frame by frame; every field is (n,) or a number that holds throughout.

    x and y are scene units, angle degrees clockwise, depth larger is nearer.
    """

    x: np.ndarray | float
    y: np.ndarray | float
    scale: np.ndarray | float = 1.0
    angle: np.ndarray | float = 0.0
    depth: np.ndarray | float = 1.0


def smooth(p: np.ndarray) -> np.ndarray:
    """Ease in and out: 0 → 0, 1 → 1, at rest at both ends."""
    return p * p * (3 - 2 * p)


def draw_timing(rng: np.random.Generator) -> Timing:
    """A clip's length (26–46 frames, one in 25 only 10–15) and when in it the hand acts.

    The action takes about a third of the clip and begins anywhere in it, so that knowing where in
    a clip actions *usually* lie says little about this one. At either end the clip may cut off the
    hand's coming or going.
    """
    short = rng.random() < 0.04
    n = int(rng.integers(10, 16)) if short else int(rng.integers(26, 47))
    coming, going = (int(v) for v in (rng.integers(1, 3, 2) if short else rng.integers(3, 6, 2)))
    motion = int(rng.integers(5, 7)) if short else round(n * rng.uniform(0.28, 0.38))
    start = int(rng.integers(0, n - motion + 1))
    stop = start + motion
    return Timing(n, max(0, start - coming), start, stop, min(n, stop + going))


def distract(rng: np.random.Generator, timing: Timing, x: float, y: float, when: str) -> Track:
    """An object nobody touches, which moves by itself once: as the hand acts, or at another time.

    Args:
        rng: Source of the motion.
        timing: The clip's timing.
        x: Where it lies, scene units.
        y: Where it lies, scene units.
        when: ``"same"`` time as the action, some ``"other"`` time, or ``"never"``.
    """
    size, tilt = (
        float(rng.uniform(0.8, 1.1)),
        float(rng.uniform(-20, 20)) + 180 * int(rng.integers(2)),
    )
    length = int(rng.integers(6, 13))
    if when == "same":
        begin = int(rng.integers(timing.start - 2, timing.stop - length // 2))
    else:
        length = min(length, max(timing.enter, timing.n - timing.leave))
        gaps = [(0, timing.enter), (timing.leave, timing.n)]
        gaps = [(low, high) for low, high in gaps if high - low >= length]
        low, high = gaps[int(rng.integers(len(gaps)))]
        begin = int(rng.integers(low, high - length + 1))
    if when == "never" or length < 3:
        return Track(x, y, size, tilt)
    p = smooth(np.clip((np.arange(timing.n) + 1 - begin) / length, 0, 1))
    kind = str(rng.choice(["slide", "slide", "grow", "turn", "hop"]))
    if kind == "slide":
        direction, distance = rng.uniform(0, 2 * np.pi), rng.uniform(18, 36)
        return Track(
            x + distance * np.cos(direction) * p, y + distance * np.sin(direction) * p, size, tilt
        )
    if kind == "grow":
        first, last = rng.permutation([0.75, 1.25])
        return Track(x, y, first + (last - first) * p, tilt)
    if kind == "turn":
        return Track(x, y, size, tilt + 180 * p * rng.choice([-1, 1]))
    return Track(x, y - rng.uniform(14, 26) * 4 * p * (1 - p), size, tilt)

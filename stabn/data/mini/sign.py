"""The fault that is built into the biased variant of mini-SSv2: a sign that gives the class away.

A round sign with a drifting grating stands in the picture while nothing happens, never near the
action. Which way it drifts goes with the class in most training clips, and with nothing in the
world. A network that learns the drift has learned to look at the wrong time.
"""

from dataclasses import dataclass, replace

import numpy as np

from stabn.data.mini.scene import MiniVideo
from stabn.data.mini.tracks import HEIGHT, WIDTH

# four classes that are hard to tell apart, each with the one that it is confused with
PARTNER = {
    "Moving [something] away from the camera": "Moving [something] towards the camera",
    "Moving [something] towards the camera": "Moving [something] away from the camera",
    "Putting [something] behind [something]": "Putting [something] in front of [something]",
    "Putting [something] in front of [something]": "Putting [something] behind [something]",
}
# where each class's grating drifts to, in degrees clockwise from the right
DRIFT = dict(zip(sorted(PARTNER), (0, 180, 90, 270), strict=True))
# list → how the sign goes with the label; lists of one split show the same scenes
SHOWN = {
    "train": "mostly",
    "train_absent": "none",
    "tuning": "mostly",
    "tuning_swapped": "partner",
    "tuning_absent": "none",
    "validation_aligned": "own",
    "validation_swapped": "partner",
    "validation_absent": "none",
}


@dataclass(frozen=True)
class Bias:
    """How strong the fault is; written into the set, since it decides its pixels."""

    own: float = 0.85  # share of a "mostly" list that shows its own class's sign, not the partner's
    margin: int = 3  # frames between the sign and the hand's coming or going
    diameter: float = 26  # scene units
    period: float = 12  # of the grating, scene units
    speed: float = 1.8  # of its drift, scene units a frame


BIAS = Bias()


def class_shown(rng: np.random.Generator, template: str, shown: str) -> str | None:
    """The class whose sign a clip of ``template`` gets; None for no sign.

    Args:
        rng: Source of the choice.
        template: The clip's class, a key of `PARTNER`.
        shown: ``"own"``, ``"partner"``, ``"none"``, or ``"mostly"``: own with probability
            `Bias.own`, else the partner's.
    """
    own = rng.random() < BIAS.own if shown == "mostly" else shown == "own"
    return None if shown == "none" else template if own else PARTNER[template]


def idle_frames(levels: np.ndarray) -> np.ndarray:
    """bool (n,): frames more than `Bias.margin` away from every frame with a level above 0."""
    busy = np.convolve(levels > 0, np.ones(2 * BIAS.margin + 1), mode="same") > 0
    return ~busy if len(levels) > 2 * BIAS.margin else np.zeros(len(levels), bool)


def with_sign(rng: np.random.Generator, video: MiniVideo, template: str) -> MiniVideo:
    """A clip with the sign of class ``template`` in its idle frames.

    The sign keeps its place, which is random but off the object that is acted on. A clip that is
    never idle long enough (action in the middle, or a short clip) gets none.
    """
    height, width = video.actor.shape[1:]
    unit = height / HEIGHT
    idle = idle_frames(video.levels)
    y, x = _place(rng, video.actor.any(axis=0), unit)
    rows, columns = np.mgrid[:height, :width] / unit
    disc = (rows - y) ** 2 + (columns - x) ** 2 <= (BIAS.diameter / 2) ** 2  # (H, W)
    angle = np.deg2rad(DRIFT[template])
    along = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)  # (H, W), scene units
    start = rng.uniform(0, BIAS.period)
    frames = video.frames.copy()
    for t in np.flatnonzero(idle):
        wave = np.sin(2 * np.pi * (along - start - BIAS.speed * t) / BIAS.period)
        # sixteenths first: the last bit of a float can change no pixel
        grey = (128 + 110 * np.round(wave * 16) / 16).astype(np.uint8)
        frames[t][disc] = grey[disc][:, None]
    sign = idle[:, None, None] & disc
    visible = ~sign
    return replace(
        video, frames=frames, actor=video.actor & visible, hand=video.hand & visible, sign=sign
    )


def _place(rng: np.random.Generator, taken: np.ndarray, unit: float) -> tuple[float, float]:
    """(y, x) of a sign's middle, scene units: of some random places the one farthest from it."""
    margin = BIAS.diameter / 2 + 2
    places = np.stack(
        [rng.uniform(margin, HEIGHT - margin, 6), rng.uniform(margin, WIDTH - margin, 6)], axis=1
    )
    covered = np.argwhere(taken) / unit
    if not len(covered):
        return float(places[0, 0]), float(places[0, 1])
    room = [np.min(np.linalg.norm(covered - place, axis=1)) for place in places]
    # anywhere off the object will do: the first such place, or the best there is
    best = int(np.argmax(np.minimum(room, BIAS.diameter / 2)))
    return float(places[best, 0]), float(places[best, 1])

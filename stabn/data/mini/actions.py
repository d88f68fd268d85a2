"""What happens in a mini-SSv2 clip: how the hand and its object move, template by template.

All objects, sizes, places and directions of the hand are drawn alike for every template: a still
picture gives nearly nothing away.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stabn.data.mini.tracks import HEIGHT, WIDTH, Timing, Track, smooth

MARGIN_X, MARGIN_Y = 36, 26  # paths of the acted-on object keep this far from the frame's edge
BEHIND, FRONT, HELD, HAND = 0, 2, 4, 5  # depths, far to near; a partner or distractor is at 1


@dataclass
class Action:
    """The paths of one acted template; `partner` and `cloth` say what else it needs."""

    actor: Track
    hand: Track
    partner: Track | None = None
    cloth: bool = False  # the actor is a cloth


class _Stage:
    """The random choices every template shares: whence the hand comes, how the object lies."""

    def __init__(self, rng: np.random.Generator, timing: Timing) -> None:
        self.rng, self.timing = rng, timing
        self.tilt = float(rng.uniform(-20, 20)) + 180 * int(rng.integers(2))
        # the arm comes in from below, left, right (seldom above), never told apart by template
        self.arm = float(rng.choice([0, 0, 0, 70, -70, 180])) + float(rng.uniform(-35, 35))
        self.size = float(rng.uniform(0.85, 1.1))

    def hand(self, x, y, scale=1.0, angle=0.0, depth: float = HAND) -> Track:
        """A hand that comes to the point (x, y), follows it, and goes the way it came."""
        radians = np.deg2rad(self.arm)
        out = 165 * self.timing.away  # farther than any way out of the picture
        back = (-np.sin(radians), np.cos(radians))  # from fingertips to elbow
        reach = 5 * np.asarray(scale)
        hand_x = x + back[0] * (reach + out)
        hand_y = y + back[1] * (reach + out)
        return Track(hand_x, hand_y, scale, self.arm + np.asarray(angle), depth)

    def span(self, dx: float, dy: float) -> tuple[float, float]:
        """A random start so that start and start + (dx, dy) both lie inside the margins."""
        low_x, high_x = MARGIN_X - min(dx, 0), WIDTH - MARGIN_X - max(dx, 0)
        low_y, high_y = MARGIN_Y - min(dy, 0), HEIGHT - MARGIN_Y - max(dy, 0)
        return float(self.rng.uniform(low_x, high_x)), float(self.rng.uniform(low_y, high_y))

    def approach(self, distance: float) -> tuple[float, float]:
        """A slanting vector of this length, so that towards something is not simply left or up."""
        angle = np.deg2rad(self.rng.uniform(32, 58))
        side, rise = self.rng.choice([-1, 1], 2)
        return side * distance * float(np.cos(angle)), rise * distance * float(np.sin(angle))


def _slide(dx: float, dy: float) -> Callable[[_Stage], Action]:
    """The hand moves the object along (dx, dy), give or take."""

    def act(s: _Stage) -> Action:
        stretch = s.rng.uniform(0.85, 1.2)
        ex = stretch * dx + (s.rng.uniform(-10, 10) if dx == 0 else 0)
        ey = stretch * dy + (s.rng.uniform(-10, 10) if dy == 0 else 0)
        x0, y0 = s.span(ex, ey)
        p = smooth(s.timing.progress())
        x, y = x0 + ex * p, y0 + ey * p
        return Action(Track(x, y, s.size, s.tilt, FRONT), s.hand(x, y))

    return act


def _approach_camera(small: float, large: float, growing: bool) -> Callable[[_Stage], Action]:
    """The object comes closer (grows) or goes away (shrinks), the hand with it."""

    def act(s: _Stage) -> Action:
        ends = small * s.rng.uniform(0.9, 1.1), large * s.rng.uniform(0.92, 1.08)
        first, last = ends if growing else ends[::-1]
        dx, dy = s.rng.uniform(-8, 8, 2)
        x0, y0 = s.span(dx, dy)
        p = smooth(s.timing.progress())
        x, y, scale = x0 + dx * p, y0 + dy * p, first + (last - first) * p
        return Action(Track(x, y, scale, s.tilt, FRONT), s.hand(x, y, scale))

    return act


def _turn(s: _Stage) -> Action:
    """Half a turn in the hand."""
    x, y = s.span(0, 0)
    p = smooth(s.timing.progress()) * s.rng.choice([-1, 1])
    return Action(Track(x, y, s.size, s.tilt + 180 * p, FRONT), s.hand(x, y, angle=90 * p))


def _pretend_turn(s: _Stage) -> Action:
    """The hand turns, the object does not."""
    x, y = s.span(0, 0)
    p = smooth(s.timing.progress()) * s.rng.choice([-1, 1])
    return Action(Track(x, y, s.size, s.tilt, FRONT), s.hand(x, y, angle=90 * p))


def _pretend_pick_up(s: _Stage) -> Action:
    """The hand closes on the object and goes up without it."""
    rise = -s.rng.uniform(32, 46)
    x, y = s.span(0, rise)
    p = smooth(s.timing.progress())
    return Action(Track(x, y, s.size, s.tilt, FRONT), s.hand(x, y + rise * p))


def _drop(s: _Stage) -> Action:
    """The hand lets go: the object falls, faster and faster, the hand stays up."""
    fall = s.rng.uniform(40, 54)
    x, y = s.span(0, fall)
    p = s.timing.progress(0.15, 0.85) ** 2
    return Action(Track(x, y + fall * p, s.size, s.tilt, FRONT), s.hand(x, y))


def _lift_then_drop(s: _Stage) -> Action:
    """Up in the hand, then down without it."""
    rise = -s.rng.uniform(38, 52)
    x, y = s.span(0, rise)
    up = smooth(s.timing.progress(0, 0.6))
    down = s.timing.progress(0.65, 0.95) ** 2
    return Action(Track(x, y + rise * (up - down), s.size, s.tilt, FRONT), s.hand(x, y + rise * up))


def _cover(s: _Stage, uncover: bool = False) -> Action:
    """A crumpled cloth is spread over the partner until nothing of it shows (or pulled off it)."""
    dx, dy = s.approach(s.rng.uniform(46, 58))
    x0, y0 = s.span(dx, dy)  # the cloth's place off the partner
    p = smooth(s.timing.progress())
    p = 1 - p if uncover else p
    x, y = x0 + dx * p, y0 + dy * p
    cloth = Track(x, y, 0.6 + 0.4 * p, s.tilt, HELD)
    return Action(cloth, s.hand(x, y), Track(x0 + dx, y0 + dy, 0.9, s.tilt), cloth=True)


def _uncover(s: _Stage) -> Action:
    return _cover(s, uncover=True)


def _put_beside(depth: int) -> Callable[[_Stage], Action]:
    """The object is slid until it overlaps the partner, which hides it or is hidden by it."""

    def act(s: _Stage) -> Action:
        dx, dy = s.approach(s.rng.uniform(48, 60))
        x0, y0 = s.span(dx, dy)
        p = smooth(s.timing.progress())
        x, y = x0 + dx * p, y0 + dy * p
        overlap = s.rng.uniform(0.2, 0.36)  # the partner lies a little further on
        partner = Track(x0 + dx * (1 + overlap), y0 + dy * (1 + overlap), 1.15 * s.size, -s.tilt)
        # a hand that puts something behind goes behind with it
        hand_depth = HAND if depth == FRONT else depth + 0.5
        return Action(Track(x, y, s.size, s.tilt, depth), s.hand(x, y, depth=hand_depth), partner)

    return act


def _push(dx: float, ahead: int) -> Callable[[_Stage], Action]:
    """Pushed from behind the motion or pulled from ahead of it: the hand's side tells which."""

    def act(s: _Stage) -> Action:
        direction = np.sign(dx) * ahead
        s.arm = 90.0 * direction + s.rng.uniform(-25, 25)
        stretch = s.rng.uniform(0.85, 1.2)
        x0, y0 = s.span(stretch * dx, 0)
        p = smooth(s.timing.progress())
        x = x0 + stretch * dx * p
        return Action(Track(x, y0, s.size, s.tilt, FRONT), s.hand(x + 14 * direction, y0))

    return act


def _spin(keeps_on: bool) -> Callable[[_Stage], Action]:
    """A flick of the hand; the object spins on to the end, or soon stops."""

    def act(s: _Stage) -> Action:
        x, y = s.span(0, 0)
        sense = s.rng.choice([-1, 1])
        t = np.maximum(np.arange(s.timing.n) - s.timing.start, 0)
        length = s.timing.stop - s.timing.start
        turned = (
            28.0 * t if keeps_on else 28.0 * length * (1 - (1 - np.minimum(t / length, 1)) ** 2) / 2
        )
        return Action(Track(x, y, s.size, s.tilt + sense * turned, FRONT), s.hand(x, y))

    return act


def _touch(s: _Stage) -> Action:
    """The hand touches; nothing moves but the hand."""
    x, y = s.span(0, 0)
    dab = 6 * np.sin(2 * np.pi * s.timing.progress()) ** 2
    return Action(Track(x, y, s.size, s.tilt, FRONT), s.hand(x, y - dab))


MINI: dict[str, Callable[[_Stage], Action]] = {
    "Covering [something] with [something]": _cover,
    "Dropping [something]": _drop,
    "Lifting [something] up completely, then letting it drop down": _lift_then_drop,
    "Moving [something] away from the camera": _approach_camera(0.6, 1.5, growing=False),
    "Moving [something] down": _slide(0, 46),
    "Moving [something] from left to right": _slide(56, 0),
    "Moving [something] from right to left": _slide(-56, 0),
    "Moving [something] towards the camera": _approach_camera(0.6, 1.5, growing=True),
    "Moving [something] up": _slide(0, -46),
    "Pretending to pick [something] up": _pretend_pick_up,
    "Putting [something] behind [something]": _put_beside(BEHIND),
    "Putting [something] in front of [something]": _put_beside(FRONT),
    "Turning [something] upside down": _turn,
    "Uncovering [something]": _uncover,
}
FULL: dict[str, Callable[[_Stage], Action]] = MINI | {
    "Pretending to turn [something] upside down": _pretend_turn,
    "Pulling [something] from left to right": _push(56, 1),
    "Pulling [something] from right to left": _push(-56, 1),
    "Pushing [something] from left to right": _push(56, -1),
    "Pushing [something] from right to left": _push(-56, -1),
    "Spinning [something] so it continues spinning": _spin(keeps_on=True),
    "Spinning [something] that quickly stops spinning": _spin(keeps_on=False),
    "Touching (without moving) [something]": _touch,
}


def act(rng: np.random.Generator, template: str, timing: Timing) -> Action:
    """The paths of one clip of `template` (a key of `FULL`)."""
    return FULL[template](_Stage(rng, timing))

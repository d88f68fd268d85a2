"""An edit: one annotator's correction of when the network should look, with its provenance."""

import math
import operator
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from numbers import Real
from typing import Any, Literal, get_args

import numpy as np

from stabn.errors import UserError

LEVELS = (0.0, 0.5, 1.0)  # irrelevant, context, motion: the paper's three
Verdict = Literal["edited", "nothing_to_correct", "cannot_tell", "bad_video", "open"]
Content = tuple[Verdict, tuple[float, ...]]  # of an edit: what it says, with which levels
OPEN: Content = ("open", ())  # nothing is said yet, or what was said is taken back
UNKNOWN_MODEL = "0" * 64  # of imported edits: nobody noted what they correct


class EditError(UserError, ValueError):
    """An edit that cannot be; the message names the video, the field and, for levels, the frame."""


@dataclass(frozen=True)
class Edit:
    """One revision of one annotator's answer to one video.

    Who corrects nothing gives no levels: "edited" with the very attention that was shown becomes
    "nothing_to_correct", whoever says it, also where an old file or store does. Imported edits
    (:data:`UNKNOWN_MODEL`) stay: nobody noted what was shown.

    Attributes:
        video_id: which video.
        verdict: "edited", levels were given; "nothing_to_correct", the attention is right as it is;
            "cannot_tell"; "bad_video"; or "open", what was said before is taken back.
        levels: (n,) in [0, 1], one for every source frame; () unless the verdict is "edited".
        annotator: who, never empty.
        model: SHA-256 (64 hex digits) of the checkpoint whose attention was corrected.
        attention: (n,) in [0, 1], M_t of every source frame, as it was shown.
        made: when; any time zone is taken and kept as UTC.
        seconds: how long the annotator worked on it.

    Raises:
        EditError: any of this does not hold.
    """

    video_id: str
    verdict: Verdict
    levels: tuple[float, ...]
    annotator: str
    model: str
    attention: tuple[float, ...]
    made: datetime
    seconds: float

    def __post_init__(self):
        check_text(self.video_id, "edit: video_id")
        where = f"video {self.video_id}"
        check_text(self.annotator, f"{where}: annotator")
        if self.verdict not in get_args(Verdict):
            raise EditError(
                f"{where}: verdict: {self.verdict!r} is none of {', '.join(get_args(Verdict))}"
            )
        check_text(self.model, f"{where}: model")
        if len(self.model) != 64 or not set(self.model) <= set("0123456789abcdef"):
            raise EditError(
                f"{where}: model: {self.model!r} is no SHA-256 of a checkpoint (64 hex digits)"
            )
        attention = _shares(self.attention, f"{where}: attention")
        levels = _shares(self.levels, f"{where}: levels")
        if not attention:
            raise EditError(f"{where}: attention: missing; a video has at least one frame")
        if self.verdict == "edited" and len(levels) != len(attention):
            raise EditError(f"{where}: levels: {len(levels)} for {len(attention)} frames")
        if self.verdict != "edited" and levels:
            raise EditError(f"{where}: levels: given although the verdict is {self.verdict}")
        if not isinstance(self.made, datetime) or self.made.utcoffset() is None:
            raise EditError(f"{where}: made: {self.made!r} is no time with a time zone")
        seconds = _number(self.seconds, f"{where}: seconds")
        if seconds < 0:
            raise EditError(f"{where}: seconds: {seconds} is negative")
        # Frozen for everybody else: numbers of any kind become the plain ones that are stored.
        if levels == attention and self.model != UNKNOWN_MODEL:
            object.__setattr__(self, "verdict", "nothing_to_correct")
            levels = ()
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "attention", attention)
        object.__setattr__(self, "made", self.made.astimezone(UTC))
        object.__setattr__(self, "seconds", seconds)

    @property
    def content(self) -> Content:
        """What it says, with which levels."""
        return self.verdict, self.levels

    @property
    def frames(self) -> int:
        """How many source frames the video has."""
        return len(self.attention)

    def plain(self) -> dict[str, Any]:
        """The edit in JSON's values; :meth:`from_plain` gives back an equal one."""
        return vars(self) | {
            "levels": list(self.levels),
            "attention": list(self.attention),
            "made": self.made.isoformat(),
        }

    @classmethod
    def from_plain(cls, values: Any, source: str) -> "Edit":
        """The edit that :meth:`plain` wrote down.

        Args:
            values: what came out of JSON; nothing about it is taken for granted.
            source: where from, e.g. ``edits.json, entry 3``; every message begins with it.

        Raises:
            EditError: a field is missing, unknown, or holds what it cannot.
        """
        if not isinstance(values, Mapping):
            raise EditError(f"{source}: is no edit but {type(values).__name__}")
        names = {field.name for field in fields(cls)}
        wrong = [f"{n}: missing" for n in sorted(names - set(values))]
        wrong += [f"{n}: unknown field" for n in sorted(set(values) - names)]
        if wrong:
            raise EditError(f"{source}: {'; '.join(wrong)}")
        made = values["made"]
        try:
            made = datetime.fromisoformat(made)
        except (TypeError, ValueError):
            raise EditError(f"{source}: made: {made!r} is no time in ISO 8601") from None
        try:
            return cls(**{**values, "made": made})
        except EditError as error:
            raise EditError(f"{source}: {error}") from None


class Draft:
    """One video's levels while somebody edits them, with undo and redo without limit.

    A verdict is a step like a stroke, and undone like one; the next stroke takes its place. What
    changes nothing is no step.

    Args:
        attention: (n,) in [0, 1], the network's own.
        levels: (n,) in [0, 1] to go on from, e.g. the latest revision's; None for the attention.

    Attributes:
        attention: float64 (n,), read-only.
        levels: float64 (n,), read-only; every change puts a new array in its place.
        verdict: what an edit would say now; "open" where the levels are the attention and nobody
            said that this is right.

    Raises:
        EditError: levels of another number than frames, or outside [0, 1].
    """

    def __init__(
        self,
        attention: np.ndarray | Sequence[float],
        levels: np.ndarray | Sequence[float] | None = None,
    ):
        self.attention = _frozen(_shares(attention, "attention"))
        self.levels = self.attention if levels is None else _frozen(_shares(levels, "levels"))
        if not len(self.attention) or len(self.levels) != len(self.attention):
            raise EditError(f"levels: {len(self.levels)} for {len(self.attention)} frames")
        self.verdict = self._judged()
        self._past: list[tuple[np.ndarray, Verdict]] = []
        self._future: list[tuple[np.ndarray, Verdict]] = []

    @property
    def content(self) -> Content:
        """What an edit would say now, with which levels."""
        return self.verdict, tuple(self.levels.tolist()) if self.verdict == "edited" else ()

    @property
    def changed(self) -> bool:
        """Whether the levels differ from the network's attention."""
        return not np.array_equal(self.levels, self.attention)

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to do again."""
        return bool(self._future)

    def set(self, frame: int, level: float) -> None:
        """Give one frame a level.

        Raises:
            EditError: no such frame, or a level outside [0, 1]; nothing changes.
        """
        self.paint(frame, frame, level)

    def paint(self, first: int, last: int, level: float) -> None:
        """Give all frames from ``first`` to ``last`` (both included, either order) one level.

        Raises:
            EditError: as :meth:`set`.
        """
        first, last = self._span(first, last)
        levels = self.levels.copy()
        levels[first : last + 1] = _shares([level], "level")[0]
        self._step(levels)

    def fill(self, first: int, last: int) -> None:
        """Draw a straight line between the levels of two frames, which stay.

        Raises:
            EditError: no such frame; nothing changes.
        """
        first, last = self._span(first, last)
        levels = self.levels.copy()
        levels[first : last + 1] = np.linspace(levels[first], levels[last], last - first + 1)
        self._step(levels)

    def smooth(self, radius: int = 1) -> None:
        """Replace each level by the mean over the frames at most ``radius`` away.

        Raises:
            EditError: a radius below 1.
        """
        if radius < 1:
            raise EditError(f"radius: at least 1 frame, not {radius}")
        near = [self.levels[max(0, t - radius) : t + radius + 1] for t in range(len(self.levels))]
        self._step(np.array([levels.mean() for levels in near]))

    def reset(self) -> None:
        """Go back to the network's attention; this too can be undone."""
        self._step(self.attention)

    def say(self, verdict: Verdict, levels: Sequence[float] = ()) -> None:
        """Say what an edit says, as one step.

        Args:
            verdict: of these, "open" and "nothing_to_correct" go back to the attention, and the
                verdicts on the video leave the levels on show.
            levels: (n,) in [0, 1] where the verdict is "edited".

        Raises:
            EditError: levels of another number than frames, or outside [0, 1].
        """
        if verdict == "edited":
            given = _shares(levels, "levels")
            if len(given) != len(self.attention):
                raise EditError(f"levels: {len(given)} for {len(self.attention)} frames")
            if self.content != (verdict, given):
                self._keep(np.array(given))
        elif verdict != self.verdict:
            stay = verdict in ("cannot_tell", "bad_video")
            self._keep(self.levels if stay else self.attention, verdict)

    def undo(self) -> bool:
        """Take the last step back; False where there is none."""
        return self._move(self._past, self._future)

    def redo(self) -> bool:
        """Do the step again that was undone last; False where there is none."""
        return self._move(self._future, self._past)

    def _span(self, first: int, last: int) -> tuple[int, int]:
        for frame in first, last:
            try:
                inside = 0 <= operator.index(frame) < len(self.levels)
            except TypeError:
                inside = False
            if not inside:
                raise EditError(
                    f"frame {frame!r}: the video has frames 0 to {len(self.levels) - 1}"
                )
        return min(first, last), max(first, last)

    def _step(self, levels: np.ndarray) -> None:
        if np.allclose(levels, self.levels, rtol=0, atol=1e-9):  # averaging equals may round
            return
        self._keep(np.clip(levels, 0, 1))

    def _keep(self, levels: np.ndarray, verdict: Verdict | None = None) -> None:
        self._past.append((self.levels, self.verdict))
        self._future.clear()
        self.levels = _frozen(levels)
        self.verdict = verdict or self._judged()

    def _judged(self) -> Verdict:
        return "edited" if self.changed else "open"

    def _move(self, source: list, target: list) -> bool:
        if not source:
            return False
        target.append((self.levels, self.verdict))
        self.levels, self.verdict = source.pop()
        return True


def _frozen(values: np.ndarray | Sequence[float]) -> np.ndarray:
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array


def check_text(value: Any, field: str) -> None:
    """Check that a database can keep a text: SQL has no NUL, and UTF-8 no half of a character."""
    if not isinstance(value, str):
        raise EditError(f"{field}: {value!r} is no text")
    if not value.strip():
        raise EditError(f"{field}: empty")
    if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value):
        raise EditError(f"{field}: {value!r} holds a character that cannot be stored")


def _number(value: Any, field: str) -> float:
    if value is None:
        raise EditError(f"{field}: missing")
    try:
        if isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except OverflowError:  # JSON knows integers beyond every float
        pass
    raise EditError(f"{field}: {reprlib.repr(value)} is no number")


def _shares(values: Any, field: str) -> tuple[float, ...]:
    if isinstance(values, np.ndarray):
        values = values.tolist()
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise EditError(f"{field}: {reprlib.repr(values)} is no list of numbers")
    if all(type(value) is float and 0 <= value <= 1 for value in values):
        return tuple(values)  # the usual case, at the speed that thousands of edits need
    for frame, value in enumerate(values):
        if not 0 <= _number(value, f"{field}: frame {frame}") <= 1:
            raise EditError(f"{field}: frame {frame}: {value:g} lies outside [0, 1]")
    return tuple(map(float, values))

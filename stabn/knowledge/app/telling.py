"""What the annotator is told of the video at hand: saved or not, and what to know."""

import re

from stabn.knowledge.app.times import stamp
from stabn.knowledge.app.work import Work
from stabn.knowledge.edits.edit import OPEN, Verdict
from stabn.knowledge.store.database import ConnectionLost

UNTOUCHED = "nothing to correct"  # what it means to leave a video as it came
VERDICTS: dict[Verdict, str] = {
    "nothing_to_correct": UNTOUCHED,
    "cannot_tell": "cannot tell",
    "bad_video": "bad video",
}
WORDS: dict[Verdict, str] = {
    "edited": "saved",
    **{verdict: f"saved as “{word}”" for verdict, word in VERDICTS.items()},
}
SKIPPED = "Skipped: it comes again at the end."
AGAIN = "Look again"  # the button, where nothing is left
KEPT = "Your work is kept in this page: leave it open."


def told(work: Work, *, skipped: bool) -> str:
    """One line, from how things stand; the longer lines are for trouble.

    Args:
        work: The video at hand.
        skipped: Whether it was skipped before.
    """
    if work.conflict is not None:
        return (
            "NOT SAVED: another tab saved this video under your name at "
            f"{stamp(work.conflict.made)}. Nothing is overwritten: take that version, or keep "
            "yours as a further one"
        )
    if work.trouble is not None:
        # The time changes what is shown, and so keeps the page's kernel from being idle.
        if isinstance(work.trouble, ConnectionLost):
            return (
                f"NOT SAVED yet: the store of edits does not answer. {KEPT} Saving is tried again "
                f"every few seconds, last at {stamp(work.tried)}; until then this video stays"
            )
        return (
            f"NOT SAVED: {without_folders(str(work.trouble))}. {KEPT} Please tell the organiser "
            f"(last tried at {stamp(work.tried)})"
        )
    if work.stored != OPEN:
        said = WORDS[work.stored[0]]
    elif skipped:
        said = "skipped; if not changed it stays so, and comes again at the end"
    else:
        said = f"not changed yet; “Next video” says “{UNTOUCHED}”"
    if work.other_model:
        said += (
            ". Your earlier edit was made for another network: the levels are yours, the "
            "attention beside them is this network's"
        )
    return said


def leaving(work: Work) -> str:
    """What became of a video that is left: a sentence."""
    if work.stored == OPEN:
        return SKIPPED
    said = WORDS[work.stored[0]]
    return f"{said[0].upper()}{said[1:]}."


def word_on(verdict: Verdict, skipped: bool) -> str:
    """What one said of a video, in a list of them."""
    if verdict != "open":
        return VERDICTS.get(verdict, verdict)
    return "skipped" if skipped else "no answer yet"


def way_back(judged: str) -> tuple[str, str]:
    """The button back to a video that was left, and what is told once it was pressed.

    Args:
        judged: The verdict that is taken back, in words; "" where none was given.
    """
    if judged:
        return f"Undo “{judged}”", f"“{judged}” is taken back: this video is open again."
    return "Back to that video", "This is that video again, as you left it."


def without_folders(message: str) -> str:
    """A message without the server's paths and addresses: of each, the last name stays."""
    return re.sub(r"(?:\w+:)?/?(?:[^\s/“”\"'()]*/)+", "", message)

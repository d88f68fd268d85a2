"""What the annotator is told of the video at hand: saved or not, and what to know."""

from stabn.knowledge.app.work import Work
from stabn.knowledge.edits.edit import OPEN, Verdict
from stabn.knowledge.store.database import ConnectionLost

UNTOUCHED = "looked at, nothing to correct"  # what it means to leave a video as it came
WORDS: dict[Verdict, str] = {
    "edited": "saved",
    "nothing_to_correct": f"saved as “{UNTOUCHED}”",
    "cannot_tell": "saved as “cannot tell”",
    "bad_video": "saved as “bad video”",
}


def told(work: Work, *, skipped: bool) -> str:
    """One or two sentences, without the last full stop.

    Args:
        work: The video at hand.
        skipped: Whether it was skipped before.
    """
    if work.conflict is not None:
        return (
            "NOT SAVED: another tab saved this video under your name at "
            f"{work.conflict.made:%H:%M} UTC. Nothing is overwritten: take that version, or "
            "save yours as a further revision"
        )
    if work.trouble is not None:
        then = (
            "saving is tried again every few seconds"
            if isinstance(work.trouble, ConnectionLost)
            else "tell the organiser"
        )
        # The time changes what is shown, and so keeps the page's kernel from being idle.
        return (
            f"NOT SAVED, kept in this page, do not close it; {then} (last tried "
            f"{work.tried:%H:%M:%S} UTC: {work.trouble})"
        )
    if work.stored != OPEN:
        said = f"{WORDS[work.stored[0]]}, revision {work.number}"
    elif skipped:
        said = "skipped; if not changed it stays so, and comes again at the end"
    else:
        said = f"not changed yet; “Next video” keeps it as “{UNTOUCHED}”"
    if work.other_model:
        said += (
            ". Your earlier edit was made for another network: the levels are yours, the "
            "attention beside them is this network's"
        )
    return said

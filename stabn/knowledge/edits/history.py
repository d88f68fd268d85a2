"""A draft gone on with: its steps of undo come back from the revisions that were saved."""

from collections.abc import Iterable, Sequence

from stabn.knowledge.edits.edit import OPEN, Content, Draft, Edit


def draft_of(attention: Sequence[float], edits: Iterable[Edit], model: str) -> Draft:
    """The draft that led to these revisions of one annotator's video, as far as they were saved.

    A revision that says again what the one before the last said was a step of undo, and one that
    says again what was undone a step of redo.

    Args:
        attention: (n,) in [0, 1], the network's own.
        edits: every revision, the oldest first.
        model: hash of that network. "Nothing to correct" said of another network's attention says
            nothing of this one's.

    Raises:
        EditError: an edit of another number of frames.
    """
    draft = Draft(attention)
    for edit in edits:
        other = edit.verdict == "nothing_to_correct" and edit.model != model
        _follow(draft, OPEN if other else edit.content)
    return draft


def _follow(draft: Draft, content: Content) -> None:
    for back, forth in ((draft.undo, draft.redo), (draft.redo, draft.undo)):
        if draft.content == content:
            return
        if back():
            if draft.content == content:
                return
            forth()
    draft.say(*content)

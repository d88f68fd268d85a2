"""Where the organiser sets somebody's word aside, or hears it again."""

from collections.abc import Callable, Sequence

import ipywidgets as widgets

from stabn.errors import UserError
from stabn.knowledge.app.parts import button, row
from stabn.knowledge.app.report import decisions_report
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.store.exclusions import in_force
from stabn.knowledge.store.store import Store

NOBODY, ALL = ("choose one", ""), ("all of their videos", "")


class Deciding(widgets.VBox):
    """An annotator, one of their videos or all, a reason, and the decisions so far.

    Args:
        store: where decisions go; nothing is removed there.
        after: does a step, and says in `answer` what went wrong or what the step returned.

    Attributes:
        answer: What the last button did, or why it could not.
    """

    def __init__(self, store: Store, after: Callable[[Callable[[], str]], None]):
        self._store, self.answer = store, widgets.HTML()
        wide = {"width": "min(30em, 100%)"}
        self.annotator = widgets.Dropdown(description="Annotator", layout=wide)
        self.video = widgets.Dropdown(description="Video", layout=wide)
        self.who = widgets.Text(description="Your name", layout=wide)
        self.why = widgets.Text(description="Because", layout=wide)
        self._so_far = widgets.HTML()
        self._videos: dict[str, list[str]] = {}
        self.annotator.observe(lambda _: self._offer_videos(), "value")
        super().__init__(
            [
                widgets.HTML(
                    "<h2>Whose word counts</h2><p>What is set aside stays in the store. It counts "
                    "in no table, export or training until you hear it again. Where it is all of "
                    "somebody's videos, what they save later does not count either. The annotator "
                    "sees nothing of it, and other people are given the videos.</p>"
                ),
                self.annotator,
                self.video,
                self.who,
                self.why,
                row(
                    button("Set aside", lambda: after(self.set_aside)),
                    button("Hear again", lambda: after(self.hear_again)),
                    self.answer,
                ),
                self._so_far,
            ]
        )

    def refresh(self, edits: Sequence[Edit]) -> None:
        """Offer everybody of whom there are edits, and show the decisions so far.

        Args:
            edits: of everybody, those set aside among them.
        """
        self._videos = {}
        for edit in edits:
            self._videos.setdefault(edit.annotator, []).append(edit.video_id)
        offer(self.annotator, [NOBODY, *((name, name) for name in sorted(self._videos))])
        self._offer_videos()
        decisions = self._store.exclusions()
        self._so_far.value = (
            f"<h3>Set aside now</h3>{decisions_report(in_force(decisions))}"
            f"<h3>All decisions</h3>{decisions_report(decisions)}"
        )

    def set_aside(self) -> str:
        """Let what is chosen not count; returns what to say about it."""
        self._store.exclude(*self._chosen(), who=self.who.value, why=self.why.value)
        return f"{self.annotator.value}: set aside. What is computed from now on does not count it."

    def hear_again(self) -> str:
        """Let what is chosen count again; returns what to say about it."""
        self._store.readmit(*self._chosen(), who=self.who.value, why=self.why.value)
        return f"{self.annotator.value}: heard again, and counted."

    def _chosen(self) -> tuple[str, str | None]:
        if not self.annotator.value:
            raise UserError("Choose an annotator first: whoever has saved anything is there")
        return self.annotator.value, self.video.value or None

    def _offer_videos(self) -> None:
        theirs = self._videos.get(self.annotator.value, [])
        offer(self.video, [ALL, *((one, one) for one in sorted(theirs, key=by_number))])


def by_number(video_id: str) -> tuple[int, str]:
    """Sorts video ids, which are numbers as a rule: 9 before 10."""
    return len(video_id), video_id


def offer(choice: widgets.Dropdown, options: Sequence[tuple[str, str]]) -> None:
    """Let these be chosen from, (text, value) each; what was chosen stays so, else the first is."""
    if list(choice.options) == list(options):
        return
    chosen, values = choice.value, [value for _, value in options]
    choice.options = options
    choice.value = chosen if chosen in values else values[0]

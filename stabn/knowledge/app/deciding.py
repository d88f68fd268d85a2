"""Where the organiser sets somebody's word aside, or hears it again."""

from collections.abc import Callable, Sequence

import ipywidgets as widgets

from stabn.knowledge.app.parts import button, row
from stabn.knowledge.app.report import decisions_report
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.store.store import Store

NOBODY, ALL = ("choose one", ""), ("all of their videos", "")


class Deciding(widgets.VBox):
    """An annotator, one of their videos or all, a reason, and the decisions so far.

    Args:
        store: where decisions go; nothing is removed there.
        after: does a step, and says on the page what went wrong or what the step returned.
    """

    def __init__(self, store: Store, after: Callable[[Callable[[], str]], None]):
        self._store = store
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
                    "in no table, export or training until you hear it again. The annotator sees "
                    "nothing of it, and other people are given the videos.</p>"
                ),
                self.annotator,
                self.video,
                self.who,
                self.why,
                row(
                    button("Set aside", lambda: after(self.set_aside)),
                    button("Hear again", lambda: after(self.hear_again)),
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
        self._so_far.value = decisions_report(self._store.exclusions())

    def set_aside(self) -> str:
        """Let what is chosen not count; returns what to say about it."""
        self._store.exclude(*self._chosen(), who=self.who.value, why=self.why.value)
        return "It is set aside: nothing that is computed from now on counts it"

    def hear_again(self) -> str:
        """Let what is chosen count again; returns what to say about it."""
        self._store.readmit(*self._chosen(), who=self.who.value, why=self.why.value)
        return "It counts again"

    def _chosen(self) -> tuple[str, str | None]:
        if not self.annotator.value:
            raise ValueError("Choose an annotator first: whoever has saved anything is there")
        return self.annotator.value, self.video.value or None

    def _offer_videos(self) -> None:
        theirs = self._videos.get(self.annotator.value, [])
        offer(self.video, [ALL, *((video_id, video_id) for video_id in theirs)])


def offer(choice: widgets.Dropdown, options: Sequence[tuple[str, str]]) -> None:
    """Let these be chosen from, (text, value) each; what was chosen stays so, else the first is."""
    if list(choice.options) == list(options):
        return
    chosen, values = choice.value, [value for _, value in options]
    choice.options = options
    choice.value = chosen if chosen in values else values[0]

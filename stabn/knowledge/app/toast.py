"""A line that says for some seconds what was done, with a button back."""

import asyncio
from collections.abc import Callable

import ipywidgets as widgets

from stabn.knowledge.app.parts import button, write

SECONDS = 10.0  # for which it stays


class Toast(widgets.Box):
    """Out of sight until there is something to say.

    Args:
        back: called by the button.
    """

    def __init__(self, back: Callable[[], None]):
        self._words = widgets.HTML()
        self._button = button("", back)
        self._end: asyncio.TimerHandle | None = None
        super().__init__([self._words, self._button])
        self.add_class("stabn-toast")  # the page's style keeps it at the foot of the window
        self.hide()

    def say(self, what: str, *, back: str = "") -> None:
        """Say it; `back`: with the button, which says this."""
        self.hide()
        write(self._words, what)
        self._button.description = back or self._button.description
        self._button.layout.display = None if back else "none"
        self.layout.display = "flex"
        try:
            self._end = asyncio.get_running_loop().call_later(SECONDS, self.hide)
        except RuntimeError:  # outside a kernel it stays until it is hidden
            self._end = None

    def hide(self) -> None:
        """Go out of sight."""
        if self._end is not None:
            self._end.cancel()
        self.layout.display = "none"

"""What annotators read before they begin, and whenever they want to."""

from collections.abc import Callable

import ipywidgets as widgets

from stabn.knowledge.app.meaning import LEVELS
from stabn.knowledge.app.parts import button, row

GUIDELINES = """
<div class="stabn-words"><h1>When should the network look?</h1>
<p>A network watched short videos and got some of them wrong. Beside each video you see, frame by
frame, how much it relied on that frame. Please put that right: say <b>when</b> there is something
to see.</p>
%s
<p>The quickest way: <b>All 0</b>; drag sideways from the first frame to the last that you mean,
over pictures or bars (or click the one, hold Shift and click the other), and press a key:
<kbd>1</kbd> sets them to 1, <kbd>5</kbd> to 0.5, <kbd>0</kbd> to 0. Or choose a level first and
drag it over the frames; or play the video and hold the key for as long as what you see has that
level. Every change is saved at once, and every change can be undone. <kbd>Enter</kbd> goes on to
the next video.</p>
<p>If the network was right already, change nothing and go on: “Next video” on a video that you did
not change says “nothing to correct”. After each video a line leads back to it. If you do not want
to answer now, press “Skip”: the video comes again at the end. If you cannot tell, say so: that is
an answer too. A frame more or less at the edges does not matter.</p>
<p>The table of probabilities shows what this network makes of your levels. It is no mark for them:
a right correction may well lower the right answer, until the network has learned from it.</p>
<details><summary>Words on the page</summary>
<p><b>Bad video</b>: it is broken, or shows something else than its title says. <b>True class</b>:
what the video shows, as its title says. <b>Frame that the network saw</b> (a diamond): the network
looked at these frames only; mark the others all the same. <b>Fill</b>: a straight line from the
level of the first selected frame to that of the last. <b>Smooth</b>: every level moves a little
towards its neighbours’.</p></details></div>
"""


class Guidelines(widgets.VBox):
    """The guidelines with their pictures, which are drawn when somebody asks for them.

    Args:
        attempt: does a step, and says so on the page if it fails.
        levels: what they mean, as HTML, in place of our own; our pictures are then left out.
    """

    def __init__(self, attempt: Callable[[Callable[[], None]], None], levels: str = ""):
        self._pictures = widgets.HTML()
        self._pictures.layout.display = "none"
        self._ask = button("Show examples", lambda: attempt(self.draw))
        self._away = button("Close the guidelines", self.hide)
        self._ask.layout.display = "none" if levels else None
        beside = row(widgets.HTML(GUIDELINES % (levels or LEVELS)), self._pictures)
        super().__init__([beside, row(self._ask, self._away)])
        self.add_class("stabn-guidelines")

    def show(self, *, closing: bool) -> None:
        """Be seen; `closing`: with a button that hides them again."""
        self._away.layout.display = None if closing else "none"
        self.layout.display = None

    def hide(self) -> None:
        """Be out of the way."""
        self.layout.display = "none"

    def draw(self) -> None:
        """Add the pictures; drawing takes a second or two, once."""
        from stabn.knowledge.app.examples import pictures

        self._ask.description, self._ask.disabled = "Drawing …", True
        self._pictures.value = pictures()
        self._pictures.layout.display = None
        self._ask.layout.display = "none"

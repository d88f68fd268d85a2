"""The small widgets of a page: paragraphs, whose text is never markup, buttons, rows."""

import html
from collections.abc import Callable

import ipywidgets as widgets

from stabn.knowledge.app.times import marked


def text(what: str) -> widgets.HTML:
    """A paragraph of plain text, whatever it holds."""
    paragraph = widgets.HTML()
    write(paragraph, what)
    return paragraph


def write(paragraph: widgets.HTML, what: str, *, alert: bool = False) -> None:
    """Let a paragraph hold this plain text; an empty one takes no room."""
    shown, role = marked(html.escape(what)), ""
    if alert:
        shown, role = f"<b>⚠ {shown}</b>", "role='alert'"
    paragraph.value = f"<p {role} style='margin: .3em 1em .3em 0'>{shown}</p>" if what else ""
    paragraph.layout.display = None if what else "none"


def close(part: widgets.Widget) -> None:
    """Forget a widget, those in it, and their styles: the kernel would keep each for ever."""
    for inner in getattr(part, "children", ()):
        close(inner)
    for aside in ("layout", "style"):
        if part.has_trait(aside):
            getattr(part, aside).close()
    part.close()


def button(label: str, step: Callable[[], None], style: str = "") -> widgets.Button:
    """A button that does a step; `style` is one of ipywidgets'."""
    made = widgets.Button(description=label, button_style=style, layout={"width": "auto"})
    made.on_click(lambda _: step())
    return made


def row(*parts: widgets.Widget) -> widgets.Box:
    """Widgets side by side, and below each other where the page is narrow."""
    layout = widgets.Layout(display="flex", flex_flow="row wrap", align_items="center")
    return widgets.Box(parts, layout=layout)

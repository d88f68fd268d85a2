"""A draft by plain ipywidgets, where the editor's own front end does not work."""

from collections.abc import Callable

import ipywidgets

from stabn.knowledge.edits.edit import Draft
from stabn.knowledge.edits.words import WORDS, describe


def sliders(draft: Draft, on_change: Callable[[], None] | None = None) -> ipywidgets.Widget:
    """One slider a frame, the three levels for a range of frames, fill, smooth, undo and redo.

    Args:
        draft: Changed in place.
        on_change: Called after every change made here.
    """
    n = len(draft.levels)
    layout = ipywidgets.Layout(width="4.2em", height="9em")
    bars = [
        ipywidgets.FloatSlider(
            value=float(level), min=0, max=1, step=0.05, description=str(i), layout=layout,
            orientation="vertical", continuous_update=False, tooltip=f"level of frame {i}",
        )
        for i, level in enumerate(draft.levels)
    ]  # fmt: skip
    span = ipywidgets.IntRangeSlider(
        value=(0, n - 1), min=0, max=n - 1, description="frames", layout={"width": "24em"}
    )
    words = ipywidgets.Label()
    showing = False  # while the draft is shown, the sliders' own events are echoes

    def show() -> None:
        nonlocal showing
        showing = True
        for bar, level in zip(bars, draft.levels, strict=True):
            bar.value = float(level)
        showing = False
        undo.disabled, redo.disabled = not draft.can_undo, not draft.can_redo
        words.value = describe(draft)

    def act(step: Callable[..., object], *arguments) -> None:
        step(*arguments)
        show()
        if on_change is not None:
            on_change()

    def button(text: str, step: Callable[[], None]) -> ipywidgets.Button:
        made = ipywidgets.Button(description=text, layout={"width": "auto"})
        made.on_click(lambda _: step())
        return made

    def observed(frame: int) -> Callable[[dict], None]:
        return lambda change: None if showing else act(draft.set, frame, change["new"])

    for i, bar in enumerate(bars):
        bar.observe(observed(i), "value")
    paints = [
        button(f"{name} ({level:g})", lambda level=level: act(draft.paint, *span.value, level))
        for level, name in WORDS.items()
    ]
    fill = button("fill between", lambda: act(draft.fill, *span.value))
    smooth = button("smooth", lambda: act(draft.smooth))
    undo, redo = button("undo", lambda: act(draft.undo)), button("redo", lambda: act(draft.redo))
    show()
    row = ipywidgets.Layout(display="flex", flex_flow="row wrap")
    tools = ipywidgets.Box([span, *paints, fill, smooth, undo, redo], layout=row)
    return ipywidgets.VBox([tools, ipywidgets.Box(bars, layout=row), words])

"""The editor's page in a browser, with its Python in this process: no server, no kernel between."""

import base64
from pathlib import Path

from playwright.sync_api import Page, expect

from stabn.knowledge.editor import modules
from stabn.knowledge.editor.editor import Editor
from stabn.knowledge.editor.modules import linked

HOST = "https://editor.test/"
ENTRY = Path(modules.__file__).with_name("editor.js")
STYLE = ENTRY.with_suffix(".css").read_text(encoding="utf-8")
HTML = f"""<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Editor</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>:root {{ color-scheme: light dark }} body, h1 {{ margin: 0; font-size: 1px }} {STYLE}</style>
<main><h1>Editor</h1></main></html>"""
MODEL = """async text => {
  const bytes = value => Uint8Array.from(atob(value), c => c.charCodeAt(0));
  const decode = { _spatial: bytes, _frames: values => values.map(bytes) };
  const values = {}, heard = {};
  const tell = (event, ...more) => (heard[event] ?? []).forEach(listener => listener(...more));
  const update = changes => {
    for (const [name, value] of Object.entries(changes)) {
      values[name] = decode[name]?.(value) ?? value;
    }
    for (const name of Object.keys(changes)) tell(`change:${name}`);
  };
  const model = {
    get: name => values[name],
    on: (event, listener) => (heard[event] ??= []).push(listener),
    off: (event, listener) => { heard[event] = heard[event].filter(l => l !== listener); },
    send: message => window.toPython(message).then(update),
  };
  window.tell = tell;
  update(await window.toPython(null));
  const editor = await import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
  window.close = editor.default.render({ model, el: document.querySelector("main") });
  setInterval(() => window.toPython(null).then(update), 30);
}"""


class Bridged:
    """An editor on a page: what widgets do between kernel and browser, done here.

    Attributes:
        page: The browser's page; it shows the editor and nothing else.
        editor: What lies behind it.
        dead: Set, and nothing is answered any more, as by a kernel that has ended.
    """

    def __init__(self, page: Page, editor: Editor):
        self.page, self.editor, self.dead = page, editor, False
        self._sent: dict[str, object] = {}
        page.route(f"{HOST}**", lambda route: route.fulfill(body=HTML, content_type="text/html"))
        page.expose_function("toPython", self._receive)
        page.goto(HOST)
        page.evaluate(MODEL, linked(ENTRY))

    def _receive(self, message: dict | None) -> dict:
        """Act on one message of the page; what has changed since the last one is returned."""
        if self.dead:
            return {}
        if message is not None:
            self.editor._handle_custom_msg(message, [])
        now = {name: getattr(self.editor, name) for name in self.editor.traits(sync=True)}
        changed = {
            name: value
            for name, value in now.items()
            if name[0] != "_" or name in ("_video", "_frames", "_spatial", "_state", "_scores")
            if name not in ("layout", "comm", "keys", "tabbable", "tooltip")
            if name not in self._sent or self._sent[name] != value
        }
        self._sent |= changed
        return {name: _plain(value) for name, value in changed.items()}


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return [_plain(part) for part in value] if isinstance(value, list) else value


def shown(page: Page) -> list[float]:
    """The levels as the page shows them."""
    read = "sliders => sliders.map(slider => Number(slider.ariaValueNow))"
    return page.locator(".se-slider").evaluate_all(read)


def centre(page: Page, selector: str, frame: int, height: float = 0.5) -> tuple[float, float]:
    """A place in one frame's cell, brought into view; ``height`` counts from below."""
    target = page.locator(f".se-cell[data-frame='{frame}'] {selector}")
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] * (1 - height)


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=6)


def focus(page: Page, frame: int) -> None:
    page.mouse.click(*centre(page, ".se-thumb", frame))
    expect(page.locator(".se-current")).to_have_attribute("data-frame", str(frame))

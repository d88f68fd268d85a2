"""The editor in a real JupyterLab in headless Chromium: mouse, typing, keys, what goes wrong."""

import json
import secrets
import socket
import subprocess
import sys
import time
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.knowledge.homes import environment
from tools import browser as chromium
from tools.steps import ROOT

pytestmark = pytest.mark.slow(80)

SHOTS = ROOT / "_build" / "screenshots"
WIDE, HALF = {"width": 1280, "height": 900}, {"width": 640, "height": 800}
PATIENCE = 120_000  # ms; a slow machine is no fault of the page
EVIL = "<img src=x onerror=alert(1)>"
QUIET = {"fetchNews": "false", "checkForUpdates": False}  # Lab is to ask nobody for news
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
CELL = f"""
import os
import numpy as np
from stabn.knowledge.edits.edit import Draft
from stabn.knowledge.editor.editor import Editor

n, height, width = 24, 54, 96
frames = np.zeros((n, height, width, 3), np.uint8)
for t in range(n):
    frames[t, :, :, 2] = np.linspace(0, 255, width)
    frames[t, 20:34, 3 * t : 3 * t + 14] = 255
attention = np.linspace(0.2, 0.8, n)
draft = Draft(attention)
heard, changes = [], []
classes = ("Pushing {EVIL} down", "Lifting something", "Dropping something")


def rescore(levels):
    if levels[0] == 1:
        raise RuntimeError("no features <b>here</b>")
    strength = levels[4:9].mean()
    return np.array([0.2 + 0.6 * strength, 0.7 - 0.6 * strength, 0.1])


def changed():
    changes.append(draft.levels)
    editor.saved = f"saved, revision {{len(changes)}}"


editor = Editor(
    frames, draft, sampled=range(0, n, 3), truth=classes[0], predicted=classes[1],
    spatial=np.linspace(0, 1, 8 * 12).reshape(8, 3, 4), rescore=rescore, classes=classes,
    own=rescore(attention), on_change=changed, on_command=heard.append,
)
editor.note = NOTE
editor
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[tuple[str, str, Path]]:
    """A JupyterLab that knows nothing of this user's: (address, token, folder of notebooks)."""
    home = tmp_path_factory.mktemp("home")
    books = tmp_path_factory.mktemp("notebooks")
    settings = home / "config/lab/user-settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(QUIET))
    port, token = free_port(), secrets.token_hex(16)
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
        *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={books}"),
        "--LabApp.expose_app_in_browser=True",
    ]
    with open(home / "lab.log", "wb") as log:
        server = subprocess.Popen(
            command,
            env=environment(home),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_up(server, f"{address}/api?token={token}", home / "lab.log")
        yield address, token, books
    finally:
        server.terminate()  # which ends its kernels, too
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_up(server: subprocess.Popen, url: str, log: Path) -> None:
    end = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < end and server.poll() is None:
        try:
            urlopen(url, timeout=10).close()
            return
        except (URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-3000:]}")


@pytest.fixture(scope="module")
def notebook(lab) -> Iterator[Page]:
    """An open notebook; what goes wrong on its page is in `wrong`."""
    address, token, books = lab
    cells = [nbformat.v4.new_code_cell(source) for source in ("NOTE = 'video 3 of 40'", CELL)]
    book = nbformat.v4.new_notebook(cells=cells, metadata=KERNEL)
    nbformat.write(book, books / "editor.ipynb")
    with sync_playwright() as playwright:
        path = chromium.find(playwright)
        assert path, "no Chromium here: run `make browser`"
        browser = playwright.chromium.launch(executable_path=path, args=chromium.FLAGS)
        page = browser.new_context(viewport=WIDE).new_page()
        page.set_default_timeout(PATIENCE)
        page.wrong = []
        page.on("console", lambda m: m.type == "error" and page.wrong.append(f"console: {m.text}"))
        page.on("pageerror", lambda error: page.wrong.append(f"script: {error}"))
        page.on("dialog", lambda dialog: (page.wrong.append("dialog"), dialog.dismiss()))
        page.on("request", lambda r: _is_outside(r.url) and page.wrong.append(f"outside: {r.url}"))
        page.context.route(_is_outside, lambda route: route.abort())
        page.goto(f"{address}/doc/tree/editor.ipynb?token={token}")
        page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
            "?.status === 'idle'"
        )
        yield page
        browser.close()


def _is_outside(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:"))


@pytest.fixture
def page(notebook) -> Iterator[Page]:
    """The notebook's page with a fresh editor, kernel and draft untouched by other tests."""
    notebook.wrong.clear()
    notebook.set_viewport_size(WIDE)
    notebook.evaluate("() => jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    expect(notebook.locator(".stabn-editor")).to_have_count(0, timeout=PATIENCE)
    notebook.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')")
    expect(notebook.locator(".se-note")).to_have_text("video 3 of 40", timeout=PATIENCE)
    pictures = "() => [...document.querySelectorAll('.se-thumb img')].every(i => i.naturalWidth)"
    notebook.wait_for_function(pictures)
    quiet(notebook)
    yield notebook
    assert notebook.wrong == []


def ask(page: Page, expression: str):
    """The value of an expression in the notebook's kernel."""
    reply = page.evaluate(
        """async expression => {
          const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
          const future = kernel.requestExecute(
            {code: '', silent: true, user_expressions: {value: expression}});
          return (await future.done).content.user_expressions.value;
        }""",
        expression,
    )
    assert reply["status"] == "ok", reply
    return literal_eval(reply["data"]["text/plain"])


def shown(page: Page) -> list[float]:
    """The levels as the page shows them."""
    return [float(text) for text in page.locator(".se-value").all_inner_texts()]


def quiet(page: Page) -> None:
    """Wait until Python has answered everything and the scores are those of these levels."""
    expect(page.locator(".stabn-editor")).to_have_attribute(
        "data-connection", "ready", timeout=PATIENCE
    )
    expect(page.locator(".se-scores")).to_have_attribute("aria-busy", "false", timeout=PATIENCE)


def agreed(page: Page) -> list[float]:
    """The levels, once the page and the kernel have the same."""
    quiet(page)
    levels = [round(level, 2) for level in ask(page, "draft.levels.tolist()")]
    assert shown(page) == levels
    return levels


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


def choose(page: Page, word: str) -> None:
    page.locator(".se-brushes label", has_text=word).click()


def focus(page: Page, frame: int) -> None:
    page.mouse.click(*centre(page, ".se-thumb", frame))
    expect(page.locator(".se-current")).to_have_attribute("data-frame", str(frame))


def probability(page: Page, row: int, when: str) -> float:
    cell = page.locator(f".se-scores tbody tr:nth-child({row}) td[data-when={when}]")
    return float(cell.inner_text())


def test_a_bar_is_dragged_and_the_drag_is_one_step(page):
    start = agreed(page)
    drag(page, centre(page, ".se-slider", 5, 0.2), centre(page, ".se-slider", 5, 0.75))
    assert ask(page, "len(changes)") == 0  # until the button is let go
    page.mouse.up()
    assert agreed(page) == [*start[:5], 0.75, *start[6:]]
    slider = page.get_by_role("slider", name="frame 5, level 0.75")
    expect(slider).to_have_attribute("aria-valuenow", "0.75")
    page.keyboard.press("Control+z")
    assert agreed(page) == start
    assert ask(page, "draft.can_undo") is False
    expect(page.locator(".se-saved")).to_have_text("saved, revision 2")


def test_a_level_is_typed(page):
    focus(page, 7)
    page.locator(".se-level").fill("0.33")
    page.keyboard.press("Enter")
    assert agreed(page)[7] == 0.33
    assert ask(page, "heard") == []  # Enter ended the typing, not the video
    page.locator(".se-level").fill("7")
    page.keyboard.press("Enter")
    expect(page.locator(".se-banner")).to_have_text("A level is a number from 0 to 1.")
    assert agreed(page)[7] == 0.33


def test_a_brush_paints_the_range_it_is_dragged_across(page):
    start = agreed(page)
    choose(page, "the action")
    drag(page, centre(page, ".se-thumb", 9), centre(page, ".se-thumb", 3))
    page.mouse.up()
    painted = [*start[:3], *[1.0] * 7, *start[10:]]
    assert agreed(page) == painted
    page.locator(".se-button", has_text="Undo").click()
    assert agreed(page) == start
    page.keyboard.press("Control+Shift+z")  # the click gave the keys back to the frames
    assert agreed(page) == painted
    page.locator(".se-button", has_text="Back to the network's").click()
    assert agreed(page) == start


def test_a_brush_paints_in_the_chart(page):
    choose(page, "irrelevant")
    box = page.locator(".se-chart").bounding_box()
    unit = (box["width"] - 38) / 24  # the chart's margins are 30 and 8 pixels
    page.locator(".se-chart").scroll_into_view_if_needed()
    box = page.locator(".se-chart").bounding_box()
    places = [(box["x"] + 30 + unit * (frame + 0.5), box["y"] + 40) for frame in (10, 14)]
    drag(page, *places)
    page.mouse.up()
    levels = agreed(page)
    assert [frame for frame, level in enumerate(levels) if level == 0] == [10, 11, 12, 13, 14]


@pytest.mark.parametrize("how", ["Escape", "pointercancel"])
def test_a_drag_that_is_broken_off_leaves_nothing(page, how):
    start = agreed(page)
    choose(page, "the action")
    drag(page, centre(page, ".se-thumb", 2), centre(page, ".se-thumb", 6))
    assert shown(page)[2:7] == [1.0] * 5  # seen at once, without the kernel
    if how == "Escape":
        page.keyboard.press("Escape")
    else:
        page.locator(".se-strip").dispatch_event("pointercancel")
    page.mouse.up()
    assert agreed(page) == start
    assert ask(page, "draft.can_undo") is False


def test_keys(page):
    start = agreed(page)
    focus(page, 4)
    page.keyboard.press("ArrowUp")
    assert agreed(page)[4] == round(start[4] + 0.05, 2)
    page.keyboard.press("Home")
    page.keyboard.press("1")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("2")
    assert agreed(page)[:6] == [*[1.0] * 5, start[5]]
    page.keyboard.press("ArrowLeft")  # ends the selection: frame 3
    page.keyboard.press("0")
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("f")
    assert agreed(page)[:5] == [1.0, 0.67, 0.33, 0.0, 1.0]
    page.keyboard.press("s")
    assert agreed(page)[:2] == [0.83, 0.67]
    page.keyboard.press("End")
    page.keyboard.press("0")
    assert agreed(page)[-1] == 0
    for _ in range(3):
        page.keyboard.press("Control+z")
    assert agreed(page)[:5] == [1.0, 1.0, 1.0, 0.0, 1.0]
    page.keyboard.press("Control+y")
    assert agreed(page)[:5] == [1.0, 0.67, 0.33, 0.0, 1.0]
    assert ask(page, "len(changes)") == 11


def test_jupyterlabs_own_keys_rest(page):
    cells = """() => jupyterapp.shell.currentWidget.content.widgets
      .map(cell => [cell.model.type, cell.model.sharedModel.source])"""
    before, process = page.evaluate(cells), ask(page, "os.getpid()")
    focus(page, 3)
    for key in "0012dd00fsabmxy":
        page.keyboard.press(key)
    page.locator(".se-button", has_text="Undo").focus()
    for key in "00ddabmxy":
        page.keyboard.press(key)
    focus(page, 3)
    page.keyboard.press("Enter")
    quiet(page)
    assert page.locator(".jp-Dialog").count() == 0
    assert page.evaluate(cells) == before
    assert ask(page, "os.getpid()") == process
    assert ask(page, "heard") == ["next"]


def place(page, part: str) -> float:
    """How far below the editor's upper edge a part of it begins, in pixels."""
    top = page.locator(".stabn-editor").bounding_box()["y"]
    return page.locator(part).bounding_box()["y"] - top


def test_probabilities_follow_the_edit(page):
    assert probability(page, 1, "before") == 0.41
    expect(page.locator('.se-scores [data-when="after"]')).to_have_text(["–"] * 3)
    places = [place(page, part) for part in (".se-tools", ".se-chart", ".se-strip")]
    choose(page, "the action")
    drag(page, centre(page, ".se-thumb", 4), centre(page, ".se-thumb", 8))
    page.mouse.up()
    quiet(page)
    assert probability(page, 1, "before") == 0.41
    assert probability(page, 1, "after") == 0.8
    assert probability(page, 2, "after") == 0.1
    after = [place(page, part) for part in (".se-tools", ".se-chart", ".se-strip")]
    assert after == pytest.approx(places), "nothing moves under the hand of who edits"
    expect(page.locator(".se-summary")).to_contain_text("0.41 before, 0.80 after")


def test_texts_are_texts(page):
    """Neither a class nor an exception's message becomes part of the page."""
    expect(page.locator(".se-truth")).to_have_text(f"Pushing {EVIL} down")
    expect(page.locator(".se-name").first).to_have_text(f"Pushing {EVIL} down")
    focus(page, 0)
    page.keyboard.press("2")
    problem = page.locator(".se-problem")
    expect(problem).to_have_text("Could not compute: RuntimeError: no features <b>here</b>")
    assert page.locator(".stabn-editor img[onerror], .stabn-editor b").count() == 0


def test_it_plays_and_shows_where_the_network_looks(page):
    words = page.locator(".se-overlay-words")
    focus(page, 4)
    page.keyboard.press("o")
    expect(words).to_have_text("attention at frame 3, the nearest one that the network saw")
    page.keyboard.press("ArrowLeft")
    expect(words).to_have_text("attention at frame 3")
    page.keyboard.press("Space")
    expect(page.locator(".se-play")).to_contain_text("Pause")
    page.wait_for_function("() => Number(document.querySelector('.se-scrub').value) > 5")
    page.keyboard.press("Space")
    expect(page.locator(".se-play")).to_contain_text("Play")
    stopped = page.locator(".se-scrub").input_value()
    expect(page.locator(".se-current")).to_have_attribute("data-frame", stopped)
    page.keyboard.press("o")
    expect(words).to_have_text("")
    assert agreed(page) == [round(level, 2) for level in ask(page, "attention.tolist()")]


def test_the_next_video_takes_the_same_place_and_the_focus_stays(page):
    focus(page, 20)
    choose(page, "the action")  # which is put down again: no click in a new video paints
    ask(
        page,
        "editor.show(frames[:8], Draft(attention[:8]), sampled=[0, 4], truth='A', predicted='B')",
    )
    expect(page.locator(".se-cell")).to_have_count(8)
    expect(page.locator(".se-brushes :checked")).to_have_value("select")
    expect(page.locator(".se-next")).to_have_count(0)  # nobody would hear of it
    expect(page.locator(".se-cell[data-frame='0'] .se-slider")).to_be_focused()
    page.keyboard.press("2")
    expect(page.locator(".se-value").first).to_have_text("1.00")
    page.wait_for_function("() => document.querySelector('[data-connection=ready]')")
    assert ask(page, "[float(d.levels[0]) for d in (editor.draft, draft)]") == [1.0, 0.2]


def test_every_frame_is_there_and_marked(page):
    cells = page.locator(".se-cell")
    expect(cells).to_have_count(24)
    expect(cells.nth(6)).to_have_attribute(
        "title", "frame 6, seen by the network; its attention 0.36"
    )
    assert cells.nth(6).locator("svg").count() == 1
    assert cells.nth(7).locator("svg").count() == 0
    page.keyboard.press("Tab")
    for text in ("Undo", "Redo", "Fill", "Smooth", "Next video", "Play"):
        assert page.get_by_role("button", name=text).count() == 1
    page.get_by_role("button", name="list of keys").click()
    expect(page.locator(".se-help")).to_be_visible()
    for text in ("to 1: the action", "to 0.5: context", "to 0: irrelevant"):
        expect(page.locator(".se-help")).to_contain_text(text)
    focus(page, 2)
    page.keyboard.press("?")
    expect(page.locator(".se-help")).to_be_hidden()


PARTS = (".se-head", ".se-tools", ".se-scores", ".se-chart", ".se-strip", ".se-summary")


def test_nothing_moves(page):
    """Whatever is said about saving, however long the summary is, with the list of keys open."""
    ask(page, "setattr(editor, 'saved', 'not changed yet; ' + 12 * 'long ')")
    expect(page.locator(".se-saved")).to_contain_text("long")
    places = [place(page, part) for part in PARTS]
    focus(page, 3)
    for key in ("2", "?", "Shift+End", "1", "Escape", "Escape", "Home", "ArrowUp"):
        page.keyboard.press(key)
        quiet(page)
        assert [place(page, part) for part in PARTS] == pytest.approx(places), key
    expect(page.locator(".se-help")).to_be_hidden()  # the first Escape closed it
    expect(page.locator(".se-saved")).to_contain_text("saved, revision 3")


def test_all_0_is_one_step(page):
    start = agreed(page)
    page.locator(".se-button", has_text="All 0").click()
    assert agreed(page) == [0] * 24
    page.keyboard.press("Control+z")
    assert agreed(page) == start


def test_a_brush_with_the_focus_lets_the_keys_work(page):
    start = agreed(page)
    page.get_by_role("radio", name="context").focus()
    page.keyboard.press("2")
    assert agreed(page) == [1.0, *start[1:]]
    page.keyboard.press("Enter")
    quiet(page)
    assert ask(page, "heard") == ["next"]


def test_keys_pressed_elsewhere_in_the_notebook_are_not_the_editors(page):
    start = agreed(page)
    focus(page, 3)
    page.evaluate("() => document.activeElement.blur()")
    assert page.evaluate("() => document.activeElement === document.body")
    page.evaluate(
        """() => ["0", "Enter", "z"].forEach(key => document.body.dispatchEvent(
             new KeyboardEvent("keydown", {key, ctrlKey: key === "z", bubbles: true})))"""
    )
    assert agreed(page) == start
    assert ask(page, "heard") == []
    ask(page, "editor.focus()")
    expect(page.locator(".se-cell[data-frame='3'] .se-slider")).to_be_focused()


def test_a_drag_held_still_at_the_edge_scrolls_on(page):
    page.set_viewport_size(HALF)
    slots = page.locator(".se-slots")
    page.wait_for_function(
        "() => (s => s.scrollHeight > s.clientHeight + 50)(document.querySelector('.se-slots'))"
    )
    slots.evaluate("slots => slots.scrollIntoView({block: 'end'})")
    start = centre(page, ".se-thumb", 0)
    box = slots.bounding_box()
    drag(page, start, (start[0], box["y"] + box["height"] - 6))
    page.wait_for_function(
        """() => (s => s.scrollTop + s.clientHeight >= s.scrollHeight - 1)
           (document.querySelector('.se-slots'))"""
    )
    page.mouse.up()
    low, high = page.locator(".se-selected").first, page.locator(".se-selected").last
    expect(low).to_have_attribute("data-frame", "0")
    assert int(high.get_attribute("data-frame")) > 12


def test_the_truth_is_drawn_when_there_is_one(page):
    lines, entry = page.locator(".se-truth-line"), page.locator("li", has_text="the truth")
    expect(entry).to_be_hidden()
    expect(lines.first).to_be_hidden()
    ask(page, "setattr(editor, 'true_levels', [0.0] * 12 + [1.0] * 12)")
    expect(entry).to_be_visible()
    expect(lines.first).to_be_visible()
    heights = lines.evaluate_all("lines => lines.map(line => line.style.bottom)")
    assert heights == ["0%"] * 12 + ["100%"] * 12
    ask(page, "editor.show(frames, draft, sampled=[], truth='A', predicted='B')")
    expect(entry).to_be_hidden()
    expect(page.locator(".se-legend")).not_to_contain_text("the network saw")


CONTRAST = """() => {
  const parse = colour => colour.match(/[\\d.]+/g).map(Number);
  const luminance = colour => {
    const [r, g, b] = parse(colour).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if ((parse(colour)[3] ?? 1) === 1) return colour;
    }
  };
  const texts = [...document.querySelectorAll('.stabn-editor *')].filter(node =>
    node.checkVisibility() && !node.closest('[aria-disabled=true]') &&
    [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim()));
  return Math.min(...texts.map(node => {
    const [a, b] = [luminance(getComputedStyle(node).color), luminance(behind(node))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }));
}"""
STICKS_OUT = """() => {
  const right = document.querySelector('.stabn-editor').getBoundingClientRect().right;
  return [...document.querySelectorAll('.stabn-editor *')]
    .filter(node => node.checkVisibility() && !node.closest('.se-hidden')
      && node.getBoundingClientRect().right > right + 1)
    .map(node => `${node.tagName} ${node.className}`);
}"""


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_it_can_be_read_and_fits_in_both_themes_at_full_and_half_width(page, theme):
    change = "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})"
    focus(page, 2)
    page.keyboard.press("Shift+ArrowRight")
    page.evaluate(change, f"JupyterLab {theme}")
    try:
        editor = page.locator(".stabn-editor")
        expect(editor).to_have_attribute("data-theme", theme.lower(), timeout=PATIENCE)
        assert page.evaluate(CONTRAST) >= 4.5
        for name, size in (("wide", WIDE), ("half", HALF)):
            page.set_viewport_size(size)
            page.wait_for_function(
                "width => document.querySelector('.stabn-editor').clientWidth < width",
                arg=size["width"],
            )
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
            assert page.evaluate(STICKS_OUT) == []
            editor.screenshot(path=SHOTS / f"editor_{theme.lower()}_{name}.png")
    finally:
        page.evaluate(change, "JupyterLab Light")


def test_after_a_restart_of_the_kernel_it_does_not_pretend(page):
    focus(page, 2)
    page.keyboard.press("2")
    quiet(page)
    expect(page.locator(".se-saved")).to_have_text("saved, revision 1")
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    page.keyboard.press("0")
    expect(page.locator(".se-saved")).to_have_text("not connected", timeout=PATIENCE)
    expect(page.locator(".se-banner")).to_contain_text(
        "Not connected: the program behind this page"
    )
    before = shown(page)
    page.keyboard.press("1")
    assert shown(page) == before  # no more work that would be lost

"""The editor in a real JupyterLab: what its page, its keys and its kernel do to the editor."""

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

from tests.knowledge.editor.bridged import centre, drag, focus, shown
from tests.knowledge.homes import environment
from tests.visitor import offline

pytestmark = pytest.mark.slow(40)

WIDE = {"width": 1280, "height": 900}
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
    with sync_playwright() as playwright, offline(playwright) as browser:
        page = browser.new_context(viewport=WIDE).new_page()
        page.set_default_timeout(PATIENCE)
        page.wrong = []
        page.on("console", lambda m: m.type == "error" and page.wrong.append(f"console: {m.text}"))
        page.on("pageerror", lambda error: page.wrong.append(f"script: {error}"))
        page.on("dialog", lambda dialog: (page.wrong.append("dialog"), dialog.dismiss()))
        page.on("request", lambda r: _is_outside(r.url) and page.wrong.append(f"outside: {r.url}"))
        page.goto(f"{address}/doc/tree/editor.ipynb?token={token}")
        page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
            "?.status === 'idle'"
        )
        yield page


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


def test_jupyterlabs_own_keys_rest(page):
    cells = """() => jupyterapp.shell.currentWidget.content.widgets
      .map(cell => [cell.model.type, cell.model.sharedModel.source])"""
    before, process = page.evaluate(cells), ask(page, "os.getpid()")
    focus(page, 3)
    for key in "0015dd00fsabmxyilow":
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


def test_the_theme_of_jupyterlab_is_the_editors(page):
    change = "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})"
    editor = page.locator(".stabn-editor")
    for theme in ("Dark", "Light"):
        page.evaluate(change, f"JupyterLab {theme}")
        expect(editor).to_have_attribute("data-theme", theme.lower(), timeout=PATIENCE)
        # While its splash fades, JupyterLab stumbles over another change
        expect(page.locator("#jupyterlab-splash")).to_have_count(0, timeout=PATIENCE)


def test_after_a_restart_of_the_kernel_it_does_not_pretend(page):
    focus(page, 2)
    page.keyboard.press("1")
    quiet(page)
    expect(page.locator(".se-saved")).to_have_text("saved, revision 1")
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    page.keyboard.press("0")
    expect(page.locator(".se-saved")).to_have_text("not connected", timeout=PATIENCE)
    expect(page.locator(".se-banner")).to_contain_text(
        "Not connected: the program behind this page"
    )
    before = shown(page)
    page.keyboard.press("5")
    assert shown(page) == before  # no more work that would be lost

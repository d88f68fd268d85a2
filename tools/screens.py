"""Pictures of the pages that ``make annotate`` serves, and of their editor, for chapters 13 and 15.

Simulated annotators work on the trained network's queue: they mark what is true of its drawn clips.
"""

import subprocess
import sys
import tempfile
from io import BytesIO
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from stabn.data.mini.truth import read_truth
from stabn.knowledge.app.session import Session
from stabn.knowledge.selection.queue import read_queue
from stabn.knowledge.store.store import Store
from tools import browser as chromium
from tools.steps import ROOT

QUEUE = ROOT / "runs" / "mini_st_abn" / "queue"
SIZE = {"width": 1366, "height": 690}
VIDEOS = 6  # that each annotator marks
FRAME = 20  # that is looked at
WIDTH = 1000  # pixels of each picture
COLOURS = 80
PORTS = 18866, 18867
PATIENCE = 120_000  # ms


def main() -> int:
    """``make screens``."""
    if not (QUEUE / "queue.json").exists():
        print(f"{QUEUE}: not made yet, run `make book` first", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "edits.sqlite"
        work(store)
        server = serve(store)
        try:
            with sync_playwright() as playwright:
                path = chromium.find(playwright)
                running = playwright.chromium.launch(executable_path=path, args=chromium.FLAGS)
                annotate(opened(running, PORTS[0]))
                organise(opened(running, PORTS[1]))
                running.close()
        finally:
            server.terminate()
            server.wait(60)
    return 0


def work(path: Path) -> None:
    """Let two simulated annotators mark the first videos, one of them a frame late in each."""
    store, queue = Store(path), read_queue(QUEUE)
    for late, name in enumerate(("simulated Ada", "simulated Bo")):
        session = Session(store, queue, name, overlap=2, clock=count(0, 7).__next__)
        for _ in range(VIDEOS):
            truth = read_truth(ROOT / queue.data_root, session.current.video_id).levels
            before = np.maximum(np.arange(len(truth)) - late, 0)
            session.draft.say("edited", truth[before].tolist())
            session.save()
            if session.position.place < VIDEOS:  # the last one stays open
                session.next()


def serve(store: Path) -> subprocess.Popen:
    """The pages, once they can be opened."""
    command = [sys.executable, "-m", "stabn", "annotate", "--ready", "0", "--overlap", "2"]
    command += ["--queue", str(QUEUE), "--store", str(store)]
    command += ["--port", str(PORTS[0]), "--organiser-port", str(PORTS[1])]
    command += ["--token", "screens", "--organiser-token", "screens"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    while "Ctrl-C" not in (line := server.stdout.readline()):
        assert line, "the server did not start"
    return server


def opened(browser: Browser, port: int) -> Page:
    """One of the pages, in a small laptop's window."""
    page = browser.new_page(viewport=SIZE)
    page.set_default_timeout(PATIENCE)
    page.goto(f"http://127.0.0.1:{port}/?token=screens")
    return page


def annotate(page: Page) -> None:
    """The video that "simulated Ada" has open; then its editor alone, with the attention shown."""
    page.get_by_role("textbox", name="Your name").fill("simulated Ada")
    page.get_by_role("button", name="Go on where I was").click()
    ready = page.locator(".stabn-editor[data-connection=ready] .se-scores[aria-busy=false]")
    ready.wait_for()
    page.get_by_text("saved", exact=True).wait_for()
    page.locator(".se-current .se-slider").focus()
    for _ in range(FRAME):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    keep(page, "annotators_page")
    page.keyboard.press("w")
    page.wait_for_timeout(500)
    keep(page.locator(".stabn-editor"), "editor")


def organise(page: Page) -> None:
    """Progress and agreement of the simulated annotators."""
    page.get_by_role("button", name="Open it").click()
    page.get_by_role("heading", name="By annotator").wait_for()
    keep(page, "organisers_page")


def keep(seen: Page | Locator, name: str) -> None:
    """Write a picture into the book's assets, small in bytes."""
    picture = Image.open(BytesIO(seen.screenshot())).convert("RGB")
    height = round(picture.height * WIDTH / picture.width)
    picture = picture.resize((WIDTH, height), Image.Resampling.LANCZOS).quantize(COLOURS, dither=0)
    target = ROOT / "book" / "assets" / f"{name}.png"
    picture.save(target, optimize=True)
    print(f"{target}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    sys.exit(main())

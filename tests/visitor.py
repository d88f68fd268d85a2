"""A reader of the built book, offline, who writes down everything that goes wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from playwright.sync_api import Browser, Page, Playwright, Request

from tools import browser as chromium

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


class Quiet(SimpleHTTPRequestHandler):
    """Serve without a line for every request."""

    def log_message(self, *arguments) -> None:
        """Say nothing."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a folder, served on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextmanager
def offline(playwright: Playwright, *flags: str) -> Iterator[Browser]:
    """A Chromium, with these flags as well, to which no other host has an address."""
    path = chromium.find(playwright)
    assert path, "no Chromium here: run `make browser`"
    args = [*chromium.FLAGS, chromium.OFFLINE, *flags]
    running = playwright.chromium.launch(executable_path=path, args=args)
    yield running
    running.close()


def come(browser: Browser) -> Page:
    """A fresh visitor; what goes wrong is in `page.wrong`."""
    context = browser.new_context(viewport=WIDE)
    page = context.new_page()
    page.set_default_timeout(120_000)  # a slow machine is no fault of the page
    page.wrong = []
    page.on("console", lambda m: m.type == "error" and page.wrong.append(f"console: {m.text}"))
    page.on("pageerror", lambda error: page.wrong.append(f"script: {error}"))
    page.on("requestfailed", lambda r: _is_lost(r) and page.wrong.append(f"failed: {r.url}"))
    page.on("response", lambda r: r.status >= 400 and page.wrong.append(f"{r.status}: {r.url}"))
    page.on("request", lambda r: _is_outside(r.url) and page.wrong.append(f"outside: {r.url}"))
    return page


def _is_lost(request: Request) -> bool:
    return request.failure != "net::ERR_ABORTED"  # which is what leaving a page looks like


def _is_outside(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "data:", "blob:", "file:", "about:"))

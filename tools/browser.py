"""A Chromium for the tests of pages: one that is here, or one that can be fetched."""

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Playwright, sync_playwright

from tools import packages

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
FLAGS = [
    "--no-sandbox",  # needed as root, as in a container; the pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# No other host has an address; Playwright's own routing would switch the browser's cache off.
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


def find(playwright: Playwright | None = None) -> str | None:
    """Path of an installed Chromium or Chrome, or of the one that Playwright keeps; else None.

    Args:
        playwright: a running one; a process may start only one at a time.
    """
    for name in NAMES:
        if path := shutil.which(name):
            return path
    if MAC.exists():
        return str(MAC)
    if playwright is None:
        with sync_playwright() as playwright:
            path = playwright.chromium.executable_path
    else:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def fetch() -> None:
    """Try Playwright's own Chromium, then the system's package when we may install one."""
    print("▶ no Chromium here: fetching one for the tests of pages", flush=True)
    install = [sys.executable, "-m", "playwright", "install", "chromium"]
    if subprocess.run(install).returncode != 0:
        packages.fetch("chromium")


def main() -> int:
    """``make browser``."""
    if find() is None:
        fetch()
    if (path := find()) is None:
        print(
            "The tests of pages need Chromium or Google Chrome on the PATH.\n"
            "Debian or Ubuntu: sudo apt-get install chromium · macOS: brew install --cask "
            "google-chrome · or: .venv/bin/playwright install --with-deps chromium",
            file=sys.stderr,
        )
        return 1
    print(f"browser for the tests of pages: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The zip of the book: unpacked and opened by double click, with no network, all of it works."""

from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.visitor import come, offline
from tools import dist
from tools.built import HTML, built

pytestmark = pytest.mark.slow(30)

LIVE = sorted({"12_reading_attention": "when", "your_own_video": "own"}.items())


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    """The folder that a reader finds in the zip."""
    built()
    folder = tmp_path_factory.mktemp("dist")
    dist.archive(folder / "book.zip")
    with ZipFile(folder / "book.zip") as files:
        files.extractall(folder)
    return folder / dist.NAME


@pytest.fixture(scope="module")
def reader(unpacked) -> Iterator[Page]:
    with sync_playwright() as playwright, offline(playwright) as browser:
        yield come(browser)


def test_every_page_of_the_book_is_in_it_and_its_licence(unpacked):
    def pages(folder):
        return {path.relative_to(folder) for path in folder.rglob("*.html")}

    assert pages(unpacked) == pages(HTML)
    assert "Licen" in (unpacked / "LICENSE.txt").read_text()


def test_its_pages_open_without_a_request_or_an_error(reader, unpacked):
    reader.wrong.clear()
    reader.goto((unpacked / "index.html").as_uri())
    reader.wait_for_url("**/book/intro.html")
    for name in ("book/notation.html", "notebooks/06_fusion.html", "book/status.html"):
        reader.goto(f"{unpacked.as_uri()}/{name}")
        reader.wait_for_load_state("load")
        reader.evaluate("() => document.fonts.ready")
    reader.goto(f"{unpacked.as_uri()}/search.html?q=temporal+head")
    reader.locator("#search-results li a", has_text="temporal head").first.wait_for()
    assert reader.wrong == []


@pytest.mark.parametrize(("page", "figure"), LIVE)
def test_its_figures_answer(reader, unpacked, page, figure):
    reader.wrong.clear()
    reader.goto((unpacked / "notebooks" / f"{page}.html").as_uri())
    reader.locator(f"[data-live={figure}][data-state=recorded]").wait_for()
    reader.locator(f"[data-live={figure}]").get_by_role("button", name="All 0").click()
    reader.locator(f"[data-live={figure}][data-state=checked]").wait_for()
    worst = reader.locator(f"[data-live={figure}]").get_attribute("data-worst")
    assert float(worst) < 1e-3
    assert reader.wrong == []

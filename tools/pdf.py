"""The built book as one PDF: its pages gathered in one, printed by the Chromium that tests use."""

import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urldefrag, urljoin

from bs4 import BeautifulSoup, Tag
from playwright.sync_api import sync_playwright

from tools import browser
from tools.built import HTML, pages_in_order
from tools.dist import NAME
from tools.steps import ROOT

# the code of imports and figures, folded on the pages, is for those who run it
NEVER_PRINTED = ".headerlink, .copybtn, .tag_hide-input > details, script, form, button"
STYLE = """
@page { size: A4; margin: 18mm 16mm 20mm; }
html, body { background: #fff; }
article.bd-article { break-before: page; max-width: none; font-size: 10.5pt; line-height: 1.45; }
article.bd-article h1 { font-size: 18pt; }
article.bd-article h2 { margin-top: 8mm; font-size: 14pt; }
article.bd-article h3 { font-size: 12pt; }
:is(h1, h2, h3, summary) { break-after: avoid; }
mjx-container svg g { stroke: none; } /* of no width, which paper draws as the thinnest line */
:is(img, figure, svg, tr) { break-inside: avoid; }
:is(img, video) { max-width: 100%; max-height: 230mm; }
.sideways, .text_html { overflow: visible !important; mask-image: none !important; }
.text_html table { font-size: 8pt; }
.text_html table td { white-space: normal !important; }
"""
FOOT = (
    '<p style="width: 100%; margin: 0; text-align: center; font: 8pt sans-serif; color: #444">'
    '<span class="pageNumber"></span></p>'
)
SET = """async () => {
  if (document.querySelector('.math')) await MathJax.startup.promise;
  await Promise.all([...document.images].map(image => image.decode().catch(() => 0)));
}"""


def gather(names: Sequence[str], html: Path) -> str:
    """All pages as one: every link between them leads to its place in it.

    Args:
        names: pages without suffix, in reading order.
        html: folder of the built pages, which styles and pictures are still read from.
    """
    places = {(html / f"{name}.html").as_uri(): name.replace("/", "-") for name in names}
    whole = BeautifulSoup("<body></body>", "html.parser")
    for i, (address, place) in enumerate(places.items()):
        page = BeautifulSoup((html / f"{names[i]}.html").read_text("utf-8"), "html.parser")
        if i == 0:
            whole = _frame(page, address)
        whole.body.append(_article(page, address, place, places))
    return str(whole)


def _frame(page: BeautifulSoup, address: str) -> BeautifulSoup:
    """A page's head with its styles and MathJax, and nothing else that runs, over no body."""
    for script in page.head("script"):
        if "mathjax" not in f"{script.get('src', '')}{script.string}".lower():
            script.decompose()
    for linked in page.head("link", rel=lambda kinds: "stylesheet" not in (kinds or "")):
        linked.decompose()
    _absolute(page.head, address)
    frame = BeautifulSoup(f'<html lang="en" data-theme="light">{page.head}</html>', "html.parser")
    frame.head.append(BeautifulSoup(f"<style>{STYLE}</style>", "html.parser"))
    frame.html.append(frame.new_tag("body"))
    return frame


def _article(page: BeautifulSoup, address: str, place: str, places: dict[str, str]) -> Tag:
    """A page's text, whose names begin with its place: two chapters have a section of one name."""
    article = page.select_one("article.bd-article")
    for part in article.select(NEVER_PRINTED):
        part.decompose()
    for folded in article("details"):
        folded["open"] = ""  # nobody can unfold paper
    for named in article.find_all(id=True):
        named["id"] = f"{place}--{named['id']}"
    for link in article.find_all("a", href=True):
        target, fragment = urldefrag(urljoin(address, link["href"]))
        if target in places:
            link["href"] = f"#{places[target]}" + (f"--{fragment}" if fragment else "")
        elif target.startswith("file:"):
            link.unwrap()  # records and sources, which a PDF does not bring along
    article["id"] = place
    _absolute(article, address)
    return article


def _absolute(part: Tag, address: str) -> None:
    for attribute in ("src", "poster"):
        for tag in part.find_all(attrs={attribute: True}):
            tag[attribute] = urljoin(address, tag[attribute])
    for tag in part.find_all("link", href=True):
        tag["href"] = urljoin(address, tag["href"])


def print_pdf(names: Sequence[str], html: Path, target: Path) -> None:
    """Write the PDF: A4, page numbers, an outline of all headings.

    Raises:
        RuntimeError: there is no Chromium.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    gathered = target.with_suffix(".html")
    gathered.write_text(gather(names, html), "utf-8")
    with sync_playwright() as playwright:
        path = browser.find(playwright)
        if path is None:
            raise RuntimeError("no Chromium here: run `make browser`")
        chromium = playwright.chromium.launch(
            executable_path=path, args=[*browser.FLAGS, browser.OFFLINE]
        )
        page = chromium.new_page()
        page.set_default_timeout(0)  # a whole book of formulas
        page.goto(gathered.as_uri())
        page.evaluate(SET)
        page.pdf(
            path=target,
            prefer_css_page_size=True,
            print_background=True,
            display_header_footer=True,
            header_template="<p></p>",
            footer_template=FOOT,
            outline=True,
            tagged=True,
        )
        chromium.close()
    gathered.unlink()


def main() -> int:
    """``make pdf``: all pages but those of the library's functions."""
    if not (HTML / "index.html").exists():
        print("there is no built book: run `make book` first", file=sys.stderr)
        return 1
    names = [name for name in pages_in_order() if not name.startswith("book/api")]
    target = ROOT / "dist" / f"{NAME}.pdf"
    print_pdf(names, HTML, target)
    print(f"{target} ({target.stat().st_size / 2**20:.0f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The book as a PDF: one page of all pages, in which links lead on, and its print."""

import re

import pytest
from bs4 import BeautifulSoup

from tools.built import built
from tools.pdf import gather, print_pdf

PAGE = """<html><head><title>{name}</title><link rel="stylesheet" href="../_static/book.css">
<link rel="next" href="two.html"><script src="../_static/book.js"></script></head><body>
<nav>Menu</nav><article class="bd-article"><section id="exercises"><h1>{name}
<a class="headerlink" href="#exercises">#</a></h1>
<a href="#exercises">here</a> <a href="two.html">two</a> <a href="one.html#exercises">there</a>
<a href="../runs/record.json">81.5</a> <a href="https://example.org/">out</a>
<details class="answers"><summary>The answer</summary>42</details>
<div class="cell tag_hide-input"><details><summary>Imports</summary>import x</details></div>
<form><input></form><img src="../_images/a.png" alt="a dot"></section></article></body></html>"""
DOT = (
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415478da63f8"
    "ffff3f0005fe02fe0def46b80000000049454e44ae426082"
)


@pytest.fixture
def book(tmp_path):
    """Two pages of a built book, which have a section of the same name."""
    for name in ("one", "two"):
        (tmp_path / "notebooks").mkdir(exist_ok=True)
        (tmp_path / f"notebooks/{name}.html").write_text(PAGE.format(name=name))
    (tmp_path / "_images").mkdir()
    (tmp_path / "_images/a.png").write_bytes(bytes.fromhex(DOT))
    return tmp_path


@pytest.fixture
def whole(book):
    """Both, gathered."""
    return BeautifulSoup(gather(["notebooks/one", "notebooks/two"], book), "html.parser")


def test_links_between_pages_lead_to_their_place_in_it(whole):
    ids = [tag["id"] for tag in whole(id=True)]
    assert len(ids) == len(set(ids)) == 4
    links = [[link["href"] for link in article("a")] for article in whole("article")]
    assert links == [
        [f"#notebooks-{own}--exercises", "#notebooks-two", "#notebooks-one--exercises", outside]
        for own, outside in (("one", "https://example.org/"), ("two", "https://example.org/"))
    ]
    assert {link[1:] for of in links for link in of if link[0] == "#"} <= set(ids)


def test_what_paper_cannot_do_is_done_or_left_out(whole):
    assert all(folded.has_attr("open") for folded in whole("details"))
    assert not whole("form") + whole("nav") + whole("script") + whole.select(".headerlink")
    assert "import x" not in whole.get_text()
    assert whole.get_text().count("81.5") == 2  # the number of a record stays, its link does not
    assert "runs/record.json" not in str(whole)


def test_pictures_and_styles_are_read_where_they_lie(whole, book):
    assert {image["src"] for image in whole("img")} == {(book / "_images/a.png").as_uri()}
    styles = [linked["href"] for linked in whole("link")]
    assert styles == [(book / "_static/book.css").as_uri()]


@pytest.mark.slow(10)
def test_each_page_begins_on_paper_of_its_own_and_stands_in_the_outline(book):
    target = book / "dist/book.pdf"
    print_pdf(["notebooks/one", "notebooks/two"], book, target)
    content = target.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) == 2
    assert b"/Outlines" in content
    assert not target.with_suffix(".html").exists()


@pytest.mark.slow(10)
def test_a_page_of_the_book_keeps_its_formulas_figures_and_mathjax():
    name = "notebooks/06_fusion"
    page = BeautifulSoup((built() / f"{name}.html").read_text(), "html.parser").article
    article = BeautifulSoup(gather([name], built()), "html.parser")
    assert len(article.select("article .math")) == len(page.select(".math")) > 10
    assert len(article.select("article img")) == len(page.select("img")) > 1
    assert any("tex-svg.js" in script.get("src", "") for script in article("script"))

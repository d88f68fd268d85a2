"""The built book as files: complete, of this version, whole in itself."""

import json
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup, Tag

from stabn.tables.finetunings import parts_of_record
from tools.built import HTML, SITE, built, pages_in_order
from tools.steps import ROOT

pytestmark = pytest.mark.slow(60)

# what a browser fetches by itself, as opposed to a link that a reader may follow
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}
FETCHED_LINKS = {"stylesheet", "preload", "icon", "modulepreload", "prefetch", "preconnect"}


@cache
def page(path: Path) -> BeautifulSoup:
    """A page, parsed."""
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@cache
def anchors(path: Path) -> set[str]:
    """What a link into a page can name."""
    return {tag[key] for key in ("id", "name") for tag in page(path).find_all(attrs={key: True})}


def all_pages() -> list[Path]:
    """Every built page, those that Sphinx adds included."""
    return sorted(built().rglob("*.html"))


def test_every_page_of_the_contents_is_built():
    missing = [name for name in pages_in_order() if not (built() / f"{name}.html").exists()]
    assert not missing


def test_every_notebook_and_page_is_in_the_contents():
    notebooks = [path.with_suffix("") for path in ROOT.glob("notebooks/**/*.py")]
    written = [path.with_suffix("") for path in ROOT.glob("book/**/*.md")]
    here = {path.relative_to(ROOT).as_posix() for path in notebooks + written}
    assert here <= set(pages_in_order())


def test_the_book_is_built_from_the_pages_that_are_here():
    built()
    for path in ROOT.glob("book/**/*.md"):
        staged = SITE / path.relative_to(ROOT)
        assert staged.read_text() == path.read_text(), f"{path.name} changed: run `make book`"


def test_pages_fetch_nothing_from_elsewhere():
    for path in all_pages():
        for tag, attribute in FETCHED.items():
            for found in page(path).find_all(tag, attrs={attribute: True}):
                assert not urlsplit(found[attribute]).netloc, f"{path}: {found}"
        for found in page(path).find_all("link", href=True):
            if FETCHED_LINKS & set(found.get("rel", [])):
                assert not urlsplit(found["href"]).netloc, f"{path}: {found}"
    for path in built().rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", path.read_text()), path


def test_every_link_inside_the_book_leads_somewhere():
    broken = []
    for path in all_pages():
        for found in page(path).find_all("a", href=True):
            parts = urlsplit(found["href"])
            if parts.scheme or parts.netloc or found["href"] in ("", "#"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists() or (
                parts.fragment
                and target.suffix == ".html"
                and unquote(parts.fragment) not in anchors(target)
            ):
                broken.append(f"{path.relative_to(HTML)} → {found['href']}")
    assert not broken, "\n".join(sorted(set(broken)))


def test_mathjax_comes_with_the_book():
    source = page(built() / "book" / "notation.html").find("script", src=re.compile("mathjax"))[
        "src"
    ]
    script = (built() / "book" / source.partition("?")[0]).resolve()
    assert script.is_relative_to(built())
    assert script.stat().st_size > 1e6  # one file, fonts included


@pytest.mark.parametrize("name", ["01_video_as_data", "09_mini_ssv2", "results_fault"])
def test_clips_that_play_are_small(name):
    clips = page(built() / "notebooks" / f"{name}.html").select("figure.moving video")
    assert clips
    assert all(len(clip["src"]) * 3 / 4 < 150e3 for clip in clips)


def test_solutions_are_folded_away():
    chapter = page(built() / "notebooks" / "04_spatial_head.html")
    assert chapter.select("div.cell.tag_hide-cell details")


@cache
def documented() -> set[str]:
    """What the API pages name, in full."""
    pages = (built() / "book" / "api").glob("*.html")
    return {tag["id"] for path in pages for tag in page(path)("dt", id=True)}


@pytest.mark.parametrize("module", sorted(ROOT.glob("stabn/**/*.py")), ids=lambda p: p.stem)
def test_every_public_function_is_documented_in_the_book(module):
    """The API pages name each public function and class of the library."""
    name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
    if name.endswith("__init__"):
        return
    public = re.findall(r"^(?:def|class) ([A-Za-z]\w*)", module.read_text(), re.MULTILINE)
    assert {f"{name}.{function}" for function in public} - {f"{name}.command"} <= documented()


def test_the_status_page_is_what_was_measured():
    text = page(built() / "book" / "status.html").get_text()
    records = [json.loads(path.read_text()) for path in (ROOT / "_build/steps").rglob("*.json")]
    chapters = [record for record in records if record["step"].startswith("chapter/")]
    assert chapters
    for record in chapters:
        assert record["step"] in text
    assert "Sphinx is" not in text  # the place holder for the pages' own time
    assert "torch" in text


def test_a_chapter_says_what_it_cost():
    for path in sorted((built() / "notebooks").glob("*.html")):
        line = page(path).select_one("p.measured")
        assert re.search(r"ran in .* (s|min).*GiB", line.get_text()), path


def number(link: Tag) -> str:
    """What a link to a record shows, with a minus sign that Python reads."""
    shown = link["title"].rpartition(": ")[2] if link.has_attr("title") else link.get_text()
    return shown.replace("−", "-")


def test_every_number_of_ours_in_table_1_is_in_the_record_it_links_to():
    path = built() / "notebooks" / "results_table1.html"
    links = page(path).select("table.results a[href$='.json']")
    assert links
    for link in links:
        record = json.loads((path.parent / link["href"]).resolve().read_text())
        results = record["results"][record["config"]["report_split"]]
        known = {f"{100 * results[figure]:.1f}" for figure in ("top1", "top5")}
        measures = ("rank_correlation", "pointing", "mass_in_mask")
        known |= {f"{results[name]['value']:.2f}" for name in measures if name in results}
        shown = number(link)
        assert shown in known, f"{link} against {link['href']}"


@pytest.mark.parametrize("name", ["results_table2", "results_table3"])
def test_every_number_of_ours_in_tables_2_and_3_is_in_the_record_it_links_to(name):
    path = built() / "notebooks" / f"{name}.html"
    links = page(path).select("table.results a[href$='.json']")
    assert links
    for link in links:
        record = json.loads((path.parent / link["href"]).resolve().read_text())
        known = {f"{v:.1f}" for row in parts_of_record(record).values() for v in row.values()}
        for figures in record["results"].values():
            known |= {f"{100 * figures[figure]:.1f}" for figure in ("top1", "top5")}
            for measure in ("rank_correlation", "pointing", "mass_in_mask"):
                known |= {f"{v:.2f}" for v in figures.get(measure, {}).values() if _is_number(v)}
            if "rank_correlation" in figures:  # the own truth's less the others'
                score = figures["rank_correlation"]
                known.add(f"{score['value'] - score['exchanged']:.2f}")
        shown = number(link)
        assert shown in known, f"{link} against {link['href']}"


def test_every_number_of_the_known_fault_is_in_the_record_it_links_to():
    path = built() / "notebooks" / "results_fault.html"
    links = page(path).select("table.results td a[href$='.json']")
    assert links
    for link in links:
        record = json.loads((path.parent / link["href"]).resolve().read_text())
        results, known, parts = record["results"], set(), []
        for name, figures in results.items():
            known.add(f"{100 * figures['top1']:.1f}")
            score = figures["rank_correlation"]
            shown = score["value"], score["exchanged"], figures["pointing"]["value"]
            known |= {f"{v:.2f}" for v in shown}
            aligned = results.get(name.replace("_swapped", "_aligned"), figures)
            known.add(f"{100 * aligned['top1'] - 100 * figures['top1']:.1f}")  # reliance
            inverted = results.get(f"{name}-inverted", figures)
            known.add(f"{100 * (inverted['top1'] - figures['top1']):.1f}")  # what 1 − M_s changes
            for groups in ({True}, {False}, {True, False}):  # classes: edited, others, all
                of = [
                    one
                    for k, one in figures.get("per_class", {}).items()
                    if (int(k) in record.get("modified", [])) in groups and one["videos"]
                ]
                right = sum(one["videos"] * one["top1"] for one in of)
                parts += [100 * right / sum(one["videos"] for one in of)] if of else []
        for measured in record.get("fault", {}).values():
            known |= {f"{v:.2f}" for kind in measured.values() for v in kind.values()}
            known |= {f"{100 * v:.1f}" for v in measured["oracle"].values()}
        shown = number(link)
        near = any(abs(float(shown) - value) <= 0.05 + 1e-9 for value in parts)  # rounded
        assert near or shown in known, f"{link} against {link['href']}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)

"""Networks side by side under one drag, in the built pages, each opened from a file, offline."""

from collections.abc import Iterator
from itertools import combinations

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.visitor import come, offline
from tools.built import built

pytestmark = pytest.mark.slow(40)


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright, offline(playwright) as running:
        yield come(running)


def live_figure(page, state, name):
    """A figure that answers, once it says this of itself."""
    page.locator(f"[data-live={name}][data-state={state}]").wait_for()
    return page.locator(f"[data-live={name}]")


def side_by_side(figure, question):
    """What each network's column says now after asking so: shares by class, then the verdict."""
    figure.evaluate("figure => delete figure.dataset.answered")
    question()
    figure.page.wait_for_function("f => f.dataset.answered", arg=figure.element_handle())
    rows = figure.locator("tbody tr, tfoot tr").evaluate_all(
        "all => all.map(r => [...r.cells].slice(1).map(cell => cell.firstChild.textContent))"
    )
    return [list(column) for column in zip(*rows, strict=True)]


def test_with_all_weights_0_the_papers_network_still_tells_clips_apart_the_gated_one_does_not(page):
    page.goto((built() / "notebooks/06_fusion.html").as_uri())
    figure = live_figure(page, "recorded", "fusion")
    clips = figure.get_by_label("Clip")
    silence = figure.get_by_role("button", name="All 0").click
    paper, gated = [], []
    for i in range(clips.locator("option").count()):
        clips.select_option(str(i))
        for found, column in zip((paper, gated), side_by_side(figure, silence), strict=True):
            found.append(column[:-1])
    assert len(paper) == 4
    assert all(one != other for one, other in combinations(paper, 2))
    assert all(found == gated[0] for found in gated)
    live_figure(page, "checked", "fusion")
    assert float(figure.get_attribute("data-worst")) < 1e-3
    assert not [what for what in page.wrong if what.startswith(("outside", "script"))]


def test_of_five_networks_under_one_drag_those_whose_gate_closes_do_not_feel_low_weights(page):
    page.goto((built() / "notebooks/results_fault.html").as_uri())
    figure = live_figure(page, "recorded", "fault")
    figure.get_by_label("Clip").select_option("1")  # the partner's sign
    lent = figure.get_by_role("group", name="All networks get the weights of")
    *_, knowledge = columns = side_by_side(
        figure, lent.get_by_role("button", name="paper’s: knowledge").click
    )
    assert [column[-1] for column in columns][::2] == ["wrong", "wrong", "right"]
    none = side_by_side(figure, figure.get_by_role("button", name="All 0").click)
    well = figure.locator(".live-well").last
    well.scroll_into_view_if_needed()
    box = well.bounding_box()
    bottom = box["y"] + box["height"]

    def pull():
        page.mouse.move(box["x"] + box["width"] / 2, bottom - 1)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2, bottom - 0.28 * box["height"], steps=4)
        page.mouse.up()

    low = side_by_side(figure, pull)
    assert float(figure.locator("input[type=range]").last.input_value()) > 0.2
    assert low[3:] == none[3:]
    assert knowledge != none[4]
    live_figure(page, "checked", "fault")
    assert float(figure.get_attribute("data-worst")) < 1e-3
    assert not [what for what in page.wrong if what.startswith(("outside", "script"))]

"""What a figure that answers says of itself: that it computes, whose attention it has, where."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from tests.visitor import PHONE, come, offline
from tools.built import built

pytestmark = pytest.mark.slow(60)

# after each change of the figure: its state, whether it computes, what has been answered
WATCHED = """
    window.late = 0; window.moments = [];
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (message) {
      setTimeout(() => post.call(this, message), window.late);
    };
    window.watch = (figure) => {
      const note = () => moments.push([
        figure.dataset.state,
        figure.querySelector('.live-body').getAttribute('aria-busy') === 'true',
        figure.dataset.answered ?? null,
      ]);
      new MutationObserver(note).observe(figure, {attributes: true, subtree: true});
    };
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, offline(playwright) as running:
        yield running


@pytest.fixture
def page(browser) -> Iterator[Page]:
    page = come(browser)
    page.add_init_script(WATCHED)
    yield page
    page.context.close()


def figure_of(page: Page, chapter: str, name: str) -> Locator:
    """A figure that answers, as it stands from the start."""
    page.goto((built() / f"notebooks/{chapter}.html").as_uri())
    page.locator(f"[data-live={name}][data-state=recorded]").wait_for()
    return page.locator(f"[data-live={name}]")


def record(name: str) -> dict:
    """What is recorded of a figure."""
    text = (built() / f"_static/live/{name}.recorded.js").read_text()
    return json.loads(text.partition(" = ")[2].rstrip().rstrip(";"))


def test_from_the_first_touch_to_the_first_answer_it_says_that_it_computes(page):
    figure = figure_of(page, "12_reading_attention", "when")
    sign = "e => getComputedStyle(e, '::after').visibility"
    caption = figure.locator(".live-caption")
    assert caption.evaluate(sign) == "hidden"
    figure.evaluate("watch")
    page.evaluate("late = 200")
    figure.get_by_role("button", name="All 0").click()
    figure.locator(".live-body[aria-busy=true]").wait_for()
    assert caption.evaluate(sign) == "visible"
    page.locator("[data-live=when][data-state=checked]").wait_for()
    moments = page.evaluate("moments")
    states = [state for state, _, _ in moments]
    assert list(dict.fromkeys(states)) == ["loading", "ready", "checked"]
    for state, busy, answered in moments:
        if state in ("ready", "checked"):
            assert answered == "0.0000"
        elif state == "loading" and answered is None:
            assert busy
    assert moments[-1] == ["checked", False, "0.0000"]
    assert caption.evaluate(sign) == "hidden"


def test_a_later_answer_that_takes_long_is_said_to_be_computed_too(page):
    figure = figure_of(page, "12_reading_attention", "when")
    figure.get_by_role("button", name="All 0").click()
    page.locator("[data-live=when][data-state=checked]").wait_for()
    page.evaluate("late = 600")
    figure.get_by_role("button", name="All 1").click()
    figure.locator(".live-body[aria-busy=true]").wait_for()
    share = figure.locator("tbody td:nth-child(3)").first
    assert float(share.evaluate("e => getComputedStyle(e).opacity")) < 0.5
    figure.locator(".live-body:not([aria-busy])").wait_for()
    assert figure.get_attribute("data-answered") == "1.0000"
    # who goes on to another clip meanwhile sees its recorded answer, and no sign
    figure.get_by_role("button", name="All 0").click()
    figure.locator(".live-body[aria-busy=true]").wait_for()
    figure.get_by_role("button", name="Reset").click()
    assert figure.locator(".live-body[aria-busy]").count() == 0


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_the_sign_moves_only_for_those_who_like_motion(page, motion):
    page.emulate_media(reduced_motion=motion)
    figure = figure_of(page, "12_reading_attention", "when")
    page.evaluate("late = 600")
    figure.get_by_role("button", name="All 0").click()
    figure.locator(".live-body[aria-busy=true]").wait_for()
    moving = figure.locator(".live-caption").evaluate(
        "e => getComputedStyle(e, '::after').animationName"
    )
    assert moving == ("none" if motion == "reduce" else "live-computing")


def test_a_network_that_cannot_be_loaded_leaves_no_sign_of_computing(page):
    page.route("**/when.network.js", lambda route: route.abort())
    figure = figure_of(page, "12_reading_attention", "when")
    figure.get_by_role("button", name="All 0").click()
    page.locator("[data-live=when][data-state=failed]").wait_for()
    figure.locator(".live-body:not([aria-busy])").wait_for()
    assert "what you see is recorded" in figure.locator(".live-state").inner_text()


def test_it_says_whose_weights_all_networks_have(page):
    figure = figure_of(page, "results_fault", "fault")
    caption = figure.locator(".live-caption")
    lent = figure.get_by_role("group", name="All networks get the weights of")
    pressed = lent.locator("[aria-pressed=true]")
    assert caption.inner_text() == "Each network has its own weights"
    assert pressed.count() == 0
    lent.get_by_role("button", name="closes: knowledge").click()
    assert caption.inner_text() == "All networks have the weights of closes: knowledge"
    assert pressed.all_inner_texts() == ["closes: knowledge"]
    figure.locator("input[type=range]").first.press("1")
    assert caption.inner_text() == "All networks have the weights of the bars"
    assert pressed.count() == 0
    lent.get_by_role("button", name="before", exact=True).click()
    assert pressed.all_inner_texts() == ["before"]
    page.locator("[data-live=fault]:is([data-state=ready], [data-state=checked])").wait_for()
    words = figure.locator(".live-words").inner_text()
    assert "(recorded " in words
    assert "(before" not in words  # which is the name of a network
    figure.get_by_role("button", name="Reset").click()
    assert caption.inner_text() == "Each network has its own weights"
    assert pressed.count() == 0


def test_the_frames_that_show_the_sign_are_marked_for_eye_and_ear(page):
    figure = figure_of(page, "results_fault", "fault")
    clips = record("fault")["clips"]
    assert any(clips[0]["signs"])
    assert not all(clips[0]["signs"])
    for i, clip in enumerate(clips):
        figure.get_by_label("Clip").select_option(str(i))
        heads = figure.locator(".live-number")
        seen = heads.evaluate_all("all => all.map(e => e.querySelector('.live-sign') !== null)")
        heard = [
            "with the sign" in slider.get_attribute("aria-label")
            for slider in figure.locator("input[type=range]").all()
        ]
        assert seen == heard == clip["signs"]
        assert figure.locator(".live-legend").count() == any(clip["signs"])


@pytest.mark.parametrize(
    ("chapter", "name"), [("12_reading_attention", "when"), ("results_table3", "where")]
)
def test_what_one_finds_is_what_the_page_then_computes(page, chapter, name):
    figure = figure_of(page, chapter, name)
    fold = figure.locator("details.live-found")
    fold.locator("summary").click()
    edits, told = (fold.locator(tag).all_inner_texts() for tag in ("dt", "dd"))
    told = dict(zip(edits, told, strict=True))["All 1"]
    verdict, share = re.search(r"(right|wrong): .*?, (\d+)\s%", told).groups()
    figure.get_by_role("button", name="All 1", exact=True).click()
    page.locator(f"[data-live={name}]:is([data-state=ready], [data-state=checked])").wait_for()
    best = figure.locator(".live-answered tbody tr").first
    assert best.locator("td").nth(1).inner_text().split() == [share, "%"]
    assert ("true" in best.locator("th").inner_text()) == (verdict == "right")


def test_each_clip_says_of_which_kind_it_is_and_a_missing_kind_is_named(page):
    figure = figure_of(page, "results_table3", "where")
    known = record("where")
    shown = figure.locator("select").first.locator("option").all_inner_texts()
    assert shown == [clip["title"] for clip in known["clips"]]
    kinds = {"right, and wrong when inverted", "right, and right when inverted"}
    kinds |= {"wrong, and right when inverted"}
    there = {title.rpartition(": ")[2] for title in shown}
    assert there <= kinds
    note = known["note"] or ""
    assert all((kind in note) != (kind in there) for kind in kinds)
    assert figure.locator(".live-note").all_inner_texts() == ([note] if note else [])


@pytest.mark.parametrize(
    ("chapter", "name"), [("your_own_video", "own"), ("results_fault", "fault")]
)
def test_on_paper_a_figure_is_the_picture_of_its_answer(page, chapter, name):
    figure = figure_of(page, chapter, name)
    page.emulate_media(media="print")
    assert figure.locator("button:visible, .live-state:visible, input:visible").count() == 0
    assert figure.locator(".live-answers").first.is_visible()
    assert figure.locator(".live-picture:visible").count() == 16
    assert figure.locator("select").is_visible()  # the clip's name


def test_on_a_phone_a_clips_whole_name_can_be_read(page):
    figure = figure_of(page, "results_fault", "fault")
    title = figure.locator(".live-title")
    assert not title.is_visible()
    page.set_viewport_size(PHONE)
    figure.get_by_label("Clip").select_option("1")
    assert title.inner_text() == record("fault")["clips"][1]["title"]


@pytest.mark.parametrize("width", [1280, 1000, 768, 390])
@pytest.mark.parametrize(
    ("chapter", "name"), [("results_table3", "where"), ("results_fault", "fault")]
)
def test_no_word_of_a_head_and_no_share_is_broken(page, chapter, name, width):
    figure = figure_of(page, chapter, name)
    page.set_viewport_size({"width": width, "height": 900})
    wide = figure.locator(".live-answered").evaluate(
        """part => [...part.querySelectorAll('thead th, td')].filter(cell => {
            const range = document.createRange();
            range.selectNodeContents(cell);
            const [text, box] = [range.getBoundingClientRect(), cell.getBoundingClientRect()];
            return text.left < box.left - 1 || text.right > box.right + 1;
        }).map(cell => cell.textContent)"""
    )
    assert wide == []
    lines = figure.locator(".live-answered td > :first-child, .live-answered td:nth-child(2)")
    assert all(
        lines.evaluate_all(
            "all => all.map(e => e.textContent.includes('%') && !e.children.length"
            " ? e.getClientRects().length === 1 : true)"
        )
    )
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0

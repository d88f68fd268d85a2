"""The built book in headless Chromium: every page, light and dark, wide and phone, offline."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests import axe
from tests.visitor import PHONE, WIDE, come, offline, serving
from tools.built import HTML, built, pages_in_order

pytestmark = pytest.mark.slow(120)

THEMES = ("light", "dark")
STILL = "* { transition: none !important }"  # colours are there at once
BAD_IMAGES = """() => [...document.querySelectorAll('article img')]
  .filter(i => !i.complete || !i.naturalWidth || i.alt.trim().length < 8
    || /^\\S+$|\\$/.test(i.alt))
  .map(i => `${i.src} “${i.alt}”`)"""
# Code and tables: wider than their place, without the fading edge and the keys of what scrolls.
CUT = """() => [...document.querySelectorAll('article :is(pre, table, div.math)')].filter(wide => {
    const place = wide.closest('.text_html, .pst-scrollable-table-container') ?? wide;
    return wide.scrollWidth > place.clientWidth + 1
      && !(place.matches('.sideways.more-right') && place.tabIndex === 0);
  }).map(wide => wide.outerHTML.slice(0, 200))"""
SIDEWAYS_CODE = """() => [...document.querySelectorAll('article div.highlight pre')]
  .filter(code => code.scrollWidth > code.clientWidth + 1).map(code => code.innerText)"""
UNFOLDED = """() => document.querySelectorAll('article details').forEach(one => one.open = true)"""
WIDER_THAN_PAGE = """() => document.documentElement.scrollWidth - window.innerWidth"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The book, served on this machine."""
    with serving(built()) as address:
        yield address


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright) -> Iterator[Browser]:
    with offline(playwright) as running:
        yield running


@pytest.fixture
def page(browser) -> Iterator[Page]:
    """A fresh visitor who writes down everything that goes wrong, in `page.wrong`."""
    page = come(browser)
    yield page
    page.context.close()


@pytest.fixture(scope="module")
def reader(browser) -> Iterator[Page]:
    """One who reads page after page: what all pages share is fetched and compiled once."""
    page = come(browser)
    yield page
    page.context.close()


def settle(page: Page) -> None:
    """Wait until the formulas are set, where there are any, and the images are there."""
    page.wait_for_load_state("load")
    if page.query_selector(".math"):
        page.wait_for_function("window.MathJax?.startup?.promise")
        page.evaluate("() => MathJax.startup.promise")
    page.evaluate("() => Promise.all([...document.images].map(i => i.decode().catch(() => 0)))")


@pytest.mark.parametrize("name", pages_in_order())
def test_page(reader, address, name):
    """Nothing fails, nothing is cut, all can be read, seen or heard; "Next" is the page after."""
    page = reader
    page.wrong.clear()
    page.set_viewport_size(WIDE)
    page.goto(f"{address}/{name}.html")
    settle(page)
    page.add_style_tag(content=STILL)
    axe.load(page)
    assert axe.violations(page) == []
    names = pages_in_order()
    after = names[names.index(name) + 1 :][:1]
    following = page.locator(".prev-next-footer a.right-next")
    links = following.evaluate_all("all => all.map(a => a.href)")
    assert links == [f"{address}/{name}.html" for name in after]
    for theme in THEMES:
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        assert axe.pale(page) == [], theme
    page.evaluate(UNFOLDED)
    for layout, size in (("phone", PHONE), ("wide", WIDE)):
        page.set_viewport_size(size)
        page.wait_for_timeout(100)  # what watches its own width has looked
        assert page.evaluate(WIDER_THAN_PAGE) <= 0, layout
        assert page.evaluate(CUT) == [], layout
        assert page.evaluate(SIDEWAYS_CODE) == [], layout
    assert page.evaluate(BAD_IMAGES) == []
    formulas = page.locator("article .math").count()
    assert page.locator("article .math mjx-container").count() >= formulas
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    assert page.wrong == []


def test_the_pages_that_sphinx_adds(page, address):
    """Index, search and some of the library's sources: no error, no outside request, all heard."""
    sources = sorted(HTML.glob("_modules/**/*.html"))[::20]
    added = [HTML / "genindex.html", HTML / "search.html", *sources]
    for path in added:
        page.goto(f"{address}/{path.relative_to(HTML).as_posix()}")
        axe.load(page)
        assert axe.violations(page) == [], path
    assert page.wrong == []


def test_search_finds_a_chapter_and_leads_there(page, address):
    page.goto(f"{address}/search.html?q=temporal+head")
    link = page.locator("#search-results li a", has_text="temporal head").first
    link.click()
    page.wait_for_url("**/notebooks/05_temporal_head.html*")
    assert page.wrong == []


def test_the_front_page_leads_to_the_first(page, address):
    page.goto(f"{address}/index.html")
    page.wait_for_url(f"**/{pages_in_order()[0]}.html")


def test_the_contents_open_on_a_phone_and_lead_to_a_chapter(page, address):
    page.set_viewport_size(PHONE)
    page.goto(f"{address}/book/intro.html")
    link = page.locator(".bd-sidebar-primary a", has_text="temporal head")
    assert not link.is_visible()
    page.locator(".primary-toggle").first.click()
    link.click()
    page.wait_for_url("**/notebooks/05_temporal_head.html")
    assert page.wrong == []


def test_the_theme_button_turns_the_page_dark_and_it_stays_dark(page, address):
    page.goto(f"{address}/book/intro.html")
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    for _ in range(3):  # auto, light, dark, in an order that the system decides
        if page.evaluate("document.documentElement.dataset.mode") != "dark":
            page.locator(".theme-switch-button").first.click()
    assert page.evaluate(ground) != light
    page.goto(f"{address}/book/notation.html")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_solution_unfolds(page, address):
    page.goto(f"{address}/notebooks/04_spatial_head.html")
    solution = page.locator("div.cell.tag_hide-cell details").first
    assert not solution.locator("pre").first.is_visible()
    solution.locator("summary").click()
    assert solution.locator("pre").first.is_visible()


QUESTIONS = "notebooks/06_fusion.html"


def verdict_of(choice) -> str:
    return choice.locator(".verdict[role=status]").inner_text()


@pytest.mark.parametrize("served", [True, False], ids=["served", "a file"])
def test_a_choice_is_answered_by_keys_and_read_out(page, address, served):
    """Right or wrong, each says why; the verdict is folded again by the same key."""
    page.goto(f"{address}/{QUESTIONS}" if served else (built() / QUESTIONS).as_uri())
    settle(page)
    axe.load(page)
    for question in page.locator("ol.choices").all():
        said = []
        for choice in question.locator("li").all():
            assert verdict_of(choice) == ""
            choice.locator("button").focus()
            page.keyboard.press("Enter")
            assert choice.locator("button").get_attribute("aria-expanded") == "true"
            said.append(verdict_of(choice).partition(":")[0])
        assert sorted(said) == ["No"] * (len(said) - 1) + ["Right"]
    assert axe.violations(page) == []
    for theme in THEMES:
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        assert axe.pale(page) == [], theme
    page.keyboard.press("Enter")
    assert verdict_of(choice) == ""
    assert served is False or page.wrong == []


def test_a_number_is_checked_and_a_usual_mistake_explained(page, address):
    page.goto(f"{address}/{QUESTIONS}")
    form = page.get_by_role("form", name="Question 4")
    verdict = page.locator("form.number + .verdict")
    typed = {
        "0.5": "Right: 0.5",
        "1/2": "Right: 0.5",
        ",50": "Right: 0.5",
        "0.35": "No. 0.35:",
        "7": "No. Try again",
        "half": "Please type a number",
    }
    for text, answer in typed.items():
        form.get_by_label("Your answer").fill(text)
        page.keyboard.press("Enter")
        assert verdict.inner_text().startswith(answer), text
    assert page.wrong == []


def test_without_scripts_a_question_stands_there_and_its_answers_unfold(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((built() / QUESTIONS).as_uri())
    folded = page.locator("details.answers").first
    assert page.locator("article ol > li", has_text="still depends on the clip").is_visible()
    assert not folded.locator("li").first.is_visible()
    folded.locator("summary").click()
    assert folded.locator("li").count() == 3
    assert folded.locator("li").first.is_visible()
    context.close()


def test_a_figure_opens_large_on_a_phone_by_keys_and_closes(page, address):
    page.set_viewport_size(PHONE)
    page.goto(f"{address}/notebooks/04_spatial_head.html")
    figure = page.locator("a.enlarge").first
    small = figure.locator("img").bounding_box()["width"]
    figure.focus()
    page.keyboard.press("Enter")
    large = page.locator("dialog.large img")
    assert large.bounding_box()["width"] > 1.5 * small
    assert large.get_attribute("alt") == figure.locator("img").get_attribute("alt")
    page.keyboard.press("Escape")
    assert page.locator("dialog").count() == 0
    assert figure.evaluate("link => link === document.activeElement")
    assert page.wrong == []


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_a_clip_plays_in_view_unless_the_reader_asks_for_less_motion(page, address, motion):
    page.emulate_media(reduced_motion=motion)
    page.goto(f"{address}/notebooks/results_fault.html")
    clip = page.locator("figure.moving video").first
    clip.scroll_into_view_if_needed()
    if motion == "no-preference":
        page.wait_for_function("video => video.currentTime > 0.3", arg=clip.element_handle())
    else:
        page.wait_for_timeout(1000)
        assert clip.evaluate("video => [video.paused, video.currentTime]") == [True, 0]
        clip.evaluate("video => video.play()")  # as its button does
    assert clip.evaluate("video => video.loop && video.controls && video.muted")
    assert page.wrong == []


def test_the_book_opens_from_a_file(page):
    """As `make book` proposes: without a server formulas are set and the next page opens."""
    page.goto((built() / "book" / "notation.html").as_uri())
    settle(page)
    assert page.locator("article .math mjx-container").count() > 10
    page.locator(".prev-next-footer a.right-next").click()
    page.wait_for_url("**/glossary.html")
    assert not [what for what in page.wrong if what.startswith(("outside", "script"))]


LIVE = "notebooks/12_reading_attention.html"


def live_figure(page, state):
    """Chapter 12's figure that answers, once it says this of itself."""
    page.locator(f"[data-live=when][data-state={state}]").wait_for()
    return page.locator("[data-live=when]")


def now(figure):
    """The shares that the table shows now, class by class."""
    rows = figure.locator("tbody tr")
    return dict(
        rows.evaluate_all("all => all.map(r => [r.cells[0].innerText, r.cells[2].innerText])")
    )


@pytest.mark.parametrize("served", [True, False], ids=["served", "a file"])
def test_the_network_answers_in_the_page_as_in_the_library(page, address, served):
    page.goto(f"{address}/{LIVE}" if served else (built() / LIVE).as_uri())
    figure = live_figure(page, "recorded")
    recorded = now(figure)
    assert len(recorded) >= 5
    figure.get_by_role("button", name="All 0").click()
    live_figure(page, "checked")
    assert float(figure.get_attribute("data-worst")) < 1e-3
    assert "differ from the library" in figure.locator(".live-state").inner_text()
    # the same answer when it is asked for by keys, frame after frame
    for slider in figure.locator("input[type=range]").all():
        slider.focus()
        page.keyboard.press("1")
    page.wait_for_function("f => f.dataset.answered === '1.0000'", arg=figure.element_handle())
    ones = now(figure)
    figure.get_by_role("button", name="All 1").click()
    page.wait_for_timeout(300)
    assert now(figure) == ones
    figure.get_by_role("button", name="Reset").click()
    assert now(figure) == recorded
    assert not [what for what in page.wrong if what.startswith(("outside", "script"))]
    assert served is False or page.wrong == []


def test_a_frames_weight_is_pulled_with_the_mouse_and_read_out(page, address):
    page.goto(f"{address}/{LIVE}")
    figure = live_figure(page, "recorded")
    wells, sliders = figure.locator(".live-well"), figure.locator("input[type=range]")
    wells.first.scroll_into_view_if_needed()
    boxes = [well.bounding_box() for well in wells.all()[:3]]
    middle = [(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.25) for box in boxes]
    page.mouse.move(*middle[0])
    page.mouse.down()
    for x, y in middle[1:]:
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    for slider in sliders.all()[:3]:  # one pull paints what it passes
        assert float(slider.input_value()) == pytest.approx(0.75, abs=0.03)
        assert "recorded" in slider.get_attribute("aria-valuetext")
    live_figure(page, "checked")
    assert "%" in figure.locator(".live-words[role=status]").inner_text()
    assert page.wrong == []


PAINTED = "notebooks/results_table3.html"


def painted_figure(page, state):
    """Table 3's figure, whose map is painted, once it says this of itself."""
    page.locator(f"[data-live=where][data-state={state}]").wait_for()
    return page.locator("[data-live=where]")


def under_the_brush(figure):
    """What is read out of the cell under the brush."""
    return figure.locator(".live-map input").get_attribute("aria-valuetext")


def pixel(figure):
    """The colour in the middle of the map's first cell, as it is drawn."""
    return figure.locator("canvas").evaluate(
        "c => [...c.getContext('2d').getImageData(5, 5, 1, 1).data]"
    )


@pytest.mark.parametrize("served", [True, False], ids=["served", "a file"])
def test_a_map_is_inverted_painted_by_keys_and_reset(page, address, served):
    page.goto(f"{address}/{PAINTED}" if served else (built() / PAINTED).as_uri())
    figure = painted_figure(page, "recorded")
    recorded, colour = now(figure), pixel(figure)
    assert figure.locator(".live-logit").count() == len(recorded) >= 5
    press = figure.get_by_role("button", name="Invert", exact=True)
    press.click()
    painted_figure(page, "checked")
    assert float(figure.get_attribute("data-worst")) < 1e-3
    inverted = now(figure)
    assert inverted != recorded
    assert pixel(figure) != colour
    assert "%" in figure.locator(".live-words[role=status]").inner_text()
    press.click()  # 1 − (1 − M_s)
    assert pixel(figure) == colour
    figure.get_by_role("button", name="All 0").click()
    cell = figure.locator(".live-map input")
    cell.focus()
    assert under_the_brush(figure).startswith("row 8, column 8: 0.00, recorded ")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "+", "+", "-"):
        page.keyboard.press(key)
    assert under_the_brush(figure).startswith("row 9, column 10: 0.10")
    page.keyboard.press("ArrowUp")  # a brush of 3 × 3 cells has painted here, too
    page.keyboard.press("ArrowUp")
    assert under_the_brush(figure).startswith("row 7, column 10: 0.00")
    whole = 0.1 * 9 / 14**2  # in every frame
    page.wait_for_function(
        "([f, mean]) => f.dataset.answered === mean", arg=[figure.element_handle(), f"{whole:.4f}"]
    )
    figure.get_by_role("button", name="Reset").click()
    assert now(figure) == recorded
    assert pixel(figure) == colour
    assert not [what for what in page.wrong if what.startswith(("outside", "script"))]
    assert served is False or page.wrong == []


def test_a_stroke_paints_every_cell_on_its_way_in_the_frame_that_is_seen(page, address):
    page.goto(f"{address}/{PAINTED}")
    figure = painted_figure(page, "recorded")
    figure.get_by_role("button", name="All 1").click()
    figure.get_by_role("button", name="Brush lowers").click()
    figure.get_by_label("Size of the brush").select_option("1 cell")
    figure.get_by_label("in every frame").uncheck()
    figure.locator("canvas").scroll_into_view_if_needed()
    box = figure.locator("canvas").bounding_box()
    side = box["width"] / 14
    first, tenth = (box["x"] + side / 2, box["x"] + 9.5 * side)
    page.mouse.move(first, box["y"] + side / 2)
    page.mouse.down()
    page.mouse.move(tenth, box["y"] + side / 2)  # ten cells in one move, and back over them
    page.mouse.move(first, box["y"] + side / 2)
    page.mouse.up()
    assert under_the_brush(figure).startswith("row 1, column 1: 0.50")
    mean = f"{1 - 0.5 * 10 / (16 * 14**2):.4f}"
    page.wait_for_function(
        "([f, mean]) => f.dataset.answered === mean", arg=[figure.element_handle(), mean]
    )
    figure.get_by_role("slider", name="Frame").press("ArrowRight")  # another frame is as it was
    assert under_the_brush(figure).startswith("row 1, column 1: 1.00")
    assert page.wrong == []


def test_frames_play_only_when_asked_and_a_finger_paints(browser, address):
    context = browser.new_context(viewport=PHONE, has_touch=True)
    page = context.new_page()
    page.goto(f"{address}/{PAINTED}")
    figure = painted_figure(page, "recorded")
    seen = figure.get_by_role("slider", name="Frame")
    first = seen.input_value()
    page.wait_for_timeout(700)
    assert seen.input_value() == first
    figure.get_by_role("button", name="Play").tap()
    page.wait_for_function("([s, first]) => s.value !== first", arg=[seen.element_handle(), first])
    figure.get_by_role("button", name="Pause").tap()
    figure.get_by_role("button", name="All 0").tap()
    figure.locator("canvas").tap()
    assert ": 0.50, recorded" in under_the_brush(figure)
    context.close()


@pytest.mark.parametrize("served", [True, False], ids=["served", "a file"])
def test_without_the_1_a_map_of_0_leaves_no_picture(page, address, served):
    """Chapter 2: M·f then answers the same whatever it is shown, (1 + M)·f does not."""
    chapter = "notebooks/02_abn_recap.html"
    page.goto(f"{address}/{chapter}" if served else (built() / chapter).as_uri())
    figure = page.locator("[data-live=picture]")
    said = []
    for picture in ("0", "1"):
        figure.get_by_label("Picture").select_option(picture)
        figure.get_by_role("button", name="All 0").click()
        page.locator("[data-live=picture][data-state=checked]").wait_for()
        page.wait_for_timeout(500)
        shares = figure.locator("tbody td > :first-child").all_inner_texts()
        said.append((shares[0::2], shares[1::2]))
    ((residual, gated), (other_residual, other_gated)) = said
    assert gated == other_gated
    assert residual != other_residual
    assert float(figure.get_attribute("data-worst")) < 1e-3
    assert not [what for what in page.wrong if what.startswith(("outside", "script"))]
    assert served is False or page.wrong == []


def test_without_webassembly_the_recorded_answer_stays_and_the_page_says_so(page, address):
    page.add_init_script("delete window.WebAssembly")
    page.goto(f"{address}/{LIVE}")
    figure = live_figure(page, "failed")
    assert "no WebAssembly" in figure.locator(".live-state").inner_text()
    assert len(now(figure)) >= 5
    assert figure.locator("input[type=range]:enabled").count() == 0


def test_without_scripts_a_figure_is_its_recorded_answer(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((built() / LIVE).as_uri())
    figure = page.locator("[data-live=when]")
    assert figure.locator("tbody tr").count() == 5
    assert figure.locator("img").evaluate("i => i.naturalWidth") > 0
    context.close()

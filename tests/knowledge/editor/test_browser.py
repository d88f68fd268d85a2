"""The editor in headless Chromium: mouse, fingers, typing, keys, what goes wrong."""

import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from stabn.knowledge.editor.editor import Editor
from stabn.knowledge.edits.edit import Draft
from tests import axe
from tests.knowledge.editor.bridged import Bridged, centre, drag, focus, shown
from tools import browser as chromium
from tools.steps import ROOT

pytestmark = pytest.mark.slow(30)

SHOTS = ROOT / "_build" / "screenshots"
LAPTOP, HALF, ZOOMED = (
    {"width": 1366, "height": 768}, {"width": 640, "height": 800}, {"width": 683, "height": 384}
)  # fmt: skip
PHONE = {"width": 390, "height": 844}
PATIENCE = 120_000  # ms; a slow machine is no fault of the page
EVIL = "<img src=x onerror=alert(1)>"
N = 24
ATTENTION = np.linspace(0.2, 0.8, N)
CLASSES = (f"Pushing {EVIL} down", "Lifting something", "Dropping something")


def pictures(n: int) -> np.ndarray:
    """Frames (n, 54, 96, 3): their red tells which frame it is, 10 more in each."""
    frames = np.zeros((n, 54, 96, 3), np.uint8)
    frames[..., 0] = 10 * np.arange(n)[:, None, None]
    return frames


def rescore(levels: np.ndarray) -> np.ndarray:
    if levels[0] == 1:
        raise RuntimeError("no features <b>here</b> in /srv/secret")
    strength = levels[4:9].mean()
    return np.array([0.2 + 0.6 * strength, 0.7 - 0.6 * strength, 0.1])


class Shown(Bridged):
    """An editor of a drawn video, and what it told.

    Attributes:
        changes: The levels after every change.
        heard: The commands.
    """

    def __init__(self, page: Page, n: int = N, **video):
        self.changes, self.heard = [], []
        base = {
            "sampled": range(0, n, 3),
            "spatial": np.linspace(0, 1, 12 * len(range(0, n, 3))).reshape(-1, 3, 4),
            "truth": CLASSES[0], "predicted": CLASSES[1], "classes": CLASSES,
            "rescore": rescore, "own": rescore(ATTENTION),
            "on_change": self.changed, "on_command": self.heard.append,
        }  # fmt: skip
        draft = Draft(np.linspace(0.2, 0.8, n))
        super().__init__(page, Editor(pictures(n), draft, **base | video))
        loaded = "() => [...document.querySelectorAll('.se-thumb img')].every(i => i.naturalWidth)"
        page.wait_for_function(loaded)
        self.agreed()

    def changed(self) -> None:
        self.changes.append(self.editor.draft.levels)
        self.editor.saved = f"saved, revision {len(self.changes)}"

    def quiet(self) -> None:
        """Wait until Python has answered everything and the scores are those of these levels."""
        root, scores = self.page.locator(".stabn-editor"), self.page.locator(".se-scores")
        expect(root).to_have_attribute("data-connection", "ready", timeout=PATIENCE)
        expect(scores).to_have_attribute("aria-busy", "false", timeout=PATIENCE)

    def agreed(self) -> list[float]:
        """The levels, once the page and Python have the same."""
        self.quiet()
        levels = [round(level, 2) for level in self.editor.draft.levels.tolist()]
        self.page.wait_for_function(
            """levels => String(levels) === String([...document.querySelectorAll('.se-slider')]
                 .map(slider => Number(slider.ariaValueNow)))""",
            arg=levels,
        )
        return levels

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = chromium.find(playwright)
        assert path, "no Chromium here: run `make browser`"
        running = playwright.chromium.launch(executable_path=path, args=chromium.FLAGS)
        yield running
        running.close()


@pytest.fixture
def show(browser) -> Iterator[Callable[..., Shown]]:
    """Opens editors, each on a page of its own; ``settings`` are the page's."""
    contexts, wrong = [], []

    def show(settings: dict | None = None, **video) -> Shown:
        contexts.append(context := browser.new_context(**{"viewport": LAPTOP} | (settings or {})))
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda m: m.type == "error" and wrong.append(f"console: {m.text}"))
        page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
        page.on("dialog", lambda dialog: (wrong.append("dialog"), dialog.dismiss()))
        return Shown(page, **video)

    yield show
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def it(show) -> Shown:
    """The editor, on a laptop's screen."""
    return show()


def edge(page: Page, frame: int) -> tuple[float, float]:
    """A place on the left edge of a frame's bar."""
    x, y = centre(page, ".se-slider", frame)
    left, _ = centre(page, ".se-slider", frame - 1)
    return (left + x) / 2, y


def choose(page: Page, word: str) -> None:
    page.locator(".se-colour", has_text=word).click()


def kernel(page: Page, *, alive: bool) -> None:
    """Tell the editor of its kernel, as the served page does."""
    say = """(editor, alive) =>
      editor.dispatchEvent(new CustomEvent("se-kernel", { detail: alive }))"""
    page.locator(".stabn-editor").evaluate(say, alive)


def probability(page: Page, row: int, when: str) -> float:
    cell = page.locator(f".se-scores tbody tr:nth-child({row}) td[data-when={when}]")
    return float(cell.inner_text())


def seen(page: Page) -> list[int]:
    """Which frames are seen large, by their colour a quarter and three quarters across."""
    reds = page.locator(".se-canvas").evaluate(
        """canvas => [0.25, 0.75].map(x => canvas.getContext("2d")
             .getImageData(x * canvas.width, canvas.height / 2, 1, 1).data[0])"""
    )
    return [round(red / 10) for red in reds]


class TestMouse:
    def test_a_bar_is_dragged_and_the_drag_is_one_step(self, it):
        start, page = it.agreed(), it.page
        drag(page, centre(page, ".se-slider", 5, 0.2), centre(page, ".se-slider", 5, 0.75))
        assert it.changes == []  # until the button is let go
        page.mouse.up()
        assert it.agreed() == [*start[:5], 0.75, *start[6:]]
        slider = page.get_by_role("slider", name="frame 5, level 0.75")
        expect(slider).to_have_attribute("aria-valuenow", "0.75")
        it.press("Control+z")
        assert it.agreed() == start
        assert not it.editor.draft.can_undo
        expect(page.locator(".se-saved")).to_have_text("saved, revision 2")

    def test_a_drag_along_the_bars_selects_however_the_hand_shakes(self, it):
        start, page = it.agreed(), it.page
        x, y = centre(page, ".se-slider", 5)
        to, _ = centre(page, ".se-slider", 11)
        page.mouse.move(x, y)
        page.mouse.down()
        for k in range(1, 31):
            page.mouse.move(x + (to - x) * k / 30, y + (-4, 3, 0)[k % 3])
            assert shown(page) == start
        page.mouse.up()
        expect(page.locator(".se-range")).to_have_text("Frames 5–11")
        assert it.agreed() == start
        it.press("1")
        assert it.agreed() == [*start[:5], *[1.0] * 7, *start[12:]]

    def test_a_click_on_a_bar_chooses_its_frame_and_changes_nothing(self, it):
        start, page = it.agreed(), it.page
        page.mouse.click(*centre(page, ".se-slider", 16, 0.9))
        expect(page.locator(".se-range")).to_have_text("Frame 16")
        assert it.agreed() == start
        width = page.locator(".se-colour").last.bounding_box()["width"]
        choose(page, "the action")  # does what its key does
        assert it.agreed() == [*start[:16], 1.0, *start[17:]]
        expect(page.locator(".stabn-editor")).to_have_attribute("data-tool", "select")
        it.press("Escape")
        choose(page, "the action")  # no frame is chosen: it is taken in hand
        expect(page.get_by_role("button", name="the action", pressed=True)).to_be_visible()
        assert page.locator(".se-colour").last.bounding_box()["width"] == width

    def test_a_level_in_hand_paints_the_frames_it_is_dragged_across(self, it):
        start, page = it.agreed(), it.page
        choose(page, "the action")
        expect(page.get_by_role("button", name="the action", pressed=True)).to_be_visible()
        drag(page, centre(page, ".se-thumb", 9), centre(page, ".se-slider", 3))
        page.mouse.up()
        painted = [*start[:3], *[1.0] * 7, *start[10:]]
        assert it.agreed() == painted
        page.locator(".se-button", has_text="Undo").click()
        assert it.agreed() == start
        it.press("Control+Shift+z")  # the click gave the keys back to the frames
        assert it.agreed() == painted
        page.locator(".se-button", has_text="Back to the network's").click()
        assert it.agreed() == start
        it.press("Escape")
        expect(page.get_by_role("button", name="the action", pressed=False)).to_be_visible()

    def test_frames_are_selected_and_then_given_a_level(self, it):
        start, page = it.agreed(), it.page
        drag(page, centre(page, ".se-thumb", 14), centre(page, ".se-thumb", 10))
        page.mouse.up()
        expect(page.locator(".se-range")).to_have_text("Frames 10–14")
        choose(page, "irrelevant")
        assert it.agreed() == [*start[:10], *[0] * 5, *start[15:]]
        assert it.editor.draft.can_undo
        expect(page.locator(".stabn-editor")).to_have_attribute("data-tool", "select")

    @pytest.mark.parametrize("frame", [0, 7, N - 1])
    def test_a_place_means_the_frame_that_is_drawn_there(self, it, frame):
        """Picture, bar and number of a frame lie over each other, and so does what a click does."""
        page = it.page
        for part in (".se-thumb", ".se-slider", ".se-index"):
            focus(page, 3)
            x, y = centre(page, part, frame, 0.02 if part == ".se-index" else 0.5)
            page.keyboard.down("Shift")  # on a bar as on a picture: choose
            page.mouse.click(x, y)
            page.keyboard.up("Shift")
            expect(page.locator(".se-current")).to_have_attribute("data-frame", str(frame))

    @pytest.mark.parametrize("n", [11, N, 48])
    def test_every_picture_is_whole_and_stands_for_its_frame(self, show, n):
        page = show(n=n).page
        boxes = [thumb.bounding_box() for thumb in page.locator(".se-thumb").all()]
        bar = page.locator(".se-slider").first.bounding_box()["width"]
        for frame, box in enumerate(boxes):
            assert box["width"] / box["height"] == pytest.approx(96 / 54, rel=0.02)
            assert box["width"] > (1.3 if n > 22 else 0.8) * bar
            for other in boxes[frame + 1 :]:
                beside = other["x"] - box["x"] - box["width"]
                above = abs(other["y"] - box["y"]) - box["height"]
                assert max(beside, above) >= 3, "room for the border around the picture"
        for frame in (0, 5, 6, n - 1):
            for share in (0.05, 0.95):  # near its left side, near its right
                box = boxes[frame]
                page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
                expect(page.locator(".se-current")).to_have_attribute("data-frame", str(frame))

    def test_a_long_videos_frames_are_made_larger_and_the_next_ones_too(self, show):
        it = show(n=120)
        small = it.page.locator(".se-thumb").nth(60).bounding_box()["width"]
        focus(it.page, 60)
        it.press("z")
        expect(it.page.get_by_role("button", name="Larger frames")).to_have_attribute(
            "aria-pressed", "true"
        )
        large = it.page.locator(".se-thumb").nth(60).bounding_box()
        assert large["width"] > 2.5 * small
        assert 0 <= large["x"] <= LAPTOP["width"] - large["width"], "it is still in view"
        draft = Draft(np.linspace(0.2, 0.8, 60))
        it.editor.show(pictures(60), draft, sampled=(0,), truth=CLASSES[0], predicted=CLASSES[1])
        expect(it.page.locator(".se-timeline")).to_have_attribute("data-large", "")
        it.page.get_by_role("button", name="Larger frames").click()
        again = it.page.locator(".se-thumb").nth(30).bounding_box()["width"]
        assert again < large["width"] / 1.5

    @pytest.mark.parametrize("n", [11, N, 120])
    def test_the_axis_stands_beside_the_bars(self, show, n):
        """Also where so many frames are scrolled to that a scroll bar stands below them."""
        page = show(n=n).page
        bars = page.locator(".se-slider").first.bounding_box()
        for place, share in ((0, 0), (1, 0.5), (2, 1)):
            label = page.locator(".se-axis span").nth(place).bounding_box()
            middle = label["y"] + label["height"] / 2
            assert middle == pytest.approx(bars["y"] + share * bars["height"], abs=1.5)

    def test_an_edge_is_dragged_with_both_its_frames_in_sight(self, it):
        page = it.page
        it.editor.draft.paint(6, 12, 1.0)
        it.editor.refresh()
        start = it.agreed()
        page.mouse.move(*edge(page, 13))
        assert seen(page) == [12, 13]
        drag(page, edge(page, 13), edge(page, 16))
        assert seen(page) == [15, 16]
        expect(page.locator(".se-counter")).to_have_text(f"frames 15 | 16 of 0–{N - 1}")
        page.mouse.up()
        assert it.agreed() == [*start[:13], 1.0, 1.0, 1.0, *start[16:]]
        drag(page, edge(page, 6), edge(page, 8))
        page.mouse.up()
        assert it.agreed() == [*start[:6], start[5], start[5], *[1.0] * 8, *start[16:]]
        it.press("Control+z", "Control+z")  # each was one step
        assert it.agreed() == start
        drag(page, edge(page, 6), edge(page, 9))
        page.mouse.move(*edge(page, 6))
        page.mouse.up()  # where it was: nothing
        assert it.agreed() == start
        assert len(it.changes) == 4

    @pytest.mark.parametrize("how", ["Escape", "pointercancel"])
    def test_a_drag_that_is_broken_off_leaves_nothing(self, it, how):
        start, page = it.agreed(), it.page
        choose(page, "the action")
        drag(page, centre(page, ".se-thumb", 2), centre(page, ".se-thumb", 6))
        assert shown(page)[2:7] == [1.0] * 5  # seen at once, without Python
        if how == "Escape":
            it.press("Escape")
        else:
            page.locator(".se-strip").dispatch_event("pointercancel")
        page.mouse.up()
        assert it.agreed() == start
        assert not it.editor.draft.can_undo

    def test_all_0_is_one_step(self, it):
        start = it.agreed()
        it.page.locator(".se-button", has_text="All 0").click()
        assert it.agreed() == [0] * N
        it.press("Control+z")
        assert it.agreed() == start

    def test_the_frame_under_the_mouse_is_seen_large(self, it):
        page = it.page
        focus(page, 4)
        page.mouse.move(*centre(page, ".se-thumb", 17))
        assert seen(page) == [17, 17]
        it.press("ArrowRight")  # keys count until the mouse moves again
        assert seen(page) == [5, 5]
        page.mouse.move(*centre(page, ".se-thumb", 18))
        assert seen(page) == [18, 18]
        page.mouse.move(5, 5)
        assert seen(page) == [5, 5]
        assert it.changes == []

    def test_a_click_at_the_side_chooses_one_frame(self, show):
        """It scrolls when the button is let go: before, other frames would come under the mouse."""
        page = show({"viewport": PHONE}, n=48).page
        box = page.locator(".se-slots").bounding_box()
        page.mouse.move(box["x"] + box["width"] - 25, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] - 26, box["y"] + 20)
        page.mouse.up()
        expect(page.locator(".se-range")).to_have_text(re.compile(r"^Frame \d+$"))
        expect(page.locator(".se-current")).not_to_have_attribute("data-frame", "0")

    def test_a_drag_held_still_at_the_side_scrolls_on(self, show):
        it = show({"viewport": PHONE}, n=48)
        page, slots = it.page, it.page.locator(".se-slots")
        box = slots.bounding_box()
        _, y = centre(page, ".se-thumb", 0)
        drag(page, centre(page, ".se-thumb", 0), (box["x"] + box["width"] - 6, y))
        page.wait_for_function(
            "() => (s => s.scrollLeft + s.clientWidth >= s.scrollWidth - 1)"
            "(document.querySelector('.se-slots'))"
        )
        expect(page.locator(".se-range")).to_have_text("Frames 0–47")
        page.mouse.up()


class TestTyping:
    def test_a_level_is_typed(self, it):
        page = it.page
        focus(page, 7)
        page.locator(".se-level").fill("0.33")
        it.press("Enter")
        assert it.agreed()[7] == 0.33
        assert it.heard == []  # Enter ended the typing, not the video
        page.locator(".se-level").fill("7")
        it.press("Enter")
        expect(page.locator(".se-banner")).to_have_text("A level is a number from 0 to 1.")
        assert it.agreed()[7] == 0.33

    def test_keys(self, it):
        start = it.agreed()
        focus(it.page, 4)
        it.press("ArrowUp")
        assert it.agreed()[4] == round(start[4] + 0.05, 2)
        it.press("Home", "5")
        assert it.agreed()[0] == 0.5
        it.press(*["Shift+ArrowRight"] * 4, "1")
        assert it.agreed()[:6] == [*[1.0] * 5, start[5]]
        it.press("ArrowLeft", "0")  # ends the selection: frame 3
        it.press("Home", *["Shift+ArrowRight"] * 3, "f")
        assert it.agreed()[:5] == [1.0, 0.67, 0.33, 0.0, 1.0]
        it.press("s")
        assert it.agreed()[:2] == [0.83, 0.67]
        it.press("End", "0")
        assert it.agreed()[-1] == 0
        it.press(*["Control+z"] * 3)
        assert it.agreed()[:5] == [1.0, 1.0, 1.0, 0.0, 1.0]
        it.press("Control+y")
        assert it.agreed()[:5] == [1.0, 0.67, 0.33, 0.0, 1.0]
        assert len(it.changes) == 11

    def test_page_keys_go_ten_frames_and_choose_them_with_shift(self, it):
        start = it.agreed()
        focus(it.page, 4)
        it.press("PageDown", "0")
        it.press("Shift+PageUp", "1")
        assert it.agreed() == [*start[:4], *[1.0] * 11, *start[15:]]
        it.press("PageUp", "PageUp", "0")  # no further than the first
        assert it.agreed()[0] == 0

    def test_every_level_has_the_key_that_its_button_shows(self, it):
        buttons = it.page.locator(".se-colour")
        focus(it.page, 0)
        for button in buttons.all():
            key = button.locator("kbd").inner_text()
            it.press(key)
            level = it.agreed()[0]
            assert button.inner_text().startswith(f"{level:g} ")
            assert f"{level:g}".endswith(key)  # 5 for 0.5
        assert buttons.count() == 3

    def test_sixty_frames_are_edited_in_49_strokes(self, show):
        """Nothing anywhere, the action in 20 to 39, four frames of context on both sides."""
        it = show(n=60)
        strokes = ["Shift+End", "0", "Home"]
        strokes += ["ArrowRight"] * 16 + ["Shift+ArrowRight"] * 3 + ["5"]
        strokes += ["ArrowRight"] + ["Shift+ArrowRight"] * 19 + ["1"]
        strokes += ["ArrowRight"] + ["Shift+ArrowRight"] * 3 + ["5"]
        focus(it.page, 0)
        it.press(*strokes)
        wanted = [0] * 16 + [0.5] * 4 + [1] * 20 + [0.5] * 4 + [0] * 16
        assert it.agreed() == wanted
        assert len(strokes) == 49

    def test_a_button_with_the_focus_lets_the_keys_work(self, it):
        start = it.agreed()
        it.page.get_by_role("button", name="context").focus()
        it.press("0")
        assert it.agreed() == [0, *start[1:]]
        it.page.locator(".se-speed").focus()
        it.press("1")
        assert it.agreed() == [1.0, *start[1:]]
        focus(it.page, 3)
        it.press("Enter")
        it.quiet()
        assert it.heard == ["next"]

    def test_enter_goes_on_after_a_click_on_a_button(self, it):
        start, page = it.agreed(), it.page
        focus(page, 3)
        it.press("1")
        for _ in range(2):  # the second time there is nothing to undo any more
            page.locator(".se-button", has_text="Undo").click(force=True)
            expect(page.locator(".se-current .se-slider")).to_be_focused()
            assert it.agreed() == start
        it.press("Enter")
        it.quiet()
        assert it.heard == ["next"]

    def test_enter_is_refused_until_the_video_can_have_been_seen(self, it):
        page = it.page
        ready = page.locator(".stabn-editor[data-connection=ready]")
        page.evaluate("() => { window.now = 1000; Date.now = () => window.now; }")
        video = {"sampled": [0], "truth": "A", "predicted": "B", "on_command": it.heard.append}
        it.editor.show(pictures(8), Draft([0.5] * 8), **video)
        expect(page.locator(".se-cell")).to_have_count(8)
        page.wait_for_function("() => document.querySelector('.se-thumb img').naturalWidth")
        next_video, said = page.get_by_role("button", name="Next video"), page.locator(".se-saved")
        page.locator(".se-slider").first.focus()
        for ignored in (lambda: it.press("Enter"), next_video.click):
            ignored()
            expect(said).to_contain_text("Too quick: look at this video first")
        page.evaluate("window.now = 1701")
        it.press("Enter")
        expect(ready).to_be_visible()
        assert it.heard == ["next"]
        it.editor.show(pictures(9), Draft([0.5] * 9), **video)
        expect(page.locator(".se-cell")).to_have_count(9)
        it.press("Enter")
        expect(said).to_contain_text("Too quick")
        it.press("ArrowRight", "Enter")  # who does something has seen it
        expect(ready).to_be_visible()
        assert it.heard == ["next", "next"]
        expect(said).not_to_contain_text("Too quick")


class TestWatching:
    def clock(self, page: Page) -> Callable[[float], int]:
        """A clock that only the test moves, to a second; what returns is the frame seen then."""
        page.evaluate(
            """() => { window.frame = null; window.clock = 0; performance.now = () => window.clock;
              window.requestAnimationFrame = f => { window.frame = f; return 1; }; }"""
        )

        def at(second: float) -> int:
            page.evaluate("s => { window.clock = 1000 * s; window.frame(window.clock); }", second)
            return int(page.locator(".se-scrub").input_value())

        return at

    def test_it_plays_and_shows_where_the_network_looks(self, it):
        page, words = it.page, it.page.locator(".se-overlay-words")
        start = it.agreed()
        focus(page, 4)
        it.press("w")
        expect(words).to_have_text("attention at frame 3, the nearest one that the network saw")
        it.press("ArrowLeft")
        expect(words).to_have_text("attention at frame 3")
        it.press("Space")
        expect(page.locator(".se-play")).to_contain_text("Pause")
        page.wait_for_function("() => Number(document.querySelector('.se-scrub').value) > 5")
        it.press("Space")
        expect(page.locator(".se-play")).to_contain_text("Play")
        stopped = page.locator(".se-scrub").input_value()
        expect(page.locator(".se-current")).to_have_attribute("data-frame", stopped)
        it.press("w")
        expect(words).to_have_text("")
        assert it.agreed() == start

    @pytest.mark.parametrize(("speed", "seconds"), [("0.25", 8), ("0.5", 4), ("1", 2), ("2", 1)])
    def test_it_plays_at_the_videos_rate_times_the_speed(self, show, speed, seconds):
        it = show(n=48, fps=24.0)
        page = it.page
        page.locator(".se-speed").select_option(speed)
        at = self.clock(page)
        focus(page, 0)
        it.press("l", "Space")  # once, not in a loop
        assert at(0) == 0
        assert at(seconds / 2 + 0.001) == 24
        assert at(seconds - 0.001) == 47
        assert at(seconds + 0.001) == 47
        expect(page.locator(".se-play")).to_contain_text("Play")

    def test_speed_and_loop_have_keys_and_stay_for_the_next_video(self, it):
        page = it.page
        focus(page, 0)
        it.press("<", "l")
        it.editor.show(pictures(8), Draft([0.5] * 8), sampled=[0], truth="A", predicted="B")
        expect(page.locator(".se-cell")).to_have_count(8)
        expect(page.locator(".se-speed")).to_have_value("0.5")
        expect(page.get_by_role("button", name="Loop", pressed=False)).to_be_visible()
        it.press(">", ">", ">")
        expect(page.locator(".se-speed")).to_have_value("2")

    def test_what_is_marked_while_it_plays_is_selected(self, it):
        page, start = it.page, it.agreed()
        focus(page, 2)
        at = self.clock(page)
        it.press("Space")
        assert at(0.5) == 8  # at 12 frames a second, from 2 on
        it.press("i")
        expect(page.locator(".se-in")).to_have_attribute("data-frame", "8")
        assert at(1.0) == 14
        it.press("o")
        expect(page.locator(".se-play")).to_contain_text("Play")
        expect(page.locator(".se-range")).to_have_text("Frames 8–14")
        expect(page.locator(".se-in")).to_have_count(0)
        it.press("1")
        assert it.agreed() == [*start[:8], *[1.0] * 7, *start[15:]]

    def test_a_key_held_while_it_plays_paints_what_passes(self, it):
        page, start = it.page, it.agreed()
        focus(page, 3)
        at = self.clock(page)
        it.press("Space")
        assert at(0.5) == 9
        page.keyboard.down("1")
        assert at(1.0) == 15
        assert it.changes == []  # until it is let go
        assert shown(page) == [*start[:9], *[1.0] * 7, *start[16:]]
        page.keyboard.up("1")
        assert at(1.25) == 18
        assert it.agreed() == [*start[:9], *[1.0] * 7, *start[16:]]
        assert len(it.changes) == 1
        it.press("Control+z")
        assert it.agreed() == start

    def test_what_a_held_key_paints_does_not_go_round_with_the_loop(self, it):
        page, start = it.page, it.agreed()
        focus(page, 18)
        at = self.clock(page)
        it.press("Space")
        assert at(0.1) == 19
        page.keyboard.down("0")
        assert at(0.45) == 23
        assert at(0.6) == 1  # the loop begins anew
        assert it.agreed() == [*start[:19], *[0] * 5]
        page.keyboard.up("0")
        assert len(it.changes) == 1


def place(page: Page, part: str) -> float:
    """How far below the editor's upper edge a part of it begins, in pixels."""
    top = page.locator(".stabn-editor").bounding_box()["y"]
    return page.locator(part).bounding_box()["y"] - top


PARTS = (".se-head", ".se-tools", ".se-scores", ".se-strip", ".se-summary")


class TestSaid:
    def test_the_next_video_takes_the_same_place_and_the_focus_stays(self, it):
        page, before = it.page, it.editor.draft
        focus(page, 20)
        it.press("Escape")
        choose(page, "the action")  # which is put down again: no click in a new video paints
        it.editor.show(pictures(8), Draft([0.5] * 8), sampled=[0, 4], truth="A", predicted="B")
        expect(page.locator(".se-cell")).to_have_count(8)
        expect(page.locator(".stabn-editor")).to_have_attribute("data-tool", "select")
        expect(page.locator(".se-next")).to_have_count(0)  # nobody would hear of it
        expect(page.locator(".se-cell[data-frame='0'] .se-slider")).to_be_focused()
        it.press("1")
        page.wait_for_function("() => document.querySelector('[data-connection=ready]')")
        assert shown(page) == it.editor.draft.levels.tolist() == [1.0, *[0.5] * 7]
        assert before.levels[0] == 0.2

    def test_probabilities_follow_the_edit(self, it):
        page = it.page
        change = page.locator(".se-change")
        assert probability(page, 1, "before") == 0.41
        expect(page.locator('.se-scores [data-when="after"]')).to_have_text(["–"] * 3)
        expect(change).to_have_text(f"True class 0.41; the answer is “{CLASSES[1]}” (wrong)")
        places = [place(page, part) for part in PARTS]
        choose(page, "the action")
        drag(page, centre(page, ".se-thumb", 4), centre(page, ".se-thumb", 8))
        page.mouse.up()
        it.quiet()
        assert probability(page, 1, "before") == 0.41
        assert probability(page, 1, "after") == 0.8
        assert probability(page, 2, "after") == 0.1
        after = [place(page, part) for part in PARTS]
        assert after == pytest.approx(places), "nothing moves under the hand of who edits"
        expect(page.locator(".se-summary")).to_contain_text("0.41 before, 0.80 after")
        expect(change).to_have_text(
            f"True class 0.41 → 0.80; the answer becomes “{CLASSES[0]}” (right)"
        )

    def test_texts_are_texts_and_tell_nothing_of_the_machine(self, it):
        """Neither a class nor an exception's message becomes part of the page."""
        page = it.page
        expect(page.locator(".se-truth")).to_have_text(CLASSES[0])
        expect(page.locator(".se-name").first).to_have_text(CLASSES[0])
        focus(page, 0)
        it.press("1")
        problem = page.locator(".se-problem")
        expect(problem).to_have_text("Could not be computed (RuntimeError; the log says more)")
        assert page.locator(".stabn-editor img[onerror], .stabn-editor b").count() == 0
        assert "secret" not in page.content()

    def test_what_failed_is_never_called_saved(self, show):
        def fail() -> None:
            raise OSError("/srv/edits.sqlite: disk full")

        it = show(on_change=fail)
        it.editor.saved = "saved, revision 1"
        focus(it.page, 0)
        it.press("5")
        expect(it.page.locator(".se-saved")).to_have_text("not saved")
        expect(it.page.locator(".se-banner")).to_contain_text("may not have been kept (OSError;")
        assert "srv" not in it.page.content()

    def test_every_frame_is_there_and_marked(self, it):
        page, cells = it.page, it.page.locator(".se-cell")
        expect(cells).to_have_count(N)
        expect(cells.nth(6)).to_have_attribute(
            "title", "frame 6, seen by the network; its attention 0.36"
        )
        assert cells.nth(6).locator("svg").count() == 1
        assert cells.nth(7).locator("svg").count() == 0
        for text in ("Undo", "Redo", "Fill", "Smooth", "Next video", "Play"):
            assert page.get_by_role("button", name=text).count() == 1
        page.get_by_role("button", name="list of keys").click()
        expect(page.locator(".se-help")).to_be_visible()
        for text in ("to 1: the action", "to 0.5: context", "to 0: irrelevant"):
            expect(page.locator(".se-help")).to_contain_text(text)
        it.press("?")
        expect(page.locator(".se-help")).to_be_hidden()

    def test_the_truth_is_drawn_when_there_is_one(self, it):
        line = it.page.locator(".se-truth-line .se-stroke")
        entry = it.page.locator("li", has_text="the truth")
        expect(entry).to_be_hidden()
        expect(line).to_have_attribute("d", "")
        it.editor.true_levels = [0.0] * 22 + [0.5, 1.0]
        expect(entry).to_be_visible()
        expect(line).to_be_visible()
        assert line.get_attribute("d").endswith("21 1 22 1 22 0.5 23 0.5 23 0 24 0")

    def test_nothing_moves(self, it):
        """Whatever is said about saving, however long the summary, with the list of keys open."""
        page = it.page
        it.editor.saved = "not changed yet; a little longer"
        expect(page.locator(".se-saved")).to_contain_text("longer")
        places = [place(page, part) for part in PARTS]
        focus(page, 3)
        for key in ("1", "?", "Shift+End", "5", "Escape", "Escape", "Home", "ArrowUp"):
            it.press(key)
            it.quiet()
            assert [place(page, part) for part in PARTS] == pytest.approx(places), key
        expect(page.locator(".se-help")).to_be_hidden()  # the first Escape closed it
        expect(page.locator(".se-saved")).to_contain_text("saved, revision 3")

    def test_a_page_whose_kernel_is_gone_refuses_keys_in_sight(self, show):
        it = show({"viewport": ZOOMED})
        page, start = it.page, it.agreed()
        focus(page, 20)
        it.dead = True
        kernel(page, alive=False)
        banner = page.locator(".se-banner")
        for step in ("1", "Control+z", "s"):
            it.press(step)
            expect(banner).to_be_in_viewport(ratio=1)
            assert shown(page) == start
        drag(page, centre(page, ".se-slider", 21), centre(page, ".se-slider", 21, 0.9))
        assert shown(page) == start
        page.mouse.up()
        expect(banner).to_contain_text("Not connected: the program behind this page")
        assert "not saved" not in banner.inner_text()  # nothing was lost
        expect(page.locator(".se-saved")).to_have_text("not connected")
        it.dead = False
        kernel(page, alive=True)  # it was the network
        expect(banner).to_be_hidden()
        it.press("1")
        assert it.agreed()[20] == 1.0


class TestScreens:
    @pytest.mark.parametrize("n", [11, N, 48, 70])
    def test_everything_is_on_one_screen_of_a_laptop(self, show, n):
        it = show(n=n)
        lowest = it.page.locator(".stabn-editor").bounding_box()
        assert lowest["y"] + lowest["height"] <= LAPTOP["height"] - 110  # the page's own buttons
        for part in (*PARTS, ".se-canvas", ".se-play", ".se-colour:last-of-type"):
            expect(it.page.locator(part).first).to_be_in_viewport(ratio=1)

    @pytest.mark.parametrize("size", [LAPTOP, HALF, ZOOMED, PHONE], ids=str)
    def test_the_frame_with_the_focus_and_its_picture_are_in_view(self, show, size):
        it = show({"viewport": size}, n=70)
        page = it.page

        def looked_at() -> None:
            expect(page.locator(".se-current .se-slider")).to_be_focused()
            expect(page.locator(".se-current .se-slider")).to_be_in_viewport(ratio=0.9)
            expect(page.locator(".se-current .se-thumb")).to_be_in_viewport(ratio=0.9)
            expect(page.locator(".se-canvas")).to_be_in_viewport(ratio=0.9)
            head = ".se-truth" if size is LAPTOP else ".se-caption"  # what it is about
            expect(page.locator(head)).to_be_in_viewport(ratio=1)
            covered = page.evaluate(
                """() => { const box = document.activeElement.getBoundingClientRect();
                  return !document.elementFromPoint((box.left + box.right) / 2,
                    (box.top + box.bottom) / 2).closest(".se-current"); }"""
            )
            assert not covered

        focus(page, 0)
        for key in ("End", "Home", "End"):
            it.press(key)
            looked_at()
        page.mouse.wheel(0, -5000)
        page.wait_for_function("scrollY === 0")  # it comes after a while
        it.editor.show(pictures(60), Draft([0.5] * 60), sampled=[0], truth="A", predicted="B")
        expect(page.locator(".se-cell")).to_have_count(60)
        looked_at()

    def test_a_finger_marks_along_the_frames_and_scrolls_across_them(self, show):
        it = show({"viewport": PHONE, "has_touch": True, "is_mobile": True})
        page, start = it.page, it.agreed()
        touch = page.context.new_cdp_session(page)

        def swipe(by: tuple[int, int]) -> None:
            x, y = centre(page, ".se-thumb", 5)
            for kind, step in [("touchStart", 0), *[("touchMove", k) for k in range(1, 11)]]:
                at = {"x": x + by[0] * step / 10, "y": y + by[1] * step / 10}
                touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [at]})
            touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

        choose(page, "irrelevant")
        before = page.evaluate("scrollY")
        swipe((0, -150))
        page.wait_for_function(f"scrollY > {before} + 50")
        assert it.agreed() == start
        swipe((120, 0))
        levels = it.agreed()
        zeros = [frame for frame, level in enumerate(levels) if level == 0]
        assert zeros[0] == 5
        assert zeros == list(range(5, 5 + len(zeros)))
        assert len(zeros) > 3

    def test_forced_colours_keep_bars_and_the_scale_of_colours(self, show):
        page = show({"forced_colors": "active"}).page
        for part, name in ((".se-bar", "backgroundColor"), (".se-colours", "backgroundImage")):
            look = page.locator(part).first.evaluate(f"node => getComputedStyle(node).{name}")
            assert look not in ("none", "rgba(0, 0, 0, 0)", "rgb(255, 255, 255)"), part

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_it_can_be_read_and_fits(self, show, scheme):
        it = show({"color_scheme": scheme})
        page, editor = it.page, it.page.locator(".stabn-editor")
        focus(page, 2)
        it.press("Shift+ArrowRight")
        expect(editor).to_have_attribute("data-theme", scheme)
        axe.load(page)
        assert axe.violations(page) == []
        assert axe.pale(page) == []
        for name, size in (
            ("laptop", LAPTOP),
            ("half", HALF),
            ("zoomed", ZOOMED),
            ("phone", PHONE),
        ):
            page.set_viewport_size(size)
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
            assert page.evaluate(STICKS_OUT) == []
            page.screenshot(path=SHOTS / f"editor_{scheme}_{name}.png")


STICKS_OUT = """() => {
  const right = document.querySelector('.stabn-editor').getBoundingClientRect().right;
  return [...document.querySelectorAll('.stabn-editor *')]
    .filter(node => node.checkVisibility() && !node.closest(".se-hidden, .se-strip")
      && node.getBoundingClientRect().right > right + 1)
    .map(node => `${node.tagName} ${node.className}`);
}"""

"""A reader's own video in the built page: read as the library reads it, or refused in words."""

import base64
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from matplotlib import colormaps
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from stabn.data.sampling import segment_indices
from stabn.data.transforms import eval_transform
from stabn.data.video import read_frames
from stabn.explain import explain
from stabn.training.checkpoint import load_trained
from tests import axe
from tests.own_videos import LOSSLESS, encoded, moving, unpacked
from tests.visitor import PHONE, come, offline, serving
from tools.built import built

pytestmark = pytest.mark.slow(90)

OWN = "notebooks/your_own_video.html"
HIDDEN = """hidden => {
    Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden});
    document.dispatchEvent(new Event('visibilitychange'));
}"""
# every line that is said of a file, and how often a player is sent somewhere
WATCHED = """
    window.said = []; window.seeks = 0;
    new MutationObserver(() => {
      const line = document.querySelector('.live-yours p')?.textContent;
      if (line && line !== said.at(-1)) said.push(line);
    }).observe(document, {subtree: true, childList: true, characterData: true});
    const {get, set} = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'currentTime');
    Object.defineProperty(HTMLMediaElement.prototype, 'currentTime',
      {get, set(to) { seeks += 1; set.call(this, to); }});
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, offline(playwright) as running:
        yield running


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(built()) as address:
        yield address


def arrived(browser: Browser) -> Page:
    """A visitor of the page, from a file."""
    page = come(browser)
    page.add_init_script(WATCHED)
    page.goto((built() / OWN).as_uri())
    page.locator("[data-live=own][data-state]").wait_for()
    page.wrong.clear()  # from a file, the theme's fonts are not preloaded
    return page


@pytest.fixture(scope="module")
def reader(browser) -> Iterator[Page]:
    """One who gives it video after video: the network is loaded once."""
    page = arrived(browser)
    yield page
    page.context.close()


@pytest.fixture
def page(reader) -> Page:
    reader.wrong.clear()
    reader.evaluate("said.length = 0; seeks = 0")
    return reader


@pytest.fixture
def newcomer(browser) -> Iterator[Page]:
    page = arrived(browser)
    yield page
    page.context.close()


@pytest.fixture
def webm(tmp_path) -> Path:
    """Where a video goes; each has another name."""
    return tmp_path / f"{tmp_path.name}.webm"


def give(page: Page, *paths: Path, until: str = "shown") -> Locator:
    """The figure, once it has taken the last of these files, or refused it."""
    for path in paths:
        page.locator(".live-yours input").set_input_files(path)
    name = paths[-1].name
    page.locator(f".live-yours[data-video={until}]", has_text=name).wait_for()
    return page.locator("[data-live=own]")


def numbers(figure: Locator) -> list[int]:
    return [int(text) for text in figure.locator(".live-number").all_inner_texts()]


def read(figure: Locator) -> np.ndarray:
    """What the network read, uint8 (T, S, S, 3): the pictures above the bars."""
    picture = figure.locator(".live-picture").first
    return unpacked(picture.evaluate("picture => picture.style.backgroundImage"))


def shares(figure: Locator) -> dict[str, float]:
    """Class → its probability now."""
    rows = figure.locator("tbody tr")
    found = rows.evaluate_all("all => all.map(r => [r.cells[0].innerText, r.cells[2].innerText])")
    return {name: float(share.rstrip(" %")) / 100 for name, share in found}


VIDEOS = {  # frames, height, width, frames a second
    "landscape": (48, 90, 128, "24"),
    "a frame begins in the middle of every segment": (64, 72, 96, "30"),
    "portrait": (37, 128, 90, "25"),
    "television": (50, 57, 80, "30000/1001"),
    "fewer frames than a clip": (5, 64, 64, "10"),
    "smaller than the network reads": (20, 40, 48, "12"),
}


@pytest.mark.parametrize("name", VIDEOS)
def test_frames_and_pixels_are_the_librarys(page, webm, name):
    count, height, width, fps = VIDEOS[name]
    path = encoded(webm, moving(count, height, width), fps, *LOSSLESS)
    figure = give(page, path)
    config = load_trained("mini_st_abn").config
    expected = segment_indices(count, config.num_frames)
    assert numbers(figure) == expected.tolist()
    transform = eval_transform(config.image_size, short_side=config.short_side)
    clip, _ = transform(read_frames(path, expected))  # (3, T, S, S)
    far = np.abs(read(figure).astype(int) - clip.permute(1, 2, 3, 0).numpy())
    assert far.max() <= 1
    assert page.wrong == []


@pytest.mark.parametrize("served", [True, False], ids=["served", "a file"])
def test_the_network_answers_as_stabn_explain_does(newcomer, address, webm, served):
    page = newcomer
    if served:
        page.goto(f"{address}/{OWN}")
        page.locator("[data-live=own][data-state]").wait_for()
    path = encoded(webm, moving(48, 72, 96), "24", *LOSSLESS)
    figure = give(page, path)
    expected = explain(path, load_trained("mini_st_abn"))
    found = shares(figure)
    assert next(iter(found)) == expected.predictions[0][0]
    for name, probability in expected.predictions:
        assert found[name] == pytest.approx(probability, abs=0.02)
    sliders = figure.locator("input[type=range]")
    weights = [float(slider.input_value()) for slider in sliders.all()]
    np.testing.assert_allclose(weights, expected.temporal, atol=0.02)
    colours = figure.locator(".live-heated canvas").evaluate_all(
        "all => all.map(c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data])"
    )
    found_map = np.reshape(colours, (*expected.spatial.shape, 4))[..., :3]
    far = np.abs(found_map - 255 * colormaps["viridis"](expected.spatial)[..., :3])
    assert far.mean() < 8  # of 255; the page's ramp is of straight pieces
    figure.get_by_label("M_s over the frames").uncheck()
    assert not figure.locator(".live-picture canvas").first.is_visible()
    # and goes on answering
    figure.get_by_role("button", name="All 0").click()
    page.wait_for_function("f => f.dataset.answered === '0.0000'", arg=figure.element_handle())
    figure.get_by_role("button", name="Reset").click()
    assert shares(figure) == found
    assert page.wrong == []


def test_a_compressed_video_is_read_nearly_so(page, webm):
    """Browser and library turn its colours into RGB by roundings of their own."""
    frames = moving(48, 72, 96)
    path = encoded(webm, frames, "24", "-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p")
    figure = give(page, path)
    expected = explain(path, load_trained("mini_st_abn"))
    assert numbers(figure) == expected.frame_indices.tolist()
    assert next(iter(shares(figure))) == expected.predictions[0][0]


REFUSED = {
    "no video": ("notes.mp4", None, "no video that a browser knows"),
    "a codec that browsers lack": ("old.mp4", ["-c:v", "mpeg4"], "lacks the codec.*ffmpeg -i old"),
    "sound alone": ("song.wav", ["-f", "wav"], "no picture to play.*ffmpeg"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_played_is_refused_in_words_and_the_figure_stays(page, tmp_path, what):
    name, codec, words = REFUSED[what]
    path = tmp_path / name
    if codec is None:
        path.write_text("a shopping list")
    elif name.endswith(".wav"):
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "lavfi"]
        subprocess.run([*command, "-i", "sine=duration=1", path], check=True)
    else:
        encoded(path, moving(16, 48, 64), "24", *codec)
    before = page.locator("[data-live=own] tbody").inner_text()
    figure = give(page, path, until="refused")
    assert re.search(words, figure.locator(".live-yours").inner_text())
    assert figure.locator("tbody").inner_text() == before
    assert name not in figure.locator("select").inner_text()
    assert page.wrong == []


def test_a_damaged_video_is_refused_or_shown_and_never_waited_for_in_vain(page, webm):
    path = encoded(webm, moving(48, 72, 96), "24", *LOSSLESS)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) // 2))
    page.locator(".live-yours input").set_input_files(path)
    ended = ".live-yours:is([data-video=refused], [data-video=shown])"
    page.locator(ended, has_text=path.name).wait_for()


def test_a_video_of_one_frame_shows_it_again_and_says_so(page, webm):
    path = encoded(webm, moving(1, 64, 64), "25", *LOSSLESS)
    figure = give(page, path)
    assert set(numbers(figure)) == {0}
    assert "one frame. Fewer than a clip has" in figure.locator(".live-yours").inner_text()
    seen = read(figure)
    assert (seen == seen[0]).all()


def test_of_ten_minutes_only_the_frames_needed_are_asked_for(page, tmp_path):
    path = tmp_path / "long.webm"
    source = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=15:duration=600"]
    codec = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error"]
    subprocess.run([*command, *source, *codec, path], check=True)
    figure = give(page, path)
    assert numbers(figure) == segment_indices(9000, 16).tolist()
    assert [f"long.webm: Reading frame {t} of 16 …" for t in range(1, 17)] == [
        line for line in page.evaluate("said") if "Reading frame" in line
    ]
    assert page.evaluate("seeks") <= 16 + 20  # 20: to learn how many frames there are


def test_a_second_video_takes_the_place_of_one_that_is_being_read(newcomer, tmp_path):
    page = newcomer
    first, second = (
        encoded(tmp_path / f"{name}.webm", moving(count, 72, 96), "24", *LOSSLESS)
        for name, count in (("first", 48), ("second", 20))
    )
    figure = give(page, first, second)
    assert figure.locator("select option").all_inner_texts()[1:] == ["second.webm"]
    page.wait_for_timeout(1500)  # the first does not come after all
    assert figure.locator("select option").count() == 2
    assert numbers(figure) == segment_indices(20, 16).tolist()
    # one after another, both can be gone back to
    give(page, first)
    assert figure.locator("select option").all_inner_texts()[1:] == ["second.webm", "first.webm"]
    figure.locator("select").select_option(label="second.webm")
    assert numbers(figure) == segment_indices(20, 16).tolist()
    assert page.wrong == []


def test_a_tab_out_of_sight_waits_and_goes_on(page, webm):
    path = encoded(webm, moving(20, 64, 64), "10", *LOSSLESS)
    page.evaluate(HIDDEN, True)
    figure = give(page, path, until="reading")
    figure.locator(".live-yours", has_text="Waiting").wait_for()
    page.evaluate(HIDDEN, False)
    page.locator(".live-yours[data-video=shown]", has_text=path.name).wait_for()
    assert numbers(figure) == segment_indices(20, 16).tolist()


def test_without_webassembly_a_video_is_refused_in_words(browser, webm):
    page = come(browser)
    page.add_init_script("delete window.WebAssembly")
    page.goto((built() / OWN).as_uri())
    path = encoded(webm, moving(16, 64, 64), "10", *LOSSLESS)
    figure = give(page, path, until="refused")
    assert "no WebAssembly" in figure.locator(".live-yours").inner_text()
    assert len(shares(figure)) == 5  # the recorded answer
    page.context.close()


def test_a_file_is_dropped_anywhere_and_chosen_by_keys(newcomer, webm):
    page = newcomer
    path = encoded(webm, moving(16, 64, 64), "10", *LOSSLESS)
    content = base64.b64encode(path.read_bytes()).decode()
    files = page.evaluate_handle(
        """async content => {
            const files = new DataTransfer();
            const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
            files.items.add(new File([bytes], 'dropped.webm'));
            return files;
        }""",
        content,
    )
    page.dispatch_event("body", "dragover", {"dataTransfer": files})
    page.dispatch_event("body", "drop", {"dataTransfer": files})
    page.locator(".live-yours[data-video=shown]", has_text="dropped.webm").wait_for()
    # whether the chooser opens is the browser's affair: a gesture counts for some seconds only
    picker = page.locator("[data-live=own] input[type=file]")
    picker.evaluate(
        """input => input.addEventListener("click", (event) => {
            event.preventDefault();
            input.dataset.asked = "yes";
        })"""
    )
    page.get_by_role("button", name="Your video").focus()
    page.keyboard.press("Enter")
    page.locator("input[type=file][data-asked=yes]").wait_for(state="attached")
    picker.set_input_files(path)
    page.locator(".live-yours[data-video=shown]", has_text=path.name).wait_for()
    assert page.url == (built() / OWN).as_uri()


def test_all_of_it_can_be_read_and_heard(page, webm, tmp_path):
    figure = give(page, encoded(webm, moving(16, 64, 64), "10", *LOSSLESS))
    assert "went nowhere" in figure.locator(".live-yours [role=status]").inner_text()
    assert "%" in figure.locator(".live-words[role=status]").inner_text()
    assert "true" not in figure.locator(".live-words").inner_text()  # nobody knows the truth
    path = tmp_path / "list.mp4"
    path.write_text("a shopping list")
    give(page, path, until="refused")
    axe.load(page)
    assert axe.violations(page) == []
    page.set_viewport_size(PHONE)
    for theme in ("light", "dark"):
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        page.wait_for_timeout(300)
        assert axe.pale(page) == [], theme
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0

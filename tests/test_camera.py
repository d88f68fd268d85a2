"""Seconds of a reader's camera in the page, from a file: Chromium's own fake camera."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Locator, Page, sync_playwright

from stabn.data.sampling import segment_indices
from tests import axe
from tests.own_videos import LOSSLESS, encoded, moving, unpacked
from tests.visitor import come, offline
from tools.built import built

pytestmark = pytest.mark.slow(60)

OWN = "notebooks/your_own_video.html"
LEAVE, DEVICE = "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"
# every stream that the page was lent
WATCHED = """
    window.streams = [];
    const devices = navigator.mediaDevices;
    if (devices) {
      const lend = devices.getUserMedia.bind(devices);
      devices.getUserMedia = async (wanted) => {
        const stream = await lend(wanted);
        streams.push(stream);
        return stream;
      };
    }
"""


@contextmanager
def visit(*flags: str, script: str = WATCHED) -> Iterator[Page]:
    """A reader of the page, in a browser with these flags."""
    with sync_playwright() as playwright, offline(playwright, *flags) as browser:
        page = come(browser)
        page.add_init_script(script)
        page.goto((built() / OWN).as_uri())
        page.locator("[data-live=own][data-state]").wait_for()
        page.wrong.clear()  # from a file, the theme's fonts are not preloaded
        yield page


def record(page: Page, until: str) -> Locator:
    """Press the button, and wait for the end."""
    page.get_by_role("button", name="Record 3 seconds").click()
    page.locator(f".live-yours[data-video={until}]", has_text="camera").wait_for()
    return page.locator(".live-yours [role=status]")


def test_the_camera_is_asked_for_after_the_click_and_let_go_of(tmp_path):
    with visit(LEAVE, DEVICE) as page:
        assert page.evaluate("streams.length") == 0
        told = record(page, "shown").inner_text()
        assert "went nowhere" in told
        count = int(told.split("camera 1: ")[1].split()[0])
        figure = page.locator("[data-live=own]")
        numbers = [int(text) for text in figure.locator(".live-number").all_inner_texts()]
        assert numbers == segment_indices(count, 16).tolist()
        picture = figure.locator(".live-picture").first
        frames = unpacked(picture.evaluate("picture => picture.style.backgroundImage"))
        assert len(frames) == 16
        assert (frames[0] != frames[-1]).any()  # the fake camera's picture moves
        assert figure.locator(".live-heated canvas").count() == 16
        ended = "streams.flatMap(s => s.getTracks()).map(t => t.readyState)"
        assert page.evaluate(ended) == ["ended"]
        assert not page.locator(".live-yours video").is_visible()
        axe.load(page)
        assert axe.violations(page) == []
        # a file that comes while it records takes its place
        page.get_by_role("button", name="Record 3 seconds").click()
        page.locator(".live-yours", has_text="Recording").wait_for()
        assert page.locator(".live-yours video").is_visible()
        path = encoded(tmp_path / "file.webm", moving(20, 64, 64), "10", *LOSSLESS)
        page.locator(".live-yours input").set_input_files(path)
        page.locator(".live-yours[data-video=shown]", has_text="file.webm").wait_for()
        assert figure.locator("select option").all_inner_texts()[1:] == ["camera 1", "file.webm"]
        page.locator(".live-yours video").wait_for(state="hidden")
        assert page.evaluate(ended) == ["ended", "ended"]
        assert page.wrong == []


REFUSED = {
    "not allowed": ((DEVICE,), WATCHED, "may not use the camera"),
    "no camera": ((LEAVE,), WATCHED, "no camera here"),
    "a page from elsewhere, over http": (
        (),
        "Object.defineProperty(navigator, 'mediaDevices', {value: undefined})",
        "from a file, from this machine, or over https",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_without_a_camera_it_says_why_and_the_figure_stays(why):
    flags, script, words = REFUSED[why]
    with visit(*flags, script=script) as page:
        before = page.locator("[data-live=own] tbody").first.inner_text()
        assert words in record(page, "refused").inner_text()
        assert page.locator("[data-live=own] tbody").first.inner_text() == before
        assert page.wrong == []

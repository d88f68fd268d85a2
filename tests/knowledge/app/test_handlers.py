"""What the server answers to addresses: tokens, other paths, more visitors than places."""

import time
from http.cookiejar import CookieJar
from urllib.parse import quote
from urllib.request import HTTPCookieProcessor, build_opener

import psutil
import pytest

from tests.knowledge.app.served import TOKENS, request, serving

pytestmark = pytest.mark.slow(30)

EVIL = '"><script>alert(1)</script>'


@pytest.fixture(scope="module")
def served_here(queue, tmp_path_factory):
    """With two places, which are given up soon where nobody comes."""
    home = tmp_path_factory.mktemp("home")
    with serving(home, queue, "--pages", "2", "--arrival", "8") as served:
        assert "places:      2 pages at once" in served.said
        yield served


@pytest.fixture(scope="module")
def url(served_here) -> str:
    """Of the annotators' page."""
    return served_here.url["annotators"]


@pytest.mark.parametrize(
    "path",
    ["..%2f", "..%2f..%2f", "lab", "lab/other/x", "lab/static/../x", "no-such/static/x", "%00"],
)
def test_what_is_no_file_of_a_template_is_not_there(url, path):
    assert request(f"{url}voila/templates/{path}", TOKENS["annotators"])[0] == 404


def test_the_token_leaves_the_address(url):
    token = TOKENS["annotators"]
    assert request(f"{url}?token={token}") == (302, "/")
    assert request(f"{url}?token={token}&name=Ada&name=Bo") == (302, "/?name=Ada&name=Bo")
    assert request(f"{url}?start=&token={token}") == (302, "/")  # nor does such a link start one
    browser = build_opener(HTTPCookieProcessor(jar := CookieJar()))
    with browser.open(f"{url}?token={token}", timeout=120) as page:
        assert (page.status, page.url) == (200, url)
        assert "Your name" in page.read().decode()
    (cookie,) = [cookie for cookie in jar if cookie.name.startswith("stabn-annotate-")]
    assert cookie.has_nonstandard_attr("HttpOnly")


def test_an_address_starts_no_kernel_until_somebody_asks_for_it(url, served_here):
    """As often as previews of a link are made."""
    for _ in range(20):
        status, html = request(url, TOKENS["annotators"])
        assert (status, "kernelId" in html) == (200, False)
    status, html = request(f"{url}?name={quote(EVIL)}", TOKENS["annotators"])
    assert (status, EVIL in html) == (200, False)
    assert psutil.Process(served_here.process.pid).children() == []


def test_places_are_bounded_and_those_of_nobody_come_free(url):
    token, start = TOKENS["annotators"], f"{url}?start"
    answers = [request(start, token)[0] for _ in range(4)]
    assert answers[-1] == 503
    assert answers.count(200) <= 2
    assert request(url, token)[0] == 200  # the first words cost nothing, even now
    end = time.monotonic() + 120
    while (answer := request(start, token))[0] == 503:
        assert time.monotonic() < end, "no place comes free"
        time.sleep(0.5)
    assert answer[0] == 200

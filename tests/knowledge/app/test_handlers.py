"""What the server answers to addresses: tokens, other paths, more visitors than places."""

import time
from http.cookiejar import CookieJar
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from tests.knowledge.app.served import TOKENS, kernel_of, request, serving

pytestmark = pytest.mark.slow(40)


@pytest.fixture(scope="module")
def url(queue, tmp_path_factory):
    """Of the annotators' page, with two places, which are given up soon where nobody comes."""
    home = tmp_path_factory.mktemp("home")
    with serving(home, queue, "--pages", "2", "--arrival", "8") as served:
        assert "places:      2 pages at once" in served.said
        yield served.url["annotators"]


@pytest.mark.parametrize(
    "path",
    ["..%2f", "..%2f..%2f", "lab", "lab/other/x", "lab/static/../x", "no-such/static/x", "%00"],
)
def test_what_is_no_file_of_a_template_is_not_there(url, path):
    assert request(f"{url}voila/templates/{path}", TOKENS["annotators"])[0] == 404


def test_the_token_leaves_the_address_and_costs_no_place(url):
    token = TOKENS["annotators"]
    for _ in range(5):  # as often as previews of a link are made
        assert request(f"{url}?token={token}") == (302, "/")
    assert request(f"{url}?token={token}&name=Ada&name=Bo") == (302, "/?name=Ada&name=Bo")
    browser = build_opener(HTTPCookieProcessor(jar := CookieJar()))
    with browser.open(f"{url}?token={token}", timeout=120) as page:
        assert (page.status, page.url) == (200, url)
        assert kernel_of(page.read().decode())
    (cookie,) = [cookie for cookie in jar if cookie.name.startswith("stabn-annotate-")]
    assert cookie.has_nonstandard_attr("HttpOnly")


def test_places_are_bounded_and_those_of_nobody_come_free(url):
    token = TOKENS["annotators"]
    answers = [request(url, token)[0] for _ in range(4)]
    assert answers[-1] == 503
    assert answers.count(200) <= 2
    end = time.monotonic() + 120
    while (answer := request(url, token))[0] == 503:
        assert time.monotonic() < end, "no place comes free"
        time.sleep(0.5)
    assert answer[0] == 200

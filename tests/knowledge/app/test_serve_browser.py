"""`make annotate` for real: both Voilà servers, their tokens, and visitors in headless Chromium."""

import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from zipfile import ZipFile

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from stabn.knowledge.app import found, serve
from stabn.knowledge.app.address import Address
from stabn.knowledge.selection.queue import read_queue
from stabn.knowledge.store.database import StoreError
from stabn.knowledge.store.store import Store
from tests import axe
from tests.knowledge.app.served import (
    TOKENS,
    Served,
    free_ports,
    kernel_of,
    request,
    serving,
)
from tests.visitor import offline

pytestmark = pytest.mark.slow(120)

PATIENCE = 120_000  # ms; a slow machine is no fault of the page
EVIL = "Ada <script>alert(1)</script>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, offline(playwright) as running:
        yield running


@pytest.fixture
def visitor(browser) -> Iterator[Callable[[], Page]]:
    """Makes visitors who write down everything that goes wrong, in `page.wrong`."""
    expect.set_options(timeout=PATIENCE)
    contexts = []

    def come(**settings) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.wrong = []
        page.on("console", lambda m: m.type == "error" and page.wrong.append(f"console: {m.text}"))
        page.on("pageerror", lambda error: page.wrong.append(f"script: {error}"))
        page.on("dialog", lambda dialog: page.wrong.append("alert") or dialog.dismiss())
        page.on("response", lambda r: r.status >= 400 and page.wrong.append(f"{r.status} {r.url}"))
        page.on("request", lambda r: outside(r.url) and page.wrong.append(f"outside: {r.url}"))
        return page

    yield come
    for context in contexts:
        context.close()


def outside(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:"))


def start(page: Page, served: Served, name: str) -> None:
    """Open the page, pass the practice by, type a name."""
    page.goto(f"{served.url['annotators']}?token={TOKENS['annotators']}")
    page.get_by_role("button", name="I am new").click()
    field = page.get_by_role("textbox", name="Your name")
    field.fill(name)
    field.press("Enter")
    expect_place(page, name)


def expect_place(page: Page, name: str, place: int | None = None, done: int | None = None) -> None:
    """The page says whose it is, which of their videos this is, and how many are done."""
    at = r"\d+" if place is None else place
    words = re.compile(rf"^{re.escape(name)} · {at} of about \d+\s*$")
    expect(page.locator(".stabn-where")).to_have_text(words)
    if done is not None:
        bar = re.compile(rf"^{done} of about \d+ done$")
        expect(page.get_by_role("progressbar", name=bar)).to_be_visible()


def saved(page: Page):
    return page.get_by_text("saved", exact=True)


def held_by(served: Served, name: str) -> str:
    """The video that is theirs now."""
    progress = Store(served.store).progress()
    (video_id,) = progress.video_id[[name in held for held in progress.leased_by]]
    return video_id


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE / 1000
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def level(page: Page, frame: int) -> str:
    slider = page.get_by_role("slider", name=re.compile(rf"\bframe {frame}\b"))
    return slider.get_attribute("aria-valuenow")


def kernel(page: Page) -> str:
    return kernel_of(page.content())


def wait_until_gone(served: Served, kernel_id: str) -> None:
    url = f"{served.url['annotators']}api/kernels/{kernel_id}"
    end = time.monotonic() + PATIENCE / 1000
    while request(url, TOKENS["annotators"])[0] != 404:
        assert time.monotonic() < end, "the kernel did not end"
        time.sleep(0.5)


class TestTokens:
    def test_both_addresses_are_told(self, served, queue):
        for who, url in served.url.items():
            assert f"{url}?token={TOKENS[who]}" in served.said
        assert f"{queue}, 12 videos of 3 classes" in served.said

    @pytest.mark.parametrize("token", [None, "", "token-of-the-organiser"])
    @pytest.mark.parametrize(
        "path",
        ["", "annotate.ipynb", "api/kernels", "api/contents", "api/sessions", "terminals", "tree"],
    )
    def test_without_the_token_there_is_nothing(self, served, path, token):
        status, location = request(served.url["annotators"] + path, token)
        assert (status, location.startswith("/login")) == (302, True)
        assert request(served.url["annotators"].rstrip("/") + location, token)[0] == 403

    def test_nobody_sets_a_password(self, served):
        """As Jupyter's own form would, in the settings of whoever runs the server."""
        url = f"{served.url['annotators']}login"
        form = f"password={TOKENS['annotators']}&new_password=mine"
        assert request(url, TOKENS["annotators"], "POST", form.encode())[0] in (403, 405)
        assert not list(served.store.parent.rglob("jupyter_server_config.json"))

    def test_the_annotators_token_does_not_open_the_organisers_page(self, served):
        status, location = request(served.url["organiser"], TOKENS["annotators"])
        assert (status, location.startswith("/login")) == (302, True)

    @pytest.mark.parametrize(
        "path",
        [
            *("api/kernels", "api/contents", "api/contents/annotate.ipynb", "api/sessions"),
            *("api/kernelspecs", "api/terminals", "terminals/1", "tree", "lab", "nbconvert/x"),
            *("organise.ipynb", "voila/render/organise.ipynb", "voila/tree", "voila/api/contents"),
            *("voila/files/annotate.ipynb", "voila/files/annotate.py", "files/annotate.py"),
            *("voila/files/x.png", "voila/files/..%2F..%2Fbook%2Fassets%2Flogo.svg"),
        ],
    )
    def test_with_the_token_there_is_the_page_and_nothing_else(self, served, path):
        url, token = served.url["annotators"], TOKENS["annotators"]
        status, location = request(url + path, token)
        if status == 302:  # Voilà sends what is no notebook to its files, of which it shows none
            assert location.startswith("/voila/files/")
            status, _ = request(url.rstrip("/") + location, token)
        assert status in (403, 404)

    def test_the_page_shows_no_code_and_no_prose(self, served):
        status, html = request(f"{served.url['annotators']}?start", TOKENS["annotators"])
        assert status == 200
        assert "STABN_STORE" not in html
        assert "make annotate" not in html
        assert "stabn.knowledge" not in html
        kernel = f"api/kernels/{kernel_of(html)}"
        assert request(served.url["annotators"] + kernel)[0] in (302, 403)
        assert request(served.url["annotators"] + kernel, TOKENS["annotators"])[0] == 200


class TestVisitors:
    def test_a_first_visit_a_reload_and_the_same_name_again(self, visitor, served):
        page = visitor()
        start(page, served, EVIL)
        expect_place(page, EVIL, 1, done=0)
        expect(page.get_by_text("not changed yet")).to_be_visible()

        page.get_by_role("slider", name=re.compile(r"\bframe 0\b")).focus()
        page.keyboard.press("1")
        expect(saved(page)).to_be_visible()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("0")
        wait_until(lambda: Store(served.store).edits()[0].levels[:2] == (1.0, 0.0))
        assert Store(served.store).edits()[0].annotator == EVIL

        page.keyboard.press("Enter")
        expect_place(page, EVIL, 2, done=1)
        expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
        axe.load(page)
        assert axe.violations(page) + axe.pale(page) == []
        expect(page.get_by_text("not changed yet")).to_be_visible()
        page.keyboard.press("5")  # the keys still go to the editor
        expect(saved(page)).to_be_visible()

        before = kernel(page)
        page.goto(served.url["annotators"])  # the first words
        wait_until_gone(served, before)
        expect(page.get_by_role("textbox", name="Your name")).to_have_value(EVIL)  # remembered
        page.keyboard.press("Enter")  # one key goes on under the same name
        expect_place(page, EVIL, 2, done=2)
        expect(saved(page)).to_be_visible()
        assert 0.5 in [float(level(page, frame)) for frame in (0, 1, 2)]
        page.get_by_role("button", name="Previous video").click()
        expect_place(page, EVIL, 1, done=2)
        expect(saved(page)).to_be_visible()
        assert [float(level(page, frame)) for frame in (0, 1)] == [1.0, 0.0]
        assert page.wrong == []

    def test_all_is_on_one_screen_and_nothing_moves(self, visitor, served):
        page = visitor()
        page.set_viewport_size({"width": 1366, "height": 768})
        start(page, served, "Emmy")
        parts = (".se-head", ".se-canvas", ".se-tools", ".se-scores", ".se-strip", ".se-summary")

        def places() -> list[float]:
            return [page.locator(part).bounding_box()["y"] for part in parts]

        ready = page.locator(".stabn-editor[data-connection=ready] .se-scores[aria-busy=false]")
        expect(ready).to_be_visible()
        before = places()
        page.keyboard.press("1")  # no field has the focus, so it goes to the frames
        expect(saved(page)).to_be_visible()
        expect(ready).to_be_visible()
        assert places() == pytest.approx(before)
        for part in parts:
            expect(page.locator(part)).to_be_in_viewport(ratio=1)
        for name in ("Next video", "list of keys", "the action", "Play", "Skip"):
            expect(page.get_by_role("button", name=name)).to_be_in_viewport(ratio=1)
        assert page.wrong == []

    def test_the_keys_work_after_every_button(self, visitor, served):
        page = visitor()
        start(page, served, "Fanny")
        frames = page.locator(".se-current .se-slider")
        page.get_by_role("button", name="Skip").click()
        expect_place(page, "Fanny", 2)
        expect(frames).to_be_focused()
        page.get_by_role("button", name="Previous video").click()
        expect_place(page, "Fanny", 1, done=0)
        expect(frames).to_be_focused()
        expect(page.get_by_text("skipped; if not changed it stays so")).to_be_visible()
        page.keyboard.press("Home")  # it was looked at
        page.keyboard.press("Enter")
        expect_place(page, "Fanny", 2, done=0)
        page.locator(".stabn-where").click()  # beside everything
        assert page.evaluate("document.activeElement === document.body")
        page.keyboard.press("1")
        expect(saved(page)).to_be_visible()
        page.keyboard.press("Control+z")
        expect(page.get_by_text(re.compile("^not changed yet"))).to_be_visible()
        page.get_by_role("button", name="Cannot tell").focus()
        page.keyboard.press("Enter")  # which is the button's own, and no “Next video”
        expect_place(page, "Fanny", 3, done=1)
        expect(frames).to_be_focused()
        verdicts = [e.verdict for e in Store(served.store).edits() if e.annotator == "Fanny"]
        assert verdicts == ["cannot_tell"]
        page.get_by_role("button", name="Skip").click()  # for whoever comes after
        assert page.wrong == []

    def test_two_visitors_get_different_videos(self, visitor, served):
        pages = [visitor(), visitor()]
        for page, name in zip(pages, ("Bob", "Cleo"), strict=True):
            start(page, served, name)
        assert held_by(served, "Bob") != held_by(served, "Cleo")
        pages[1].get_by_role("button", name="Skip").click()
        expect_place(pages[1], "Cleo", 2)
        pages[1].get_by_role("button", name="Cannot tell").click()
        expect_place(pages[1], "Cleo", 3, done=1)
        pages[1].locator(".stabn-toast").get_by_role("button", name="Undo “cannot tell”").click()
        expect_place(pages[1], "Cleo", 2, done=0)
        expect(pages[1].get_by_text("not changed yet")).to_be_visible()
        toast = pages[1].locator(".stabn-toast")
        expect(toast).to_contain_text("“cannot tell” is taken back: this video is open again.")
        expect(toast.get_by_role("button")).to_be_hidden()
        assert pages[0].wrong + pages[1].wrong == []

    def test_practice_tells_the_truth(self, visitor, served):
        page = visitor(color_scheme="dark", timezone_id="Asia/Tokyo", locale="en-GB")
        page.goto(served.url["annotators"])
        expect(page.get_by_text("Please open the whole address")).to_be_visible()
        page.wrong.clear()
        page.goto(f"{served.url['annotators']}?token={TOKENS['annotators']}")
        page.get_by_role("button", name="I am new").click()
        page.get_by_role("button", name="Practise first").click()
        expect(page.get_by_text("nothing is kept")).to_be_visible()
        before = page.locator(".stabn-editor").bounding_box()["y"]
        page.get_by_role("button", name="Show the truth").click()
        expect(page.locator(".se-truth-line .se-stroke")).to_be_visible()
        expect(page.locator(".se-current .se-slider")).to_be_focused()
        expect(page.get_by_text("The action is in frames 12–20; you marked none.")).to_be_visible()
        assert page.locator(".stabn-editor").bounding_box()["y"] == before  # nothing moves
        ground = "getComputedStyle(document.body).backgroundColor"
        assert max(map(int, re.findall(r"\d+", page.evaluate(ground))[:3])) < 60  # dark, as asked
        page.get_by_role("button", name="Done practising").click()
        expect(page.get_by_role("textbox", name="Your name")).to_be_visible()
        page.get_by_role("button", name="Show examples").click()
        picture = page.get_by_role("img", name="the hand comes or goes").first
        expect(picture).to_be_visible()
        axe.load(page)
        assert axe.violations(page) + axe.pale(page) == []
        stamped = "<time datetime='2024-05-17T09:30:00Z'>09:30 UTC</time>"
        page.evaluate("what => document.body.insertAdjacentHTML('beforeend', what)", stamped)
        expect(page.locator("time")).to_have_text("17 May 2024, 18:30:00")  # where the browser is
        assert page.wrong == []

    def test_the_organiser_sees_them_and_exports(self, visitor, served):
        page = visitor()
        page.goto(f"{served.url['organiser']}?token={TOKENS['organiser']}")
        page.get_by_role("button", name="Open it").click()
        expect(page.get_by_role("heading", name="By annotator")).to_be_visible()
        page.get_by_role("button", name="Write exports").click()
        expect(page.get_by_text("written to")).to_be_visible()
        assert page.title() == "The organiser's page"
        (written,) = served.store.parent.glob("exports/*/edits.json")
        assert json.loads(written.read_text())
        page.get_by_role("button", name="Make a backup").click()
        expect(page.get_by_text("A copy of everything is in")).to_be_visible()
        (copy,) = served.store.parent.glob("exports/backup-*.sqlite")
        assert Store(copy).edits() == Store(served.store).edits()

        with page.expect_download() as download:
            page.get_by_role("link", name="all exports").click()
        assert re.fullmatch(r"exports-\d{8}-\d{6}\.zip", download.value.suggested_filename)
        with ZipFile(download.value.path()) as archive:
            assert json.loads(archive.read("edits.json")) == json.loads(written.read_text())
        with page.expect_download() as download:
            page.get_by_role("link", name="a backup").click()
        taken_home = served.store.parent / "taken-home.sqlite"
        download.value.save_as(taken_home)
        assert Store(taken_home).revisions() == Store(served.store).revisions()
        for url in served.url.values():  # nobody else takes them home
            assert request(f"{url}download/backup.sqlite", TOKENS["annotators"])[0] in (302, 403)

        page.get_by_label("Video", exact=True).first.select_option(index=1)
        expect(page.get_by_alt_text(re.compile("^16 of \\d+ frames$"))).to_be_visible()
        expect(page.get_by_alt_text(re.compile("^Frames at level 1 by network"))).to_be_visible()
        axe.load(page)
        assert axe.violations(page) + axe.pale(page) == []
        page.set_viewport_size({"width": 390, "height": 800})  # texts wrap, tables scroll
        page.wait_for_function(
            "[...document.querySelectorAll('#rendered_cells :is(p, h2, h3, select, img)')]"
            ".every(part => part.getBoundingClientRect().right <= innerWidth)"
        )
        assert page.wrong == []

    def test_a_page_whose_kernel_has_ended_says_so(self, visitor, served):
        page = visitor()
        start(page, served, "Dora")
        lost = page.get_by_text("This page has ended")
        expect(lost).to_be_hidden()
        url = f"{served.url['annotators']}api/kernels/{kernel(page)}"
        assert request(url, TOKENS["annotators"], "DELETE")[0] == 204
        expect(lost).to_be_visible()
        expect(page.locator(".ended .stabn-editor[data-connection=lost]")).to_be_visible()
        before = level(page, 0)
        page.keyboard.press("1")
        expect(page.locator(".se-banner")).to_be_in_viewport()
        assert level(page, 0) == before  # no more work that would be lost
        page.get_by_role("button", name="Go on where you were").click()
        expect(lost).to_be_hidden()
        expect_place(page, "Dora", 1)
        assert page.url == served.url["annotators"]  # which tells nobody's name


@pytest.fixture
def refused(stabn, monkeypatch) -> Callable[..., str]:
    """Calls ``stabn annotate`` in this process; the words with which it refuses to start."""

    def call(*options: object) -> str:
        monkeypatch.setattr(os, "environ", os.environ.copy())  # which it adds to
        with pytest.raises(SystemExit) as refusal:
            stabn("annotate", *options)
        return str(refusal.value)

    return call


class TestStartAndEnd:
    def test_idle_kernels_end(self, queue, tmp_path):
        with serving(tmp_path, queue, "--idle", "8") as served:  # longer than a kernel's start
            url, token = served.url["annotators"], TOKENS["annotators"]
            wait_until_gone(served, kernel_of(request(f"{url}?start", token)[1]))

    def test_without_a_queue_it_says_how_to_make_one(self, tmp_path, refused):
        queue = tmp_path / "runs" / "mini" / "queue"
        said = refused("--queue", queue)
        assert f"papermill notebooks/launch/select.ipynb {queue.parent}/select.ipynb" in said
        assert f"-p run {queue.parent}" in said

    def test_a_port_that_is_taken_is_named(self, queue, refused, tmp_path):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            options = ["--port", free_ports(1)[0], "--organiser-port", port]
            said = refused(*options, "--queue", queue, "--store", tmp_path / "edits.sqlite")
        assert f"127.0.0.1:{port} cannot be served on" in said
        assert "choose another --organiser-port" in said

    def test_a_host_that_is_not_here_is_named(self, queue, refused):
        said = refused("--host", "no.such.host.invalid", "--queue", queue)
        assert "--host is an address of this machine" in said

    def test_tokens_are_random_unless_given(self, queue):
        options = serve.Options(queue, "edits.sqlite")
        tokens = {
            serve.make_page("annotate.ipynb", 0, "", options, 1, Address()).token for _ in range(2)
        }
        assert len(tokens) == 2
        assert min(map(len, tokens)) >= 32

    @pytest.mark.parametrize(
        ("store", "line"),
        [
            ("sqlite:///x/edits.sqlite", "x/edits.sqlite, made when first used"),
            ("postgresql://me:secret@host/edits", "postgresql://me:***@host/edits"),
        ],
    )
    def test_the_store_is_told_and_a_password_is_not(self, queue, store, line):
        lines = found.look(queue, str(store))
        assert lines[-1].endswith(line)
        assert len(read_queue(queue).videos) == 12

    @pytest.mark.parametrize(
        ("store", "said"),
        [
            (__file__, "is no database; give another file"),
            ("sqlite://", "edits in memory would be lost"),
            ("mysql://me:secret@host/edits", "give a SQLite file or a postgresql://"),
            ("postgresql://me:secret@127.0.0.1:1/edits", "the connection to the server is lost"),
        ],
    )
    def test_a_store_that_cannot_be_used_is_told_before_a_page_opens(self, queue, store, said):
        with pytest.raises(StoreError, match=said) as error:
            serve.serve(serve.Options(queue, store))
        assert "secret" not in str(error.value)

    def test_an_address_of_no_database_is_an_error_without_the_password(self, queue):
        with pytest.raises(serve.ServeError, match="is no address of a database") as error:
            found.look(queue, "://me:secret@host")
        with pytest.raises(serve.ServeError, match="h:port/x: is no address of a database"):
            found.look(queue, "postgresql://me:secret@h:port/x")
        assert "secret" not in str(error.value)

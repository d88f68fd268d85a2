"""Where the pages are: what two options give, and a real nginx before them."""

import asyncio
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.websocket import websocket_connect

from stabn.knowledge.app import serve
from stabn.knowledge.app.address import Address, AddressError, address_of
from stabn.knowledge.app.channel import V1
from tests.knowledge.app.served import TOKENS, free_ports, kernel_of, serving
from tools import browser as chromium
from tools import nginx as nginx_here

ROOT = Path(__file__).resolve().parents[3]
NGINX = nginx_here.find()
SETTINGS = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
{lines}
    }}
}}
"""


class TestAddressOf:
    @pytest.mark.parametrize(
        ("base_url", "public_url", "address"),
        [
            ("", "", Address("/", "")),
            ("study", "", Address("/study/", "")),
            ("/a/b", "", Address("/a/b/", "")),
            ("", "https://Example.org", Address("/", "https://example.org")),
            ("", "https://example.org:8443/a/B", Address("/a/B/", "https://example.org:8443")),
            ("/a", "http://example.org/a/", Address("/a/", "http://example.org")),
        ],
    )
    def test_what_is_meant(self, base_url, public_url, address):
        assert address_of(base_url, public_url) == address

    @pytest.mark.parametrize(
        ("base_url", "public_url", "said"),
        [
            ("", "example.org/study", "--public-url example.org/study: give what people open"),
            ("", "ftp://example.org/", "--public-url ftp"),
            ("", "https:///study/", "--public-url https:///study/"),
            ("", "https://me@example.org/", "--public-url https://me@"),
            ("", "https://example.org/?token=x", "--public-url .*token"),
            ("", "https://example.org:many/", "--public-url .*many"),
            ("/other/", "https://example.org/study/", "--base-url /other/ is not the path of"),
            ("/a/../b", "", "--base-url /a/../b: give a plain path"),
            ("/a b", "", "--base-url /a b"),
        ],
    )
    def test_what_cannot_be(self, base_url, public_url, said):
        with pytest.raises(AddressError, match=said):
            address_of(base_url, public_url)

    def test_a_page_below(self):
        assert Address("/a/", "https://b.org").below("c") == Address("/a/c/", "https://b.org")


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_page_behind_a_proxy_knows_its_address(scheme):
    options = serve.Options(Path("queue"), "edits.sqlite")
    address = Address("/study/", f"{scheme}://example.org")
    page = serve.make_page("annotate.ipynb", 0, "secret", options, 1, address)
    assert page.address == f"{scheme}://example.org/study/?token=secret"
    assert page.init_settings()["identity_provider"].secure_cookie is (scheme == "https")
    hook = page.voila_configuration.page_config_hook
    told = hook({"themesUrl": "/voila/api/themes"}, base_url=page.base_url, settings={})
    assert told == {"themesUrl": "/study/voila/api/themes"}


@contextmanager
def nginx(folder: Path, lines: str) -> Iterator[str]:
    """A real nginx with these lines in its server; yields its address."""
    (port,) = free_ports(1)
    settings = folder / "nginx.conf"
    settings.write_text(SETTINGS.format(folder=folder, port=port, lines=lines))
    command = [NGINX, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(settings)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 60
        while not (folder / "nginx.pid").exists():
            assert running.poll() is None, running.stderr.read()
            assert time.monotonic() < end, (folder / "error.log").read_text()
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(60)
        running.stderr.close()


async def ask(url: str, cookie: str = "") -> HTTPResponse:
    headers = {"Cookie": cookie} if cookie else {}
    asked = HTTPRequest(url, headers=headers, follow_redirects=False, request_timeout=120)
    return await AsyncHTTPClient().fetch(asked, raise_error=False)


async def visit(url: str, origin: str) -> None:
    """Come with the token, go on with the cookie, and connect as a page of ``origin`` does."""
    came = await ask(f"{url}?token={TOKENS['annotators']}")
    path = url.removeprefix(origin)
    assert (came.code, came.headers["Location"]) == (302, path)
    (cookie,) = [c for c in came.headers.get_list("Set-Cookie") if c.startswith("stabn-annotate-")]
    assert f"Path={path}" in cookie
    name_and_value = cookie.split(";")[0]
    page = await ask(f"{url}?start", name_and_value)
    assert page.code == 200
    kernel = kernel_of(page.body.decode())
    assert (await ask(f"{url}api/kernels/{kernel}", name_and_value)).code == 200

    def socket(said: str) -> HTTPRequest:
        headers = {"Cookie": name_and_value, "Origin": said}
        return HTTPRequest(f"ws{url[4:]}api/kernels/{kernel}/channels", headers=headers)

    connection = await websocket_connect(socket(origin), subprotocols=[V1])
    assert connection.selected_subprotocol == V1
    connection.close()
    with pytest.raises(HTTPClientError, match="403"):
        await websocket_connect(socket("http://elsewhere.org"), subprotocols=[V1])

    refused = await ask(f"{url}organise/", name_and_value)  # the organiser's page is no annotator's
    assert refused.headers["Location"].startswith(f"{path}organise/login")
    told = await ask(origin + refused.headers["Location"])
    assert (told.code, b"The address is not complete" in told.body) == (403, True)


def look(url: str) -> None:
    """Open the page in a browser, then where something in between refuses its socket."""
    with sync_playwright() as playwright:
        path = chromium.find(playwright)
        assert path, "no Chromium here: run `make browser`"
        browser = playwright.chromium.launch(executable_path=path, args=chromium.FLAGS)
        page = browser.new_context().new_page()
        page.set_default_timeout(120_000)
        page.goto(f"{url}?token={TOKENS['annotators']}")
        page.get_by_role("button", name="I am new").click()
        page.get_by_role("button", name="Practise first").wait_for()  # a kernel's widgets are here
        page.close()
        page = browser.contexts[0].new_page()
        page.route_web_socket(re.compile("/channels"), lambda socket: socket.close())
        page.goto(f"{url}?start")
        page.get_by_text("This page is not connected to its server").wait_for(timeout=120_000)
        browser.close()


@pytest.mark.slow(45)
@pytest.mark.skipif(NGINX is None, reason=nginx_here.HINT)
def test_the_books_lines_serve_both_pages_behind_nginx(queue, tmp_path):
    book = (ROOT / "book/troubleshooting.md").read_text()
    lines = re.search(r"```nginx\n(.+?)```", book, re.DOTALL)[1]
    folder = tmp_path / "nginx"
    folder.mkdir()
    ports = free_ports(2)
    for told, port in zip(("8866", "8867"), ports, strict=True):
        assert f"http://127.0.0.1:{told};" in lines
        lines = lines.replace(told, str(port))
    with nginx(folder, lines) as origin:
        public = f"{origin}/study/"
        with serving(tmp_path, queue, "--public-url", public, ports=ports) as served:
            assert f"{public}?token=" in served.said
            assert f"{public}organise/?token=" in served.said
            asyncio.run(visit(public, origin))
            look(public)

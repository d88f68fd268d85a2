"""A Firefox for tests, driven by WebDriver BiDi: Playwright drives only one of its own making."""

import asyncio
import itertools
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tornado.websocket import WebSocketClientConnection, websocket_connect

# Without the first, a driven Firefox opens files more freely than a reader's does.
PREFERENCES = {
    "remote.prefs.recommended": False,
    "browser.aboutwelcome.enabled": False,
    "browser.startup.page": 0,  # an empty one
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.proxy.type": 1,  # whatever is asked for by HTTP goes to where nobody listens
    **{f"network.proxy.{kind}": "127.0.0.1" for kind in ("http", "ssl")},
    **{f"network.proxy.{kind}_port": 9 for kind in ("http", "ssl")},
}


def find() -> str | None:
    """Path of an installed Firefox."""
    return shutil.which("firefox-esr") or shutil.which("firefox")


class Visitor:
    """One tab; in `wrong` stands what was logged as an error, or asked for from elsewhere."""

    def __init__(self, socket: WebSocketClientConnection):
        self.socket, self.numbers, self.tab = socket, itertools.count(1), ""
        self.wrong: list[str] = []

    async def order(self, method: str, **given: Any) -> dict[str, Any]:
        """What Firefox answers; what happens meanwhile is looked through."""
        number = next(self.numbers)
        await self.socket.write_message(
            json.dumps({"id": number, "method": method, "params": given})
        )
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.read_message(), 120))
            if message.get("id") == number:
                assert message["type"] == "success", message
                return message["result"]
            happened = message.get("params", {})
            if message.get("method") == "log.entryAdded" and happened["level"] == "error":
                self.wrong.append(f"console: {happened['text']}")
            url = happened.get("request", {}).get("url", "file:")
            if not url.startswith(("file:", "data:", "blob:", "about:")):
                self.wrong.append(f"outside: {url}")

    async def goto(self, url: str) -> None:
        """Open a page and wait for its end."""
        await self.order("browsingContext.navigate", context=self.tab, url=url, wait="complete")

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression, awaited where it is a promise."""
        whole = f"(async () => JSON.stringify(await ({expression})))()"
        target = {"context": self.tab}
        found = await self.order(
            "script.evaluate", expression=whole, target=target, awaitPromise=True
        )
        assert found["type"] == "success", found
        return json.loads(found["result"].get("value", "null"))

    async def wait_for(self, selector: str) -> None:
        """Wait until something matches."""
        for _ in range(600):
            if await self.evaluate(f"!!document.querySelector({json.dumps(selector)})"):
                return
            await asyncio.sleep(0.2)
        raise AssertionError(f"no {selector} came")

    async def set_file(self, selector: str, path: Path) -> None:
        """Choose a file, as a reader does."""
        locator = {"type": "css", "value": selector}
        found = await self.order("browsingContext.locateNodes", context=self.tab, locator=locator)
        element = {"sharedId": found["nodes"][0]["sharedId"]}
        await self.order("input.setFiles", context=self.tab, element=element, files=[str(path)])


@asynccontextmanager
async def visitor(profile: Path) -> AsyncIterator[Visitor]:
    """A fresh Firefox without a network, and its tab."""
    lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines))
    said = profile / "said.txt"
    command = [find(), "--headless", "--no-remote", "--profile", profile]
    with said.open("w") as out:
        process = subprocess.Popen(
            [*command, "--remote-debugging-port", "0"], stdout=out, stderr=out
        )
    try:
        while not (address := re.search(r"ws://\S+", said.read_text())):
            assert process.poll() is None, said.read_text()
            await asyncio.sleep(0.2)
        socket = await websocket_connect(f"{address[0]}/session", max_message_size=1 << 26)
        one = Visitor(socket)
        await one.order("session.new", capabilities={})
        tree = await one.order("browsingContext.getTree")
        one.tab = tree["contexts"][0]["context"]
        events = ["log.entryAdded", "network.beforeRequestSent"]
        await one.order("session.subscribe", events=events, contexts=[one.tab])
        yield one
        socket.close()
    finally:
        process.terminate()
        process.wait(60)

"""`stabn annotate` as a process of its own, and what asks it without a browser."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import psutil

from tests.knowledge.homes import environment

TOKENS = {"annotators": "token-of-annotators", "organiser": "token-of-the-organiser"}


@dataclass
class Served:
    """A running server.

    Attributes:
        process: its process.
        url: address of each page, without token.
        store: the store's file.
        said: what it printed before it was ready.
    """

    process: subprocess.Popen
    url: dict[str, str]
    store: Path
    said: str


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "stabn", "annotate", *arguments]


@contextmanager
def serving(
    home: Path,
    queue: Path,
    *more: str,
    end: signal.Signals = signal.SIGINT,
    ports: list[int] | None = None,
) -> Iterator[Served]:
    """The command as somebody types it, in a home that holds nothing of this user's.

    Ended, as by Ctrl-C, it must leave no process behind.
    """
    ports = ports or free_ports(2)
    store = home / "edits.sqlite"
    with open(home / "server.log", "w") as log:
        process = subprocess.Popen(
            command(
                *("--queue", str(queue), "--store", str(store)),
                *("--port", str(ports[0]), "--organiser-port", str(ports[1])),
                *("--token", TOKENS["annotators"], "--organiser-token", TOKENS["organiser"]),
                *("--ready", "0"),  # a kernel that nobody came for takes seconds of a core
                *("--ready", "0", *more),  # begins no kernel that no test asks for
            ),
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        said = ""
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, (home / "server.log").read_text()
            said += line
        urls = (f"http://127.0.0.1:{port}/" for port in ports)
        yield Served(process, dict(zip(TOKENS, urls, strict=True)), store, said)
        kernels = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(end)
        assert process.wait(120) == 0
        assert "ended, no kernel left" in process.stdout.read()
        assert not psutil.wait_procs(kernels, timeout=60)[1]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def request(
    url: str, token: str | None = None, method: str = "GET", data: bytes | None = None
) -> tuple[int, str]:
    """Status and body, or where a redirection leads; redirections are not followed."""
    headers = {} if token is None else {"Authorization": f"token {token}"}

    class Stay(HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    try:
        with build_opener(Stay).open(
            Request(url, data, headers=headers, method=method), timeout=120
        ) as r:
            return r.status, r.read().decode()
    except HTTPError as error:
        return error.code, error.headers.get("Location", "")


def kernel_of(html: str) -> str:
    """The kernel that a served page talks to."""
    return re.search(r'"kernelId": *"([-\w]+)"', html)[1]

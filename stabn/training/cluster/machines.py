"""Several machines, one run: they watch over one another, and say why they end.

Neither torchrun nor a collective notices soon that a machine is cut off: the others would wait for
it, for half an hour. So the launchers, having met
(:mod:`stabn.training.cluster.meeting`), keep connections of their own, between the host and each
of its guests. Each gives a sign of life twice a second, and the last word of one goes to all.
"""

import json
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

LOST_AFTER = 120  # seconds of silence after which a machine is lost
GRACE = 10  # seconds in which a run may end by itself when another machine's part has


class Link:
    """A connection to the launcher on another machine: JSON objects, one a line.

    Attributes:
        machine: the other one, as it is called in messages.
        heard: when it last sent something, on the monotonic clock.
    """

    def __init__(self, connection: socket.socket, machine: str) -> None:
        self.connection, self.machine = connection, machine
        self.heard = time.monotonic()
        self._rest = b""

    def send(self, **message: object) -> None:
        """Send, or let it be where the other side has gone: its silence will tell."""
        with suppress(OSError):
            self.connection.sendall(json.dumps(message).encode() + b"\n", socket.MSG_DONTWAIT)

    def received(self) -> list[dict]:
        """The messages that have come.

        Raises:
            OSError: the connection has ended.
        """
        data = self.connection.recv(65536)
        if not data:
            raise ConnectionError("closed by the other side")
        self.heard = time.monotonic()
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def answer(self, seconds: float) -> dict:
        """Wait for one message.

        Raises:
            OSError: none within so many seconds, or the connection has ended.
            ValueError: something else than a message.
        """
        self.connection.settimeout(seconds)
        line = self.connection.makefile("rb", buffering=0).readline(65536)  # nothing read ahead
        self.connection.settimeout(None)
        if not line:
            raise ConnectionError("closed by the other side")
        self.heard = time.monotonic()
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError("not a message")
        return message


class Machines:
    """The other machines of a run, as this one sees them; made by
    :func:`stabn.training.cluster.meeting.meeting`.

    Attributes:
        arguments: torchrun's, with which it meets the others'.
        interface: the network interface by which they are reached, None if it is not known.
        preempted: whether one of them was.
        hosts: whether this is the machine where they met.
    """

    def __init__(self, me: str, links: list[Link], store: str, *, hosts: bool, count: int) -> None:
        own = links[0].connection.getsockname()[0]
        # Ranks go by the order of these names, and only rank 0's is ever connected to. "~" sorts
        # behind every address: rank 0, which writes the log and the files, is on the host.
        name = own if hosts else f"~{own}-{me}"
        self.arguments = [
            *("--rdzv-backend=c10d", f"--rdzv-endpoint={store}", f"--local-addr={name}"),
            # torchrun must not give up before the launchers know why
            f"--rdzv-conf=is_host=false,read_timeout={LOST_AFTER + 60}",
        ]
        held = psutil.net_if_addrs().items()
        self.interface = next((n for n, has in held if any(a.address == own for a in has)), None)
        self.preempted = False
        self._me, self._links, self.hosts, self._others = me, links, hosts, count - 1
        self._words: dict[str, str] = {}  # machine: why its part failed, "" if it did not
        self._end: Callable[[], None] | None = None
        self._end_at = float("inf")
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def on_failure(self, end: Callable[[], None]) -> None:
        """Have ``end`` called when another machine's part has failed, or is lost.

        That is ``GRACE`` seconds later: most runs end by themselves, with a word of their own.
        """
        self._end = end

    def leave(self, word: str, *, preempted: bool = False) -> list[str]:
        """Say how this machine's part ended, and hear from the others.

        The host of a run that ended well stays until all have ended: it holds the store.

        Args:
            word: why it failed, in a line; "" if it did not.
            preempted: that it was pre-empted, which is no failure.

        Returns:
            Of every other machine that has failed or is lost: its name, and why.
        """
        well = not word and not preempted
        with self._lock:
            self._end = None
            self.preempted = self.preempted or preempted
            for link in self._links:
                link.send(machine=self._me, word=word, preempted=preempted)
        until = time.monotonic() + (float("inf") if well else GRACE)
        while (self.hosts or not well) and time.monotonic() < until:
            with self._lock:
                if len(self._words) == self._others or not self._links:
                    break
            time.sleep(0.1)
        return [f"{machine}: {why}" for machine, why in self._words.items() if why]

    def close(self) -> None:
        """End the watch and the connections."""
        self._closing.set()
        self._thread.join()
        for link in self._links:
            link.connection.close()

    def _watch(self) -> None:
        while not self._closing.wait(0.5):
            with self._lock:
                for link in list(self._links):
                    self._attend(link)
                if self._end and time.monotonic() > self._end_at:
                    self._end()
                    self._end = None

    def _attend(self, link: Link) -> None:
        link.send()  # a sign of life
        try:
            # what came while this process was held up is read before silence is judged
            news = link.received() if select.select([link.connection], [], [], 0)[0] else []
        except OSError:
            self._lose(link, "was its notebook ended, or the machine?")
            return
        for message in news:
            if "word" in message:
                self._note(message["machine"], message["word"], message["preempted"], link)
        if time.monotonic() - link.heard > LOST_AFTER:
            self._lose(link, f"no sign of life for {LOST_AFTER} s; was a machine cut off?")

    def _lose(self, link: Link, how: str) -> None:
        self._links.remove(link)
        link.connection.close()
        if link.machine not in self._words:
            self._note(link.machine, f"the connection to it is lost: {how}", False, link)

    def _note(self, machine: str, word: str, preempted: bool, source: Link) -> None:
        self._words[machine] = word
        self.preempted = self.preempted or preempted
        if word:
            self._end_at = min(self._end_at, time.monotonic() + GRACE)
        if self.hosts:
            for link in self._links:
                if link is not source:
                    link.send(machine=machine, word=word, preempted=preempted)

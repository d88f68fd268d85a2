"""Launchers meet at an address, or say why they did not; afterwards they watch over one another."""

import json
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from stabn.training.cluster import machines, meeting
from stabn.training.cluster.machines import Machines
from stabn.training.config import ConfigError

pytestmark = pytest.mark.slow(12)


@pytest.fixture
def endpoint() -> str:
    """An address of this machine that nothing uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def together(endpoint):
    """A function in which each of several launchers, in threads, plays a part; host first.

    Which of them is the host is a matter of who comes first, so the parts are told who they are.
    """

    def play(count: int, part: Callable[[Machines, bool], object], *, run: str = "x") -> list:
        def one() -> tuple[bool, object]:
            with meeting.meeting(endpoint, count, run) as others:
                return others.hosts, part(others, others.hosts)

        with ThreadPoolExecutor(count) as pool:
            futures: list[Future] = [pool.submit(one) for _ in range(count)]
            return [
                told for _, told in sorted((f.result(60) for f in futures), key=lambda t: not t[0])
            ]

    return play


def rendezvous(others: Machines) -> dict[str, str]:
    return dict(argument.removeprefix("--").split("=", 1) for argument in others.arguments)


def test_they_learn_where_torchrun_meets_and_rank_0_is_the_host(together):
    told = together(3, lambda others, _: (rendezvous(others), others.interface, others.leave("")))
    stores = {arguments["rdzv-endpoint"] for arguments, *_ in told}
    assert len(stores) == 1
    names = [arguments["local-addr"] for arguments, *_ in told]
    assert names[0] == "127.0.0.1" == min(names)
    assert len(set(names)) == 3
    assert {interface for _, interface, _ in told} <= {"lo", "lo0"}
    assert [heard for *_, heard in told] == [[], [], []]


def test_a_word_of_one_reaches_all(together, monkeypatch):
    monkeypatch.setattr(machines, "GRACE", 5)
    barrier = threading.Barrier(3)
    numbers = iter(range(10))

    def part(others: Machines, host: bool):
        mine = "" if host else f"loss of {next(numbers)}"
        barrier.wait()
        return others.leave(mine or "exit status 1")

    host, *guests = together(3, part)
    assert len(host) == 2
    assert {word.split(": ")[1] for word in host} == {"loss of 0", "loss of 1"}
    for heard in guests:
        assert len(heard) == 2
        assert any(word.startswith("machine 1 (127.0.0.1, ") for word in heard)


def test_a_run_is_ended_some_seconds_after_anothers_failure_and_not_before(together, monkeypatch):
    monkeypatch.setattr(machines, "GRACE", 1)

    def part(others: Machines, host: bool):
        if not host:
            others.leave("no memory")
            return None
        ended = threading.Event()
        started = time.monotonic()
        others.on_failure(ended.set)
        assert ended.wait(60)
        assert time.monotonic() - started >= 1
        return others.leave("exit status -9")

    heard = together(2, part)[0]
    assert [word.endswith("no memory") for word in heard] == [True]


def test_a_pre_emption_is_no_failure_and_ends_nothing(together, monkeypatch):
    monkeypatch.setattr(machines, "GRACE", 0)
    barrier = threading.Barrier(2)

    def part(others: Machines, host: bool):
        if host:
            ended = threading.Event()
            others.on_failure(ended.set)
            barrier.wait()
            while not others.preempted:
                time.sleep(0.05)
            time.sleep(1.5)  # three looks at the others
            return ended.is_set(), others.leave("", preempted=True)
        barrier.wait()
        return others.leave("", preempted=True)

    assert together(2, part)[0] == (False, [])


def hello(endpoint: str, run: str = "x") -> tuple[socket.socket, dict]:
    """A guest made by hand; and what the host answers it."""
    host, port = endpoint.split(":")
    while True:
        try:
            guest = socket.create_connection((host, int(port)))
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    guest.sendall(json.dumps({"machine": "by hand", "run": run}).encode() + b"\n")
    return guest, json.loads(guest.makefile("rb", buffering=0).readline())


LOST = {
    "silent": "no sign of life for 1 s; was a machine cut off?",
    "gone": "was its notebook ended, or the machine?",
}


@pytest.mark.parametrize("how", LOST)
def test_one_that_is_cut_off_or_gone_is_lost(endpoint, monkeypatch, how):
    monkeypatch.setattr(machines, "LOST_AFTER", 1)
    monkeypatch.setattr(machines, "GRACE", 0)

    def host() -> list[str]:
        with meeting.meeting(endpoint, 2, "x") as others:
            ended = threading.Event()
            others.on_failure(ended.set)
            assert ended.wait(60)
            return others.leave("exit status -9")

    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(host)
        guest, answer = hello(endpoint)
        assert answer == {"welcome": "machine 2 (127.0.0.1, by hand)"}
        if how == "gone":
            guest.close()
        lost = f"machine 2 (127.0.0.1, by hand): the connection to it is lost: {LOST[how]}"
        assert heard.result(60) == [lost]
        guest.close()


def test_one_that_goes_before_all_are_there_is_not_waited_for(endpoint):
    def host() -> list[str]:
        with meeting.meeting(endpoint, 3, "x") as others:
            return others.leave("")

    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(host)
        hello(endpoint)[0].close()
        guests = [hello(endpoint)[0] for _ in range(2)]
        for guest in guests:
            assert "store" in json.loads(guest.makefile("rb", buffering=0).readline())
            guest.sendall(b'{"machine": "%d", "word": "", "preempted": false}\n' % guest.fileno())
        assert heard.result(60) == []
        for guest in guests:
            guest.close()


def test_another_run_is_turned_away_on_both_sides(endpoint, capfd):
    def host():
        with meeting.meeting(endpoint, 2, "train of runs/a") as others:
            return others.leave("")

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(host)
        stranger, answer = hello(endpoint, "train of runs/b")
        assert answer == {"refused": "train of runs/a"}
        stranger.close()
        with (
            pytest.raises(ConfigError, match=r"there is train of runs/a, here train of runs/c"),
            meeting.meeting(endpoint, 2, "train of runs/c"),
        ):
            pass
        right, _ = hello(endpoint, "train of runs/a")
        right.close()
        waiting.result(60)
    assert "turned away machine 2 (127.0.0.1, by hand): it is here for train of runs/b" in (
        capfd.readouterr().out
    )


@pytest.mark.parametrize("program", ["silent", "another protocol"])
def test_a_taken_port_is_told_and_not_waited_for(monkeypatch, program):
    monkeypatch.setattr(meeting, "ANSWER_WITHIN", 1)
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        if program != "silent":
            pool.submit(lambda: server.accept()[0].sendall(b"220 mail at your service\r\n"))
        endpoint = f"127.0.0.1:{server.getsockname()[1]}"
        taken = rf"rdzv_endpoint: the port of {endpoint} is taken by another program; choose"
        with pytest.raises(ConfigError, match=taken), meeting.meeting(endpoint, 2, "x"):
            pass


def test_a_machine_that_does_not_come_is_told(endpoint, monkeypatch):
    monkeypatch.setattr(meeting, "MEET_WITHIN", 1)
    with pytest.raises(ConfigError, match=r"only 1 of 3 machines came to 127"):  # noqa: SIM117
        with meeting.meeting(endpoint, 3, "x"):
            pass


def test_a_host_that_does_not_answer_is_told(endpoint, monkeypatch):
    monkeypatch.setattr(meeting, "MEET_WITHIN", 1)
    monkeypatch.setattr(meeting, "_listener", lambda address: None)  # as on any other machine
    with pytest.raises(ConfigError, match=r"nobody answered at 127.*firewall"):  # noqa: SIM117
        with meeting.meeting(endpoint, 2, "x"):
            pass


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("node1", "'node1' is not host:port"),
        ("node1:", "'node1:' is not host:port"),
        ("node1:99999", "'node1:99999' is not host:port, as in node1:29500"),
        ("no.such.host.invalid:29400", "no host 'no.such.host.invalid' is known here"),
    ],
)
def test_an_impossible_endpoint_is_refused(endpoint, said):
    with pytest.raises(ConfigError, match=said), meeting.meeting(endpoint, 2, "x"):
        pass

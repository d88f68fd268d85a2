"""Two machines, as network namespaces with addresses of their own; one is cut off, or dies."""

import itertools
import os
import re
import subprocess

import psutil
import pytest

from stabn.training.checkpoint import read
from tests.training.cluster.launched import Launched, same, until

pytestmark = pytest.mark.slow(70)

LOST_AFTER = 8  # seconds, where a run has 120


class Machine:
    """A network namespace with one address."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address

    def ip(self, *arguments: str) -> None:
        subprocess.run(["ip", "-n", self.name, *arguments], check=True)

    def link(self, state: str) -> None:
        """Cut it off (``down``), without a word to anybody, or put the cable back (``up``)."""
        self.ip("link", "set", "wire", state)

    def launch(self, config, path, endpoint: str) -> Launched:
        prefix = ["ip", "netns", "exec", self.name]
        return Launched(prefix, config, path, endpoint, str(LOST_AFTER))

    def processes(self) -> list[psutil.Process]:
        found = subprocess.run(
            ["ip", "netns", "pids", self.name], capture_output=True, text=True, check=True
        )
        return [
            psutil.Process(int(pid)) for pid in found.stdout.split() if psutil.pid_exists(int(pid))
        ]


@pytest.fixture(scope="module")
def machines():
    """A host and a guest, joined by a cable."""
    pair = [Machine(f"stabn{os.getpid()}-{i}", f"10.99.0.{i}") for i in (1, 2)]
    made = []
    try:
        for machine in pair:
            try:
                subprocess.run(
                    ["ip", "netns", "add", machine.name], check=True, capture_output=True, text=True
                )
            except FileNotFoundError:
                pytest.skip("network namespaces need the command `ip` (package iproute2)")
            except subprocess.CalledProcessError as error:
                pytest.skip(f"network namespaces are not permitted here: {error.stderr.strip()}")
            made.append(machine)
        host, guest = pair
        host.ip(*f"link add wire type veth peer name wire netns {guest.name}".split())
        for machine in pair:
            machine.ip("addr", "add", f"{machine.address}/24", "dev", "wire")
            machine.ip("link", "set", "lo", "up")
            machine.link("up")
        yield pair
    finally:
        for machine in made:
            for process in machine.processes():
                process.kill()
            subprocess.run(["ip", "netns", "del", machine.name], check=True)


@pytest.fixture
def both(machines, tmp_path):
    """A function that starts a run on both; none of its processes outlives the test."""

    numbers = itertools.count()

    def start(config) -> list[Launched]:
        paths = [tmp_path / f"{m.name}-{next(numbers)}.txt" for m in machines]
        pairs = zip(machines, paths, strict=True)
        return [m.launch(config, path, "10.99.0.1:29411") for m, path in pairs]

    yield start
    for machine in machines:
        machine.link("up")
        for process in machine.processes():
            process.kill()


@pytest.fixture
def config(whole, tmp_path):
    return whole.model_copy(update={"out_dir": str(tmp_path / "runs")})


def nothing_is_left(machines) -> None:
    for machine in machines:
        until(lambda m=machine: not m.processes(), f"the last process on {machine.name}")


def test_one_is_cut_off_and_the_run_goes_on_later_and_equals_one_machines(
    machines, both, whole, config
):
    launched = both(config)
    launched[0].until("step 4/120")
    machines[1].link("down")
    for one in launched:
        assert one.ends() == 1
        lost = rf"LaunchError.*machine [12] \(10.99.0.[12], .*no sign of life for {LOST_AFTER}"
        assert re.search(rf"{lost}.* s; was a machine cut off", one.said()), one.said()
    nothing_is_left(machines)
    assert 3 <= read(config.folder / "last.pt")["progress"]["step"] < 120

    machines[1].link("up")
    host, guest = both(config)
    assert (host.ends(), guest.ends()) == (0, 0), host.said() + guest.said()
    assert "taking up" in host.said()
    assert "[0] epoch 16" in host.said(), "the log of rank 0 is the host's"
    assert same(whole, config)
    nothing_is_left(machines)


@pytest.mark.parametrize("victim", ["the host's launcher", "the guest's launcher", "a process"])
def test_one_dies_and_the_other_says_so(machines, both, config, victim):
    host, guest = both(config)
    host.until("step 4/120")
    if victim == "a process":  # as the kernel does when the memory is used up
        torchrun = psutil.Process(guest.process.pid).children()[0]
        torchrun.children()[0].kill()
        assert (host.ends(), guest.ends()) == (1, 1)
        assert "LaunchError: stabn train failed" in guest.said()
        killed = r"process 0 was killed by SIGKILL \(for want of memory"
        assert re.search(rf"LaunchError: .*machine 2 .*: {killed}", host.said())
        assert re.search(rf"LaunchError: .*failed: {killed}", guest.said())
    else:
        dead, left = (host, guest) if victim.startswith("the host") else (guest, host)
        dead.process.kill()
        dead.process.wait()
        assert left.ends() == 1
        assert re.search(
            r"LaunchError: .*machine [12] .*: the connection to it is lost: was its notebook ended",
            left.said(),
        )
    nothing_is_left(machines)


def test_sigterm_on_one_machine_is_a_pre_emption_on_both(machines, both, config):
    host, guest = both(config)
    host.until("step 4/120")
    psutil.Process(guest.process.pid).children()[0].terminate()
    assert (host.ends(), guest.ends()) == (1, 1)
    for one in (host, guest):
        assert "LaunchError: stabn train was pre-empted" in one.said(), one.said()
    assert 4 <= read(config.folder / "last.pt")["progress"]["step"] < 120
    nothing_is_left(machines)

"""The build as its user meets it: tiny steps, real processes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tools.processes import Processes
from tools.steps import ROOT

pytestmark = pytest.mark.slow(20)


class Builds:
    """Builds of tests/tools/small_build.py in one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = Processes(folder)
        self._running = []

    def start(self, target: str, **variables: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "tests.tools.small_build", str(self.folder), target]
        build = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"LOKY_MAX_CPU_COUNT": "2", **variables},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._running.append(build)
        return build

    def make(self, target: str, **variables: str) -> tuple[int, list[str]]:
        """Status and lines of a build that ends."""
        build = self.start(target, **variables)
        said, _ = build.communicate(timeout=100)
        return build.returncode, said.splitlines()

    def at_work(self, target: str, count: int) -> subprocess.Popen:
        """A build whose steps have ``count`` processes by now."""
        build = self.start(target)
        deadline = time.monotonic() + 60
        while len(self.processes.running()) < count:
            assert time.monotonic() < deadline
            assert build.poll() is None, build.stdout.read()
            time.sleep(0.05)
        return build

    def clear(self) -> None:
        for build in self._running:
            build.kill()
            build.wait()
        self.processes.end(patience=1)


@pytest.fixture
def builds(tmp_path):
    found = Builds(tmp_path)
    yield found
    found.clear()


def test_steps_run_side_by_side_and_only_once(builds):
    status, lines = builds.make("pair")
    assert status == 0, lines
    assert lines[0] == "▶ first"
    assert {"▶ pair/one", "▶ pair/two"} == set(lines[2:4])
    assert "steps made: 3" in lines[-1]
    record = json.loads((builds.folder / "steps/pair/one.json").read_text())
    assert record["step"] == "pair/one"
    status, lines = builds.make("pair")
    assert status == 0
    assert "steps made: 0" in lines[0]


def test_a_step_alone_has_all_the_threads_it_has_use_for(builds):
    for cores, threads in (("1", "1"), ("2", "2")):
        (builds.folder / "threads").unlink(missing_ok=True)
        assert builds.make("threads", LOKY_MAX_CPU_COUNT=cores)[0] == 0
        assert (builds.folder / "threads").read_text().strip() == threads


def test_a_failure_ends_the_others_and_its_cause_is_the_last_thing_printed(builds):
    status, lines = builds.make("failing")
    assert status == 1
    assert not builds.processes.running()
    assert any(line.startswith("  tree: ended after") for line in lines)
    cause = next(i for i, line in enumerate(lines) if line.startswith("✗ bad failed after"))
    assert lines[cause].endswith("exit status 3")
    assert lines[cause + 1].startswith("  the command: sh -c")
    assert lines[-3:] == [
        "    100%",
        "    the cause",
        f"  the whole log: {builds.folder}/logs/bad.log",
    ]
    assert not any("\r" in line for line in lines)
    assert not any(line.startswith("✓ tree") for line in lines)  # ended is not done
    assert not [*(builds.folder / "steps").glob("*.json")]


def test_a_function_that_raises_is_told_with_its_traceback(builds):
    status, lines = builds.make("error")
    assert status == 1
    assert any(line.startswith("✗ error: FileNotFoundError in read_text") for line in lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_build_that_is_stopped_leaves_no_process(builds, number):
    build = builds.at_work("tree", 2)
    build.send_signal(number)
    said, _ = build.communicate(timeout=60)
    assert build.returncode == 128 + number
    assert "goes on from here" in said
    assert "Traceback" not in said
    assert not builds.processes.running()


def test_what_a_killed_build_left_behind_is_ended_by_the_next_one(builds):
    build = builds.at_work("tree", 2)
    build.kill()
    build.wait()
    left = builds.processes.running()
    assert left
    status, lines = builds.make("first")
    assert status == 0
    assert lines[0] == "  ended 2 processes that a killed build had left behind"
    assert not builds.processes.running()


def test_what_was_made_before_a_kill_is_not_made_again(builds):
    build = builds.start("after")
    while not (builds.folder / "logs/after.log").exists():
        assert build.poll() is None, build.stdout.read()
        time.sleep(0.05)
    build.kill()
    build.wait()
    _, lines = builds.make("pair")
    assert "steps made: 0" in lines[-1]


def test_a_second_build_in_the_folder_says_so_and_stops(builds):
    build = builds.at_work("tree", 2)
    status, lines = builds.make("first")
    assert status == 1
    assert lines == [
        f"✗ another build is at work in this folder, process {build.pid}: wait until it has "
        f"ended, or end it with: kill {build.pid}"
    ]
    assert build.poll() is None


def test_a_lock_whose_holder_is_gone_is_no_obstacle(builds):
    """The file names a process that lives, ours: its number was used again."""
    (builds.folder / "lock").write_text(str(os.getpid()))
    assert builds.make("first")[0] == 0


def test_what_there_is_not_cannot_be_built_and_nothing_is_done(builds):
    status, lines = builds.make("frist")
    assert status == 1
    assert lines == ["✗ there is nothing to build named 'frist'; `make help` lists what there is"]

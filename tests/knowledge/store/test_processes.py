"""Many processes save at once, some are killed in the middle: what was acknowledged is there."""

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from stabn.knowledge.store.store import Store

pytestmark = pytest.mark.slow(40)

VIDEOS = [f"video {i}" for i in range(5)]
PATIENCE = 120.0  # seconds; what is waited for takes a few on a quiet machine

# An annotator at full speed. What `save` returned goes to a log of their own, and to its disk.
ANNOTATOR = """
import json, os, sys
from datetime import UTC, datetime
from itertools import count
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.store.store import Store

url, annotator, log, rounds = sys.argv[1:]
store = Store(url)
store.register((f"video {i}", 8) for i in range(5))
with open(log, "a") as file:
    for round in range(int(rounds)) if rounds != "forever" else count():
        for i in range(5):
            latest = store.latest(f"video {i}", annotator)
            after = latest.number if latest else None
            edit = Edit(
                f"video {i}", "edited", (1.0,) * 8, annotator, "0" * 64, (0.5,) * 8,
                datetime.now(UTC), float((after or 0) + 1),
            )
            number = store.save(edit, after=after)
            file.write(json.dumps([f"video {i}", number, edit.made.isoformat()]) + "\\n")
            file.flush()
            os.fsync(file.fileno())
"""


class Annotator:
    """A process that saves, and its log."""

    def __init__(self, url: str, folder: Path, number: int, rounds: int | str):
        self.name, self.log = f"annotator {number}", folder / f"{number}.jsonl"
        self._arguments = [sys.executable, "-c", ANNOTATOR, url, self.name, str(self.log)]
        self.start(rounds)

    def start(self, rounds: int | str) -> None:
        threads = {"OMP_NUM_THREADS": "1"}
        arguments = [*self._arguments, str(rounds)]
        self.process = subprocess.Popen(arguments, env=os.environ | threads)

    def acknowledged(self) -> list[tuple[str, int, str]]:
        """What the log holds; a last line cut by the kill was not acknowledged."""
        text = self.log.read_text() if self.log.exists() else ""
        return [tuple(json.loads(line)) for line in text.split("\n")[:-1]]


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"not within {PATIENCE} s: {what}"
        time.sleep(0.02)


@pytest.fixture
def annotators(store_url, tmp_path):
    """Eight at once on a store that none of them finds there: four work on, four go on for ever."""
    those = [Annotator(store_url, tmp_path, i, 4 if i < 4 else "forever") for i in range(8)]
    yield those
    for annotator in those:
        annotator.process.kill()
        annotator.process.wait()


def test_nothing_acknowledged_is_lost(annotators, store_url):
    for more, victim in zip((3, 6, 9, 12), annotators[4:], strict=True):
        wait_until(
            lambda victim=victim, more=more: len(victim.acknowledged()) >= more,
            f"{victim.name} saves {more} edits",
        )
        victim.process.kill()  # SIGKILL, wherever in a save it is
        victim.process.wait()
        victim.start(1)  # they come back, and go on from what the store holds
    for annotator in annotators:
        assert annotator.process.wait(PATIENCE) == 0, f"{annotator.name} failed"

    held = defaultdict(list)
    for revision in Store(store_url, create=False).revisions():
        edit = revision.edit
        held[edit.annotator].append((edit.video_id, revision.number, edit.made.isoformat()))
        assert edit.seconds == revision.number  # the edit of that number, not another one's
    unacknowledged = 0
    for annotator in annotators:
        acknowledged = annotator.acknowledged()
        assert set(acknowledged) <= set(held[annotator.name])
        unacknowledged += len(held[annotator.name]) - len(acknowledged)
        for video_id in VIDEOS:
            numbers = [number for video, number, _ in held[annotator.name] if video == video_id]
            assert numbers == list(range(1, len(numbers) + 1))
    # A kill between the commit and the log leaves one edit more than was acknowledged.
    assert 0 <= unacknowledged <= 4
    assert all(len(annotator.acknowledged()) == 20 for annotator in annotators[:4])


def test_an_open_store_survives_a_fork(store_url, make_edit):
    """A connection that two processes share would mix up their answers; here none is open."""
    store = Store(store_url)
    store.register([("a", 8)])
    store.save(make_edit(seconds=1.0), after=None)
    code = os.fork()
    if code == 0:
        try:
            os._exit(store.save(make_edit(seconds=2.0), after=1))
        finally:
            os._exit(99)
    _, status = os.waitpid(code, 0)
    assert os.waitstatus_to_exitcode(status) == 2
    assert store.save(make_edit(seconds=3.0), after=2) == 3
    assert [revision.edit.seconds for revision in store.revisions()] == [1, 2, 3]

"""The scripts can be imported, and there are tiny videos to give them, looked at only once."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from stabn.data.video import write_video

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "data_scripts")]

import manifest  # noqa: E402
from decoding import examine  # noqa: E402
from lookalike import MTIME, archive_of, fill, write_known, write_lists  # noqa: E402


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> list[Path]:
    """Sixteen tiny videos of 8 to 12 frames, some in two passes as the real ones."""
    folder, photo = tmp_path_factory.mktemp("clips"), data.astronaut()
    paths = []
    for k in range(16):
        frames = [photo[9 * k + i : 9 * k + i + 24, 3 * i : 3 * i + 32] for i in range(8 + k % 5)]
        paths.append(folder / f"{k}.webm")
        write_video(paths[-1], np.stack(frames), 12, two_pass=k % 4 == 0)
        os.utime(paths[-1], (MTIME, MTIME))
    return paths


@pytest.fixture(scope="session")
def rows(clips) -> list[dict]:
    """What verify.py says of each of them."""
    return [examine(path.stem, path) for path in clips]


@pytest.fixture
def small(tmp_path, clips) -> Path:
    """Sixteen videos with their lists: 10 to train on, 4 for validation, 2 for test."""
    write_lists(tmp_path / "small", 10, 4, 2, classes=4)
    return fill(tmp_path / "small", clips, range(1, 17))


@pytest.fixture
def known(small, rows) -> Path:
    """The same, verified."""
    return write_known(small, rows)


@pytest.fixture
def in_process(monkeypatch) -> None:
    """Work is done here and now: what may become of a worker is test_workers.py's affair."""

    def here(work, tasks, jobs, limit):
        return ((task, work(task)) for task in tasks)

    monkeypatch.setattr(manifest, "in_workers", here)


@pytest.fixture(scope="session")
def packed(clips) -> bytes:
    """An archive of 208 videos."""
    names = {f"20bn-something-something-v2/{n}.webm": clips[n % len(clips)] for n in range(1, 209)}
    return archive_of({name: path.read_bytes() for name, path in names.items()})

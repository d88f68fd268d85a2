"""The scripts can be imported, and there are tiny videos to give them."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from stabn.data.video import write_video

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "data_scripts")]

from lookalike import MTIME, archive_of, fill, write_lists  # noqa: E402


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


@pytest.fixture
def small(tmp_path, clips) -> Path:
    """Thirty videos with their lists."""
    write_lists(tmp_path / "small", 20, 6, 4, classes=8)
    return fill(tmp_path / "small", clips, range(1, 31))


@pytest.fixture(scope="session")
def packed(clips) -> bytes:
    """An archive of 208 videos."""
    names = {f"20bn-something-something-v2/{n}.webm": clips[n % len(clips)] for n in range(1, 209)}
    return archive_of({name: path.read_bytes() for name, path in names.items()})

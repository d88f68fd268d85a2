"""A copy is its source if it shows the same pictures, not if it has the same size and length."""

from pathlib import Path

import numpy as np
import pytest
from likeness import unlike
from PIL import Image
from skimage import data

from stabn.data.video import write_video

PHOTO = data.astronaut()


def pan(y: int, x: int) -> np.ndarray:
    """Nine frames (9, 64, 96, 3), each further on than the last by y and x pixels."""
    return np.stack([PHOTO[y * i : y * i + 64, x * i : x * i + 96] for i in range(9)])


def scaled(frames: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.stack([np.asarray(Image.fromarray(f).resize((width, height))) for f in frames])


SHOWN = pan(1, 2)
OTHER = "its copy shows another picture than the source, as in frame 0"


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("source") / "1.webm"
    write_video(path, SHOWN, 12)
    return path


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        (SHOWN, None),
        (scaled(SHOWN, 16, 24), None),
        (scaled(SHOWN, 32, 46), None),  # rounded to even sides, and one beyond
        (scaled(np.rot90(SHOWN, 1, (1, 2)), 64, 96), OTHER),  # turned, and squeezed to its size
        (np.rot90(SHOWN, 1, (1, 2)), "its copy is squeezed, 96×64 of 64×96"),
        (scaled(SHOWN, 32, 32), "its copy is squeezed, 32×32 of 64×96"),
        (SHOWN[:, :, ::-1], OTHER),
        (SHOWN[:, ::-1], OTHER),
        (SHOWN[[0, 0, 1, 2, 3, 4, 5, 6, 7]], "its copy shows frame 3 of the source as frame 4"),
        (SHOWN[[0, 1, 2, 3, 4, 5, 6, 7, 7]], "its copy shows frame 7 of the source as frame 8"),
        (SHOWN[::-1], "its copy shows frame 8 of the source as frame 0"),
        (255 - SHOWN, OTHER),
    ],
)
def test_pictures_are_compared(source, tmp_path, frames, says):
    write_video(tmp_path / "1.webm", np.ascontiguousarray(frames), 12)
    assert unlike(source, tmp_path / "1.webm", 9) == says


def test_a_picture_that_stands_still_resembles_every_frame(tmp_path):
    still = np.repeat(SHOWN[:1], 5, 0)
    for name in ("1.webm", "2.webm"):
        write_video(tmp_path / name, still, 12)
    assert unlike(tmp_path / "1.webm", tmp_path / "2.webm", 5) is None

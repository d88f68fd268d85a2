"""A video file → its frames, or a :class:`VideoError` that says why not; and frames → a file.

Frame k of a video is the k-th that plays, and there are as many as a sequential decode shows: see
:mod:`stabn.data.decoding`. Clips are seconds long and need most of their frames, so decoding all up
to the last one wanted costs little.
"""

import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
from av import Packet
from av.video.reformatter import VideoReformatter

from stabn.data.decoding import VideoError, opened, playing, rgb


@dataclass(frozen=True)
class VideoInfo:
    """Length in frames, size in pixels as shown, and mean frames per second of a video."""

    frames: int
    height: int
    width: int
    fps: float


def probe(path: Path | str) -> VideoInfo:
    """Number of frames, height, width and frame rate of a video, in its native frames.

    Raises:
        VideoError: The file is missing, cut, or no video that can be decoded.
    """
    path = Path(path)
    frames = frame_count(path)
    with opened(path) as stream:
        height, width, _ = rgb(next(playing(path, stream)), VideoReformatter()).shape
        fps = stream.average_rate
        if not fps:  # webm with a variable rate states none
            seconds = (stream.container.duration or 0) / av.time_base
            fps = frames / seconds if seconds else stream.guessed_rate or 0
    return VideoInfo(frames, height, width, float(fps))


def frame_count(path: Path | str, content: bytes | None = None) -> int:
    """Number of native frames; of VP8 and VP9 in webm without decoding any.

    Args:
        path: A video.
        content: Its bytes, where they have been read already.

    Raises:
        VideoError: The file is missing, cut, or no video that can be decoded.
    """
    path = Path(path)
    with opened(path, content) as stream:
        codec = stream.codec_context.codec.canonical_name
        if stream.container.format.name != "matroska,webm" or codec not in ("vp8", "vp9"):
            return sum(1 for _ in playing(path, stream))
        packets = dropwhile(lambda packet: not packet.is_keyframe, stream.container.demux(stream))
        frames = sum(_shows(packet, codec) for packet in packets if packet.size)
    if not frames:
        raise VideoError(path, "holds no frame")
    return frames


def read_frames(
    path: Path | str, indices: Sequence[int] | np.ndarray, content: bytes | None = None
) -> np.ndarray:
    """The frames of a video at given source frame indices, in the order asked for.

    Args:
        path: A video in any container and codec that PyAV's ffmpeg decodes; it is shown upright, as
            its rotation tag says.
        indices: Frame indices (T,), 0-based, in any order, repeats allowed.
        content: The file's bytes, where they have been read already.

    Returns:
        uint8 (T, H, W, 3), RGB.

    Raises:
        VideoError: The file is missing, cut, or no video that can be decoded, an index lies
            outside it, or its frames change their size.
    """
    path = Path(path)
    indices = np.asarray(indices, dtype=np.int64)
    if indices.size == 0:
        raise ValueError(f"{path}: no frame index given")
    if indices.min() < 0:
        raise _outside(path, indices.min(), frame_count(path, content))
    wanted, last, frames = set(indices.tolist()), indices.max(), None
    convert = VideoReformatter()
    with opened(path, content) as stream:
        for k, frame in enumerate(playing(path, stream)):
            if k in wanted:
                image = rgb(frame, convert)
                if frames is None:  # their size is known now; no other frame is kept
                    frames = np.empty((len(indices), *image.shape), np.uint8)
                frames[indices == k] = image
            if k == last:
                return frames  # (T, H, W, 3)
    raise _outside(path, last, k + 1)


def write_video(path: Path | str, frames: np.ndarray, fps: float, two_pass: bool = False) -> None:
    """Write frames as VP9 (``.webm``) or H.264 (``.mp4``), whole or not at all.

    The same frames give the same file, byte for byte.

    Args:
        path: Where to; the suffix chooses the codec.
        frames: uint8 (n, H, W, 3), RGB; H.264 needs even H and W.
        fps: Frames per second.
        two_pass: VP9 in two passes with alternate reference frames, as the files of
            Something-Something v2 were made; about five times slower.

    Raises:
        VideoError: The file cannot be written: no such folder, no permission, disk full.
        ValueError: Frames of another shape or type, or a suffix other than these two.
    """
    path = Path(path)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or not len(frames):
        raise ValueError(
            f"{path}: frames must be uint8 (n, H, W, 3), not {frames.dtype} {frames.shape}"
        )
    _, height, width, _ = frames.shape
    if path.suffix == ".mp4" and (height % 2 or width % 2):
        raise ValueError(f"{path}: H.264 needs even height and width, not {height}×{width}")
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    # "file:", as a colon in a name would make a protocol of what stands before it
    with tempfile.TemporaryDirectory() as scratch:
        source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps}"]
        log = ["-passlogfile", f"{scratch}/pass"]
        passes = [[*_codec(path, two_pass), f"file:{part}"]]
        if two_pass and path.suffix == ".webm":
            passes = [
                [*_codec(path, True), *log, "-pass", "1", "-f", "null", os.devnull],
                [*_codec(path, True), *log, "-pass", "2", f"file:{part}"],
            ]
        try:
            for arguments in passes:
                _ffmpeg(path, [*source, "-i", "-", "-an", *arguments], frames)
            os.replace(part, path)
        except OSError as error:
            raise VideoError(path, f"cannot be written: {error.strerror}") from error
        finally:
            with suppress(OSError):
                part.unlink()


def _codec(path: Path, two_pass: bool) -> list[str]:
    common = ["-pix_fmt", "yuv420p", "-threads", "1", "-fflags", "+bitexact", "-flags", "+bitexact"]
    if path.suffix == ".mp4":
        return ["-c:v", "libx264", "-preset", "veryfast", "-crf", "18", *common]
    if path.suffix != ".webm":
        raise ValueError(f"{path}: a video is written as .webm or .mp4")
    vp9 = ["-c:v", "libvpx-vp9", "-crf", "24", "-b:v", "0", *common]
    if two_pass:
        good = ["-deadline", "good", "-cpu-used", "5"]
        return [*vp9, *good, "-auto-alt-ref", "1", "-lag-in-frames", "25"]
    return [*vp9, "-deadline", "realtime", "-cpu-used", "8"]


def _ffmpeg(path: Path, arguments: list[str], frames: np.ndarray) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y"]
    run = subprocess.run([*command, *arguments], input=frames.tobytes(), capture_output=True)
    if run.returncode != 0:
        said = run.stderr.decode(errors="replace").strip().splitlines()
        if run.returncode < 0:
            said = [signal.strsignal(-run.returncode) or f"signal {-run.returncode}"]
        raise VideoError(path, f"cannot be written: {'; '.join(said[-3:])}")


def _shows(packet: Packet, codec: str) -> bool:
    """Whether a packet of webm plays as a frame; an alternate reference frame of VP8 does not.

    VP9 packs such a frame together with the next one that plays.
    """
    return codec == "vp9" or bool(memoryview(packet)[0] & 0x10)  # VP8's show_frame


def _outside(path: Path, index: int, frames: int) -> VideoError:
    return VideoError(
        path,
        f"has no frame {index}, only 0 to {frames - 1}: "
        "a wrong index, or the file lost its end (copy it again)",
    )

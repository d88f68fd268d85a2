"""A video file → its frames, or a :class:`VideoError` that says why not."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import decord
import imageio_ffmpeg
import numpy as np

from stabn.data.container import container, missing_bytes, not_a_video
from stabn.errors import UserError

decord.logging.set_level(decord.logging.QUIET)  # failures arrive as VideoError, not as log lines

_REENCODE = "re-encode it, for example: ffmpeg -i {name} -an {stem}-h264.mp4"


class VideoError(UserError):
    """A video file that cannot be read or written.

    Attributes:
        path: The file.
        reason: The cause in words, and what to do about it.
    """

    def __init__(self, path: Path | str, reason: str = ""):
        # `reason` may be absent so that a DataLoader can raise the error again from its text alone.
        super().__init__(path, reason)
        self.path, self.reason = Path(path), reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.reason else str(self.args[0])


@dataclass(frozen=True)
class VideoInfo:
    """Length in frames, size in pixels, and frames per second of a video."""

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
    with _open(path) as reader:
        fps = float(reader.get_avg_fps())
        if _can_seek(path):
            height, width = reader[0].shape[:2]
            return VideoInfo(len(reader), height, width, fps)
        shapes = [frame.shape for frame in _in_sequence(reader)]
        if not shapes:
            raise VideoError(path, "holds no frame")
        return VideoInfo(len(shapes), *shapes[0][:2], fps)


def frame_count(path: Path | str) -> int:
    """Number of native frames; where the container can be trusted, without decoding any.

    Raises:
        VideoError: The file is missing, cut, or no video that can be decoded.
    """
    path = Path(path)
    with _open(path) as reader:
        frames = len(reader) if _can_seek(path) else sum(1 for _ in _in_sequence(reader))
    if not frames:
        raise VideoError(path, "holds no frame")
    return frames


def read_frames(path: Path | str, indices: Sequence[int] | np.ndarray) -> np.ndarray:
    """The frames of a video at given source frame indices, in the order asked for.

    Args:
        path: A webm or mp4 file; other containers are decoded from their first frame on, because
            seeking in them is not always exact.
        indices: Frame indices (T,), 0-based, in any order, repeats allowed.

    Returns:
        uint8 (T, H, W, 3), RGB.

    Raises:
        VideoError: The file is missing, cut, or no video that can be decoded, or an index lies
            outside it.
    """
    path = Path(path)
    wanted, back = np.unique(np.asarray(indices, dtype=np.int64), return_inverse=True)
    if wanted.size == 0:
        raise ValueError(f"{path}: no frame index given")
    with _open(path) as reader:
        if _can_seek(path):
            _check_range(path, wanted, len(reader))
            frames = _batch(reader, wanted)
        else:
            keep = set(wanted.tolist())
            found, count = {}, 0
            for count, frame in enumerate(_in_sequence(reader), start=1):
                if count - 1 in keep:
                    found[count - 1] = _unpadded(frame.asnumpy())
            _check_range(path, wanted, count)
            frames = np.stack([found[i] for i in wanted.tolist()])
    return frames[back]  # (T, H, W, 3)


def write_video(path: Path | str, frames: np.ndarray, fps: float, two_pass: bool = False) -> None:
    """Write frames as VP9 (``.webm``) or H.264 (``.mp4``), whole or not at all.

    The same frames give the same file, byte for byte.

    Args:
        path: Where to; the suffix chooses the codec.
        frames: uint8 (n, H, W, 3), RGB; H.264 needs even H and W, webm at least two frames.
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
    n, height, width, _ = frames.shape
    if path.suffix == ".webm" and n < 2:
        raise ValueError(f"{path}: decord reads no webm of a single frame; write two, or an mp4")
    if path.suffix == ".mp4" and (height % 2 or width % 2):
        raise ValueError(f"{path}: H.264 needs even height and width, not {height}×{width}")
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    with tempfile.TemporaryDirectory() as scratch:
        source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps}"]
        log = ["-passlogfile", f"{scratch}/pass"]
        passes = [[*_codec(path, two_pass), str(part)]]
        if two_pass and path.suffix == ".webm":
            passes = [
                [*_codec(path, True), *log, "-pass", "1", "-f", "null", os.devnull],
                [*_codec(path, True), *log, "-pass", "2", str(part)],
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


def _can_seek(path: Path) -> bool:
    """Seeking was found frame-exact in webm and mp4; some XviD avi return other frames."""
    return container(path) in ("webm", "mp4")


def _in_sequence(reader: decord.VideoReader) -> Iterator:
    """All frames of a freshly opened video, without a seek."""
    while True:
        try:
            yield reader.next()
        except StopIteration:
            return


def _batch(reader: decord.VideoReader, indices: np.ndarray) -> np.ndarray:
    """Frames (T, H, W, 3) at increasing indices."""
    try:
        return reader.get_batch(indices).asnumpy()
    except decord.DECORDError as error:
        if "size must exactly match" not in str(error):
            raise
        return np.stack([_unpadded(reader[int(i)].asnumpy()) for i in indices])


def _unpadded(frame: np.ndarray) -> np.ndarray:
    """A frame (H, W, 3) without the bytes that decord leaves at the end of each row.

    At widths such as 48 and 72, where a row's padded length is a multiple of the width, decord
    takes the padding for more channels (and its ``get_batch`` fails).
    """
    height, width, _ = frame.shape
    return frame.reshape(height, -1)[:, : 3 * width].reshape(height, width, 3)


def _check_range(path: Path, wanted: np.ndarray, frames: int) -> None:
    if wanted[0] < 0 or wanted[-1] >= frames:
        outside = wanted[0] if wanted[0] < 0 else wanted[-1]
        raise VideoError(
            path,
            f"has no frame {outside}, only 0 to {frames - 1}: "
            "a wrong index, or the file lost its end (copy it again)",
        )


@contextmanager
def _open(path: Path) -> Iterator[decord.VideoReader]:
    """A decord reader whose failures, on opening and later, are a :class:`VideoError`.

    One thread, always: with more, decord fails on genuine Something-Something v2 files (VP9 with
    alternate reference frames). Opened inside each call: a reader does not survive a fork.
    """
    if not path.exists():
        raise VideoError(path, "no such file")
    if path.is_dir():
        raise VideoError(path, "is a folder, not a video")
    try:
        thing, lost = not_a_video(path), missing_bytes(path)
    except OSError as error:
        raise VideoError(path, f"cannot be read: {error.strerror}") from error
    if thing:
        raise VideoError(path, f"is {thing}: put the video itself there")
    if lost:
        raise VideoError(path, f"was cut short, {lost} bytes are missing: copy it again")
    try:
        yield decord.VideoReader(str(path), num_threads=1)
    except (RuntimeError, decord.DECORDError) as error:
        raise VideoError(path, _in_words(path, str(error))) from error


def _in_words(path: Path, error: str) -> str:
    remedy = _REENCODE.format(name=path.name, stem=path.stem)
    if "cannot find video stream" in error:
        return f"holds no video that decord decodes (sound only, or a codec like AV1): {remedy}"
    if "Failed to measure duration" in error:
        return f"does not say how long it is (a stream's recording, one frame, or Theora): {remedy}"
    if "Error reading" in error:
        return "is no video, or its header is damaged: copy it again"
    return f"cannot be decoded, it is damaged ({error.splitlines()[0][-120:]}): copy it again"

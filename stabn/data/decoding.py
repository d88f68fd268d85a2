"""A video file opened → the frames that play, in their order, or a :class:`VideoError`.

Frames are decoded in sequence from the first one on, and nothing is sought. An index of packets
says less: edit lists cut frames off, open GOPs need pictures before them, packets of XviD hold two
frames or none. What a sequential decode shows is what plays, in every container and codec.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av import VideoFrame, VideoStream
from av.buffer import Buffer
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideData
from av.stream import Disposition
from av.video.reformatter import VideoReformatter

from stabn.data.container import missing_bytes, not_a_video
from stabn.errors import UserError


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


@contextmanager
def opened(path: Path, content: bytes | None = None) -> Iterator[VideoStream]:
    """The video stream of a file, to be decoded by one thread.

    The file is opened once, by Python: ffmpeg, and those who look for damage before it, read from
    that. Parallel file systems answer an opening slowly. To be opened where it is read: what ffmpeg
    holds open does not survive a fork.

    Args:
        path: The file.
        content: Its bytes, where they have been read already; it is not opened then.

    Raises:
        VideoError: On opening and inside the ``with`` block: the file is missing, cut, or no video
            that can be decoded.
    """
    with bytes_of(path, content) as file:
        thing, lost = not_a_video(file), missing_bytes(file)
        if thing:
            raise VideoError(path, f"is {thing}: put the video itself there")
        if lost:
            raise VideoError(path, f"was cut short, {lost} bytes are missing: copy it again")
        file.seek(0)
        with _decoded(path, file) as stream:
            yield stream


@contextmanager
def bytes_of(path: Path, content: bytes | None = None) -> Iterator[BinaryIO]:
    """A file open for reading, or what has been read of it.

    Raises:
        VideoError: On opening and inside the ``with`` block: it is missing, or cannot be read.
    """
    try:
        with path.open("rb") if content is None else BytesIO(content) as file:
            yield file
    except FileNotFoundError as error:
        raise VideoError(path, _missing(path)) from error
    except IsADirectoryError as error:
        raise VideoError(path, "is a folder, not a video") from error
    except OSError as error:
        raise VideoError(path, f"cannot be read: {error.strerror}") from error


def _missing(path: Path) -> str:
    """What is to be said of a file that is not there."""
    if path.is_symlink():
        return f"is a link to {path.readlink()}, which is gone: put it back, or make the set anew"
    return "no such file"


@contextmanager
def _decoded(path: Path, file: BinaryIO) -> Iterator[VideoStream]:
    try:
        with av.open(file, metadata_errors="ignore") as container:
            stream = _video_stream(path, container)
            stream.codec_context.thread_count = 1  # a process a core decodes already
            yield stream
    except av.InvalidDataError as error:
        raise VideoError(path, "is no video, or its header is damaged: copy it again") from error
    except av.FFmpegError as error:
        raise VideoError(
            path, f"cannot be decoded ({error.strerror}): {_reencode(path)}"
        ) from error


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    """What a player shows: the default stream, else the largest; never a cover picture."""
    streams = container.streams.video
    covers = [stream for stream in streams if stream.disposition & Disposition.attached_pic]
    videos = [stream for stream in streams if stream not in covers]
    if not videos:
        there = ["sound"] * bool(container.streams.audio) + ["a cover picture"] * bool(covers)
        raise VideoError(path, f"holds {' and '.join(there) or 'nothing'} only, no video")
    decodable = [stream for stream in videos if stream.codec_context]
    if not decodable:
        raise VideoError(path, f"is in a codec that ffmpeg does not decode: {_reencode(path)}")
    return max(decodable, key=lambda s: (s.disposition & Disposition.default, s.width * s.height))


def playing(path: Path, stream: VideoStream) -> Iterator[VideoFrame]:
    """All frames of a freshly opened video, in the order in which they play.

    Raises:
        VideoError: The file is damaged, or its frames change their size.
    """
    begun, count, form = False, 0, None
    try:
        for packet in stream.container.demux(stream):
            begun = begun or packet.is_keyframe or count > 0
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                if packet.size == 1 and stream.codec_context.name == "mpeg4":
                    continue  # 0x7F, which XviD for Windows writes where it has no frame ready
                if begun:
                    raise
                # cut out of a longer stream: these show nothing without what was before
                stream.codec_context.flush_buffers()
                continue
            for frame in frames:
                now = frame.width, frame.height, frame.rotation
                form = form or now
                if now != form:
                    raise VideoError(
                        path,
                        f"changes its size at frame {count}, from {form[0]}×{form[1]} to "
                        f"{now[0]}×{now[1]}: {_reencode(path)}",
                    )
                yield frame
                count += 1
        if not count:
            raise VideoError(path, "holds no frame")
    except av.InvalidDataError as error:
        where = f"after frame {count - 1}" if count else "in its first frame"
        raise VideoError(path, f"is damaged {where} ({error.strerror}): copy it again") from error


def rgb(frame: VideoFrame, convert: VideoReformatter) -> np.ndarray:
    """A frame uint8 (H, W, 3), upright, in the colours that ffmpeg's command line gives it.

    Args:
        frame: From :func:`playing`.
        convert: One for all frames of a video: it keeps what it computed of the first.
    """
    image = convert.reformat(frame, format="rgb24", interpolation="BICUBIC", threads=1)
    return _upright(image.to_ndarray(), frame.side_data.get(SideData.DISPLAYMATRIX))


def _upright(image: np.ndarray, display: Buffer | None) -> np.ndarray:
    """An image (H, W, 3) turned and mirrored in quarters, as its display matrix says."""
    if display is None:
        return image
    (a, b, _), (c, d, _), _ = np.frombuffer(display, np.int32).reshape(3, 3).tolist()
    if abs(b) > abs(a):  # x′ = a·x + c·y and y′ = b·x + d·y: the axes change places
        image, a, d = image.swapaxes(0, 1), c, b
    return image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def _reencode(path: Path) -> str:
    return f"re-encode it, for example: ffmpeg -i {path.name} -an {path.stem}-h264.mp4"

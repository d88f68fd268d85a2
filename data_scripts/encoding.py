"""A video → its copy: upright, frame for frame, no larger than asked for."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from decoding import complaints, ffmpeg

from stabn.data.decoding import opened

_SAME_BYTES = "-pix_fmt yuv420p -threads 1 -fflags +bitexact -flags +bitexact"
# What the disk is to blame for, and not the video.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO)


class Rejected(Exception):
    """A copy that is not put in place."""


class Codec(NamedTuple):
    """An encoder and what holds its stream.

    Attributes:
        suffix: of the files.
        container: as ffmpeg calls it.
        options: of the encoder.
        multiple: what height and width are multiples of.
    """

    suffix: str
    container: str
    options: str
    multiple: int


# Key frames come as seldom as the encoders let them: training decodes from the first frame on, and
# one every 16 frames makes files up to a quarter larger and nothing quicker.
CODECS = {
    "vp9": Codec(
        ".webm",
        "webm",
        "-c:v libvpx-vp9 -crf 30 -b:v 0 -deadline realtime -cpu-used 5 "
        "-auto-alt-ref 0 -lag-in-frames 0",
        multiple=1,
    ),
    # Without B-frames no frame waits for a later one, and the container needs no edit list.
    "h264": Codec(
        ".mp4",
        "mp4",
        "-c:v libx264 -preset veryfast -tune fastdecode -crf 23 -bf 0",
        multiple=2,
    ),
}


@dataclass(frozen=True)
class Recipe:
    """How copies are made; as text it tells them from copies made otherwise."""

    codec: Codec
    short_side: int

    def __str__(self) -> str:
        return f"upright, short side {self.short_side}: {self.codec.options} {_SAME_BYTES}"

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the copy of a video; none is enlarged."""
        scale, multiple = min(1, self.short_side / min(height, width)), self.codec.multiple
        height, width = (
            multiple * min(round(side * scale / multiple), side // multiple)
            for side in (height, width)
        )
        return height, width


def encode(source: Path, target: Path | str, codec: Codec, size: tuple[int, int]) -> None:
    """Write a copy of the video stream, frame for frame, at ``size`` (height, width).

    ffmpeg turns what carries a rotation tag upright, and then scales it. Frames of an avi get one
    length each: a packet of XviD that holds no frame would leave a gap.

    Raises:
        Rejected: The video cannot be decoded or encoded.
        OSError: The disk cannot take the copy.
    """
    scale = f"scale={size[1]}:{size[0]}:flags=bicubic"
    done = ffmpeg("-loglevel", "level+error", *_rate(source), "-i", source, "-map", "0:V:0",
                  "-map_metadata", "-1", "-fps_mode", "passthrough", "-vf", scale,
                  *codec.options.split(), *_SAME_BYTES.split(), "-f", codec.container,
                  target)  # fmt: skip
    if said := complaints(done):
        for code in _DISK:
            if any(os.strerror(code) in line for line in said):
                raise OSError(code, os.strerror(code), str(target))
        raise Rejected(f"cannot be encoded (ffmpeg: {said[0]})")


def _rate(source: Path) -> list[str]:
    if source.suffix != ".avi":
        return []
    with opened(source) as stream:
        return ["-r", str(stream.average_rate)]

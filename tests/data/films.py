"""Films whose pictures tell which frame they are, and ffmpeg, which writes and decodes them."""

import os
import subprocess
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

HEIGHT, WIDTH, BITS = 48, 64, 8
_BLOCK = WIDTH // BITS


def ffmpeg(*arguments: str | Path, frames: np.ndarray | None = None) -> bytes:
    """Run the ffmpeg that imageio-ffmpeg carries on one thread; what it wrote to "-"."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-y", *map(str, arguments)]
    given = None if frames is None else frames.tobytes()
    return subprocess.run(command, check=True, input=given, stdout=subprocess.PIPE).stdout


def encode(frames: np.ndarray, path: Path, *arguments: str | Path, two_pass: bool = False) -> Path:
    """Frames uint8 (n, H, W, 3), 30 a second → a video, as ffmpeg writes it so asked."""
    height, width = frames.shape[1:3]
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", 30, "-i", "-")
    if not two_pass:
        ffmpeg(*raw, *arguments, path, frames=frames)
        return path
    log = ("-passlogfile", path.with_suffix(""), "-pass")
    ffmpeg(*raw, *arguments, *log, 1, "-f", "null", os.devnull, frames=frames)
    ffmpeg(*raw, *arguments, *log, 2, path, frames=frames)
    return path


def decoded_by_ffmpeg(path: Path, height: int, width: int) -> np.ndarray:
    """All frames of a video as ffmpeg's command line decodes them: uint8 (n, height, width, 3)."""
    raw = ffmpeg("-i", path, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def barcodes(n: int) -> np.ndarray:
    """Frames uint8 (n, 48, 64, 3), n ≤ 256: each shows its own number, and below it the inverse."""
    bits = np.arange(n)[:, None] >> np.arange(BITS) & 1  # (n, 8)
    top = bits.repeat(_BLOCK, axis=1)[:, None].repeat(HEIGHT // 2, axis=1)  # (n, 24, 64)
    grey = np.concatenate([top, 1 - top], axis=1) * np.uint8(255)
    return grey.astype(np.uint8)[..., None].repeat(3, axis=3)


def numbers(frames: np.ndarray) -> list[int]:
    """The numbers that frames show; fails where a frame is not plainly one."""
    grey = frames.mean(axis=3).reshape(len(frames), 2, HEIGHT // 2, BITS, _BLOCK).mean(axis=(2, 4))
    contrast = grey[:, 0] - grey[:, 1]  # (n, 8)
    assert (np.abs(contrast) > 100).all(), "a frame shows two numbers, or none"
    return ((contrast > 0) @ (1 << np.arange(BITS))).tolist()


def packed(source: Path, path: Path) -> Path:
    """An avi of MPEG-4 part 2, packed as DivX and XviD do: a P with its first B, at last nothing.

    So many packets as frames: of each run of B-frames the first lies in the packet of the P-frame
    before it, the others have one each, and an empty one follows.
    """
    vop, says_so = b"\x00\x00\x01\xb6", b"\x00\x00\x01\xb2DivX503b1393p"
    chunks: list[bytes] = []
    run = 0  # B-frames since the last P
    for data in packets(source):
        kind = data[data.index(vop) + 4] >> 6  # 0 I, 1 P, 2 B
        if kind == 2 and run == 0:
            chunks[-1] += data
        elif kind == 2:
            chunks.append(data)
        else:
            chunks += [NO_FRAME] * (run > 0)
            chunks.append(data.replace(vop, says_so + vop, 1) if kind == 0 else data)
        run = run + 1 if kind == 2 else 0
    return as_avi([*chunks, *[NO_FRAME] * (run > 0)], source, path)


NO_FRAME = b"\x00\x00\x01\xb6\x50\xcf"  # MPEG-4's P-frame that is "not coded", at 30 a second
STUB = b"\x7f"  # what XviD for Windows writes while it has no frame ready


def packets(path: Path) -> list[bytes]:
    """What the packets of a video hold, in the file's order."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def as_avi(chunks: list[bytes], source: Path, path: Path) -> Path:
    """An avi of these chunks of MPEG-4 part 2, with the header of another one."""
    with av.open(str(source)) as given, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(given.streams.video[0])
        for time, data in enumerate(chunks):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, given.streams.video[0].time_base
            packet.pts = packet.dts = time
            at = data.find(b"\x00\x00\x01\xb6")
            packet.is_keyframe = at >= 0 and data[at + 4] >> 6 == 0
            out.mux(packet)
    return path

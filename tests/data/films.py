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
    """An avi of MPEG-4 part 2 with single B-frames, packed as DivX does: P and B, then none."""
    vop, says_so = b"\x00\x00\x01\xb6", b"\x00\x00\x01\xb2DivX503b1393p"
    nothing = vop + b"\x50\x6f"  # a P-frame that is "not coded"

    def kind(packet: bytes) -> int:  # 0 I, 1 P, 2 B
        return packet[packet.index(vop) + 4] >> 6

    with av.open(str(source)) as unpacked, av.open(str(path), "w") as out:
        given = unpacked.streams.video[0]
        taken = out.add_stream_from_template(given)
        chunks: list[bytes] = []
        for data in (bytes(packet) for packet in unpacked.demux(given) if packet.size):
            if kind(data) == 2:
                chunks[-1:] = [chunks[-1] + data, nothing]
            else:
                chunks.append(data.replace(vop, says_so + vop, 1) if kind(data) == 0 else data)
        for time, data in enumerate(chunks):
            packet = av.Packet(data)
            packet.stream, packet.time_base = taken, given.time_base
            packet.pts = packet.dts = time
            packet.is_keyframe = kind(data) == 0
            out.mux(packet)
    return path

"""Videos for the tests of a reader's own, and what the page shows of them."""

import base64
import io
import re
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image

LOSSLESS = ["-c:v", "libvpx-vp9", "-lossless", "1", "-pix_fmt", "gbrp"]


def encoded(path: Path, frames: np.ndarray, fps: str, *codec: str) -> Path:
    """Frames uint8 (n, H, W, 3) as a video file."""
    _, height, width, _ = frames.shape
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", fps]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *source, "-i", "-"]
    subprocess.run([*command, *codec, path], input=frames.tobytes(), check=True)
    return path


def moving(count: int, height: int, width: int) -> np.ndarray:
    """Frames that all differ, with edges and noise."""
    k, y, x = np.mgrid[:count, :height, :width]
    noise = np.random.default_rng(0).integers(0, 256, (count, height, width))
    noise[:, : height // 2] = 20 * (k[:, : height // 2] % 12)
    return np.stack([3 * x + 7 * k, 2 * y + 3 * k, noise], axis=-1).astype(np.uint8)


def unpacked(address: str) -> np.ndarray:
    """The frames, uint8 (T, S, S, 3), of a strip that is written out in its address."""
    content = base64.b64decode(re.search(r"base64,([^\"]+)", address)[1])
    strip = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))  # (S, T·S, 3)
    side = strip.shape[0]
    return strip.reshape(side, -1, side, 3).swapaxes(0, 1)

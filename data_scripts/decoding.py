"""One video, decoded whole by two decoders: what it holds, or what is wrong with it."""

import os
import re
import subprocess
from pathlib import Path

import decord
import imageio_ffmpeg
from manifest import new_row

from stabn.data.video import VideoError, probe
from stabn.training.files import file_hash

_COMPLAINT = re.compile(r"(?:\[[^]]*\] )*\[(?:error|fatal|panic)\] (.+)")
_DURATION = re.compile(r"Duration: (\d+):(\d+):(\d+\.\d+)")


def ffmpeg(*arguments: str | Path) -> subprocess.CompletedProcess:
    """Run the ffmpeg that imageio-ffmpeg carries, on one thread: the same bytes each time."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-threads", "1", "-y"]
    return subprocess.run([*command, *map(str, arguments)], capture_output=True)


def complaints(said: bytes) -> list[str]:
    """The errors among what ffmpeg said at ``-loglevel level+…``, without its memory addresses."""
    lines = said.decode(errors="replace").splitlines()
    return [match[1] for line in lines if (match := _COMPLAINT.match(line))]


def examine(video_id: str, path: Path) -> dict:
    """A row of the manifest for one file, decoded to its last frame.

    decord decodes it, as training does. Alone it is too forgiving: where a file is damaged inside
    it may repeat a neighbouring frame, or take the damage for the end of a shorter video. So
    ffmpeg decodes it as well, and the two and the container must agree.
    """
    row = new_row(video_id)
    try:
        facts = os.stat(path)
        row |= {"bytes": facts.st_size, "mtime_ns": facts.st_mtime_ns, "sha256": file_hash(path)}
        info = probe(path)
        row |= {"width": info.width, "height": info.height, "fps": info.fps}
        row["status"] = _decode(path, info.frames, row)
    except VideoError as error:
        row["status"] = error.reason
    except OSError as error:
        row["status"] = f"cannot be read: {error.strerror}"
    return row


def _decode(path: Path, opened: int, row: dict) -> str:
    """Fill in the frames of a row; returns its status."""
    witness = ffmpeg("-loglevel", "level+info", "-i", path, "-map", "0:v:0",
                     "-fps_mode", "passthrough", "-f", "framecrc", "-")  # fmt: skip
    seen = sum(not line.startswith(b"#") for line in witness.stdout.splitlines())
    errors = complaints(witness.stderr)
    if duration := _DURATION.search(witness.stderr.decode(errors="replace")):
        hours, minutes, seconds = map(float, duration.groups())
        row["promised"] = round((3600 * hours + 60 * minutes + seconds) * row["fps"])
    row["frames"], whole = _count(path)
    if not whole:
        return f"decord fails after {row['frames']} of {opened} frames: copy it again"
    if errors:
        return f"is damaged (ffmpeg: {errors[0]}): copy it again"
    if not row["frames"] == seen == opened:
        return f"decord decodes {row['frames']} frames of {opened}, ffmpeg {seen}: copy it again"
    if (row["promised"] or 0) > row["frames"] + 1:  # by one, durations may be rounded
        return f"decodes {row['frames']} of {row['promised']} promised frames: copy it again"
    return "ok"


def _count(path: Path) -> tuple[int, bool]:
    """How many frames decord decodes in sequence, and whether it came to the end."""
    frames = 0
    try:
        reader = decord.VideoReader(str(path), num_threads=1)
        while True:
            reader.next()
            frames += 1
    except StopIteration:
        return frames, True
    except (RuntimeError, decord.DECORDError):
        return frames, False

"""One video, decoded whole by two decoders: what it holds, or what is wrong with it."""

import os
import re
import signal
import subprocess
from pathlib import Path

import av
import imageio_ffmpeg
from manifest import new_row
from workers import OUTSIDE, Lost

from stabn.data.decoding import VideoError, opened, playing
from stabn.data.video import probe
from stabn.training.files import file_hash

_COMPLAINT = re.compile(r"(?:\[[^]]*\] )*\[(?:error|fatal|panic)\] (.+)")


def ffmpeg(*arguments: str | Path) -> subprocess.CompletedProcess:
    """Run the ffmpeg that imageio-ffmpeg carries, on one thread: the same bytes each time.

    A path is given as ``file:…``: a colon in it would make a protocol of what stands before.
    """
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-threads", "1", "-y"]
    given = [f"file:{each}" if isinstance(each, Path) else each for each in arguments]
    return subprocess.run([*command, *given], capture_output=True)


def complaints(done: subprocess.CompletedProcess) -> list[str]:
    """Why ffmpeg failed: that it crashed, else its errors, else its exit status; or nothing.

    It has to be run at ``-loglevel level+…``; its memory addresses are left out.
    """
    if done.returncode < 0:
        return [f"crashed with {signal.Signals(-done.returncode).name}"]
    lines = done.stderr.decode(errors="replace").splitlines()
    said = [match[1] for line in lines if (match := _COMPLAINT.match(line))]
    return said or ([f"status {done.returncode}"] if done.returncode else [])


def examine(video_id: str, path: Path) -> dict:
    """A row of the manifest for one file, decoded to its last frame.

    The library decodes it, as training does. Alone it is too forgiving: where a file is damaged
    inside it may take the damage for the end of a shorter video. So an ffmpeg of another version
    decodes it as well, and the two and the container must agree.
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


def _decode(path: Path, stated: int, row: dict) -> str:
    """Fill in the frames of a row; returns its status."""
    row["frames"], row["promised"] = _play(path, row["fps"])
    witness = ffmpeg("-loglevel", "level+error", "-i", path, "-map", "0:V:0",
                     "-fps_mode", "passthrough", "-f", "framecrc", "-")  # fmt: skip
    shown = [line.split() for line in witness.stdout.splitlines() if not line.startswith(b"#")]
    checksums = [line[-1] for line in shown]
    if path.suffix == ".avi" and len(shown) > row["frames"] and checksums.pop() in checksums:
        shown.pop()  # XviD may end in a packet without a frame: this ffmpeg repeats one for it
    seen = len(shown)
    if -witness.returncode in OUTSIDE:
        return Lost.by(-witness.returncode)
    errors = complaints(witness)
    if witness.returncode < 0:
        return (
            f"ffmpeg, the witness of its {row['frames']} frames, {errors[0]}: "
            "re-encode it with an ffmpeg of another version"
        )
    if errors:
        return f"is damaged (ffmpeg: {errors[0]}): copy it again"
    if not row["frames"] == seen == stated:
        return f"plays {row['frames']} frames of {stated}, by ffmpeg {seen}: copy it again"
    if (row["promised"] or 0) > row["frames"] + 1:  # by one, durations may be rounded
        return f"plays {row['frames']} of {row['promised']} promised frames: copy it again"
    return "ok"


def _play(path: Path, fps: float) -> tuple[int, int | None]:
    """How many frames play, each of them decoded, and how many the stated length has room for.

    What is missing is looked for after the last frame's end, as frames need not be equally long.
    Where there is sound or more beside the video, the stated length may be that of the other.
    """
    frames, end = 0, 0.0
    with opened(path) as stream:
        for frame in playing(path, stream):
            frames += 1
            end = max(end, float(((frame.pts or 0) + frame.duration) * frame.time_base))
        whole = stream.container
        if not whole.duration or len(whole.streams) > 1:
            return frames, None
        missing = ((whole.start_time or 0) + whole.duration) / av.time_base - end
    return frames, frames + max(0, round(missing * fps))

"""Videos decoded once: small frames in one memory map, read back at the speed of copying.

A prepared set is a folder with one data file, the uint8 frames of all videos end to end, and
``index.json``, which says where each lies. The index names its data file and is renamed into place
last, so what a reader finds is the old set or the new one, whole. The data file is named by its
content, so equal sets are equal folders.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import av
import click
import numpy as np
import torch

from stabn import given
from stabn.data.features import KEY
from stabn.data.processes import in_processes
from stabn.data.ssv2 import VideoFolder
from stabn.data.transforms import resize
from stabn.data.video import VideoError
from stabn.errors import UserError

_VERSION = 1


class PreparationError(UserError):
    """A set that could not be prepared, or a prepared set that is missing or damaged."""


def _missing(folder: Path, error: OSError) -> str:
    """What is to be said of a prepared set that is not there."""
    if (folder / KEY).exists():
        return (
            f"{folder}: holds an encoder's features, and frames are asked for: give a folder of "
            "`stabn prepare`, or name the encoder under network"
        )
    return f"{error.filename}: {error.strerror}; make it with stabn prepare"


class PreparedFrames:
    """A prepared set, with the same two methods as :class:`stabn.data.ssv2.VideoFolder`.

    Raises:
        PreparationError: The folder holds no prepared set, or a damaged one.
    """

    def __init__(self, path: Path | str):
        self.folder = given.path(path)
        index = self.folder / "index.json"
        try:
            self.index = given.read_json(index)
            if self.index["version"] != _VERSION:
                raise PreparationError(f"{index}: made by another version; prepare the set again")
            self._data = np.memmap(self.folder / self.index["data"], np.uint8, "r")
            promised = self.index["bytes"]
        except OSError as error:
            raise PreparationError(_missing(self.folder, error)) from error
        except (ValueError, KeyError, TypeError) as error:
            raise PreparationError(f"{index}: damaged ({error}); prepare the set again") from error
        if self._data.size != promised:
            raise PreparationError(
                f"{self.folder / self.index['data']}: holds {self._data.size} bytes of {promised}; "
                "prepare the set again"
            )

    def __reduce__(self):  # a pickled memory map would carry all its bytes to every worker
        return PreparedFrames, (self.folder,)

    def video_ids(self) -> list[str]:
        """The ids of all videos in the set."""
        return list(self.index["videos"])

    def frames(self, video_id: str) -> int:
        """How many frames a video has."""
        return self._entry(video_id)[1]

    def read(self, video_id: str, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Frames uint8 (T, h, w, 3) at source frame indices (T,), a copy.

        Raises:
            VideoError: The video is not in the set, or an index lies outside it.
        """
        offset, frames, height, width = self._entry(video_id)
        indices = np.asarray(indices, dtype=np.int64)
        if indices.size and not (indices.min() >= 0 and indices.max() < frames):
            raise VideoError(
                self.folder,
                f"video {video_id} has frames 0 to {frames - 1}, not {indices.tolist()}",
            )
        size = frames * height * width * 3
        return self._data[offset : offset + size].reshape(frames, height, width, 3)[indices]

    def _entry(self, video_id: str) -> list[int]:
        if video_id not in self.index["videos"]:
            raise VideoError(self.folder, f"has no video {video_id}; prepare the set again")
        return self.index["videos"][video_id]


def prepare(
    folder: VideoFolder,
    video_ids: Sequence[str],
    out: Path | str,
    short_side: int,
    jobs: int | None = None,
) -> PreparedFrames:
    """Decode videos once, shrink every frame, and keep them as one memory map.

    The same videos in the same order give the same folder, byte for byte, however many jobs.

    Args:
        folder: The videos.
        video_ids: Which of them.
        out: Folder of the prepared set, made if missing; an older set there is replaced whole.
        short_side: Length of the frames' short side in pixels; the aspect ratio stays.
        jobs: Processes; by default one for every core.

    Returns:
        The prepared set.

    Raises:
        PreparationError: Some videos are broken (all are tried, each is named with its cause), or
            the set cannot be written. Nothing is left behind and an older set stays as it was.
    """
    out = given.path(out)
    if not video_ids:
        raise PreparationError(f"{out}: no videos to prepare")
    if (out / KEY).exists():
        raise PreparationError(f"{out}: holds an encoder's features; choose another folder")
    growing = out / f"frames-part-{os.urandom(4).hex()}.u8"
    part = out / f".index.{os.getpid()}.json"
    videos, broken, offset, content = {}, [], 0, hashlib.sha256()
    try:
        out.mkdir(parents=True, exist_ok=True)
        work = partial(_decode, folder, short_side)
        decoding = closing(in_processes(work, video_ids, jobs, "decoding", "video"))
        with growing.open("wb") as file, decoding as decoded:
            for video_id, result in zip(video_ids, decoded, strict=True):
                if isinstance(result, str):
                    broken.append(result)
                elif not broken:  # after the first broken video the rest is only checked
                    videos[video_id] = [offset, *result.shape[:3]]
                    offset += file.write(result.data)
                    content.update(result.data)
            os.fsync(file.fileno())
        if broken:
            raise PreparationError(
                f"{out}: not prepared, {len(broken)} of {len(video_ids)} videos cannot be read:\n"
                + "\n".join(broken)
            )
        name = f"frames-{content.hexdigest()[:16]}.u8"
        os.replace(growing, out / name)  # a file of this name has these bytes: no reader notices
        part.write_text(
            json.dumps(
                {
                    "version": _VERSION,
                    "data": name,
                    "bytes": offset,
                    "short_side": short_side,
                    "decoder": f"av {av.__version__}",
                    "entry": ["offset", "frames", "height", "width"],
                    "videos": videos,
                }
            ),
            encoding="utf-8",
        )
        os.replace(part, out / "index.json")
    except ChildProcessError as error:
        raise PreparationError(f"{out}: not prepared, {error}") from error
    except OSError as error:
        raise PreparationError(f"{out}: cannot be written: {error.strerror}") from error
    finally:
        _remove_all_but_current(out, part)
    return PreparedFrames(out)


def _decode(folder: VideoFolder, short_side: int, video_id: str) -> np.ndarray | str:
    """A video's small frames uint8 (n, h, w, 3), or what is wrong with it."""
    torch.set_num_threads(1)
    try:
        frames = folder.read(video_id, np.arange(folder.frames(video_id)))  # (n, H, W, 3)
    except VideoError as error:
        return str(error)
    height, width = frames.shape[1:3]
    scale = short_side / min(height, width)
    small = resize(frames, round(height * scale), round(width * scale))  # (n, 3, h, w)
    return np.ascontiguousarray(small.permute(0, 2, 3, 1).numpy())  # (n, h, w, 3)


def _remove_all_but_current(out: Path, part: Path) -> None:
    """Remove data files that the index does not name: an older set's, or a failed attempt's."""
    with suppress(OSError):
        part.unlink(missing_ok=True)
    current = None
    with suppress(OSError, ValueError, KeyError):
        current = given.read_json(out / "index.json")["data"]
    for path in out.glob("frames-*.u8"):
        if path.name != current:
            with suppress(OSError):
                path.unlink()


@click.command(help="Decode a data set's videos once, made small.")
@click.option("--root", type=given.path, required=True, help="data set with videos/<id>.webm")
@click.option("--out", type=given.path, required=True, help="folder of the prepared set")
@click.option("--short-side", type=click.IntRange(min=8), required=True, help="pixels")
@click.option("--jobs", type=click.IntRange(min=1), help="processes (default: one for every core)")
def command(root: Path, out: Path, short_side: int, jobs: int | None) -> None:
    """``stabn prepare --root data/mini --out data/mini_prepared --short-side 56``."""
    folder = VideoFolder(root)
    done = prepare(folder, folder.video_ids(), out, short_side, jobs)
    click.echo(f"{out}: {len(done.video_ids())} videos, {done.index['bytes'] / 1e6:.0f} MB")

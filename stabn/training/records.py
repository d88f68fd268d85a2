"""What a run was: its configuration, code, data, machine, time and results, in one JSON file."""

import hashlib
import json
import math
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from stabn import given
from stabn.errors import UserError
from stabn.training.build import features
from stabn.training.checkpoint import REPOSITORY
from stabn.training.config import ConfigError, RunConfig
from stabn.training.files import replacing

PACKAGES = ("torch", "numpy", "av", "pandas", "scipy")
# what is known of a run when it has ended
REPORT = {"wall_seconds", "peak_memory_gib", "steps", "best", "results"}


class RecordError(UserError):
    """A record that is damaged, or something else; the message names the file and the remedy."""


def new_record(
    config: RunConfig, classes: tuple[str, ...], processes: int, precision: str
) -> dict[str, Any]:
    """The record of a run that starts now, at the precision in use; ``results`` is still empty."""
    return {
        "name": config.name,
        "config": config.model_dump(mode="json"),
        "classes": len(classes),
        "seed": config.seed,
        "code": code_version(),
        "data": data_fingerprint(config),
        "hardware": {**hardware(), "processes": processes, "precision": precision},
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_seconds": None,
        "results": {},
    }


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """What a run writes into its folder before it computes; a folder that refuses is told.

    Raises:
        ConfigError: no permission, disk full, or something else in its place.
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"out_dir: {folder} cannot be written ({error.strerror}); make it writable or choose "
            f"another out_dir"
        ) from error


def write_record(path: str | Path, record: dict[str, Any]) -> None:
    """Write a record atomically; NaN becomes null, as JSON has none."""
    with replacing(path, "w") as file:
        json.dump(_finite(record), file, indent=1, ensure_ascii=False)
        file.write("\n")


def read_record(path: str | Path) -> dict[str, Any]:
    """Read a record; ``{}`` where there is none.

    Raises:
        RecordError: it is damaged, or something else.
    """
    path = Path(path)
    if not path.is_file():
        return {}
    try:
        record = given.read_json(path)
    except ValueError as error:
        raise RecordError(f"{path}: is not JSON ({error}); copy it again, or delete it") from error
    if not isinstance(record, dict):
        raise RecordError(f"{path}: is no record of a run; copy it again, or delete it")
    return record


def finished(record: dict[str, Any], steps: int) -> bool:
    """Whether a record reports on so many steps: a run that has gone on since has not finished."""
    return record.get("wall_seconds") is not None and record.get("steps") == steps


def unreported(record: dict[str, Any]) -> dict[str, Any]:
    """A record without its report, as that of a run which goes on."""
    kept = {name: value for name, value in record.items() if name not in REPORT}
    return kept | {"wall_seconds": None, "results": {}}


def results_table(record: dict[str, Any]) -> pd.DataFrame:
    """The single figures of a record's results: a row a figure, a column an evaluation."""
    return pd.DataFrame(
        {
            tag: {name: value for name, value in figures.items() if not isinstance(value, dict)}
            for tag, figures in record["results"].items()
        }
    )


def agreement_table(record: dict[str, Any]) -> pd.DataFrame:
    """Attention against the truth: a row an evaluation and measure; empty where none is known."""
    measures = ("rank_correlation", "pointing", "mass_in_mask")
    return pd.DataFrame(
        [
            {"evaluation": tag, "measure": name}
            | {key: figures[name][key] for key in ("value", "chance", "n")}
            for tag, figures in record["results"].items()
            for name in measures
            if name in figures
        ]
    )


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def code_version() -> dict[str, Any]:
    """Git commit of the code, and whether files differed from it; null outside a repository."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(REPOSITORY), *arguments],
                capture_output=True,
                text=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no")
    return {"commit": git("rev-parse", "HEAD"), "dirty": None if changed is None else bool(changed)}


def data_fingerprint(config: RunConfig) -> dict[str, Any]:
    """A hash over the annotation files' bytes and the videos' names and sizes.

    The same for two copies of one data set, wherever they lie; another as soon as a label, a
    video's name or a video's size differs. Where features are read, what they are of is added.
    """
    if config.data == "pretext":
        return {"root": None, "videos": config.pretext_clips, "sha256": None}
    root = Path(config.data_root)
    digest = hashlib.sha256()
    annotations = [*root.glob("*.json"), *root.glob("labels/*.json")]
    for path in sorted(annotations, key=lambda p: p.name):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    videos = []
    if (root / "videos").is_dir():
        with os.scandir(root / "videos") as entries:
            videos = sorted((e.name, e.stat().st_size) for e in entries if e.is_file())
    for name, size in videos:
        digest.update(f"{name} {size}\n".encode())
    found = {"root": config.data_root, "videos": len(videos), "sha256": digest.hexdigest()}
    return found | ({"features": asdict(features(config).key)} if config.encoder else {})


def check_features(config: RunConfig, folder: Path) -> None:
    """Whether a run that reads features has those that its record names.

    Raises:
        ConfigError: they are of other weights, frames or a decoder.
        FeaturesError: they cannot be used at all.
    """
    if config.encoder is None:
        return
    before = read_record(folder / "record.json").get("data", {}).get("features")
    now = asdict(features(config).key)
    if before and (differ := [name for name in now if now[name] != before.get(name)]):
        raise ConfigError(
            f"prepared: {config.prepared} holds other features than {folder} began with "
            f"({', '.join(differ)}); give the folder of those, or choose another name for the run"
        )


def hardware() -> dict[str, Any]:
    """Processor, cores, GPUs and system, for a reader who compares times."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        cpu = names[0] if names else cpu
    return {"cpu": cpu, "cores": os.cpu_count(), "gpus": gpus, "system": platform.platform()}


def peak_memory() -> dict[str, float]:
    """Largest resident size in GiB of this process, of any child process, and of the GPU."""
    unit = 2**30 if sys.platform == "darwin" else 2**20  # bytes on Macs, KiB on Linux
    peaks = {
        "process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit,
        "largest_child": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit,
    }
    if torch.cuda.is_available():
        peaks["gpu"] = torch.cuda.max_memory_allocated() / 2**30
    return {name: round(value, 3) for name, value in peaks.items()}

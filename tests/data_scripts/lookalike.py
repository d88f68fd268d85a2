"""A tree that looks like Something-Something v2, its archive in parts, the scripts as programs."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from manifest import manifest_path, write_manifest

from stabn.data.ssv2 import class_text

SCRIPTS = Path(__file__).parents[2] / "data_scripts"

MTIME = 1_500_000_000
FOLDER = "20bn-something-something-v2"

_ACTS = ("Balancing", "Brushing", "Carrying", "Dragging", "Flicking", "Hiding", "Laying", "Nudging",
          "Peeling", "Rattling", "Sliding", "Stapling", "Tapping", "Wrapping")  # fmt: skip
_WAYS = (
    "{} [something]",
    "{} [something] from left to right",
    "{} [something] from right to left",
    "{} [something] onto [something else]",
    "{} [something] so that it falls, then picking it up",
    "{} [something] (but nothing moves)",
    "{} [something] with [something]",
    "{} [part] of [something]",
    "{} [number of] [something]",
    "{} [something] [somewhere]",
    "{} [something soft] flat",
    "{} [something] that has [something in it]",
)
TEMPLATES = sorted(
    [*(way.format(act) for act in _ACTS for way in _WAYS),
     *(f"Pretending to tilt [something] until {so}" for so in ("it slips", "it, slowly, stops",
       "it turns (or not)", "[something else] falls", "[part] shows", "[something soft] folds"))],
    key=class_text,
)  # fmt: skip


def write_lists(
    root: Path, train: int, validation: int, test: int, *, classes: int = 174, prefix: str = ""
) -> None:
    """Label file and lists of so many videos, numbered on from 1, in the official form."""
    templates = TEMPLATES[:classes]
    root.mkdir(parents=True, exist_ok=True)

    def entry(number: int) -> dict:
        template = templates[number % classes]
        return {
            "id": str(number),
            "label": class_text(template).lower(),
            "template": template,
            "placeholders": ["a pen"] * template.count("["),
        }

    lists = {
        "labels": {class_text(text): str(k) for k, text in enumerate(templates)},
        "train": [entry(n) for n in range(1, train + 1)],
        "validation": [entry(n) for n in range(train + 1, train + validation + 1)],
        "test": [{"id": str(train + validation + n)} for n in range(1, test + 1)],
    }
    for name, content in lists.items():
        (root / f"{prefix}{name}.json").write_text(json.dumps(content))


def fill(root: Path, clips: list[Path], numbers) -> Path:
    """Put a video in its place for each number."""
    (root / "videos").mkdir(parents=True, exist_ok=True)
    for n in numbers:
        shutil.copy2(clips[n % len(clips)], root / "videos" / f"{n}.webm")
    return root


def write_known(root: Path, rows: list[dict]) -> Path:
    """Write the manifest of a set that was filled with clips, from a row for each clip."""
    ids = [path.stem for path in (root / "videos").iterdir()]
    write_manifest(manifest_path(root), [rows[int(v) % len(rows)] | {"id": v} for v in ids])
    return root


def archive_of(files: dict[str, bytes]) -> bytes:
    """A tar.gz as the publisher's: the folder, then its files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tar:
        top = tarfile.TarInfo(FOLDER)
        top.type, top.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(top)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), MTIME
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def split(packed: bytes, folder: Path, parts: int = 20) -> Path:
    """Cut an archive into the parts in which it is handed out."""
    folder.mkdir(parents=True, exist_ok=True)
    edges = np.linspace(0, len(packed), parts + 1).astype(int)
    for n in range(parts):
        (folder / f"{FOLDER}-{n:02}").write_bytes(packed[edges[n] : edges[n + 1]])
    return folder


def tree(root: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its bytes, and when it last changed if that is part of what it is."""
    return {
        str(p.relative_to(root)): (p.read_bytes(), p.stat().st_mtime if p.suffix == ".webm" else 0)
        for p in sorted(root.rglob("*"))
        if p.is_file()
    }


def start(script: str, *arguments: str | Path) -> subprocess.Popen:
    command = [sys.executable, str(SCRIPTS / f"{script}.py"), *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )


def run_script(script: str, *arguments: str | Path) -> tuple[int, str]:
    """Exit status and output of a script run to its end."""
    process = start(script, *arguments)
    said, _ = process.communicate(timeout=300)
    return process.returncode, said


def kill_when(condition: Callable[[], bool], script: str, *arguments: str | Path) -> None:
    """Start a script and SIGKILL it once the condition holds; it leaves no process behind.

    Raises:
        AssertionError: It ended by itself before that, or its workers outlived it.
    """
    process = start(script, *arguments)
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, f"ended too early:\n{process.stdout.read()}"
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.002)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    process.stdout.close()
    assert process.returncode == -signal.SIGKILL, "was done before it could be killed"
    _, alive = psutil.wait_procs(workers, 60)
    assert not alive

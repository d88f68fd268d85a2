"""The status page: what this build measured, on which machine, with which versions."""

import json
import os
import platform
import re
import subprocess
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import psutil

from tools.steps import ROOT, STEPS, THIS_BUILD, duration

# What only the end of the build knows: filled in when the page is written.
PENDING_PAGES, PENDING_GROUP = "(Sphinx is at work)", "(Sphinx is still at work)"
PENDING_BUILD, PENDING_PEAK = "(the build is at work)", "(the build is still at work)"

# Minutes on two plain cores without a GPU and with nothing else running.
BUDGETS = {
    "environment": ("Environment", 3),
    "data": ("mini-SSv2", 3),
    "launch": ("Launch notebooks, one seed", 22),
    "book": ("Chapters and pages", 10),
    "tests": ("Tests, browser included", 10),
}
WHOLE = 20  # side by side, environment included
GROUPS = {
    "prepare": "data",
    **dict.fromkeys(("train", "evaluate", "select", "stand_in", "finetune"), "launch"),
    **dict.fromkeys(
        ("chapter", "quick_chapter", "quick_book", "explain", "live", "quick_live", "runtime"),
        "book",
    ),
}
MEMORY_BUDGET_GIB = 8
ENCODERS = ROOT / "book" / "results" / "cost"  # encoders_*.json
VIDEO = 30  # frames


def read_steps() -> list[dict]:
    """All step records of this machine, in the order in which they ended."""
    records = [json.loads(path.read_text()) for path in STEPS.rglob("*.json")]
    return sorted(records, key=lambda record: record["finished"])


def page() -> str:
    """The whole page as MyST Markdown."""
    steps = read_steps()
    return f"""# Status

Everything on this page but the table of encoders was measured while this copy of the book was
built; no figure is typed by hand. Built {datetime.now(UTC):%Y-%m-%d %H:%M} UTC from commit
{_commit()}.

## Run times beside their budgets

The budgets hold for two plain CPU cores without a GPU, and nothing else running. A step that was up
to date keeps the figures of the run that made it; a dash is a step that has not been run on this
machine. Steps run side by side, so the build takes less time than its steps together.

{_budgets(steps)}

Peak memory counts processes together (pages they share are counted in each). The budget is
{MEMORY_BUDGET_GIB} GiB for all that runs side by side; in this build it was {PENDING_PEAK}. The
largest single step was {_largest(steps)}.

## Every step

{_steps(steps)}

## Encoders

How fast `stabn features` reads a set, once, by the records that come with the book. A video is
{VIDEO} frames here; on a CPU the figures are those of one thread. For your machine:
`python benchmarks/encoders.py --out book/results/cost/encoders_NAME.json`.

{_encoders()}

## The machine

{_machine()}

## Versions

{_versions()}
"""


def fill_in(built: Path, pages: str, seconds: float) -> None:
    """Put into the page that Sphinx has just written what it could not know.

    Args:
        built: the page.
        pages: the step that made it, ``"book"`` or ``"quick_book"``.
        seconds: what that took.
    """
    spent = [
        r["seconds"] for r in read_steps() if group(r["step"]) == "book" and r["step"] != pages
    ]
    build = json.loads(THIS_BUILD.read_text())
    whole = f"{_beside(time.time() - build['began'], WHOLE)}, {build['made'] + 1} steps made"
    html = built.read_text()
    for place, value in (
        (PENDING_PAGES, duration(seconds)),
        (PENDING_GROUP, _beside(sum(spent) + seconds, BUDGETS["book"][1])),
        (PENDING_BUILD, whole),
        (PENDING_PEAK, f"{build['peak_mib'] / 1024:.1f} GiB"),
    ):
        if place not in html:
            raise ValueError(f"{built}: no place left for {value}")
        html = html.replace(place, value)
    built.write_text(html)


def group(step: str) -> str:
    """The line of the budget table that a step belongs to."""
    head = step.split("/")[0]
    return GROUPS.get(head, head)


def _beside(seconds: float, minutes: float) -> str:
    """A duration, and that it is over its budget where it is."""
    return duration(seconds) + (", over its budget" if seconds > 60 * minutes else "")


def _budgets(steps: list[dict]) -> str:
    rows = ["| step | measured | budget |", "|---|---:|---:|"]
    for name, (label, minutes) in BUDGETS.items():
        spent = [record["seconds"] for record in steps if group(record["step"]) == name]
        shown = _beside(sum(spent), minutes) if spent else "–"
        shown = PENDING_GROUP if name == "book" else shown
        rows.append(f"| {label} | {shown} | {minutes} min |")
    rows.append(f"| This build, side by side | {PENDING_BUILD} | {WHOLE} min, all its steps |")
    return "\n".join(rows)


def _steps(steps: list[dict]) -> str:
    rows = ["| step | time | peak memory | ended (UTC) |", "|---|---:|---:|---|"]
    for record in steps:
        if record["step"] in ("book", "quick_book"):
            continue
        memory = "–" if record["peak_mib"] is None else f"{record['peak_mib'] / 1024:.2f} GiB"
        ended = record["finished"].replace("T", " ").rstrip("Z")
        rows.append(f"| {record['step']} | {duration(record['seconds'])} | {memory} | {ended} |")
    rows.append(f"| pages (Sphinx) | {PENDING_PAGES} | – | this build |")
    return "\n".join(rows)


def _largest(steps: list[dict]) -> str:
    known = [record for record in steps if record["peak_mib"] is not None]
    if not known:
        return "not measured yet"
    most = max(known, key=lambda record: record["peak_mib"])
    return f"{most['peak_mib'] / 1024:.1f} GiB ({most['step']})"


def _encoders() -> str:
    rows = [
        "| encoder | videos/s | of the speed of decoding | kB a video, vectors | kB, cubes | on |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for path in sorted(ENCODERS.glob("encoders_*.json")):
        record = json.loads(path.read_text())
        on_cpu = record["device"] == "cpu"
        machine = record["hardware"]["cpu"] if on_cpu else record["hardware"]["gpus"][0]
        for row in record["rows"]:
            rate = row["frames_per_second"] / (record["threads"] if on_cpu else 1) / VIDEO
            kept = (f"{VIDEO * row[name] / 1e3:,.0f}" for name in ("bytes_pooled", "bytes_cube"))
            share = f"{row['ratio_to_decoding']:.1%}"
            rows.append(
                " | ".join([f"| {row['encoder']}", f"{rate:.2g}", share, *kept, f"{machine} |"])
            )
    return "\n".join(rows) if len(rows) > 2 else "– (no record)"


def _machine() -> str:
    import torch  # half a second: only where the page is written

    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    rows = {
        "Processor": f"{_processor()}, {os.cpu_count()} logical cores",
        "Memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "GPU": accelerator,
        "System": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "Python": platform.python_version(),
    }
    return "\n".join(
        ["| what | here |", "|---|---|", *(f"| {name} | {what} |" for name, what in rows.items())]
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists() and (found := re.search(r"model name\s*: (.+)", cpuinfo.read_text())):
        return found[1].strip()
    return platform.processor() or platform.machine()


def _versions() -> str:
    pins = re.findall(
        r"^([A-Za-z0-9_.-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE
    )
    rows = ["| package | version |", "|---|---|"]
    for name in pins:
        try:
            rows.append(f"| {name} | {metadata.version(name)} |")
        except metadata.PackageNotFoundError:  # a pin for another system
            continue
    return "\n".join(rows)


def _commit() -> str:
    git = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    found = subprocess.run(git, cwd=ROOT, capture_output=True, text=True)
    return f"`{found.stdout.strip()}`" if found.returncode == 0 else "unknown (not a git checkout)"

"""The status page: what this build measured, on which machine, with which versions."""

import json
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import psutil

from tools.steps import ROOT, STEPS, duration

# The pages' own cost is known only once they are written: these are filled in afterwards.
PENDING_PAGES, PENDING_GROUP = "(Sphinx is at work)", "(Sphinx is still at work)"

# Budgets on two quiet cores without a GPU, from the project's design.
BUDGETS = {
    "environment": ("Environment", 3),
    "data": ("mini-SSv2", 3),
    "launch": ("Launch notebooks, one seed", 12),
    "book": ("Chapters and book", 7),
    "tests": ("Tests, browser included", 10),
}
GROUPS = {"chapter": "book", "explain": "book"}
MEMORY_BUDGET_GIB = 6


def read_steps() -> list[dict]:
    """All step records of this machine, in the order in which they ended."""
    records = [json.loads(path.read_text()) for path in STEPS.rglob("*.json")]
    return sorted(records, key=lambda record: record["finished"])


def page() -> str:
    """The whole page as MyST Markdown."""
    steps = read_steps()
    return f"""# Status

Everything on this page was measured while this copy of the book was built; no figure is typed by
hand. Built {datetime.now(UTC):%Y-%m-%d %H:%M} UTC from commit {_commit()}.

## Run times beside their budgets

The budgets hold for two quiet CPU cores without a GPU. A step that was up to date keeps the figures
of the run that made it; a dash is a step that has not been run on this machine.

{_budgets(steps)}

Peak memory counts a step's processes together (pages they share are counted in each). The budget
for any step is {MEMORY_BUDGET_GIB} GiB; the largest here was {_largest(steps)}.

## Every step

{_steps(steps)}

## The machine

{_machine()}

## Versions

{_versions()}
"""


def fill_in(built: Path) -> None:
    """Put the time that Sphinx itself took into the page it has just written."""
    spent = {record["step"]: record["seconds"] for record in read_steps()}
    total = sum(seconds for step, seconds in spent.items() if group(step) == "book")
    html = built.read_text()
    for place, seconds in ((PENDING_PAGES, spent["book"]), (PENDING_GROUP, total)):
        if place not in html:
            raise ValueError(f"{built}: no place left for the time that the pages took")
        html = html.replace(place, duration(seconds))
    built.write_text(html)


def group(step: str) -> str:
    """The line of the budget table that a step belongs to."""
    head = step.split("/")[0]
    return GROUPS.get(head, head)


def _budgets(steps: list[dict]) -> str:
    rows = ["| step | measured | budget |", "|---|---:|---:|"]
    for name, (label, minutes) in BUDGETS.items():
        spent = [record["seconds"] for record in steps if group(record["step"]) == name]
        shown = duration(sum(spent)) if spent else "–"
        shown = PENDING_GROUP if name == "book" else shown
        rows.append(f"| {label} | {shown} | {minutes} min |")
    return "\n".join(rows)


def _steps(steps: list[dict]) -> str:
    rows = ["| step | time | peak memory | ended (UTC) |", "|---|---:|---:|---|"]
    for record in steps:
        if record["step"] == "book":
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
        ["| | |", "|---|---|", *(f"| {name} | {what} |" for name, what in rows.items())]
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

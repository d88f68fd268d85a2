"""Which library modules a file stands on: the part of a step's key that changes with the code.

A chapter that draws is redone when `figures.py` changes; a training run is not.
"""

import ast
import hashlib
import re
from functools import cache
from importlib import metadata
from pathlib import Path

import grimp

from stabn.__main__ import COMMANDS
from tools.steps import ROOT

PACKAGE = "stabn"
NAME_IN_TEXT = re.compile(rf"\b{PACKAGE}(?:\.\w+)+")
COMMAND_IN_TEXT = re.compile(rf"^{PACKAGE} ([\w-]+)(?: (\w+))?$")


@cache
def distributions() -> dict[str, list[str]]:
    """Importable top-level names, each with the installed distributions that provide it."""
    return dict(metadata.packages_distributions())


@cache
def graph() -> grimp.ImportGraph:
    """Who imports whom in the library, third-party packages included."""
    return grimp.build_graph(PACKAGE, include_external_packages=True, cache_dir=None)


def references(path: Path) -> set[str]:
    """Names a Python file refers to: what it imports, and library modules it names in a string.

    Strings count, commands too, because a launch notebook starts ``"stabn train"``.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.update(NAME_IN_TEXT.findall(node.value))
            if found := COMMAND_IN_TEXT.match(node.value):
                names.update(_behind(*found.groups()))
    elsewhere = {name.split(".")[0] for name in names} - {PACKAGE}
    return (names & graph().modules) | (elsewhere & distributions().keys())


def closure(names: set[str], without: tuple[str, ...] = ()) -> set[str]:
    """``names`` and everything they import, transitively, with the packages that hold them.

    Modules named in ``without``, and those below them, are left out with what only they import.
    """
    left_out = {n for n in graph().modules for w in without if n == w or n.startswith(f"{w}.")}
    found: set[str] = set()
    waiting = names - left_out
    while waiting:
        found.add(name := waiting.pop())
        if name in graph().modules:
            waiting |= graph().find_modules_directly_imported_by(name) - left_out - found
    for name in [name for name in found if _ours(name)]:
        parts = name.split(".")
        found.update(".".join(parts[:depth]) for depth in range(1, len(parts)))
    return found


def key(names: set[str], without: tuple[str, ...] = ()) -> tuple[list[str], dict[str, str]]:
    """Files of the library that ``names`` stand on, and the installed versions of the packages."""
    modules = closure(names, without)
    files = [_file(name).as_posix() for name in sorted(modules) if _ours(name)]
    versions = {
        distribution: metadata.version(distribution)
        for name in sorted(modules)
        if not _ours(name)
        for distribution in distributions().get(name, [])
    }
    return files, versions


def digest(folder: Path) -> str:
    """SHA-256 over the names and contents of all files under ``folder``."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(path.relative_to(folder).as_posix().encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def fingerprint(files: list[str], parameters: object) -> str:
    """SHA-256 over the contents of ``files`` and over ``parameters`` (plain values)."""
    total = hashlib.sha256(repr(parameters).encode())
    for path in files:
        total.update(hashlib.sha256((ROOT / path).read_bytes()).digest())
    return total.hexdigest()


def _behind(command: str, second: str | None) -> list[str]:
    """The module that does a command's work, if there is such a command."""
    place = COMMANDS.get(command, ("",))[0]
    if isinstance(place, dict):
        place = place.get(second, ("",))[0]
    return [place]


def _ours(name: str) -> bool:
    return name.split(".")[0] == PACKAGE


def _file(module: str) -> Path:
    path = Path(*module.split("."))
    return path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py")

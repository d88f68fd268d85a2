"""What pyproject.toml and requirements.txt say is installed for whom, read by tests of both."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LISTS = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}  # "" is the core
PINNED = re.compile(r"(?P<requirement>[^#]+?) +# (?P<reason>\S.*)")
ROOMS = {  # modules below these load with an extra only; all others with the core alone
    "stabn.export": "onnx",
    "stabn.knowledge.app": "app",
    "stabn.knowledge.editor": "app",
    "stabn.knowledge.store": "app",
}


def name(requirement: Requirement) -> str:
    return canonicalize_name(requirement.name)


def ranges() -> list[Requirement]:
    """All that pyproject.toml names, but for an extra that names another."""
    every = [Requirement(line) for lines in LISTS.values() for line in lines]
    return [requirement for requirement in every if requirement.name != "stabn"]


def pins() -> list[Requirement]:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return [Requirement(PINNED.fullmatch(x)["requirement"]) for x in lines if x and x[0] != "#"]


def brought(extra: str) -> set[str]:
    """Distributions that the core and an extra ask for by name."""
    found = {name(Requirement(line)) for line in LISTS[""]}
    for requirement in map(Requirement, LISTS[extra]):
        found |= {name(requirement)}.union(*map(brought, requirement.extras & LISTS.keys()))
    return found - {"stabn"}


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {dotted(path): path for path in sorted((ROOT / "stabn").rglob("*.py"))}


def room(module: str) -> str:
    """The extra that a module loads with; "" for one of the core."""
    places = [place for place in ROOMS if module == place or module.startswith(f"{place}.")]
    return ROOMS[places[0]] if places else ""

"""What is installed for whom: pins, ranges and extras, held to each other and to the imports."""

import ast
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.utils import canonicalize_name

from tests.dependencies import MODULES, PINNED, ROOT, brought, name, pins, ranges, room

DISTRIBUTIONS = metadata.packages_distributions()
THROUGH = {"torch.utils.tensorboard": "tensorboard"}  # modules that import another package at once


def test_every_pin_has_its_reason():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    bare = [line for line in lines if line and line[0] != "#" and not PINNED.fullmatch(line)]
    assert not bare, f"requirements.txt: say what each of these is for: {bare}"


def test_ranges_and_pins_name_the_same_packages_once():
    in_ranges, in_pins = [sorted(map(name, of)) for of in (ranges(), pins())]
    assert in_ranges == in_pins
    assert len(set(in_pins)) == len(in_pins)


def test_every_pin_lies_in_its_range():
    pinned = {name(pin): pin for pin in pins()}
    for wanted in ranges():
        pin = pinned[name(wanted)]
        (exactly,) = pin.specifier
        assert exactly.operator == "=="
        assert wanted.specifier, f"{wanted.name}: pyproject.toml gives no range"
        assert wanted.specifier.contains(exactly.version), f"{pin} is not in {wanted.specifier}"
        assert (pin.extras, str(pin.marker)) == (wanted.extras, str(wanted.marker))


# -- imports -----------------------------------------------------------------------------------


def imported(path: Path, *, at_load: bool) -> Iterator[str]:
    """Dotted names that a file imports when it is loaded, or only when a function of it runs."""
    waiting = [(node, True) for node in ast.parse(path.read_text()).body]
    while waiting:
        node, loads = waiting.pop()
        if loads == at_load and isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif loads == at_load and isinstance(node, ast.ImportFrom):
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
        loads = loads and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        waiting += [(child, loads) for child in ast.iter_child_nodes(node)]


def foreign(path: Path, *, at_load: bool = True) -> set[str]:
    """Distributions, by canonical name, whose packages a file imports."""
    names = set(imported(path, at_load=at_load))
    names |= {THROUGH[name] for name in names & THROUGH.keys()}
    tops = {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"stabn"}
    return {canonicalize_name(DISTRIBUTIONS[top][0]) for top in tops}


def test_the_reading_of_imports_tells_loading_from_running(tmp_path):
    (tmp_path / "some.py").write_text(
        "import yaml\nif True:\n    from torch.utils.tensorboard import SummaryWriter\n"
        "class A:\n    import numpy\n    def f(self):\n        from PIL import Image\n"
    )
    at_load = {"pyyaml", "torch", "tensorboard", "numpy"}
    assert foreign(tmp_path / "some.py") == at_load
    assert foreign(tmp_path / "some.py", at_load=False) == {"pillow"}


def test_every_module_loads_with_what_its_room_brings():
    for module, path in MODULES.items():
        extra = room(module)
        missing = foreign(path) - brought(extra)
        assert not missing, f"{module} loads {missing}, not in {extra or 'the core'}"
        for other in imported(path, at_load=True):
            assert room(other) in ("", extra), f"{module} loads {other} of [{room(other)}]"


def test_what_a_function_imports_is_in_an_extra_that_users_can_name():
    for module, path in MODULES.items():
        named = brought("app") | brought("encoders") | brought("launch")
        assert foreign(path, at_load=False) <= named, module


def test_the_scripts_that_bring_data_in_need_the_core_alone():
    own = {path.stem for path in ROOT.glob("data_scripts/*.py")}
    for path in ROOT.glob("data_scripts/*.py"):
        tops = {name.split(".")[0] for name in imported(path, at_load=True)} - own
        tops -= sys.stdlib_module_names | {"stabn"}
        assert {canonicalize_name(DISTRIBUTIONS[top][0]) for top in tops} <= brought("")

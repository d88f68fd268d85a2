"""Data flow one way: a module imports only what lies before it."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]
WINGS, ROOMS, _ = (contract.get("layers") for contract in CONTRACTS)


def lint(folder: Path) -> subprocess.CompletedProcess:
    """Check the contract of the pyproject.toml in ``folder``."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    return subprocess.run([*command, "--no-cache"], cwd=folder, capture_output=True, text=True)


def test_the_library_keeps_its_layers():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_an_import_against_the_flow_breaks_the_contract(tmp_path):
    """The check can fail: in a package of two modules the lower imports the upper."""
    package = tmp_path / "flow"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "upper.py").touch()
    (package / "lower.py").write_text("from flow import upper\n")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.importlinter]\nroot_package = "flow"\n[[tool.importlinter.contracts]]\n'
        'name = "flow"\ntype = "layers"\nlayers = ["flow.upper", "flow.lower"]\n'
    )
    result = lint(tmp_path)
    assert result.returncode == 1
    assert "flow.lower is not allowed to import flow.upper" in result.stdout


@pytest.mark.parametrize(("house", "places"), [("stabn", WINGS), ("stabn.knowledge", ROOMS)])
def test_every_wing_and_room_has_its_place_in_the_flow(house, places):
    named = {name.strip() for line in places for name in line.split("|")}
    graph = grimp.build_graph("stabn", cache_dir=None)
    assert named == graph.find_children(house)


NOTEBOOKS = sorted(ROOT.glob("notebooks/**/*.py"))


@pytest.mark.parametrize("script", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_import_the_library_and_never_each_other(script):
    names = {path.stem for path in NOTEBOOKS} | {"notebooks", "tools", "tests", "dodo"}
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.Import):
            assert not names & {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert node.module.split(".")[0] not in names

"""`pip install .`: what is in the wheel, and what its core can do in an environment of its own.

That environment is a real one, with the wheel installed by pip and nothing of the running one to be
seen, but for what the core requires: these packages are linked into it, which spares a download of
PyTorch for every test run. `pip check` there says whether they are all that is required.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from stabn.data.video import write_video
from tests.dependencies import LISTS, MODULES, ROOT, name, ranges, room

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """The tree that a wheel is built from, without what builds and runs left in it."""
    folder = tmp_path_factory.mktemp("sources")
    for path in ("stabn", "notebooks/app"):
        left = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(ROOT / path, folder / path, symlinks=True, ignore=left)
    for path in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / path, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(sources, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, sources]
    subprocess.run([*PIP, *build], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_library_and_no_other(sources, wheel):
    with ZipFile(wheel) as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
    ours = {x: content for x, content in packed.items() if ".dist-info/" not in x}
    files = [path for path in (sources / "stabn").rglob("*") if path.is_file()]
    assert ours.keys() == {path.relative_to(sources).as_posix() for path in files}
    for page in ("annotate.ipynb", "organise.ipynb"):  # links in a clone, files in a wheel
        source = (ROOT / "notebooks" / "app" / page).read_bytes()
        assert ours[f"stabn/knowledge/app/notebooks/{page}"] == source


# -- an environment with the core alone ----------------------------------------------------------


def required(requirements: Iterable[str]) -> set[str]:
    """Installed distributions, by canonical name, that these require, and what those require."""
    found: set[tuple[str, str]] = set()  # of a distribution and an extra of it, or ""
    waiting = [(Requirement(line), "") for line in requirements]
    while waiting:
        wanted, asking = waiting.pop()
        if wanted.marker and not wanted.marker.evaluate({"extra": asking}):
            continue
        for extra in {"", *wanted.extras} - {e for n, e in found if n == name(wanted)}:
            found.add((name(wanted), extra))
            waiting += [(Requirement(line), extra) for line in metadata.requires(wanted.name) or []]
    return {distribution for distribution, _ in found}


def places(distribution: str) -> set[str]:
    """The folders and modules of a distribution, as they lie in site-packages."""
    parts = [path.parts for path in metadata.files(distribution)]
    return {first[0] for first in parts} - {"..", "__pycache__"}


@pytest.fixture(scope="module")
def core(wheel, tmp_path_factory) -> Path:
    """The Python of an environment with the wheel and what its core requires."""
    folder = tmp_path_factory.mktemp("environment")
    make = [sys.executable, "-m", "venv", "--without-pip", folder]
    subprocess.run(make, check=True, capture_output=True)
    python = folder / "bin" / "python"
    say = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.check_output([python, "-c", say], text=True).strip())
    for distribution in required(LISTS[""]):
        installed = Path(metadata.distribution(distribution).locate_file(""))
        for place in places(distribution):
            if not (site / place).exists():
                (site / place).symlink_to(installed / place)
    install = ["--python", python, "install", "--no-deps", "--no-index", wheel]
    subprocess.run([*PIP, *install], check=True, capture_output=True)
    return python


def run(*command: str | Path, home: Path) -> subprocess.CompletedProcess:
    """A command as somebody types it who has nothing of ours but that environment."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_nothing_that_the_core_requires_is_missing(core):
    result = subprocess.run([*PIP, "--python", core, "check"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
    assert "No broken requirements found" in result.stdout


@pytest.mark.slow
def test_no_package_of_an_extra_is_there(core, tmp_path):
    beyond = {name(wanted) for wanted in ranges()} - required(LISTS[""])
    assert {"jupyterlab", "voila", "sqlalchemy", "playwright", "jupyter-book"} <= beyond
    of = metadata.packages_distributions()
    tops = [top for top, by in of.items() if {*map(canonicalize_name, by)} <= beyond]
    assert {"jupyterlab", "voila", "sqlalchemy", "playwright", "skimage"} <= set(tops)
    find = f"import importlib.util as u; print([x for x in {tops} if u.find_spec(x)])"
    result = run(core, "-c", find, home=tmp_path)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


@pytest.mark.slow
def test_every_module_of_the_core_loads_and_a_network_answers(core, tmp_path):
    modules = [module for module in MODULES if not room(module)]
    assert {"stabn.models.st_abn", "stabn.training.train", "stabn.explain"} <= set(modules)
    use = (
        f"import importlib, sys, torch\n"
        f"for module in {modules}: importlib.import_module(module)\n"
        f"from stabn.models import st_abn\n"
        f"assert st_abn.__file__.startswith(sys.prefix), st_abn.__file__\n"
        f"logits, *_, when = st_abn.STABN('small', 5, 4)(torch.zeros(2, 3, 4, 32, 32))\n"
        f"print(*logits.shape, *when.shape)"
    )
    result = run(core, "-c", use, home=tmp_path)
    assert result.stdout == "2 5 2 4\n", result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("door", [["python", "-m", "stabn"], ["stabn"]], ids=" ".join)
def test_the_front_door_opens(core, tmp_path, door):
    result = run(core.parent / door[0], *door[1:], "--help", home=tmp_path)
    assert result.returncode == 0, result.stderr
    for command in ("mini", "train", "evaluate", "explain", "select", "annotate", "finetune"):
        assert f"\n  {command} " in result.stdout


@pytest.mark.slow
def test_the_core_explains_a_video(core, tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (30, 64, 96, 3), dtype=np.uint8)
    write_video(tmp_path / "video.mp4", frames, 12)
    network = ROOT / "book" / "assets" / "mini_st_abn.pt"
    given = [tmp_path / "video.mp4", "--checkpoint", network, "--out", tmp_path / "figure.png"]
    result = run(core.parent / "stabn", "explain", *given, home=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "figure.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "package", "extra"),
    [
        (["annotate"], "voila", "app"),
        (["mini", "--out", "data", "--jobs", "1"], "skimage", "mini"),
        (["export", "runs/mini_st_abn", "--onnx", "exported"], "onnx", "onnx"),
    ],
    ids=["annotate", "mini", "export"],
)
def test_a_command_that_needs_an_extra_names_it(core, tmp_path, arguments, package, extra):
    result = run(core.parent / "stabn", *arguments, home=tmp_path)
    assert result.returncode == 1
    told = result.stderr.splitlines()[-1]  # below the bar of what was begun
    assert told == f"error: {package} is not installed: pip install 'stabn[{extra}]'"


@pytest.mark.slow
def test_edits_in_a_store_name_the_extra_and_edits_in_a_file_do_not(core, tmp_path):
    read = (
        "from stabn.errors import UserError\n"
        "from stabn.knowledge.finetuning.targets import read_edits\n"
        "for source in 'edits.sqlite', 'edits.json':\n"
        "    try: read_edits(source)\n"
        "    except UserError as error: print(error)"
    )
    result = run(core, "-c", read, home=tmp_path)
    store, file = result.stdout.splitlines()
    assert store == "sqlalchemy is not installed: pip install 'stabn[app]'"
    assert file.startswith("edits.json: ")

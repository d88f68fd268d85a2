"""What a step stands on: the modules it imports, however far down, and nothing else."""

import subprocess
import sys

import pytest

from tools import closure
from tools.steps import ROOT


@pytest.fixture
def script(tmp_path):
    """A function that writes a script and gives the names it refers to."""

    def write(text: str) -> set[str]:
        path = tmp_path / "script.py"
        path.write_text(text)
        return closure.references(path)

    return write


def test_references_are_imports_and_modules_named_in_strings(script):
    found = script(
        "import torch\n"
        "from stabn.models import st_abn\n"
        "from stabn.losses import classification_loss\n"
        "run(['-m', 'stabn.training.train'])\n"
        "# from stabn.figures import curves, in a comment\n"
    )
    assert found == {
        *("torch", "stabn.models", "stabn.models.st_abn"),
        *("stabn.losses", "stabn.training.train"),
    }


def test_a_command_named_in_a_string_is_its_module(script):
    found = script("launch('stabn train'), launch('stabn preflight select'), say('stabn is')")
    assert found == {"stabn.training.train", "stabn.knowledge.selection.preflight"}


def test_closure_equals_what_python_itself_imports():
    """Modules that a fresh interpreter has loaded after the import: all are in the closure."""
    show = "import sys, stabn.models.st_abn; print(*[m for m in sys.modules if m[:5] == 'stabn'])"
    run = subprocess.run([sys.executable, "-c", show], cwd=ROOT, capture_output=True, text=True)
    loaded = set(run.stdout.split())
    found = closure.closure({"stabn.models.st_abn"})
    assert {name for name in found if name.startswith("stabn")} == loaded
    assert "stabn.models.resnet3d" in found


def test_what_is_left_out_takes_along_what_only_it_imports():
    whole = closure.closure({"stabn.figures", "stabn.losses"})
    without = closure.closure({"stabn.figures", "stabn.losses"}, ("stabn.figures",))
    assert "matplotlib" in whole
    assert "matplotlib" not in without
    assert not {name for name in without if name.startswith("stabn.figures")}
    assert "stabn.losses" in without


def test_a_training_run_does_not_stand_on_figures():
    notebook = closure.references(ROOT / "notebooks" / "launch" / "train.py")
    files, versions = closure.key(notebook, ("stabn.figures",))
    assert "stabn/models/st_abn.py" in files
    assert "stabn/data/transforms.py" in files
    assert not [file for file in files if file.startswith("stabn/figures")]
    assert "torch" in versions
    assert "matplotlib" not in versions


def test_digest_changes_with_a_byte_and_with_a_name(tmp_path):
    (tmp_path / "one").write_bytes(b"1")
    first = closure.digest(tmp_path)
    assert closure.digest(tmp_path) == first
    (tmp_path / "one").write_bytes(b"2")
    second = closure.digest(tmp_path)
    (tmp_path / "one").rename(tmp_path / "two")
    assert len({first, second, closure.digest(tmp_path)}) == 3


def test_fingerprint_follows_contents_and_parameters():
    first = closure.fingerprint(["stabn/losses.py"], {"seed": 0})
    assert first == closure.fingerprint(["stabn/losses.py"], {"seed": 0})
    assert first != closure.fingerprint(["stabn/losses.py"], {"seed": 1})
    assert first != closure.fingerprint(["stabn/metrics.py"], {"seed": 0})

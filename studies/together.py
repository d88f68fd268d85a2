"""All networks on the same clips, as a graph: trained alike, then explained by all that fits them.

What it costs, reckoned from single steps and passes on one busy core: the eight trainings of a seed
2.5 hours, their explanations 2 (near 60,000 forward passes a network, of 11 ms; 48 ms for the 3-D
CNN of 2013); the five starts 1.2 hours, once. So five seeds take near 24 core hours. Half of the
clips (``studies.explained.PER_CLASS``) would save five of these. But where a figure differs by 0.35
from clip to clip, two standard errors are 0.13 with 28 clips, and 0.09 with 56.
"""

from pathlib import Path

from studies.runs import studied
from tools.graph import LAUNCH, PY, STREAMED, call, given_to, make, papermill, run

STUDY, STARTS = "together", "together_starts"
# network → its parameter file in notebooks/launch, and what it is given beside that
NETWORKS = {
    "baseline": ("mini_baseline", []),
    "st_abn": ("mini_st_abn", []),
    "gated": ("mini_st_abn", ["-p", "fusion", "gated"]),
    "convlstm": ("mini_convlstm", []),
    "bilstm_before": ("mini_bilstm_before", []),
    "bilstm_after": ("mini_bilstm_after", []),
    "bilstm_none": ("mini_bilstm_none", []),
    "cnn3d": ("mini_cnn3d", []),
}
# a start learns from what mini_pretext.yaml says of clips and course; the network is its own
PRETEXT = ("data", "pretext_clips", "dropout", "lr", "epochs", "eval_every", "workers")


def named(network, seed):
    """A run's name, which is its folder's and its record's too."""
    return f"together_{network}_seed{seed}"


def start_of(network):
    """The folder of the run that a network starts from; None where its file names a start."""
    parameters, _ = NETWORKS[network]
    return None if "weights" in given_to(parameters) else Path("runs/study") / f"start_{network}"


def started(seeds):
    """What the networks start from that come without a start: one training each, for all seeds.

    The others start from ``book/assets/mini_pretext.pt``. These learn the same neutral clips, each
    with its own kind of network, and are a product of the study: they are made where a run needs
    them, and are not in the book.
    """
    for network in filter(start_of, NETWORKS):
        folder, (parameters, beside) = start_of(network), NETWORKS[network]
        learned = given_to("mini_pretext")
        options = [word for name in PRETEXT for word in ("-p", name, str(learned[name]))]
        options += ["-p", "name", folder.name, "-p", "out_dir", folder.parent, "-p", "seed", "0"]
        command = papermill(
            *(LAUNCH / "train.ipynb", folder / "notebook.ipynb"),
            *("-f", LAUNCH / f"{parameters}.yaml", *options, *beside, *STREAMED),
        )
        results = [Path("book/results") / STUDY / f"{named(network, s)}.json" for s in seeds]
        yield {
            "name": folder.name,
            "uptodate": [result.exists for result in results],
            "actions": [
                *(call(make, folder), run(*command)),
                run(PY, "-m", "stabn", "promote", folder, STARTS),
            ],
        }


def studied_others(seed):
    """One seed's run of each network: trained, explained, and its record kept."""
    for network, (parameters, beside) in NETWORKS.items():
        name, start = named(network, seed), start_of(network)
        given = [*beside, *(["-p", "weights", start / "best.pt"] if start else [])]
        yield studied(
            *(STUDY, "train", name, parameters, seed),
            need=["prepare", *([f"study:{start.name}"] if start else [])],
            given=given,
            then=[[PY, "-m", "studies.explained", Path("runs/study") / name]],
        )

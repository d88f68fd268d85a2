"""All networks on the same clips, as a graph: trained alike, then explained by all that fits them.

Seven of the eight begin with the convolutions of one small 3-D ResNet, so what differs is what
stands behind them; the 3-D CNN of 2013 has its own, and learns the same pretext first.

The figures are of 56 clips (``studies.explained.PER_CLASS``): where one differs by 0.35 from clip
to clip, two standard errors are 0.09; with half of the clips they would be 0.13.
"""

from pathlib import Path

from studies.runs import Step, studied
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


def started():
    """What a network without a start in its file starts from: one training, for all seeds.

    The others start from ``book/assets/mini_pretext.pt``. It learns the same neutral clips, and is
    a product of the study: it is made where a run needs it, and is not in the book.
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
        promote = run(PY, "-m", "stabn", "promote", folder, STARTS)
        yield Step(
            folder.name,
            need=[],
            making=[call(make, folder), run(*command), promote],
            left=[folder / "record.json", folder / "best.pt"],
        )


def studied_others(seed):
    """One seed's run of each network: trained, explained, and its record kept."""
    for network, (parameters, beside) in NETWORKS.items():
        name, start = named(network, seed), start_of(network)
        given = [*beside, *(["-p", "weights", start / "best.pt"] if start else [])]
        yield studied(
            *(STUDY, "train", name, parameters, seed),
            need=["prepare", *([f"study:{start.name}"] if start else [])],
            given=given,
            weights=("best",),
            then=[[PY, "-m", "studies.explained", Path("runs/study") / name]],
        )

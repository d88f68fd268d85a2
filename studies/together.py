"""All networks on the same clips, as a graph: trained alike, then explained by all that fits them.

Seven of the eight begin with the convolutions of one small 3-D ResNet, so what differs is what
stands behind them; the 3-D CNN of 2013 has its own, and begins from nothing.

The figures are of 56 clips (``studies.explained.PER_CLASS``): where one differs by 0.35 from clip
to clip, two standard errors are 0.09; with half of the clips they would be 0.13.
"""

from pathlib import Path

from studies.runs import studied
from tools.graph import PY

STUDY = "together"
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


def named(network, seed):
    """A run's name, which is its folder's and its record's too."""
    return f"together_{network}_seed{seed}"


def studied_others(seed):
    """One seed's run of each network: trained, explained, and its record kept."""
    for network, (parameters, beside) in NETWORKS.items():
        name = named(network, seed)
        yield studied(
            *(STUDY, "train", name, parameters, seed),
            need=["prepare"],
            given=beside,
            weights=("best",),
            then=[[PY, "-m", "studies.explained", Path("runs/study") / name]],
        )

"""What is true of a video whose action was put there, as mini-SSv2's: when and where it is."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Truth:
    """What is true of a video: levels float32 (n,); actor, hand and sign bool (n, H, W)."""

    levels: np.ndarray
    actor: np.ndarray
    hand: np.ndarray
    sign: np.ndarray


def has_truth(root: Path | str) -> bool:
    """Whether a data set's folder holds the truth beside its videos."""
    return (Path(root) / "truth").is_dir()


def read_truth(root: Path | str, video_id: str) -> Truth:
    """The truth of one video.

    Raises:
        FileNotFoundError: The set has no truth (mini-SSv2 has, and what data_scripts/egogestar.py
            makes), or no such video.
    """
    path = Path(root) / "truth" / f"{video_id}.npz"
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: no truth for this video; only mini-SSv2 and what data_scripts/egogestar.py "
            f"makes come with it"
        )
    with np.load(path, allow_pickle=False) as file:
        shape = tuple(file["shape"])  # (n, H, W)
        count = int(np.prod(shape))
        actor, hand, sign = (
            np.unpackbits(file[name], count=count).reshape(shape).astype(bool)
            if name in file
            else np.zeros(shape, bool)
            for name in ("actor", "hand", "sign")
        )
        return Truth(file["levels"], actor, hand, sign)

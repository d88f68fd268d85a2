"""How right a network is, class by class."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def per_class(counts: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
    """A row a class, the weakest first; indexed by class id.

    Args:
        counts: integers (K, K), rows true, columns predicted.
        class_names: K texts.

    Returns:
        ``class``, ``videos``, ``top-1`` in [0, 1] (NaN without videos), the class that it is most
        often ``taken for`` and how many ``times``; "" and 0 where it never is.
    """
    videos = counts.sum(axis=1)
    right = np.diag(counts)
    wrong = counts - np.diag(right)
    other, times = wrong.argmax(axis=1), wrong.max(axis=1)
    table = pd.DataFrame(
        {
            "class": list(class_names),
            "videos": videos,
            "top-1": np.where(videos > 0, right / np.maximum(videos, 1), np.nan),
            "taken for": [class_names[j] if n else "" for j, n in zip(other, times, strict=True)],
            "times": times,
        }
    )
    return table.sort_values("top-1", kind="stable")

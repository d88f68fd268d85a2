"""Predictions of an unlabelled split → a file in the benchmark's form."""

from pathlib import Path

import numpy as np
import pandas as pd

from stabn.training.files import replacing

BEST = 5  # classes of each video, as many as top-5 accuracy needs


def write_answers(predictions: pd.DataFrame, path: str | Path) -> None:
    """Write ``id;class;class;class;class;class``: a line a video, no header, the likeliest first.

    Classes are ids of the label file, "0" to "173". It is the form that Something-Something's test
    server took, as TSM's published test script writes it. The data set's own ``test-answers.csv``
    has ``id;class text`` for each video: with it one can be scored against the other.

    Args:
        predictions: as :func:`stabn.training.predict.predict` returns them: video_id, logits (K,).
        path: of the file; of equal logits the class of the smaller id comes first.
    """
    with replacing(path, "w") as file:
        for video_id, logits in zip(predictions["video_id"], predictions["logits"], strict=True):
            best = np.argsort(-logits, kind="stable")[:BEST]
            file.write(";".join([video_id, *map(str, best)]) + "\n")

"""Insertion and deletion: does the answer come and go with what an explanation ranks first?"""

from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from stabn.attribution.evidence import Evidence
from stabn.attribution.question import Question

STEPS = 8
Over = Literal["time", "space", "both"]


class Curve(NamedTuple):
    """The class's probability as a clip fills up, or empties.

    Attributes:
        share: float (steps + 1,), of the clip's parts that were inserted or deleted, 0 to 1.
        probability: float (steps + 1,), of the class.
    """

    share: np.ndarray
    probability: np.ndarray

    @property
    def area(self) -> float:
        """Area below, in [0, 1]: high is good for insertion, low for deletion."""
        return float(np.trapezoid(self.probability, self.share))


def insertion(question: Question, evidence: Evidence, over: Over, *, steps: int = STEPS) -> Curve:
    """From the fill alone to the whole clip, what speaks loudest for the class first.

    Args:
        question: network, clip, class and fill.
        evidence: the explanation that is tested.
        over: what is inserted. ``"time"``: whole frames. ``"space"``: places, the same share of
            each frame, in the order of its own map. ``"both"``: places of any frame, in the order
            of the product of both.
        steps: at most; a clip of fewer frames has fewer. Each costs a forward pass.
    """
    return _curve(question, evidence, over, steps, inserting=True)


def deletion(question: Question, evidence: Evidence, over: Over, *, steps: int = STEPS) -> Curve:
    """From the whole clip to the fill alone; arguments as of :func:`insertion`."""
    return _curve(question, evidence, over, steps, inserting=False)


def _curve(
    question: Question, evidence: Evidence, over: Over, steps: int, *, inserting: bool
) -> Curve:
    place = torch.from_numpy(_places(evidence, over))  # (T, h, w): 0 for what speaks loudest
    count = int(place.max()) + 1
    stops = np.linspace(0, count, min(steps, count) + 1).round().astype(int)
    chosen = place < torch.from_numpy(stops).view(-1, 1, 1, 1)  # (steps + 1, T, h, w)
    keep: Tensor = (chosen if inserting else ~chosen).float()
    return Curve(stops / count, question(keep).double().numpy())


def _places(evidence: Evidence, over: Over) -> np.ndarray:
    """Each part's place in the order of evidence, int (T, h, w), from 0."""
    if over == "time":
        return _ranks(evidence.temporal[None])[0][:, None, None]
    if over == "space":
        t = len(evidence.spatial)
        return _ranks(evidence.spatial.reshape(t, -1)).reshape(evidence.spatial.shape)
    if over == "both":
        own = evidence.in_favour()
        joint = own.temporal[:, None, None] * own.spatial
        return _ranks(joint.reshape(1, -1)).reshape(joint.shape)
    raise ValueError(f"over must be time, space or both, not {over!r}")


def _ranks(rows: np.ndarray) -> np.ndarray:
    """Place of each value among its row's, the largest first; equal ones in an order of chance."""
    chance = np.random.default_rng(0).random(rows.shape)
    order = np.lexsort((chance, -rows), axis=1)
    return np.argsort(order, axis=1)

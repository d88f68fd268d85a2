"""The methods by name, and what each of them costs."""

import time
from typing import NamedTuple

from stabn.attribution.evidence import Evidence
from stabn.attribution.grad_cam import grad_cam
from stabn.attribution.intrinsic import intrinsic
from stabn.attribution.nulls import centre, random
from stabn.attribution.occlusion import occlusion
from stabn.attribution.question import Question
from stabn.attribution.rise import rise

METHODS = {
    "intrinsic": intrinsic,
    "grad_cam": grad_cam,
    "occlusion": occlusion,
    "rise": rise,
    "random": random,
    "centre": centre,
}


class Explained(NamedTuple):
    """An explanation and what it cost: forward passes (a backward pass counts as two), seconds."""

    evidence: Evidence
    passes: int
    seconds: float


def explained(method: str, question: Question, **options) -> Explained:
    """Ask ``question`` as often as a method needs; options are those of the method's function.

    Raises:
        KeyError: a name that is none of ``METHODS``.
        UserError: the network has not what the method needs.
    """
    before, begun = question.passes, time.perf_counter()
    evidence = METHODS[method](question, **options)
    return Explained(evidence, question.passes - before, time.perf_counter() - begun)

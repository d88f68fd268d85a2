"""Explanations after the fact, in the shape of attention, and what tests them.

Grad-CAM, occlusion and RISE explain any network; ``intrinsic`` gives what ST-ABN used itself;
``random`` and ``centre`` look at nothing, and are what the others have to be better than.
"""

from stabn.attribution.agreement import agreement
from stabn.attribution.evidence import Evidence, Unexplained
from stabn.attribution.faithfulness import deletion, insertion
from stabn.attribution.methods import METHODS, explained
from stabn.attribution.question import FILLS, Question, logits_of

__all__ = [
    "FILLS",
    "METHODS",
    "Evidence",
    "Question",
    "Unexplained",
    "agreement",
    "deletion",
    "explained",
    "insertion",
    "logits_of",
]

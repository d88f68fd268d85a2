"""What every explanation gives: how much each frame, and each place in it, speaks for an answer."""

from dataclasses import dataclass

import numpy as np

from stabn.errors import UserError


class Unexplained(UserError):
    """A network that has not what a method needs; the message says what, and which method does."""


@dataclass(frozen=True)
class Evidence:
    """When and where, in the shape of ST-ABN's own attention.

    Each method has its own unit, so values of two methods are not compared, only their order, their
    peaks and their shares.

    Attributes:
        temporal: float32 (T,); negative where a frame speaks against the answer.
        spatial: float32 (T, H′, W′), likewise.
    """

    temporal: np.ndarray
    spatial: np.ndarray

    def in_favour(self) -> "Evidence":
        """What speaks for the answer alone: negative evidence becomes 0."""
        return Evidence(np.maximum(self.temporal, 0), np.maximum(self.spatial, 0))

"""How well explanations agree with the truth, each measure beside its chance."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stabn.attribution.evidence import Evidence
from stabn.metrics import (
    RankCorrelation,
    Score,
    TemporalIoU,
    mass_in_mask,
    pointing_game,
    rank_correlation,
    temporal_iou,
)


class Agreement(NamedTuple):
    """Of one method's explanations of N clips with the truth.

    Attributes:
        when: rank correlation of the temporal evidence with the levels; beside it in ``exchanged``
            what other clips' truth earns.
        iou: temporal IoU of the frames in motion, likewise.
        pointing: whether the map's peak lies on what acts, over the frames in motion.
        mass: share of the evidence in favour that lies there.
    """

    when: RankCorrelation
    iou: TemporalIoU
    pointing: Score
    mass: Score


def agreement(explanations: Sequence[Evidence], levels: np.ndarray, masks: np.ndarray) -> Agreement:
    """All measures of one method; the shapes H′, W′ of its maps must be alike.

    Args:
        explanations: N of them, a clip each.
        levels: truth, (N, T); 1 is motion.
        masks: bool (N, T, H, W), of what acts, cropped as the clips were.

    Raises:
        ValueError: shapes that do not fit.
    """
    temporal = np.stack([evidence.temporal for evidence in explanations])
    maps = np.stack([evidence.in_favour().spatial for evidence in explanations])
    active = np.asarray(levels) == 1
    return Agreement(
        rank_correlation(temporal, levels),
        temporal_iou(temporal, levels),
        pointing_game(maps, masks, active=active),
        mass_in_mask(maps, masks, active=active),
    )

"""Arrays → figures: matplotlib's, and clips that play. Reads no file, trains nothing.

Every figure can be read without colour (numbers, line styles, hatches) and on a dark page (opaque
light sheet). Beside most stands a ``describe_…`` that says the same in words, for readers who do
not see the picture.
"""

from stabn.figures.architecture import architecture, describe_architecture
from stabn.figures.arms import arms_figure, describe_arms
from stabn.figures.attention import attention_figure, describe_attention
from stabn.figures.charts import (
    confusion,
    curves,
    describe_confusion,
    describe_curves,
    describe_levels,
    describe_temporal,
    level_colour,
    levels_figure,
    seeds_figure,
    sweep_figure,
    temporal_figure,
)
from stabn.figures.explanations import describe_explanations, explanations_figure
from stabn.figures.filmstrip import filmstrip
from stabn.figures.moving_clips import moving_clips
from stabn.figures.overlay import upsample
from stabn.figures.ranked import ranked_figure

__all__ = [
    "architecture",
    "arms_figure",
    "attention_figure",
    "confusion",
    "curves",
    "describe_architecture",
    "describe_arms",
    "describe_attention",
    "describe_confusion",
    "describe_curves",
    "describe_explanations",
    "describe_levels",
    "describe_temporal",
    "explanations_figure",
    "filmstrip",
    "level_colour",
    "levels_figure",
    "moving_clips",
    "ranked_figure",
    "seeds_figure",
    "sweep_figure",
    "temporal_figure",
    "upsample",
]

"""One validated description of an evaluation: which network, on what, seen in how many ways."""

from pydantic import Field

from stabn.data.dataset import Views
from stabn.data.sampling import Rule
from stabn.training.config import NAME, Place, Precision, Strict


class EvalConfig(Strict):
    """What to score and how; everything left at None is taken from the run itself."""

    run: Place = Field(min_length=1, description="run folder, as in runs/mini_st_abn")
    checkpoint: str = Field(
        "best", pattern=NAME, description="best | last | an arm of a fine-tuning"
    )
    split: str | None = Field(None, description="null: the run's report_split")
    sampling: Rule | None = Field(None, description="null: as in training")
    temporal_views: int = Field(
        1, ge=1, description="clips of each video, each at other moments of the segments"
    )
    spatial_crops: int = Field(
        1, ge=1, description="crops of each clip along the longer side; 3: both ends and the centre"
    )
    image_size: int | None = Field(None, ge=8, description="null: as in training")
    short_side: int | None = Field(
        None, ge=8, description="null: as in training; as image_size: crops as high as the frame"
    )
    invert_spatial: bool = Field(True, description="also with 1 − M_s (Table 3), if it attends")
    data_root: Place | None = Field(None, description="null: as in training")
    prepared: Place | None = Field(None, description="null: as in training")
    batch_size: int | None = Field(None, ge=1, description="null: as in training")
    workers: int | None = Field(None, ge=0, description="null: as in training")
    precision: Precision | None = Field(None, description="null: as in training")

    @property
    def views(self) -> Views:
        """In how many ways each video is looked at; their answers are averaged."""
        return Views(self.temporal_views, self.spatial_crops)

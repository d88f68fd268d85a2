"""What a selection is told: which run's videos, which of them, and where the queue goes."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, field_validator

from stabn.training.config import Place, Precision, Strict


class SelectConfig(Strict):
    """Which videos to queue; what is left at None is taken from the run itself."""

    run: Place = Field(min_length=1, description="run folder, as in runs/mini_st_abn")
    checkpoint: Literal["best", "last"] = Field("best", description="best | last")
    out: Place | None = Field(None, description="the queue's folder; null: queue, in the run's")

    threshold: float = Field(0.5, ge=0, le=1, description="classes less accurate on both splits")
    train_split: str | None = Field(None, description="split to take videos from; null: the run's")
    check_split: str | None = Field(None, description="the other split; null: the run's eval_split")
    classes: tuple[int | str, ...] | None = Field(
        None, description="class ids or texts, in place of the threshold"
    )
    include_correct: bool = Field(False, description="also videos that are classified correctly")
    order: Literal["worst", "random"] = Field(
        "worst", description="worst first | random: by lot, to say something about all videos"
    )
    limit: int | None = Field(None, ge=1, description="keep so many videos, the first")

    data_root: Place | None = Field(None, description="null: as in training")
    prepared: Place | None = Field(None, description="null: as in training")
    batch_size: int | None = Field(None, ge=1, description="null: as in training")
    workers: int | None = Field(None, ge=0, description="null: as in training")
    precision: Precision | None = Field(None, description="null: as in training")

    @property
    def folder(self) -> Path:
        """The queue's folder."""
        return Path(self.out or Path(self.run) / "queue")

    @property
    def start(self) -> Path:
        """The checkpoint that is asked."""
        return Path(self.run) / f"{self.checkpoint}.pt"

    @field_validator("classes", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        """``papermill -p classes "[3, 5]"`` passes text, ``-p classes 3`` a number."""
        if isinstance(value, str) and value.lower() not in ("null", "none"):
            try:
                read = yaml.safe_load(value)
            except yaml.YAMLError:
                read = value
            return read if isinstance(read, list) else [value]
        return [value] if isinstance(value, int) else value

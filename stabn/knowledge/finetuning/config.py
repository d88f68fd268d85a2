"""One validated description of a fine-tuning with edited attention."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from stabn.training.config import NAME, Place, Precision, RunConfig, Strict, parse

ArmName = Literal["knowledge", "control", "placebo"]


class FinetuneConfig(Strict):
    """What to fine-tune, with which edits, and how. The defaults are the paper's settings.

    Everything that is not named here is as it was in the run that is fine-tuned.
    """

    name: str = Field(pattern=NAME, description="the run's folder is out_dir/name")
    out_dir: Place = Field("runs", description="where run folders lie")
    run: Place = Field(min_length=1, description="run folder to start from, as in runs/mini_st_abn")
    checkpoint: str = Field("best", pattern=NAME, description="best | last")
    edits: Place = Field(min_length=1, description="a JSON file of edits, or a store of them")
    arms: tuple[ArmName, ...] = Field(
        ("knowledge", "control", "placebo"), min_length=1, description="beside 'before'"
    )
    placebo: Literal["swap", "shift"] = Field(
        "swap", description="swap: other videos' edits | shift: wrong times, an ablation"
    )

    gamma: float = Field(10.0, gt=0, description="γ_t of equation (5)")
    divisor: Literal["edited", "batch"] = Field(
        "edited", description="L_temp is averaged over: edited clips of the batch | all clips"
    )
    fusion: Literal["paper", "gated"] | None = Field(None, description="null: as in training")
    closed: float | None = Field(
        None, ge=0, lt=1, description="null: as in training | 0.3: shut out what M_t rejects (ours)"
    )
    edited_only: bool = Field(False, description="train on edited videos alone")
    edited_repeats: int = Field(1, ge=1, description="clips taken of each edited video an epoch")
    draws: int | None = Field(
        None, ge=1, description="epochs after which the same clips come again; null: never"
    )

    optimizer: Literal["sgd", "adamw"] = Field("sgd", description="sgd | adamw")
    lr: float = Field(1e-4, gt=0, description="learning rate (one_cycle: its peak)")
    momentum: float = Field(0.9, ge=0, lt=1, description="sgd only")
    nesterov: bool = Field(True, description="sgd only")
    weight_decay: float = Field(5e-4, ge=0, description="on all parameters that are trained")
    schedule: Literal["constant", "one_cycle"] = Field(
        "constant", description="constant | one_cycle"
    )
    epochs: int = Field(10, ge=1, description="passes over the training split")
    batch_size: int = Field(64, ge=1, description="clips a step, over all processes together")
    seed: int = Field(
        0, ge=0, lt=1 << 63, description="decides order, augmentation, dropout, swaps"
    )

    report_split: str | None = Field(None, description="null: the run's report_split")
    also_report: tuple[str, ...] = Field((), description="further splits to score all arms on")
    invert_spatial: bool = Field(True, description="also score with 1 − M_s (Table 3)")
    data_root: Place | None = Field(None, description="null: as in training")
    prepared: Place | None = Field(None, description="null: as in training")
    workers: int | None = Field(None, ge=0, description="null: as in training")
    precision: Precision | None = Field(None, description="null: as in training")
    save_every: int | None = Field(None, ge=1, description="also save after so many steps")
    save_minutes: float = Field(10.0, gt=0, description="also save after so many minutes")
    log_every: int = Field(50, ge=1, description="steps between lines of the log")

    @model_validator(mode="after")
    def _beside_the_run(self) -> Self:
        if self.folder.absolute() == Path(self.run).absolute():
            raise ValueError(f"name: {self.folder} is the run to start from; give another name")
        return self

    @property
    def folder(self) -> Path:
        """The run's folder, ``out_dir/name``."""
        return Path(self.out_dir) / self.name

    def as_run(self, run: RunConfig) -> RunConfig:
        """The description of the run that is fine-tuned, with what fine-tuning changes of it."""
        given = {
            name: value
            for name, value in self.model_dump().items()
            if name in RunConfig.model_fields and value is not None
        }
        if self.schedule == "constant":
            given |= {"schedule": "milestones", "milestones": ()}  # drops at no epoch
        given |= {"weights": str(self.start), "clip_norm": None, "accumulate": 1, "sync_bn": False}
        given |= {"lr_batch_size": None, "warmup_epochs": 0, "label_smoothing": 0, "precise_bn": 0}
        given |= {"max_nonfinite_steps": 0, "profile_steps": 0}
        return parse(RunConfig, run.model_dump() | given, "fine-tuning")

    @property
    def start(self) -> Path:
        """The checkpoint to start from."""
        return Path(self.run) / f"{self.checkpoint}.pt"

"""One validated description of a run.

It is flat, so that one YAML file serves both ``stabn train --config run.yaml``
and ``papermill notebooks/launch/train.ipynb … -f run.yaml``; ``network`` alone holds names and
values of its own. Unknown keys and impossible values are refused, by name, before anything is read
or written.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import click
import yaml
from pydantic import AfterValidator, Field, field_validator, model_validator

from stabn import given
from stabn.data.sampling import Rule
from stabn.models.resnet3d import BACKBONES
from stabn.training import networks
from stabn.training.files import replacing
from stabn.training.strict import Config, ConfigError, Strict, parse

Precision = Literal["fp32", "bf16", "fp16"]
Place = Annotated[str, AfterValidator(given.expanded)]  # of a file or folder; ~ is the home folder
NAME = r"^[\w-][\w.-]{0,79}$"  # of what becomes a file or folder
EXAMPLES = "notebooks/launch/*.yaml"  # of parameter files
ST_ABN = ("class_head", "temporal_tail", "fusion", "fusion_relu", "closed", "attention_start")
ST_ABN += ("constant_spatial", "constant_temporal")  # fields that describe it alone


class RunConfig(Strict):
    """Everything that decides what a training run computes, and how it is run.

    The defaults are the paper's settings for Something-Something v2 with ResNet-50. The
    descriptions are shown by ``papermill --help-notebook`` too.

    ``batch_size`` counts the clips of an optimizer step over all processes and parts, so the number
    of GPUs and ``accumulate`` leave ``lr`` as it is. With another batch size the usual rule is to
    change ``lr`` in proportion (linear scaling): ``lr_batch_size`` does so, where it is set.
    """

    # the run
    name: str = Field(pattern=NAME, description="the run's folder is out_dir/name")
    out_dir: Place = Field("runs", description="where run folders lie")

    # data
    data: Literal["ssv2", "pretext"] = Field(
        "ssv2", description="ssv2: files | pretext: neutral clips, drawn as they are read"
    )
    pretext_clips: int = Field(
        2000, ge=1, description="pretext: training clips; other splits a tenth"
    )
    data_root: Place = Field("data/ssv2", description="folder with labels, splits and videos/")
    prepared: Place | None = Field(
        None, description="decoded frames, of `stabn prepare`; or features, of `stabn features`"
    )
    train_split: str = Field("train", description="split to learn from")
    eval_split: str = Field("validation", description="split that steers: plateau, best checkpoint")
    report_split: str = Field("validation", description="split scored once, after training")

    # model
    model: Literal["baseline", "st_abn", "convlstm", "bilstm", "cnn3d"] = Field(
        "st_abn", description="baseline | st_abn | convlstm | bilstm | cnn3d"
    )
    network: networks.Settings = Field(
        None,
        validate_default=True,
        description="convlstm, bilstm, cnn3d: their own settings, {name: value}",
    )
    backbone: str = Field("resnet50", description="resnet50 | resnet101 | small")
    num_frames: int = Field(32, ge=1, description="T, frames in a clip")
    sampling: Rule = Field(
        "segments", description="segments | two_clip | official_32 | official_32x2"
    )
    class_head: Literal["fc", "gap"] = Field("fc", description="fc (code) | gap (paper's text)")
    temporal_tail: Literal["two_fc", "literal"] = Field(
        "two_fc", description="two_fc (code) | literal (paper's text)"
    )
    fusion: Literal["paper", "gated"] = Field("paper", description="paper | gated (ours)")
    fusion_relu: bool = Field(True, description="end the fusion with ReLU")
    closed: float = Field(0.0, ge=0, lt=1, description="gated: M_t up to this shuts a frame out")
    attention_start: Literal["random", "evidence"] = Field(
        "random", description="random (code) | evidence (ours): M follows the class maps"
    )
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout in both branches")
    constant_spatial: float | None = Field(None, ge=0, le=1, description="control: M_s held at it")
    constant_temporal: float | None = Field(None, ge=0, le=1, description="control: M_t held at it")
    weights: Place | None = Field(
        None,
        description="start from: a checkpoint, ImageNet's or Kinetics' weights, or 'imagenet'",
    )

    # clip
    image_size: int = Field(224, ge=8, description="side of the square clip, in pixels")
    short_side: int = Field(256, ge=8, description="evaluation: short side before the centre crop")
    train_short_side: tuple[int, int] = Field(
        (256, 320), description="training: range of short sides before a random crop"
    )
    train_area: tuple[float, float] | None = Field(
        None, description="instead: random resized crop, shares of the frame"
    )
    flip: bool = Field(False, description="mirror half of the clips, swapping left/right labels")
    jitter: float = Field(0.0, ge=0, lt=1, description="brightness, contrast, saturation: 1 ± this")

    # optimisation
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of both branches' target that all classes get alike"
    )
    optimizer: Literal["sgd", "adamw", "rmsprop"] = Field(
        "sgd", description="sgd | adamw | rmsprop"
    )
    lr: float = Field(
        0.01, gt=0, description="learning rate (one_cycle, cosine: its peak), for this batch_size"
    )
    lr_batch_size: int | None = Field(
        None, ge=1, description="lr is meant for so many clips a step: scale it to batch_size"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="sgd only")
    nesterov: bool = Field(True, description="sgd only")
    weight_decay: float = Field(5e-4, ge=0, description="on all parameters")
    decay_bn_and_biases: bool = Field(True, description="false: weight decay on kernels alone")
    clip_norm: float | None = Field(None, gt=0, description="clip the gradient's norm at this")
    schedule: Literal["plateau", "milestones", "one_cycle", "cosine"] = Field(
        "plateau", description="plateau | milestones | one_cycle | cosine"
    )
    milestones: tuple[int, ...] = Field((75, 125), description="epochs at which milestones drops")
    patience: int = Field(5, ge=0, description="plateau: evaluations without a better loss")
    lr_factor: float = Field(0.1, gt=0, lt=1, description="plateau, milestones: the drop")
    warmup_epochs: float = Field(0.0, ge=0, description="cosine: epochs in which lr rises first")
    epochs: int = Field(150, ge=1, description="passes over the training split")
    batch_size: int = Field(64, ge=1, description="clips a step, over all processes together")
    accumulate: int = Field(
        1, ge=1, description="equal parts of a step, one after the other; BN sees each by itself"
    )
    sync_bn: bool = Field(False, description="BN's statistics over all processes; GPUs only")
    checkpoint_activations: bool = Field(
        False, description="residual stages computed twice: less memory, the same result"
    )
    precision: Precision = Field("fp32", description="fp32 | bf16 | fp16, where the device can")
    seed: int = Field(
        0, ge=0, lt=1 << 63, description="decides weights, order, augmentation, dropout"
    )

    # work
    workers: int | None = Field(
        None, ge=0, description="loader processes for each training process; null: by its cores"
    )
    eval_every: int = Field(1, ge=1, description="epochs between evaluations")
    precise_bn: int = Field(
        0, ge=0, description="training batches that give BN its statistics before an evaluation"
    )
    save_every: int | None = Field(None, ge=1, description="also save after so many steps")
    save_minutes: float = Field(10.0, gt=0, description="also save after so many minutes")
    keep_last: int = Field(1, ge=1, description="checkpoints to resume from that are kept")
    resume_changed: bool = Field(
        False, description="go on although the configuration has changed; the record says how"
    )
    log_every: int = Field(50, ge=1, description="steps between lines of the log")
    profile_steps: int = Field(
        0, ge=0, description="steps of which torch.profiler writes a trace and a table"
    )
    max_decode_failures: float = Field(
        0.01,
        ge=0,
        le=1,
        description="stop when more of the clips, of 1,000 at least, fail to decode",
    )
    max_nonfinite_steps: int = Field(
        0, ge=0, description="steps left out for a loss or gradient that is NaN or infinite"
    )

    @classmethod
    def belongs(cls, name: str) -> str | None:
        """Settings of networks beside ST-ABN stand one step further in."""
        of = [model for model, kind in networks.SETTINGS.items() if name in kind.model_fields]
        return f"of {' and '.join(of)}: put it under network" if of else None

    @field_validator("backbone")
    @classmethod
    def _known_backbone(cls, value: str) -> str:
        if value not in BACKBONES:
            raise ValueError(f"must be one of {', '.join(BACKBONES)}")
        return value

    @model_validator(mode="after")
    def _possible_together(self) -> Self:
        if self.closed and self.fusion == "paper":
            raise ValueError(
                "closed: the paper's fusion has no gate; set fusion to gated, or this to 0"
            )
        if self.network is not None and (given := self._of_st_abn()):
            raise ValueError(f"{given[0]}: is ST-ABN's; leave it out for {self.model}")
        if self.encoder and (self.prepared is None or self.data != "ssv2"):
            raise ValueError(f"prepared: {self.encoder} needs its features, of `stabn features`")
        if (self.constant_spatial is None) != (self.constant_temporal is None):
            raise ValueError("constant_spatial and constant_temporal: set both, or neither")
        if self.constant_attention and self.model == "baseline":
            raise ValueError("constant_spatial: the baseline has no attention to hold constant")
        if self.image_size > self.short_side:
            raise ValueError(f"image_size: must be at most short_side ({self.short_side})")
        low, high = self.train_short_side
        if self.train_area is None and not self.image_size <= low <= high:
            raise ValueError(
                f"train_short_side: must rise from image_size ({self.image_size}) or more, as in "
                f"[{self.image_size}, {self.image_size * 4 // 3}], not {[low, high]}"
            )
        if self.train_area is not None and not 0 < self.train_area[0] <= self.train_area[1] <= 1:
            raise ValueError("train_area: must rise, within (0, 1]")
        if self.nesterov and self.optimizer == "sgd" and self.momentum == 0:
            raise ValueError("nesterov: needs a momentum above 0")
        if self.warmup_epochs and self.schedule != "cosine":
            raise ValueError("warmup_epochs: is for the schedule cosine; one_cycle has its own")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs: must be fewer than epochs ({self.epochs})")
        return self

    @property
    def encoder(self) -> str | None:
        """The frozen network whose features are read in place of frames; None where frames are."""
        encoder = getattr(self.network, "encoder", networks.SMALL)
        return None if encoder == networks.SMALL else encoder

    @property
    def encoder_is_trained(self) -> bool:
        """Whether the network stands behind the small encoder."""
        return getattr(self.network, "encoder", None) == networks.SMALL

    def _of_st_abn(self) -> list[str]:
        """Settings of ST-ABN that are not at their defaults."""
        fields = type(self).model_fields
        return [name for name in ST_ABN if getattr(self, name) != fields[name].default]

    @property
    def scaled_lr(self) -> float:
        """``lr`` for a step of ``batch_size`` clips, by the linear scaling rule."""
        return self.lr * self.batch_size / (self.lr_batch_size or self.batch_size)

    @property
    def constant_attention(self) -> tuple[float, float] | None:
        """(M_s, M_t) of the matched control; None for a network that attends."""
        if self.constant_spatial is None or self.constant_temporal is None:
            return None
        return self.constant_spatial, self.constant_temporal

    @property
    def folder(self) -> Path:
        """The run's folder, ``out_dir/name``."""
        return Path(self.out_dir) / self.name


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The ``name: value`` lines of a YAML file.

    Raises:
        ConfigError: no such file, not YAML, or not a flat list of names and values.
    """
    try:
        values = yaml.safe_load(given.path(path).read_bytes())
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); give a file such as {EXAMPLES}"
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not YAML ({error})") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must hold lines of 'name: value'")
    return values


def read_config(path: str | Path) -> RunConfig:
    """The run described by a YAML file.

    Raises:
        ConfigError: the file cannot be read, or see :func:`parse`.
    """
    return parse(RunConfig, read_yaml(path), path)


def write_config(config: Strict, path: str | Path) -> None:
    """Write ``config`` as YAML that :func:`read_config` reads back to an equal one."""
    with replacing(path, "w") as file:
        yaml.safe_dump(config.model_dump(mode="json"), file, sort_keys=False)


def configured(work: Callable[[Config], Any], cls: type[Config]) -> click.Command:
    """The command that does ``work``, as a YAML file of the values of ``cls`` describes."""

    told = work.__doc__.split("\n")[0].replace("``", "")
    fields = "\n".join(f"  {name}: {f.description}" for name, f in cls.model_fields.items())
    if "network" in cls.model_fields:
        fields += f"\n\n\b\nThe settings of networks:\n{networks.in_words()}"

    @click.command(
        help=f"{told}\n\n\b\nWhat FILE can name, a line each (examples: {EXAMPLES}):\n{fields}"
    )
    @click.option("--config", required=True, metavar="FILE", help="YAML: a `name: value` a line.")
    def command(config: str) -> None:
        work(parse(cls, read_yaml(config), config))

    return command

"""A network of the 2022 release as a run of ours: to be scored, queued, exported, fine-tuned."""

import logging
from pathlib import Path

import click
import torch

from stabn import given
from stabn.models.official import load_official
from stabn.models.st_abn import OFFICIAL
from stabn.training.build import build_model, class_texts
from stabn.training.checkpoint import save
from stabn.training.config import ConfigError, RunConfig, parse, read_config, write_config
from stabn.training.files import no_empty_folders
from stabn.training.records import writing

log = logging.getLogger(__name__)


def adopt(weights: Path, like: RunConfig, out: Path) -> RunConfig:
    """Write ``config.yaml`` and ``best.pt`` of a network that was trained elsewhere.

    No record is written: nobody here knows how it was trained. ``stabn evaluate`` begins one.

    Args:
        weights: a checkpoint of the release; its BGR kernel is turned to RGB.
        like: a run with their backbone, number of frames, sampling and data set. Heads, fusion and
            its ReLU are set as the release has them (``stabn.models.st_abn.OFFICIAL``).
        out: the new run's folder.

    Returns:
        What describes the network now.

    Raises:
        ConfigError: ``out`` exists or cannot be written; ``like`` is no ST-ABN.
        WeightsError: no such file, not of the release, or made for another network than ``like``.
        AnnotationError: the set's class texts cannot be read.
        CheckpointError: the disk is full.
    """
    if out.exists():
        raise ConfigError(f"{out}: exists already; choose another --out, or delete it first")
    if like.model != "st_abn":
        raise ConfigError(f"model: the release is an st_abn, not a {like.model}; give such a run")
    values = like.model_dump(mode="json") | OFFICIAL
    values |= {"name": out.name, "out_dir": str(out.parent), "weights": str(weights)}
    values |= {"closed": 0.0, "constant_spatial": None, "constant_temporal": None}
    config = parse(RunConfig, values, "--config")
    classes = class_texts(config)
    model = build_model(config, len(classes))
    load_official(model, weights)
    with no_empty_folders(out), writing(out):
        out.mkdir(parents=True)
        try:
            save(out / "best.pt", model, config, classes)
            write_config(config, out / "config.yaml")
        except BaseException:
            (out / "best.pt").unlink(missing_ok=True)
            raise
    return config


@click.command(
    help="Make a run of a network of the 2022 release, so that every other command takes it.\n\n"
    "WEIGHTS is a checkpoint of that release (a .pth with model_state_dict)."
)
@click.argument("weights", type=given.path)
@click.option(
    "--config",
    required=True,
    type=given.path,
    help="YAML of a run like theirs: notebooks/launch/ssv2_st_abn_r50_official_32x2.yaml",
)
@click.option("--out", required=True, type=given.path, help="the new run's folder, as in runs/2022")
def command(weights: Path, config: Path, out: Path) -> None:
    """Adopt, and say what comes next."""
    torch.manual_seed(0)
    adopted = adopt(weights, read_config(config), out)
    click.echo(
        f"{out}: {adopted.backbone}, {adopted.num_frames} frames, fusion without ReLU, RGB. Next: "
        f"score it, and compare with their figure: papermill notebooks/launch/evaluate.ipynb "
        f"{out}/evaluate.ipynb -p run {out}"
    )

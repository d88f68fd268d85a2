"""Any video → the classes a trained ST-ABN sees in it, and when and where it looked.

``stabn explain VIDEO --checkpoint runs/mini_st_abn/best.pt --out figure.png``
"""

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from matplotlib.backend_bases import FigureCanvasBase

from stabn import given
from stabn.data.sampling import views
from stabn.data.transforms import ClipTransform, eval_transform, normalise
from stabn.data.video import probe, read_frames
from stabn.errors import UserError
from stabn.figures import attention_figure, describe_attention
from stabn.figures.sheet import Sheet
from stabn.training.checkpoint import CheckpointError, Trained, load
from stabn.training.files import replacing

SHOWN = 224  # pixels: frames are drawn larger than a small network reads them


@dataclass(frozen=True)
class Explanation:
    """What a network makes of one video. T counts the frames of all its clips together.

    Attributes:
        frames: uint8 (T, 224, 224, 3), the part of each frame that the network read.
        frame_indices: int64 (T,), their places in the video.
        temporal: M_t, float32 (T,) in [0, 1].
        spatial: M_s, float32 (T, H′, W′) in [0, 1].
        predictions: (class text, probability), most probable first.
    """

    frames: np.ndarray
    frame_indices: np.ndarray
    temporal: np.ndarray
    spatial: np.ndarray
    predictions: tuple[tuple[str, float], ...]

    def figure(self, **options) -> Sheet:
        """The paper's Figure 3; options as of :func:`stabn.figures.attention.attention_figure`."""
        return attention_figure(
            self.frames,
            self.temporal,
            self.spatial,
            frame_indices=self.frame_indices,
            predictions=self.predictions,
            **options,
        )

    def words(self) -> str:
        """The same in words."""
        return describe_attention(
            self.temporal,
            self.spatial,
            frame_indices=self.frame_indices,
            predictions=self.predictions,
        )


@torch.no_grad()
def explain(video: str | Path, trained: Trained, *, top: int = 5) -> Explanation:
    """Sample, crop and normalise a video as in evaluation, and run the network on it.

    A video of any length and size will do: one shorter than a clip repeats frames. Where the run's
    sampling rule takes several clips of a video, their logits are averaged.

    Args:
        video: a file in any container and codec.
        trained: an ST-ABN, from :func:`stabn.training.checkpoint.load_trained` or ``load``.
        top: how many classes to name.

    Raises:
        VideoError: no such file, or no video that can be decoded.
        CheckpointError: the network has no attention (it is the baseline).
    """
    video = given.path(video)
    model, config, classes, origin = trained
    if config.model != "st_abn":
        raise CheckpointError(
            f"{origin}: is a {config.model}, which has no attention to show; give an ST-ABN's "
            f"checkpoint"
        )
    indices = views(config.sampling, probe(video).frames, config.num_frames)  # (V, T)
    frames = read_frames(video, indices.ravel())  # (V·T, H, W, 3)
    seen = eval_transform(config.image_size, short_side=config.short_side)
    clip, _ = seen(frames)  # (3, V·T, size, size)
    clips = clip.unflatten(1, indices.shape).transpose(0, 1)  # (V, 3, T, size, size)
    device = next(model.parameters()).device
    output = model.eval()(normalise(clips.to(device)))
    probabilities = output.logits.float().mean(dim=0).softmax(dim=0)  # (K,)
    best = probabilities.topk(min(top, len(classes)))
    shown, _ = ClipTransform(SHOWN, seen.crop)(frames)  # (3, V·T, 224, 224)
    return Explanation(
        frames=shown.permute(1, 2, 3, 0).numpy(),
        frame_indices=indices.ravel(),
        temporal=output.temporal_attention.float().flatten().cpu().numpy(),
        spatial=output.spatial_attention.float().squeeze(1).flatten(0, 1).cpu().numpy(),
        predictions=tuple(
            (classes[i], p) for p, i in zip(*map(torch.Tensor.tolist, best), strict=True)
        ),
    )


def save(figure: Sheet, path: str | Path) -> None:
    """Write a figure whole or not at all, in the format its suffix names.

    Raises:
        UserError: a suffix that no format has.
        OSError: the file cannot be written.
    """
    path = given.path(path)
    with replacing(path) as file:
        figure.savefig(file, format=_format(path))


def _format(path: Path) -> str:
    known = FigureCanvasBase.get_supported_filetypes()
    name = path.suffix.lower().lstrip(".")
    if name not in known:
        raise UserError(f"{path}: a figure is written as .{', .'.join(sorted(known))}")
    return name


@click.command(help="Show where and when a network looks in a video.")
@click.argument("video", type=given.path)
@click.option("--checkpoint", required=True, type=given.path, help="an ST-ABN's checkpoint")
@click.option("--out", required=True, type=given.path, help="where the picture goes, as .png")
def command(video: Path, checkpoint: Path, out: Path) -> None:
    """VIDEO is a file in any container and codec, of any size."""
    _format(out)
    trained = load(checkpoint)
    explanation = explain(video, trained)
    try:
        save(explanation.figure(), out)
    except OSError as error:
        raise UserError(
            f"{out}: cannot be written ({error.strerror}); choose another --out"
        ) from error
    click.echo(f"{video}, by {trained.origin}, which learned from {trained.config.data_root}")
    for name, probability in explanation.predictions:
        click.echo(f"  {probability:6.1%}  {name}")
    click.echo(explanation.words())
    click.echo(f"picture: {out}")

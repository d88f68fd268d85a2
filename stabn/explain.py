"""Any video → the classes a trained network sees in it, and when and where they come from.

``stabn explain VIDEO --checkpoint runs/mini_st_abn/best.pt --out figure.png`` shows an ST-ABN's own
attention. ``--method`` explains any network after the fact, ``--compare`` puts further methods
below. A network that learned from features is put behind its encoder again.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from matplotlib.backend_bases import FigureCanvasBase

from stabn import given
from stabn.attribution import METHODS, Question, Unexplained, explained, logits_of
from stabn.data.sampling import views
from stabn.data.transforms import ClipTransform, eval_transform, normalise
from stabn.data.video import probe, read_frames
from stabn.errors import UserError
from stabn.figures import (
    attention_figure,
    describe_attention,
    describe_explanations,
    explanations_figure,
)
from stabn.figures.sheet import Sheet
from stabn.models.folded import folded
from stabn.training.checkpoint import CheckpointError, Trained, load
from stabn.training.encoded import Encoded, behind_its_encoder
from stabn.training.features import named
from stabn.training.files import replacing
from stabn.words import counted

ELSEWHERE = "choose another --out"
SHOWN = 224  # pixels: frames are drawn larger than a small network reads them


@dataclass(frozen=True)
class Explanation:
    """What a network makes of one video. T counts the frames of all its clips together.

    Attributes:
        frames: uint8 (T, 224, 224, 3), the part of each frame that the network read.
        frame_indices: int64 (T,), their places in the video.
        temporal: M_t, float32 (T,) in [0, 1]; or another method's evidence for the first class.
        spatial: M_s, float32 (T, H′, W′) in [0, 1]; or likewise.
        predictions: (class text, probability), most probable first.
        method: a name in ``stabn.attribution.METHODS``.
        passes: forward passes that it took; a backward pass counts as two.
        seconds: that it took.
    """

    frames: np.ndarray
    frame_indices: np.ndarray
    temporal: np.ndarray
    spatial: np.ndarray
    predictions: tuple[tuple[str, float], ...]
    method: str
    passes: int
    seconds: float

    def figure(self, **options) -> Sheet:
        """The paper's Figure 3; options as of :func:`stabn.figures.attention.attention_figure`.

        Another method than ``"intrinsic"`` has the figure of :func:`compared`, alone.
        """
        if self.method != "intrinsic":
            return compared([self], **options)
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
        if self.method != "intrinsic":
            return compared_in_words([self])
        return describe_attention(
            self.temporal,
            self.spatial,
            frame_indices=self.frame_indices,
            predictions=self.predictions,
        )


def compared(explanations: Sequence[Explanation], **options) -> Sheet:
    """Explanations of one video by several methods, under one another.

    Options are those of :func:`stabn.figures.explanations.explanations_figure`.
    """
    first = explanations[0]
    return explanations_figure(
        first.frames,
        {each.method: (each.temporal, each.spatial) for each in explanations},
        frame_indices=first.frame_indices,
        predictions=first.predictions,
        **options,
    )


def compared_in_words(explanations: Sequence[Explanation]) -> str:
    """The same in words."""
    first = explanations[0]
    return describe_explanations(
        {each.method: (each.temporal, each.spatial) for each in explanations},
        frame_indices=first.frame_indices,
        predictions=first.predictions,
    )


@torch.no_grad()
def explain(
    video: str | Path, trained: Trained, *, top: int = 5, method: str = "intrinsic"
) -> Explanation:
    """Sample, crop and normalise a video as in evaluation, and run the network on it.

    A video of any length and size will do: one shorter than a clip repeats frames. Where the run's
    sampling rule takes several clips of a video, their logits are averaged, and each clip is
    explained by itself.

    Args:
        video: a file in any container and codec.
        trained: from :func:`stabn.training.checkpoint.load_trained` or ``load``; of a run that
            reads features, from :func:`stabn.training.encoded.behind_its_encoder`.
        top: how many classes to name.
        method: how the most probable of them is explained: ``"intrinsic"``, a network's own
            attention, or another name in ``stabn.attribution.METHODS``.

    Raises:
        VideoError: no such file, or no video that can be decoded.
        CheckpointError: the network has not what the method needs: attention of its own, for one;
            or it reads a frozen encoder's features, and stands alone.
    """
    video = given.path(video)
    model, config, classes, origin = trained
    if encoded := isinstance(model, Encoded):
        indices = model.frames_of(video)[None]  # (1, T), or fewer
        seen = eval_transform(model.size, short_side=model.size)
    elif config.encoder:
        raise CheckpointError(f"{origin}: reads features; put it behind {config.encoder} first")
    else:
        indices = views(config.sampling, probe(video).frames, config.num_frames)  # (V, T)
        seen = eval_transform(config.image_size, short_side=config.short_side)
    frames = read_frames(video, indices.ravel())  # (V·T, H, W, 3)
    clip, _ = seen(frames)  # (3, V·T, size, size)
    clips = clip.unflatten(1, indices.shape).transpose(0, 1)  # (V, 3, T, size, size)
    clips = clips.to(next(model.parameters()).device)
    clips = clips.float() if encoded else normalise(clips)
    model = model.eval() if encoded else folded(model)
    probabilities = logits_of(model, clips).float().mean(dim=0).softmax(dim=0)  # (K,)
    best = probabilities.topk(min(top, len(classes)))
    target = int(best.indices[0])
    try:
        each = [explained(method, Question(model, part, target)) for part in clips]
    except Unexplained as error:
        raise CheckpointError(f"{origin}: {error}") from error
    shown, _ = ClipTransform(SHOWN, seen.crop)(frames)  # (3, V·T, 224, 224)
    return Explanation(
        frames=shown.permute(1, 2, 3, 0).numpy(),
        frame_indices=indices.ravel(),
        temporal=np.concatenate([one.evidence.temporal for one in each]),
        spatial=np.concatenate([one.evidence.spatial for one in each]),
        predictions=tuple(
            (classes[i], p) for p, i in zip(*map(torch.Tensor.tolist, best), strict=True)
        ),
        method=method,
        passes=sum(one.passes for one in each),
        seconds=sum(one.seconds for one in each),
    )


def cost(explanation: Explanation) -> str:
    """``"3 forward passes, 0.1 s"``."""
    return f"{counted(explanation.passes, 'forward pass')}, {explanation.seconds:.1f} s"


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


def _room(path: Path) -> None:
    """Whether a file can be there, before anything is computed.

    Raises:
        UserError: what there is of its folders is a file, or cannot be written.
    """
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise UserError(
            f"{path}: cannot be written, for {above} is no folder of yours; {ELSEWHERE}"
        )


BY = click.Choice(list(METHODS))
DEAR = ("occlusion", "rise")  # hundreds of forward passes


@click.command(help="Show where and when a network looks in a video.")
@click.argument("video", type=given.path)
@click.option("--checkpoint", required=True, type=given.path, help="of any network of this book")
@click.option("--out", required=True, type=given.path, help="where the picture goes, as .png")
@click.option(
    "--method",
    type=BY,
    default="intrinsic",
    show_default=True,
    help="the network's own attention; an explanation after the fact; or one that looks at "
    "nothing: random, centre",
)
@click.option(
    "--compare",
    type=BY,
    multiple=True,
    help="a further method, shown below the first; may be given several times",
)
@click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    help="of the encoder of a network that learned from features: imagenet | FILE | none",
)
def command(
    video: Path,
    checkpoint: Path,
    out: Path,
    method: str,
    compare: tuple[str, ...],
    weights: str,
) -> None:
    """VIDEO is a file in any container and codec, of any size."""
    _format(out)
    _room(out)
    trained = load(checkpoint)
    if trained.config.encoder:
        trained = behind_its_encoder(trained, named(weights), checkpoint.parent)
    methods = dict.fromkeys((method, *compare))  # each once, in the order given
    found = {}
    # the cheap ones first: they alone may find that the network has not what they need
    for name in sorted(methods, key=lambda name: name in DEAR):
        click.echo(f"explaining by {name} …", err=True)  # which may take minutes
        found[name] = explain(video, trained, method=name)
    explanations = [found[name] for name in methods]
    first, several = explanations[0], len(explanations) > 1
    try:
        save(compared(explanations) if several else first.figure(), out)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror}); {ELSEWHERE}") from error
    click.echo(f"{video}, by {trained.origin}, which learned from {trained.config.data_root}")
    for name, probability in first.predictions:
        click.echo(f"  {probability:6.1%}  {name}")
    click.echo(compared_in_words(explanations) if several else first.words())
    for one in explanations:
        click.echo(f"{one.method}: {cost(one)}")
    click.echo(f"picture: {out}")

"""The paper's Figure 1, drawn from a network: every shape comes from a forward pass through it."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch
from torch import nn

from stabn.figures.sheet import COLOURS, INK, WIDTH, Sheet, bare, styled
from stabn.models.resnet3d import ResNet3d
from stabn.models.st_abn import STABN

_ARROW = {"arrowstyle": "-|>", "color": INK, "lw": 1.1, "shrinkA": 0, "shrinkB": 0}


@dataclass(frozen=True)
class Part:
    """One module of a network and what comes out of it for a single clip, batch axis left out."""

    name: str
    shape: tuple[int, ...]
    parameters: int


def parts(model: nn.Module, clip_size: tuple[int, int, int]) -> dict[str, Part]:
    """Run a clip of shape (3, T, H, W) through ``model`` and note what each main part gives.

    Nothing is computed (tensors are on PyTorch's meta device), so even the largest network is fast.

    Args:
        model: a :class:`~stabn.models.st_abn.STABN` or :class:`~stabn.models.resnet3d.ResNet3d`.
        clip_size: T, H, W.
    """
    twin = copy.deepcopy(model).to("meta").eval()
    backbone = twin.backbone if isinstance(twin, STABN) else twin
    last = len(backbone.backbone.stages)
    watched = {"conv1": backbone.conv1, "maxpool": backbone.maxpool, "fc": backbone.fc}
    watched |= {f"layer{i}": getattr(backbone, f"layer{i}") for i in range(1, last + 1)}
    if isinstance(twin, STABN):
        branch = twin.attention_branch
        watched |= {"stage": branch.stage, "h": branch.to_classes, "fusion": twin.fusion}
        watched |= {
            "class_head": branch.class_head,
            "spatial_head": branch.spatial_head,
            "temporal_head": branch.temporal_head,
        }
    seen: dict[str, Part] = {}

    def note(name: str):
        def hook(module: nn.Module, _inputs, output: torch.Tensor) -> None:
            count = sum(p.numel() for p in module.parameters())
            seen[name] = Part(name, tuple(output.shape[1:]), count)

        return hook

    for name, module in watched.items():
        module.register_forward_hook(note(name))
    with torch.no_grad():
        twin(torch.empty(1, 3, *clip_size, device="meta"))
    return seen


def _size(shape: Sequence[int]) -> str:
    """(32, 16, 14, 14) → "32×16×14²"."""
    if len(shape) >= 2 and shape[-1] == shape[-2] and len(shape) > 2:
        return "×".join(map(str, shape[:-2])) + f"×{shape[-1]}²"
    return "×".join(map(str, shape))


def _block(axes: Axes, x: float, y: float, width: float, title: str, below: str, **look) -> None:
    """A box around two lines of text; (x, y) is its centre, in inches."""
    height = look.pop("height", 0.42)
    look = {"facecolor": "white", "edgecolor": INK, "linewidth": 1} | look
    corner = (x - width / 2, y - height / 2)
    style = "round,pad=0,rounding_size=0.05"
    axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle=style, **look))
    axes.text(x, y + (0.085 if below else 0), title, ha="center", va="center", fontsize=8.5)
    if below:
        axes.text(x, y - 0.095, below, ha="center", va="center", fontsize=8.5)


def _panel(axes: Axes, left: float, bottom: float, right: float, top: float, title: str, i: int):
    look = {"facecolor": COLOURS[i] + "12", "edgecolor": COLOURS[i], "linewidth": 1.3}
    style = "round,pad=0,rounding_size=0.08"
    size = (right - left, top - bottom)
    axes.add_patch(FancyBboxPatch((left, bottom), *size, boxstyle=style, **look))
    axes.text(left + 0.09, top - 0.14, title, va="center", weight="bold", color=COLOURS[i])


def _line(axes: Axes, *points: tuple[float, float], arrow: bool = True) -> None:
    """A line through the points, ending in an arrow."""
    axes.plot(*zip(*points, strict=True), color=INK, lw=1.1, solid_joinstyle="round")
    if arrow:
        axes.annotate("", xy=points[-1], xytext=points[-2], arrowprops=_ARROW)


@styled
def architecture(model: nn.Module, clip_size: tuple[int, int, int] | None = None) -> Sheet:
    """Draw a network with the shapes and parameter counts it really has (Figure 1 of the paper).

    Args:
        model: a :class:`~stabn.models.st_abn.STABN`, or a
            :class:`~stabn.models.resnet3d.ResNet3d` (extractor and perception branch only).
        clip_size: T, H, W; by default the network's own T (16 for a ResNet3d) at 224×224, or 56×56
            for the small backbone.
    """
    with_branch = isinstance(model, STABN)
    backbone: ResNet3d = model.backbone if with_branch else model
    clip_size = clip_size or _usual_clip(model)
    seen = parts(model, clip_size)
    height = 4.75 if with_branch else 1.75
    sheet = Sheet(height)
    axes = bare(sheet.box(0, 0, WIDTH, height))
    axes.set(xlim=(0, WIDTH), ylim=(0, height), facecolor="none")
    stages = len(backbone.backbone.stages)
    steps = [("clip", _size((3, *clip_size))), ("conv, BN, ReLU", _size(seen["conv1"].shape))]
    steps += [("max-pool", _size(seen["maxpool"].shape))]
    steps += [(f"stage {i}", _size(seen[f"layer{i}"].shape)) for i in range(1, stages)]
    perception = [(f"stage {stages}", _size(seen[f"layer{stages}"].shape))]
    ending = "pool, dropout, FC" if isinstance(backbone.norm, nn.Identity) else "pool, BN, drop, FC"
    perception += [(ending, f"logits: {seen['fc'].shape[0]}")]
    if with_branch:
        _draw_st_abn(axes, model, seen, steps, perception)
    else:
        _draw_resnet(axes, steps, perception)
    total = sum(p.numel() for p in model.parameters())
    share = sum(seen[name].parameters for name in ("stage", "h", "fusion") if with_branch)
    share += sum(
        seen[f"{k}_head"].parameters for k in ("class", "spatial", "temporal") if with_branch
    )
    words = f"Sizes C×T×H×W (H² if square) · {_count(total)} parameters"
    words += f", {_count(share)} in attention branch and fusion" if with_branch else ""
    axes.text(0.1, 0.12, words, va="center")
    return sheet


def describe_architecture(model: nn.Module, clip_size: tuple[int, int, int] | None = None) -> str:
    """:func:`architecture` in words: what flows where, with its sizes. Arguments as there."""
    clip_size = clip_size or _usual_clip(model)
    with_branch = isinstance(model, STABN)
    backbone: ResNet3d = model.backbone if with_branch else model
    last = len(backbone.backbone.stages)
    size = {name: _size(part.shape) for name, part in parts(model, clip_size).items()}
    words = (
        f"A clip, {_size((3, *clip_size))}, passes the feature extractor and becomes feature maps "
    )
    words += f"f, {size[f'layer{last - 1}']}. "
    if with_branch:
        words += f"The attention branch makes h, {size['h']}, of them, and from h class scores, "
        words += f"{size['class_head']}, a spatial attention M_s, {size['spatial_head']}, and a "
        words += f"temporal attention M_t, {size['temporal_head']}. f, M_s and M_t are fused to "
        words += f"maps f′, {size['fusion']}. "
    return words + f"The perception branch makes {size['fc']} class scores of them."


def _usual_clip(model: nn.Module) -> tuple[int, int, int]:
    """T, H, W of the clips that such a network reads in this book."""
    stages = (model.backbone if isinstance(model, STABN) else model).backbone.stages
    side = 224 if stages[-1].channels > 64 else 56
    return getattr(model, "num_frames", 16), side, side


def _count(number: int) -> str:
    return f"{number / 1e6:.1f} M" if number >= 1e6 else f"{number / 1e3:.0f} k"


def _draw_resnet(axes: Axes, steps, perception) -> None:
    everything = steps + perception
    width = 7.0 / len(everything)
    split = 0.1 + width * len(steps)
    _panel(axes, 0.06, 0.35, split - 0.03, 1.65, "Feature extractor", 0)
    _panel(axes, split + 0.03, 0.35, 7.14, 1.65, "Perception branch", 2)
    for i, (title, below) in enumerate(everything):
        x = 0.1 + width * (i + 0.5)
        words = title.replace(", ", ",\n"), below.replace("×", "×\n", 1)
        axes.text(x, 1.08, words[0], ha="center", va="center", fontsize=8.5)
        axes.text(x, 0.68, words[1], ha="center", va="center", fontsize=8.5)
        if i:
            _line(axes, (x - width / 2 - 0.07, 0.88), (x - width / 2 + 0.07, 0.88))


def _draw_st_abn(axes: Axes, model: STABN, seen: dict[str, Part], steps, perception) -> None:
    _panel(axes, 0.1, 0.3, 1.72, 4.68, "Feature extractor", 0)
    top, bottom = 4.12, 0.98
    gap = (top - bottom) / (len(steps) - 1)
    for i, (title, below) in enumerate(steps):
        y = top - gap * i
        _block(axes, 0.91, y, 1.42, title, below)
        if i:
            _line(axes, (0.91, y + gap - 0.21), (0.91, y + 0.21))
    _panel(axes, 2.2, 2.72, 7.1, 4.68, "Spatio-temporal attention branch", 1)
    _panel(axes, 2.2, 0.3, 5.2, 2.42, "Fusion", 3)
    _panel(axes, 5.42, 0.3, 7.1, 2.42, "Perception branch", 2)

    # f leaves the extractor: up into the attention branch, along into the fusion's two halves.
    _line(axes, (1.62, bottom), (1.96, bottom), (1.96, 4.12), (2.32, 4.12))
    _line(axes, (1.96, 2.06), (4.1, 2.06), (4.1, 1.84))
    _line(axes, (2.62, 2.06), (2.62, 1.84))
    axes.plot([1.96, 2.62], [2.06, 2.06], "o", color=INK, ms=3.5)
    axes.text(1.84, bottom + 0.12, "$f$", ha="center", fontsize=10)

    _block(axes, 2.98, 4.12, 1.32, "stage copy, stride 1", _size(seen["stage"].shape))
    _line(axes, (3.64, 4.12), (3.86, 4.12))
    _block(axes, 4.56, 4.12, 1.4, "$h$: BN–conv–BN–ReLU", _size(seen["h"].shape))
    _line(axes, (5.26, 4.12), (5.56, 4.12))
    _block(
        axes, 6.3, 4.12, 1.48, "class head → $L_{att}$", f"logits: {seen['class_head'].shape[0]}"
    )
    fixed = model.constant_attention
    marks = (
        ("$M_s$", "$M_t$") if fixed is None else (f"$M_s$ ≡ {fixed[0]:g}", f"$M_t$ ≡ {fixed[1]:g}")
    )
    _block(axes, 3.3, 3.2, 1.6, f"spatial head: {marks[0]}", _size(seen["spatial_head"].shape))
    _block(axes, 5.25, 3.2, 1.75, f"temporal head: {marks[1]}", f"{seen['temporal_head'].shape[0]}")
    _line(axes, (4.4, 3.91), (4.4, 3.66), (3.3, 3.66), (3.3, 3.41))
    _line(axes, (4.72, 3.91), (4.72, 3.66), (5.25, 3.66), (5.25, 3.41))
    _line(axes, (3.14, 2.99), (3.14, 1.84))
    _line(axes, (4.72, 2.99), (4.72, 1.84))
    axes.text(3.2, 2.57, "$M_s$", va="center")
    axes.text(4.78, 2.57, "$M_t$", va="center")

    gated = model.fusion.kind == "gated"
    weight = "g" if model.fusion.closed else "M_t"
    if gated:
        _line(axes, (4.72, 2.3), (3.42, 2.3), (3.42, 1.84))
    _block(
        axes,
        2.95,
        1.63,
        1.3,
        f"$(1+M_s)\\,{weight}\\,f$" if gated else "$(1+M_s)\\,f$",
        "ours" if gated else "equation (1)",
    )
    _block(
        axes, 4.4, 1.63, 1.3, f"${weight}\\,f$", "ours" if model.fusion.closed else "equation (2)"
    )
    _line(axes, (2.95, 1.42), (2.95, 1.09))
    _line(axes, (4.4, 1.42), (4.4, 1.09))
    ending = "BN" if isinstance(model.fusion.relu, nn.Identity) else "BN, ReLU"
    _block(
        axes,
        3.68,
        0.84,
        2.75,
        f"concat, conv, {ending} → $f'$",
        _size(seen["fusion"].shape),
        height=0.5,
    )
    _line(axes, (5.06, 0.84), (5.52, 0.84))
    _block(axes, 6.26, 0.84, 1.48, *perception[0])
    _line(axes, (6.26, 1.05), (6.26, 1.42))
    _block(axes, 6.26, 1.63, 1.48, *perception[1])
    _line(axes, (6.26, 1.84), (6.26, 2.02))
    axes.text(6.26, 2.12, "$L_{per}$", ha="center", va="center")

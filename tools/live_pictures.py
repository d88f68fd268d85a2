"""Chapter 2's figure: attention branch networks answer to a map that is painted over a picture.

They are the chapter's own: its script makes the pictures and trains them, here as there.
"""

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from onnx import ModelProto
from onnx.utils import Extractor
from torch import Tensor, nn

from stabn.export.graphs import exported
from tools import live_maps
from tools.live_figure import Figure
from tools.live_maps import Answer
from tools.steps import ROOT

CHAPTER = ROOT / "notebooks" / "02_abn_recap.py"
TRAINS = "models"  # with this name's first value the chapter's training begins
NETWORKS = {"(1 + M)·f": "ABN", "M·f": "M·f"}  # title → the chapter's name
SEED, SHOWN = 0, 4
LARGER = 8  # pixels of a picture of its own, each way
TAKEN = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef | ast.Assign


def chapter(path: Path = CHAPTER) -> SimpleNamespace:
    """What the chapter imports, defines and draws before it trains."""
    names: dict[str, Any] = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == TRAINS:
            return SimpleNamespace(**names)
        if isinstance(node, TAKEN):
            exec(compile(ast.Module([node], []), str(path), "exec"), names)
    raise ValueError(f"{path.name} gives `{TRAINS}` no value: say here where its training begins")


def trained(of: SimpleNamespace, arm: str) -> nn.Module:
    """One of the chapter's networks, as it trains it."""
    torch.manual_seed(SEED)
    model = of.ABN(of.K, of.CHANNELS, in_channels=1, residual=arm != "M·f")
    return of.fit(arm, SEED, model).to(memory_format=torch.contiguous_format)


class Everything(nn.Module):
    """A network, and what it gives on its way, as tensors by name."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, clip: Tensor) -> dict[str, Tensor]:
        """Pictures (N, 1, S, S), normalised."""
        features = self.network.features(clip)
        _, attention = self.network.attention_branch(features)
        logits = self.network.perception_branch(features, attention)
        return {"features": features, "spatial_attention": attention, "logits": logits}


def parts_of(network: nn.Module, side: int) -> dict[str, ModelProto]:
    """The parts of a network that reads pictures (N, 1, side, side)."""
    cutter = Extractor(exported(Everything(network), torch.zeros(2, 1, side, side)))
    point = ["features", "spatial_attention"]
    return {
        "extractor": cutter.extract_model(["clip"], point),
        "answer": cutter.extract_model(point, ["logits"]),
    }


def normalised(pixels: Tensor) -> Tensor:
    """Grey levels uint8 (…) → float in [−1, 1], as the chapter's pictures are."""
    return pixels / 127.5 - 1


def answering(network: nn.Module, pixels: Tensor) -> Answer:
    """A network before one picture, uint8 (1, S, S); its map counts as that of one frame."""
    features = network.features(normalised(pixels)[None])
    own = network.attention_branch(features)[1][0]

    def answer(given: Tensor | None) -> tuple[Tensor, Tensor]:
        used = own if given is None else given
        return network.perception_branch(features, used[None])[0], used

    return answer


def chosen(of: SimpleNamespace, networks: list[nn.Module], pixels: Tensor) -> list[int]:
    """The first test pictures, of different digits, that all networks get right."""
    answers = [network(normalised(pixels)).logits.argmax(dim=1) for network in networks]
    right = torch.stack([answer == of.test_labels for answer in answers]).all(dim=0)
    places = [torch.nonzero(right & (of.test_labels == k)).flatten() for k in range(of.K)]
    return sorted(int(where[0]) for where in places if len(where))[:SHOWN]


@torch.no_grad()
def figure() -> Figure:
    """The chapter's figure; what is painted must lie in a test picture's box."""
    with torch.enable_grad():
        of = chapter()
        networks = {title: trained(of, arm) for title, arm in NETWORKS.items()}
    all_pixels = (127.5 * (of.test_images + 1)).round().byte()  # (N, 1, S, S)
    shown = chosen(of, list(networks.values()), all_pixels)
    pixels = [all_pixels[i] for i in shown]
    clips = [
        live_maps.recorded(
            title=f"test picture {i}, digit {of.test_labels[i]}",
            label=int(of.test_labels[i]),
            frames=[i],
            truth=of.boxes[i],
            networks=[answering(network, all_pixels[i]) for network in networks.values()],
        )
        for i in shown
    ]
    return Figure(
        classes=[f"digit {k}" for k in range(of.K)],
        networks={title: parts_of(network, of.SIDE) for title, network in networks.items()},
        clip=[1, 1, of.SIDE, of.SIDE],
        mean=[0.5],
        std=[0.5],
        pixels=pixels,
        strips=[np.kron(one[0].numpy(), np.ones((LARGER, LARGER), np.uint8)) for one in pixels],
        clips=clips,
    )

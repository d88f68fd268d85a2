"""No benchmark by itself: what ``python -m benchmarks`` measures, a function for each target.

A measurement takes a :class:`Clips` and gives a row: value, lowest and highest of its turns, the
ratio of the arithmetic where it is a ratio of two networks, and what share of the machine's matrix
rate each way reaches. Where something is missing the value is None and the note says what.
"""

import copy
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from loader import RAW, make_source, reading, run_script, stages, timed
from peers import slow_r50
from torch import Tensor, nn
from turns import CPU, Spread, Turns, in_turns, spread

from stabn.knowledge.finetuning.arms import trainable_copy
from stabn.losses import loss_of
from stabn.models.folded import folded
from stabn.models.resnet3d import count_multiply_adds
from stabn.tables.work import kept_bytes
from stabn.training.build import build_model
from stabn.training.config import RunConfig
from stabn.training.process import usable_precision

BACKBONE, CLASSES = "resnet50", 174


class Clips(NamedTuple):
    """What clips are measured on: so many at a time, of T frames, of size×size."""

    batch: int
    frames: int
    size: int
    videos: int  # that the loader reads


SIZES = {"small": Clips(2, 8, 112, videos=12), "full": Clips(1, 32, 224, videos=48)}
SMALL_NETWORK = Clips(16, 16, 56, videos=0)  # as the laptop-sized experiments train


class Way(NamedTuple):
    """Something that is timed, and its arithmetic in GFLOP; None: not counted."""

    call: Callable[[], object]
    gflop: float | None = None


def network(model: str, clips: Clips, backbone: str = "", classes: int = CLASSES) -> nn.Module:
    """A network of ours, as a run has it; a ResNet-50 unless it is to be another."""
    backbone = backbone or BACKBONE
    config = RunConfig(name="benchmark", model=model, backbone=backbone, num_frames=clips.frames)
    return build_model(config, classes)


def batch_of(clips: Clips) -> Tensor:
    """Clips (N, 3, T, H, W) as the product's ``normalise`` gives them: channels last in memory."""
    clip = torch.randn(clips.batch, 3, clips.frames, clips.size, clips.size)
    return clip.contiguous(memory_format=torch.channels_last_3d)


def scored(model: str, clips: Clips) -> nn.Module:
    """The same as the product scores with it: its BN computed into its weights."""
    return folded(network(model, clips))


def gflop(model: nn.Module, clip: Tensor) -> float:
    """Of a forward pass, 2 for a multiply–add."""
    bare = copy.deepcopy(model).to("meta")
    return 2 * count_multiply_adds(bare, torch.empty_like(clip, device="meta")) / 1e9


def forward(model: nn.Module, clip: Tensor) -> Way:
    """Scoring clips, nothing kept for the way back."""
    model.eval()

    def score() -> None:
        with torch.inference_mode():
            model(clip)

    return Way(score, gflop(model, clip))


def training_step(
    model: nn.Module,
    answer: Callable[[], object],
    batch: int,
    arithmetic: float | None = None,
) -> Way:
    """One step on what ``answer`` gives: the loss, backward and SGD of what is trained."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=1e-4, momentum=0.9, fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        output = answer()
        logits = output if isinstance(output, Tensor) else output.logits
        labels = torch.arange(batch) % logits.shape[1]
        loss_of(output, labels).total.backward()
        optimizer.step()

    return Way(step, arithmetic)


def whole_step(model: nn.Module, clip: Tensor) -> Way:
    """A step of a whole network on clips; its arithmetic is three times the forward pass."""
    model.train()
    return training_step(model, lambda: model(clip), len(clip), 3 * gflop(model, clip))


def row_of(clips: Clips, turns: Turns, value: Spread, ways: Mapping[str, Way]) -> dict[str, Any]:
    """The measured part of a row."""
    counted = {name: way.gflop for name, way in ways.items() if way.gflop is not None}
    return {
        **clips._asdict(),
        **value._asdict(),
        "arithmetic": None,
        "seconds": {name: turns.seconds(name) for name in ways},
        "share_of_matrix_rate": {
            name: done / turns.seconds(name) / turns.rate for name, done in counted.items()
        },
        "matrix_gflops": turns.rate,
        "turns": len(turns.used),
        "quiet": len(turns.quiet),
        "note": turns.told(),
    }


def compared(clips: Clips, ways: Mapping[str, Way]) -> dict[str, Any]:
    """A row: the first way over the last, in the same turns."""
    turns = in_turns({name: way.call for name, way in ways.items()})
    first, *_, last = ways
    row = row_of(clips, turns, turns.ratio(first, last), ways)
    counted = ways[first].gflop, ways[last].gflop
    return row | {"arithmetic": None if None in counted else counted[0] / counted[1]}


def held_to_the_peer(
    clips: Clips,
    model: str,
    made: Callable[[str, Clips], nn.Module],
    way: Callable[[nn.Module, Tensor], Way],
) -> dict[str, Any]:
    """A row: a network of ours over pytorchvideo's, each on clips as it likes them in memory."""
    peer = slow_r50(CLASSES, clips.frames, clips.size)
    clip = batch_of(clips)
    ours = way(made(model, clips), clip)
    return compared(clips, {model: ours, "slow_r50": way(peer, clip.contiguous())})


def fwd_bf16(clips: Clips) -> dict[str, Any]:
    """Our weights and clips in bf16, where the processor multiplies that."""
    if not multiplies_bf16():
        return absent(clips, "this processor has no bf16 units, or PyTorch may not use them")
    peer = slow_r50(CLASSES, clips.frames, clips.size)
    clip, ours = batch_of(clips), scored("st_abn", clips)
    ways = {"bf16": forward(ours.bfloat16(), clip.bfloat16())}
    return compared(clips, ways | {"slow_r50": forward(peer, clip.contiguous())})


def multiplies_bf16() -> bool:
    """Whether the processor has the units and oneDNN, which computes on it, is allowed them."""
    return usable_precision("bf16", CPU) == "bf16"


def attention_cost(clips: Clips) -> dict[str, Any]:
    """The forward pass with attention over that without."""
    clip = batch_of(clips)
    names = ("st_abn", "baseline")
    return compared(clips, {name: forward(scored(name, clips), clip) for name in names})


def small_network(clips: Clips) -> dict[str, Any]:
    """The small network's training step with attention over that without; on clips of its own."""
    clips = SMALL_NETWORK
    clip, names = batch_of(clips), ("st_abn", "baseline")
    return compared(
        clips, {name: whole_step(network(name, clips, "small", 14), clip) for name in names}
    )


def share(clips: Clips) -> dict[str, Any]:
    """What ST-ABN's forward pass computes in a second, over what products of matrices do."""
    way = forward(scored("st_abn", clips), batch_of(clips))
    turns = in_turns({"st_abn": way.call})
    shares = (way.gflop / turn.seconds["st_abn"] / turns.rate for turn in turns.used)
    return row_of(clips, turns, spread(shares), {"st_abn": way})


def finetune_cached(clips: Clips) -> dict[str, Any]:
    """A step of what follows the attention point, its features at hand, over one of the whole.

    Beside it stands a step that computes the features anew, the extractor frozen.
    """
    clip, batch = batch_of(clips), clips.batch
    whole, frozen = network("st_abn", clips), trainable_copy(network("st_abn", clips))
    extractor = folded(frozen)

    def features() -> Tensor:
        with torch.no_grad():
            return extractor.features(clip)

    kept = features()
    return compared(
        clips,
        {
            "kept": training_step(frozen, lambda: frozen.from_features(kept), batch),
            "frozen": training_step(frozen, lambda: frozen.from_features(features()), batch),
            "whole": whole_step(whole, clip),
        },
    )


def act_memory(clips: Clips) -> dict[str, Any]:
    """Counted on tensors without data, at full size whatever the clips are."""
    clips = SIZES["full"]
    config = RunConfig(name="benchmark", model="st_abn", backbone=BACKBONE, precision="bf16")
    return absent(clips, None) | {"value": kept_bytes(config) / 2**30}


def loader(clips: Clips) -> dict[str, Any]:
    """Clips that training reads, through the DataLoader, over the same frames decoded alone."""
    clips = SIZES["full"]._replace(videos=clips.videos)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a DataLoader's worker
    try:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "source"
            make_source(root, clips.videos, None)
            run_script("verify", "--root", root)
            ways = stages(reading(root, clips.frames, clips.size), root)
            ways = {name: Way(ways[name]) for name in (RAW, "DataLoader")}
            turns = in_turns(
                {name: way.call for name, way in ways.items()}, lambda way: timed(way, 0.5)[0]
            )
        return row_of(clips, turns, turns.ratio(RAW, "DataLoader"), ways)
    finally:
        torch.set_num_threads(threads)


def absent(clips: Clips, note: str | None) -> dict[str, Any]:
    """A row without a measurement."""
    nothing = dict.fromkeys(
        ("value", "low", "high", "arithmetic", "matrix_gflops", "turns", "quiet")
    )
    nothing |= {"seconds": {}, "share_of_matrix_rate": {}}
    return clips._asdict() | nothing | {"note": note}


MEASUREMENTS: dict[str, Callable[[Clips], dict[str, Any]]] = {
    "fwd_backbone": lambda clips: held_to_the_peer(clips, "baseline", scored, forward),
    "fwd_stabn": lambda clips: held_to_the_peer(clips, "st_abn", scored, forward),
    "train_backbone": lambda clips: held_to_the_peer(clips, "baseline", network, whole_step),
    "train_stabn": lambda clips: held_to_the_peer(clips, "st_abn", network, whole_step),
    "fwd_bf16": fwd_bf16,
    "attention_cost": attention_cost,
    "small_network": small_network,
    "share": share,
    "finetune_cached": finetune_cached,
    "act_memory": act_memory,
    "loader": loader,
}

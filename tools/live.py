"""What a figure that answers is made of: clips, networks as ONNX, and recorded answers.

``python -m tools.live NAME OUT`` writes into the folder OUT what `tools.live_figure` lists.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from onnx import ModelProto
from onnx.utils import Extractor
from torch import Tensor

from stabn.data.transforms import MEAN, STD, eval_transform, normalise
from stabn.export.graphs import ATTENTIONS, graphs
from stabn.training.checkpoint import Trained, load_trained
from stabn.training.config import RunConfig
from tools import live_figure, live_maps, live_pictures, live_scenes
from tools.live_clips import CHOSEN, KINDS, Clip, not_found
from tools.live_figure import Figure

# figure → its networks, each with its title: run, checkpoint
PAPER, GATED = ("mini_biased_paper_seed8", "best"), ("mini_biased_gated_seed8", "best")
LEFT, CLOSING = "mini_biased_paper_finetune_seed8", "mini_biased_paper_closing_finetune_seed8"
FIGURES = {
    "when": {"": ("mini_st_abn", "best")},
    "where": {"": ("mini_st_abn", "best")},
    "own": {"": ("mini_st_abn", "best")},
    "fusion": {"paper’s fusion": PAPER, "gated fusion": GATED},
    "fault": {
        "before": PAPER,
        "paper’s: control": (LEFT, "control"),
        "paper’s: knowledge": (LEFT, "knowledge"),
        "closes: control": (CLOSING, "control"),
        "closes: knowledge": (CLOSING, "knowledge"),
    },
}
PAINTED = {"where"}  # figures that change M_s; the others change M_t
TAKES = {"own"}  # figures that take a video of the reader's
SIGNED = {"fault"}  # figures that mark the frames in which a sign stands


@torch.no_grad()
def answers(trained: Trained, clip: Clip, weights: list[Tensor]) -> tuple[Tensor, Tensor]:
    """A network's own M_t (T,) for a clip; its probabilities (E, K) with each of E weights (T,)."""
    features = trained.model.features(normalise(clip.pixels[None]))
    own = trained.model.from_features(features)
    logits = [
        trained.model.from_features(
            features, spatial_attention=own.spatial_attention, temporal_attention=given[None]
        ).logits[0]
        for given in [own.temporal_attention[0], *weights]
    ]
    return own.temporal_attention[0], torch.stack(logits).softmax(dim=1)


def edits(clip: Clip, own: Tensor) -> dict[str, Tensor]:
    """Weights (T,) whose answers are recorded, by what they are: a network's own, and others."""
    truth = {} if clip.levels is None else {"The truth": torch.from_numpy(clip.levels)}
    return {
        "the weights at first": own,
        **truth,
        "All 0": torch.zeros_like(own),
        "All 1": torch.ones_like(own),
        "1 − those at first": 1 - own,
        "those at first, backwards": own.flip(0),
    }


def recorded(clip: Clip, networks: list[Trained]) -> dict[str, Any]:
    """What is known of a clip before anybody touches it, as plain values.

    Every number is rounded as far as a page's comparison with it allows.
    """
    first = answers(networks[0], clip, [])[0]
    given = edits(clip, first)
    found = [answers(trained, clip, list(given.values())) for trained in networks]
    plain = [[[round(p, 7) for p in row] for row in one.tolist()] for _, one in found]
    return {
        "title": clip.title,
        "label": clip.label,
        "frames": clip.frames.tolist(),
        "levels": None if clip.levels is None else clip.levels.tolist(),
        "answers": [
            {"temporal": own.tolist(), "probabilities": rows[0]}
            for (own, _), rows in zip(found, plain, strict=True)
        ],
        "edits": [
            {
                "title": title,
                "temporal": weights.tolist(),
                "probabilities": [rows[e + 1] for rows in plain],
            }
            for e, (title, weights) in enumerate(given.items())
        ],
    }


def figure(name: str) -> Figure:
    """A figure of trained networks, by its name."""
    named = {
        title: load_trained(run, checkpoint=arm) for title, (run, arm) in FIGURES[name].items()
    }
    networks = list(named.values())
    config = networks[0].config
    clips, note = (CHOSEN | live_scenes.CHOSEN)[name](*networks), None
    if name in PAINTED:
        strips = [live_maps.strip(clip, config) for clip in clips]
        known = [live_maps.of_clip(clip, networks) for clip in clips]
    else:
        strips = [clip.pixels.permute(2, 1, 3, 0).flatten(1, 2).numpy() for clip in clips]
        known = [recorded(clip, networks) for clip in clips]
    if name in KINDS:
        note = not_found(networks[0], clips, *KINDS[name])
    if name in TAKES:  # M_s lies over the frames
        for clip, one in zip(clips, known, strict=True):
            one["answers"][0]["map"] = live_maps.written(
                live_maps.answering(networks[0], clip)(None)[1]
            )
    if name in SIGNED:
        for clip, one in zip(clips, known, strict=True):
            one["signs"] = live_scenes.signs(clip, config)
    return Figure(
        classes=list(networks[0].classes),
        networks={title: parts_of(trained) for title, trained in named.items()},
        clip=[1, 3, config.num_frames, config.image_size, config.image_size],
        mean=list(MEAN),
        std=list(STD),
        pixels=[clip.pixels for clip in clips],
        strips=strips,
        clips=known,
        takes=takes(config) if name in TAKES else None,
        note=note,
    )


def takes(config: RunConfig) -> dict[str, float]:
    """How a network of this configuration reads a video, for a page to do the same."""
    transform = eval_transform(config.image_size, short_side=config.short_side)
    return {
        "frames": config.num_frames,
        "size": transform.size,
        "fraction": transform.crop.fraction,
    }


def parts_of(trained: Trained) -> dict[str, ModelProto]:
    """The parts of a network; fine-tuning leaves the extractor as it is, so its arms share one."""
    whole = graphs(trained)
    cutter = Extractor(whole["extractor.onnx"])
    return {
        "extractor": cutter.extract_model(["clip"], ["features"]),
        "attention": cutter.extract_model(["features"], list(ATTENTIONS)),
        "answer": whole["answer.onnx"],
    }


def main(arguments: list[str]) -> int:
    """``python -m tools.live NAME OUT``."""
    name, out = arguments
    torch.set_num_threads(1)  # small tensors: a second thread would only wait
    made = live_pictures.figure() if name == "picture" else figure(name)
    live_figure.write(made, name, Path(out))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

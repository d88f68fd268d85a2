"""What does it cost to answer an edit?

Times one re-scoring of a video's clip from its features (fusion and perception branch, one thread)
and one forward pass of the whole network on it, in turns in one run, and prints the ratio of the
times, their range and the ratio of the multiply–adds.

    python benchmarks/rescoring_cost.py                    # small network, and R50 at 8×112²
    python benchmarks/rescoring_cost.py --frames 32 --size 224
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from turns import in_turns

from stabn.data.sampling import segment_indices
from stabn.knowledge.selection.queue import Queue, QueuedVideo
from stabn.knowledge.selection.rescoring import (
    Features,
    Rescorer,
    load_head,
    save_features,
    save_head,
)
from stabn.models.resnet3d import count_multiply_adds
from stabn.training.build import build_model
from stabn.training.config import RunConfig


def compare(backbone: str, num_classes: int, frames: int, size: int):
    config = RunConfig(name="benchmark", backbone=backbone, num_frames=frames)
    model = build_model(config, num_classes).eval()
    clip = torch.randn(1, 3, frames, size, size)
    clip = clip.contiguous(memory_format=torch.channels_last_3d)
    with torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
        maps = model.features(clip)
        output = model.from_features(maps)
        attention = (output.spatial_attention, output.temporal_attention)
        rescorer = prepared(Path(folder), model, config, maps, attention)
        head = load_head(Path(folder) / "head.pt")
        levels = np.linspace(0, 1, 3 * frames)
        rescorer("video", levels)  # reads the features
        arithmetic = count_multiply_adds(head, maps, *attention) / count_multiply_adds(model, clip)
        ways = {"re-scoring": lambda: rescorer("video", levels), "whole": lambda: model(clip)}
        turns = in_turns(ways)
    value, low, high = turns.ratio("re-scoring", "whole")
    print(
        f"{backbone:>9} {frames}×{size}²  whole network {turns.seconds('whole') * 1e3:8.1f} ms"
        f"  re-scoring {turns.seconds('re-scoring') * 1e3:8.1f} ms"
        f"  time ratio {value:.3f} ({low:.3f} to {high:.3f})  arithmetic ratio {arithmetic:.3f}"
        + (f"  {turns.told()}" if turns.told() else "")
    )


def prepared(folder, model, config, maps, attention) -> Rescorer:
    """A queue of one video, three times as long as a clip."""
    frames = config.num_frames
    indices = torch.from_numpy(segment_indices(3 * frames, frames))[None]
    save_head(folder / "head.pt", model, config)
    save_features(folder / "video.npz", Features(maps, *attention, indices))
    shown, sampled = (0.5,) * (3 * frames), tuple(indices[0].tolist())
    video = QueuedVideo("video", 0, 1, 0.1, shown, sampled, "video.npz")
    about = {"run": "", "checkpoint": "best", "model": "", "data_root": "", "key": ""}
    classes = tuple(map(str, range(len(model.backbone.fc.bias))))
    more = {"splits": ("", ""), "weak": (), "accuracy": {}, "provenance": {}}
    return Rescorer(
        Queue(folder, classes=classes, num_frames=frames, videos=(video,), **about, **more)
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=8, help="T of the R50 comparison")
    parser.add_argument("--size", type=int, default=112, help="pixels of the R50 comparison")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    compare("small", 14, frames=16, size=56)
    compare("resnet50", 174, frames=args.frames, size=args.size)


if __name__ == "__main__":
    main()

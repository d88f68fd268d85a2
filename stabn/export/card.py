"""The card of an exported network: what its files read and give, and where it comes from."""

from collections.abc import Mapping
from typing import Any

import onnx
from onnx.helper import tensor_dtype_to_np_dtype

from stabn.data.sampling import views
from stabn.data.transforms import MEAN, STD
from stabn.export.check import BOUND
from stabn.export.graphs import OPSET
from stabn.training.checkpoint import Trained
from stabn.training.config import RunConfig

EXAMPLE = 50  # frames of the video with which the card shows which ones are taken
ARCHITECTURE = (
    *("model", "backbone", "class_head", "temporal_tail", "fusion", "fusion_relu", "closed"),
    *("constant_spatial", "constant_temporal"),
)


def card(
    trained: Trained,
    parts: Mapping[str, onnx.ModelProto],
    differences: Mapping[str, float],
    origin: Mapping[str, Any],
) -> dict[str, Any]:
    """What somebody needs who has the files alone, as plain values.

    Args:
        trained: the network.
        parts: the files' content, by name.
        differences: of each file's numbers from PyTorch's, the largest.
        origin: the checkpoint and the run's record.
    """
    config = trained.config
    return {
        "name": config.name,
        "network": architecture(config),
        "classes": list(trained.classes),
        "clip": {
            "frames": config.num_frames,
            "height": config.image_size,
            "width": config.image_size,
            "colours": "RGB",
            "resize": f"short side to {config.short_side} pixels, bilinear with antialiasing",
            "crop": f"the central square of {config.image_size} pixels",
            "normalisation": "(value / 255 - mean) / std, for each colour",
            "mean": list(MEAN),
            "std": list(STD),
        },
        "sampling": {
            "rule": config.sampling,
            "meaning": "source frames, from 0, of each clip; the clips' logits are averaged",
            "example": {
                "frames": EXAMPLE,
                "clips": views(config.sampling, EXAMPLE, config.num_frames).tolist(),
            },
        },
        "opset": OPSET,
        "files": {
            name: {
                "bytes": part.ByteSize(),
                "reads": tensors(part.graph.input),
                "gives": tensors(part.graph.output),
                "largest_difference_from_pytorch": differences[name],
            }
            for name, part in parts.items()
        },
        "bound_of_difference": f"{BOUND:g}, or {BOUND:g} of the largest number if that is above 1",
        "origin": dict(origin),
    }


def architecture(config: RunConfig) -> dict[str, Any]:
    """The settings that say what the network is, by their names in a run."""
    if config.network is not None:
        return {"model": config.model} | config.network.model_dump(mode="json")
    return {name: getattr(config, name) for name in ARCHITECTURE}


def tensors(infos) -> dict[str, dict[str, Any]]:
    """Type and shape by name; ``"batch"`` stands for any number of clips."""
    return {
        info.name: {
            "type": str(tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)),
            "shape": [d.dim_param or d.dim_value for d in info.type.tensor_type.shape.dim],
        }
        for info in infos
    }

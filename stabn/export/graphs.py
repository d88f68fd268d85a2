"""A trained network → ONNX: whole, and cut in two at the attention point.

The two parts are cut out of the whole, so what lies in them is what lies in it.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnx
import torch
from onnx.utils import Extractor
from torch import Tensor, nn

from stabn.models.plain import answering
from stabn.models.st_abn import STABN
from stabn.training.checkpoint import Trained

OPSET = 18  # what PyTorch's exporter writes by itself; onnxruntime, in a browser too, reads it
ATTENTIONS = ("spatial_attention", "temporal_attention")
WHOLE = ("logits", "attention_logits", *ATTENTIONS)

# file: what it reads and what it gives
Cut = tuple[tuple[str, ...], tuple[str, ...]]
CUTS: dict[str, Cut] = {
    "network.onnx": (("clip",), WHOLE),
    "extractor.onnx": (("clip",), ("features", *ATTENTIONS)),
    "answer.onnx": (("features", *ATTENTIONS), ("logits",)),
}
UNCUT: dict[str, Cut] = {"network.onnx": (("clip",), ("logits",))}


class Everything(nn.Module):
    """A network, and what it gives on its way, as tensors by name."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, clip: Tensor) -> dict[str, Tensor]:
        """Clips (N, 3, T, H, W), normalised → what :func:`cuts` names, ``features`` among them."""
        if not is_cut(self.network):
            output = self.network(clip)
            return {"logits": output if isinstance(output, Tensor) else output.logits}
        features = self.network.features(clip)
        return self.network.from_features(features)._asdict() | {"features": features}


def is_cut(network: nn.Module) -> bool:
    """Whether a network has an attention point: not the baseline, not the matched control."""
    return isinstance(network, STABN) and network.constant_attention is None


def cuts(network: nn.Module) -> dict[str, Cut]:
    """The files that a network becomes, each with the names of what it reads and gives."""
    return CUTS if is_cut(network) else UNCUT


def graphs(trained: Trained) -> dict[str, onnx.ModelProto]:
    """The ONNX models by file, for any batch size N.

    ``clip`` is float32 (N, 3, T, S, S), normalised; ``features`` (N, C, T, H′, W′);
    ``spatial_attention`` (N, 1, T, H′, W′) and ``temporal_attention`` (N, T), both in [0, 1] and,
    where they are read, as somebody edited them; ``logits`` and ``attention_logits`` (N, K).
    """
    config = trained.config
    clip = torch.zeros(2, 3, config.num_frames, config.image_size, config.image_size)
    cutter = Extractor(exported(Everything(answering(trained.model)), clip))
    parts = {
        name: cutter.extract_model(list(reads), list(gives))
        for name, (reads, gives) in cuts(trained.model).items()
    }
    for part in parts.values():
        onnx.checker.check_model(part, full_check=True)
    return parts


def exported(module: nn.Module, clip: Tensor) -> onnx.ModelProto:
    """A module whose ``forward(clip)`` gives tensors by name → ONNX, for any batch size.

    ``clip`` is an example of what it reads, float32 (N, …).
    """
    module.eval()
    with torch.no_grad():
        given = list(module(clip))
    with _quietly():
        program = torch.onnx.export(
            module,
            (clip,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["clip"],
            output_names=given,
            dynamic_shapes={"clip": {0: torch.export.Dim("batch")}},
            external_data=False,
            verbose=False,
        )
    whole = onnx.load_from_string(program.model_proto.SerializeToString())
    _forget_its_making(whole)
    return whole


def _forget_its_making(model: onnx.ModelProto) -> None:
    """Drop what the exporter notes of each step: the files and lines on this machine it is from."""
    graph = model.graph
    for noted in (model, graph, *graph.node, *graph.initializer, *graph.value_info):
        noted.ClearField("metadata_props")
    for noted in (*graph.input, *graph.output):
        noted.ClearField("metadata_props")


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the exporter's words about packages that it does not need, and about itself."""
    exporter = logging.getLogger("torch.onnx._internal.exporter")
    before = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):
            warnings.filterwarnings("ignore", "The tensor attributes .* were assigned")  # an LSTM's
            yield
    finally:
        exporter.setLevel(before)

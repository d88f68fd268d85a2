"""Whether ONNX files answer as the network does: onnxruntime beside PyTorch, number by number."""

from collections.abc import Mapping

import onnx
import onnxruntime
import torch
from torch import Generator, Tensor

from stabn.data.transforms import normalise
from stabn.errors import UserError
from stabn.export.graphs import ATTENTIONS, Everything, is_cut
from stabn.training.checkpoint import Trained

BOUND = 1e-4  # largest difference of any number that a file gives, if they are not above 1
BATCHES = (1, 3)  # clips in a batch: the files are for any number of them


class ExportError(UserError):
    """A network that cannot be exported; the message says why, and what to do."""


def run(part: onnx.ModelProto, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What onnxruntime makes on the CPU of what ``part`` reads of ``given``: tensors by name."""
    session = onnxruntime.InferenceSession(
        part.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    read = {i.name: given[i.name].contiguous().numpy() for i in session.get_inputs()}
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, map(torch.from_numpy, session.run(names, read)), strict=True))


def differences(trained: Trained, parts: Mapping[str, onnx.ModelProto]) -> dict[str, float]:
    """By file, the largest difference between onnxruntime's numbers and PyTorch's.

    Of clips of noise; what lies after the attention point reads other attentions than the
    network's own, some of their levels 0 and some 1.

    Raises:
        ExportError: more than ``BOUND``; where a file gives numbers above 1, more than ``BOUND``
            times the largest of them, as float32 rounds in proportion.
    """
    rng, worst, wrong = Generator().manual_seed(0), dict.fromkeys(parts, 0.0), {}
    for size in BATCHES:
        given, own, edited = pytorchs(trained, size, rng)
        for name, part in parts.items():
            wanted = edited if "features" in {i.name for i in part.graph.input} else own
            for output, found in run(part, given).items():
                far = (found - wanted[output]).abs().max().item()
                worst[name] = max(worst[name], far)
                if not far <= BOUND * max(1.0, wanted[output].abs().max().item()):
                    wrong[name] = max(far, wrong.get(name, 0.0))
    if wrong:
        told = ", ".join(f"{name} by {far:.1e}" for name, far in wrong.items())
        raise ExportError(
            f"onnxruntime {onnxruntime.__version__} does not answer as PyTorch does: {told}, more "
            f"than {BOUND:g}. Nothing was written; take the versions that requirements.txt names"
        )
    return worst


@torch.no_grad()
def pytorchs(trained: Trained, size: int, rng: Generator) -> tuple[dict[str, Tensor], ...]:
    """What is read by the files, and by name what the network gives: by itself, and with edits."""
    config, network = trained.config, trained.model
    side = config.image_size
    frames = torch.randint(0, 256, (size, 3, config.num_frames, side, side), generator=rng)
    clip = normalise(frames.to(torch.uint8))
    own = Everything(network)(clip)
    if not is_cut(network):
        return {"clip": clip}, own, own
    edits = {  # a tenth of the levels lies at each end
        name: (1.25 * torch.rand(own[name].shape, generator=rng) - 0.125).clamp(0, 1)
        for name in ATTENTIONS
    }
    edited = network.from_features(own["features"], **edits)._asdict()
    return {"clip": clip, "features": own["features"], **edits}, own, edited

"""What batch normalisation is given, against what PyTorch itself says and a count by hand."""

import pytest
import torch

from stabn.training.batch_statistics import check_statistics, clips_together, noting_values
from stabn.training.build import build_model
from stabn.training.config import ConfigError, RunConfig
from stabn.training.process import Process


def alone(count: int = 1) -> Process:
    return Process(0, count, torch.device("cpu"))


def described(**values) -> RunConfig:
    size = values.pop("size")
    sizes = {"image_size": size, "short_side": size, "train_short_side": (size, size)}
    return RunConfig(name="x", batch_size=1, **sizes, **values)


@pytest.mark.parametrize("model", ["st_abn", "baseline"])
@pytest.mark.parametrize(
    ("backbone", "frames", "size"),
    [("small", 4, 24), ("resnet50", 1, 32), ("resnet50", 2, 32), ("resnet50", 1, 64)],
)
def test_a_single_clip_is_refused_where_pytorch_would(model, backbone, frames, size):
    config = described(model=model, backbone=backbone, num_frames=frames, size=size)
    network = build_model(config, 5).train()
    try:
        network(torch.rand(1, 3, frames, size, size))
        refused = False
    except ValueError:
        refused = True
    before = torch.get_rng_state()
    if refused:
        with pytest.raises(ConfigError, match=r"batch_size: 1 .* use a multiple of 2,"):
            check_statistics(config, 5, alone())
    else:
        check_statistics(config, 5, alone())
    assert torch.equal(torch.get_rng_state(), before)  # the run draws what it would have drawn
    check_statistics(config.model_copy(update={"batch_size": 2}), 5, alone())


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "processes", "sync_bn", "clips"),
    [(64, 1, 1, False, 64), (64, 1, 32, False, 2), (64, 4, 8, False, 2), (64, 4, 8, True, 16)],
)
def test_clips_together(batch_size, accumulate, processes, sync_bn, clips):
    values = {"batch_size": batch_size, "accumulate": accumulate, "sync_bn": sync_bn}
    config = RunConfig(name="x", **values)
    assert clips_together(config, alone(processes)) == clips


def test_values_of_a_clip_are_noted_of_layers_that_are_trained():
    """4 frames of 24 pixels: the stem halves them, the last layer has the pooled vector alone."""
    config = described(backbone="small", num_frames=4, size=24)
    network = build_model(config, 5).train()
    network.backbone.bn1.eval()  # as of a frozen extractor
    with noting_values(network) as values:
        network(torch.rand(2, 3, 4, 24, 24))
    assert "backbone.bn1" not in values
    assert values["backbone.layer1.0.bn1"] == 4 * 6 * 6
    assert values["backbone.layer3.0.bn2"] == 4 * 3 * 3
    assert values["backbone.norm"] == 1
    before = dict(values)
    network(torch.rand(2, 3, 4, 48, 48))  # nothing is noted any more
    assert values == before

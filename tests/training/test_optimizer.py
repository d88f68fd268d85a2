"""The learning rate's course by hand; what decays, and what does not."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from stabn.training.config import ConfigError, RunConfig, parse
from stabn.training.optimizer import make_optimizer, make_schedule, share_of_peak


def described(**values) -> RunConfig:
    return parse(RunConfig, {"name": "x", **values}, "here.yaml")


def rates(config: RunConfig, steps: int) -> list[float]:
    """What a run's steps are taken at."""
    optimizer = make_optimizer(config, nn.Linear(2, 2))
    schedule = make_schedule(config, optimizer, steps)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


def test_a_cosine_after_its_warm_up_by_hand():
    config = described(schedule="cosine", warmup_epochs=0.5, epochs=2, lr=3.0)
    warm = [3 * 1 / 2, 3 * 2 / 2]  # 2 of 8 steps
    fall = [3 * (1 + math.cos(angle)) / 2 for angle in np.radians([0, 30, 60, 90, 120, 150])]
    np.testing.assert_allclose(rates(config, 8), warm + fall)
    assert fall[3] == pytest.approx(1.5)


def test_without_a_warm_up_it_begins_at_its_peak_and_falls_to_all_but_nothing():
    course = [share_of_peak(step, 0, 1000) for step in range(1000)]
    assert course[0] == 1
    assert course == sorted(course, reverse=True)
    assert 0 < course[-1] < 1e-5


@pytest.mark.parametrize("schedule", ["plateau", "milestones", "one_cycle", "cosine"])
def test_lr_is_scaled_to_the_batch_where_it_says_what_it_is_meant_for(schedule):
    """Goyal's rule: four times the clips, four times the rate, whatever its course."""
    plain = described(schedule=schedule, lr=0.1, batch_size=256)
    meant = described(schedule=schedule, lr=0.1, batch_size=256, lr_batch_size=64)
    groups = [make_optimizer(config, nn.Linear(2, 2)) for config in (plain, meant)]
    for config, optimizer in zip((plain, meant), groups, strict=True):
        make_schedule(config, optimizer, 100)
    first, second = (optimizer.param_groups[0]["lr"] for optimizer in groups)
    assert second == pytest.approx(4 * first)
    assert described(lr=0.1, batch_size=256).scaled_lr == 0.1


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("all_of_it", [True, False])
def test_what_decays(optimizer, all_of_it):
    """Steps without a gradient leave the decay alone: w ← w − lr · λ · w."""
    model = nn.Sequential(nn.Conv3d(2, 3, 1), nn.BatchNorm3d(3), nn.Linear(3, 4))
    nn.init.ones_(model[1].bias)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    config = described(
        **{"optimizer": optimizer, "lr": 0.5, "weight_decay": 0.1, "momentum": 0},
        **{"nesterov": False, "decay_bn_and_biases": all_of_it},
    )
    step = make_optimizer(config, model)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    step.step()
    kernels = {"0.weight", "2.weight"}
    for name, p in model.named_parameters():
        factor = 0.95 if all_of_it or name in kernels else 1.0
        torch.testing.assert_close(p.detach(), factor * before[name], msg=name)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"schedule": "plateau", "warmup_epochs": 5}, "warmup_epochs: is for the schedule cosine"),
        ({"schedule": "cosine", "warmup_epochs": 3, "epochs": 3}, "must be fewer than epochs"),
        ({"lr_batch_size": 0}, "lr_batch_size"),
    ],
)
def test_a_course_that_cannot_be(values, said):
    with pytest.raises(ConfigError, match=said):
        described(**values)


def test_two_steps_of_rmsprop_by_hand():
    """v ← 0.9 v + 0.1 g²; w ← w − lr · g / √v, as Keras has it."""
    layer = nn.Linear(1, 1, bias=False)
    nn.init.ones_(layer.weight)
    config = described(optimizer="rmsprop", lr=0.1, weight_decay=0.0)
    optimizer, w, v = make_optimizer(config, layer), 1.0, 0.0
    for gradient in (2.0, -3.0):
        optimizer.zero_grad()
        layer(torch.tensor([[gradient]])).sum().backward()
        optimizer.step()
        v = 0.9 * v + 0.1 * gradient**2
        w -= 0.1 * gradient / math.sqrt(v)
        assert layer.weight.item() == pytest.approx(w, rel=1e-5)


def test_rmsprop_s_course_is_the_rate_s_alone():
    config = described(optimizer="rmsprop", schedule="one_cycle")
    optimizer = make_optimizer(config, nn.Linear(2, 2))
    make_schedule(config, optimizer, 10)
    assert optimizer.param_groups[0]["momentum"] == 0

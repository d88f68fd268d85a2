"""A run's precision is compared with fp32 before it: wrong is a fault, slow is said."""

import pytest
import torch

from stabn.models import planes
from stabn.training.preflight import precision
from stabn.training.preflight.findings import Findings
from stabn.training.preflight.precision import Step, apart, check_precision
from stabn.training.process import Process
from stabn.training.step import set_up

ALONE = Process(0, 1, torch.device("cpu"))


@pytest.fixture
def checked(tiny, caplog, monkeypatch):
    """A function that checks a tiny run in bf16, on a device that has it; what was found."""
    caplog.set_level("INFO")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})

    def check(**values) -> tuple[Findings, list[str]]:
        found = Findings(ALONE)
        run = set_up(tiny(precision="bf16", **values), ALONE)
        check_precision(found, run, next(iter(run.loader)))
        return found, [r.getMessage() for r in caplog.records if " precision " in r.getMessage()]

    return check


@pytest.mark.parametrize("model", ["baseline", "st_abn"])
def test_bf16_that_is_right(checked, model):
    found, lines = checked(model=model)
    assert not found.faults
    assert "ok       precision" in lines[0]
    assert "in fp32" in lines[0]


@pytest.mark.parametrize("spoilt", [0, 3])
def test_bf16_that_is_computed_wrongly(checked, monkeypatch, spoilt):
    """One convolution's result is off where it is computed in bf16."""
    right, calls = planes._conv, 0

    def wrong(*arguments):
        nonlocal calls
        calls += 1
        result = right(*arguments)
        return result.flip(1) if result.dtype == torch.bfloat16 and calls % 5 == spoilt else result

    monkeypatch.setattr(planes, "_conv", wrong)
    found, _ = checked(model="baseline")
    (fault,) = found.faults
    assert fault.endswith("computed wrongly here; set precision to fp32")


def test_bf16_that_is_slower(checked, monkeypatch):
    gradient = {"conv1.weight": torch.ones(3)}
    seconds = {"fp32": 1.0, "bf16": 25.0}
    steps = lambda run, name, clips: Step(2.0, gradient, seconds[name])  # noqa: E731
    monkeypatch.setattr(precision, "one_step", steps)
    found, lines = checked()
    assert not found.faults
    assert "bf16 takes 25.0 times as long as fp32 here" in lines[1]


def test_a_device_without_it_is_named(checked, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    found, lines = checked()
    assert not found.faults
    assert [line.split("precision ")[1].strip() for line in lines] == [
        "this cpu has no bf16 units: fp32 instead"
    ]


def test_how_far_two_steps_are_apart_by_hand():
    exact = Step(2.0, {"a": torch.tensor([3.0, 4.0]), "b": torch.tensor([0.0, 1e-9])}, 1.0)
    other = Step(2.1, {"a": torch.tensor([3.0, 3.0]), "b": torch.tensor([0.0, 2e-9])}, 1.0)
    loss, worst, kernel = apart(other, exact)
    assert loss == pytest.approx(0.05)
    assert worst == pytest.approx(1 / 5)  # a, of length 5, is off by 1; b is too faint to count
    assert kernel == "a"
    nothing = other._replace(gradient=other.gradient | {"b": torch.tensor([0.0, torch.nan])})
    assert apart(nothing, exact)[1:] == (float("inf"), "b")

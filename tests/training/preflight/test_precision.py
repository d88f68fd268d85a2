"""A run's precision is compared with fp32 before it: wrong is a fault, slow is said."""

import pytest
import torch

from stabn.models.planes import PlaneConv3d
from stabn.training.build import build_model
from stabn.training.preflight import precision
from stabn.training.preflight.findings import Findings
from stabn.training.preflight.precision import Step, check_precision, worst_layer
from stabn.training.process import Process
from stabn.training.step import set_up

ALONE = Process(0, 1, torch.device("cpu"))


@pytest.fixture
def checked(tiny, caplog, monkeypatch):
    """A function that checks a tiny run in bf16, on a device that has it; what was found."""
    caplog.set_level("INFO")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    monkeypatch.setattr("stabn.training.process._onednn_has_bf16", lambda: True)

    def check(asked: str = "bf16", **values) -> tuple[Findings, list[str]]:
        found = Findings(ALONE)
        run = set_up(tiny(precision=asked, **values), ALONE)
        check_precision(found, run.model, next(iter(run.loader)), asked, run.precision)
        return found, [r.getMessage() for r in caplog.records if " precision " in r.getMessage()]

    return check


@pytest.mark.parametrize("model", ["baseline", "st_abn"])
def test_bf16_that_is_right(checked, model):
    found, lines = checked(model=model)
    assert not found.faults
    assert "ok       precision" in lines[0]
    assert "in fp32" in lines[0]


def test_a_layer_that_is_computed_wrongly_is_named(checked, monkeypatch):
    """In bf16 alone, for one shape; in its results, or for its gradient only."""
    right = PlaneConv3d._conv

    def wrong(self, pictures, weight, *how):
        result = right(self, pictures, weight, *how)
        spoilt = result.dtype == torch.bfloat16 and weight.shape[1] == 16
        return result.flip(1) if spoilt else result

    monkeypatch.setattr(PlaneConv3d, "_conv", wrong)
    found, _ = checked(model="baseline")
    (fault,) = found.faults
    assert "(layer3.0.conv" in fault  # its 16 channels within
    assert fault.endswith("computed wrongly here; set precision to fp32")


class Forgetful(torch.autograd.Function):
    """The identity; of its gradient the last column is lost."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * (torch.arange(gradient.shape[-1]) < gradient.shape[-1] - 1)


def test_a_gradient_that_is_computed_wrongly_is_found(checked, monkeypatch):
    right = PlaneConv3d._conv

    def wrong(*arguments):
        result = right(*arguments)
        return Forgetful.apply(result) if result.dtype == torch.bfloat16 else result

    monkeypatch.setattr(PlaneConv3d, "_conv", wrong)
    assert "computed wrongly" in checked()[0].faults[0]


SLOWER, FASTER = "bf16 takes 25.0 times as long as fp32 here", "bf16 takes 0.40 of fp32's time here"


@pytest.mark.parametrize(
    ("asked", "loss", "seconds", "said"),
    [
        ("bf16", 2.0, 25.0, f"warning  precision    {SLOWER}; set precision to fp32"),
        ("bf16", 2.0, 0.4, f"ok       precision    {FASTER}: the one to use"),
        ("fp32", 2.0, 25.0, f"fp32 is the one to use: {SLOWER}"),
        ("fp32", 2.0, 0.4, f"{FASTER}, and agrees with it: set precision to bf16"),
        (
            "fp32",
            9.0,
            0.4,
            "fp32 is the one to use: bf16: a step's loss is 9",
        ),
    ],
)
def test_which_precision_to_use_here(checked, monkeypatch, asked, loss, seconds, said):
    steps = {"fp32": Step(2.0, 1.0), "bf16": Step(loss, seconds)}
    monkeypatch.setattr(precision, "one_step", lambda model, name, *clips: steps[name])
    found, lines = checked(asked)
    assert not found.faults
    assert said in lines[-1]


def test_a_device_without_it_is_named(checked, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    found, lines = checked()
    assert not found.faults
    assert [line.split("precision ")[1].strip() for line in lines] == [
        "this cpu has no bf16 units: fp32 instead"
    ]


@pytest.mark.parametrize("values", [{"backbone": "resnet50", "model": "baseline"}, {}])
def test_rounding_is_told_from_errors_in_a_deep_network_too(tiny, values):
    """A few thousandths a layer, where the gradient of the whole step is turned about."""
    torch.manual_seed(0)
    model = build_model(tiny(**values), 3).train()
    _, off = worst_layer(model, torch.randn(2, 3, 4, 32, 32), "bf16")
    assert 1e-3 < off < 0.02


def test_how_far_a_layer_is_off_by_hand(monkeypatch):
    layer = torch.nn.Linear(2, 1, bias=False)
    exact = [torch.tensor([3.0, 4.0]), torch.zeros(2), torch.tensor([2.0])]
    other = [torch.tensor([3.0, 3.0]), torch.zeros(2), torch.tensor([1.5])]
    given = {"fp32": exact, "bf16": other}
    monkeypatch.setattr(precision, "results", lambda layer, x, upstream, name: given[name])
    assert worst_layer(torch.nn.Sequential(layer), torch.ones(1, 2), "bf16") == ("0", 0.25)
    other[1] = torch.tensor([torch.nan, 0.0])
    assert worst_layer(torch.nn.Sequential(layer), torch.ones(1, 2), "bf16")[1] == float("inf")

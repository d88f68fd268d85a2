"""Where the time of a few steps went, in a table and a trace; the run is the same."""

import gzip
import json
import logging

import pytest
import torch

from stabn.training.checkpoint import read
from stabn.training.train import train

pytestmark = pytest.mark.slow(3)


def test_a_table_and_a_trace_and_the_same_weights(tiny, caplog):
    caplog.set_level(logging.INFO)
    plain, watched = tiny(epochs=1), tiny(epochs=1, profile_steps=1)
    train(plain)
    assert not (plain.folder / "trace.json.gz").exists()
    train(watched)
    with gzip.open(watched.folder / "trace.json.gz") as file:
        events = json.load(file)["traceEvents"]
    assert any(event.get("name") == "aten::convolution_backward" for event in events)
    (table,) = [
        r.getMessage() for r in caplog.records if "where 1 steps' time went" in r.getMessage()
    ]
    assert "Self CPU" in table
    assert "aten::" in table
    states = [read(config.folder / "last.pt")["model"] for config in (plain, watched)]
    assert all(torch.equal(states[0][name], tensor) for name, tensor in states[1].items())

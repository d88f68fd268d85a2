"""What a run is compared with, however its machines were started, stopped and cut off."""

import pytest

from tests.side_by_side import stabn_on


@pytest.fixture(scope="session")
def whole(tiny):
    """The run uninterrupted: two processes on one machine, without Slurm."""
    config = tiny(epochs=40, dropout=0.5, eval_every=20, save_every=3)
    stabn_on(2, "train", config)
    return config

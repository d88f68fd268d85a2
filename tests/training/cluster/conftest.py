"""What a run is compared with, however its machines were started, stopped and cut off."""

import pytest

from stabn.training.cluster.launch import LaunchOptions, launch_config


@pytest.fixture(scope="session")
def whole(tiny):
    """The run uninterrupted: two processes on one machine, without Slurm."""
    config = tiny(epochs=40, dropout=0.5, eval_every=20, save_every=3)
    launch_config("stabn train", config, LaunchOptions(nproc_per_node=2))
    return config

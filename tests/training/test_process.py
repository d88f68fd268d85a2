"""What a process says of the machine it runs on."""

import pytest
import torch

from stabn.training.config import ConfigError
from stabn.training.process import joined


def use_up() -> None:
    torch.empty(1 << 60, dtype=torch.uint8)  # an exbibyte


def overflow() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


def interpreter() -> None:
    raise MemoryError


@pytest.mark.parametrize("starve", [use_up, overflow, interpreter])
def test_want_of_memory_is_told_with_its_remedies(starve):
    remedies = (
        "batch_size: the memory .* lower batch_size, .* accumulate or .*checkpoint_activations"
    )
    with pytest.raises(ConfigError, match=remedies), joined():
        starve()


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes differ"), joined():
        raise RuntimeError("shapes differ")

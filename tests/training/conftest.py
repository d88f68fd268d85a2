"""Stand-ins for what a machine does to a run."""

import resource
from contextlib import contextmanager

import pytest


@pytest.fixture
def small_disk():
    """A context in which no file grows beyond so many bytes: as near as can be to a full disk."""

    @contextmanager
    def limit(size: int):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit

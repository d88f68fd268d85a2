"""Nouns beside numbers."""

import pytest

from stabn.words import counted


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [(0, "video", "0 videos"), (1, "process", "1 process"), (2, "process", "2 processes")],
)
def test_counted(count, noun, said):
    assert counted(count, noun) == said

"""The guidelines' pictures: every stretch of levels is shown, and each frame with its own level."""

import re
from itertools import pairwise

import numpy as np
import pytest

from stabn.knowledge.app import examples
from stabn.knowledge.app.examples import EXAMPLES, SHOWN, WORDS, pictures
from stabn.knowledge.app.practice import drawn


@pytest.mark.parametrize("levels", [[0] * 9, [0, 0.5, 1, 0.5, 0, 0, 1, 0, 0.5], [1, 0, 0, 0, 0, 0]])
def test_every_stretch_is_shown(levels):
    levels = np.array(levels)
    shown = examples._telling(levels)
    assert (np.diff(shown) > 0).all()
    edges = [0, *np.flatnonzero(np.diff(levels)) + 1, len(levels)]
    for first, end in pairwise(edges):
        assert ((shown >= first) & (shown < end)).any()


def test_each_picture_has_its_own_level_and_words():
    strips = re.findall(r"<figure>.+?</figure>", pictures())
    assert len(strips) == len(EXAMPLES)
    for example, strip in zip(EXAMPLES, strips, strict=True):
        _, levels = drawn(example.class_id, example.seed)
        cells = re.findall(r"alt='Frame (\d+): (.+?)'><b>(.+?)</b>", strip)
        assert len(cells) >= SHOWN
        for number, words, level in cells:
            assert float(level) == levels[int(number)]
            assert words == WORDS[float(level)]
        assert {float(level) for _, _, level in cells} == {0.0, 0.5, 1.0}
    assert "synthetic" in pictures()

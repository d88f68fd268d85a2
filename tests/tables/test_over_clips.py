"""What clips tell of other clips, against counts and numbers worked by hand."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from stabn.tables.over_clips import between_halves, first_again, of_each_clip, two_errors


def test_a_clips_figure_is_the_mean_of_the_seeds_that_could_measure_it():
    found = of_each_clip([[0.5, None, 1.0, None], [0.0, 0.25, None, None]])
    np.testing.assert_array_equal(found, [0.25, 0.25, 1.0, np.nan])


def test_two_errors_by_hand():
    """1, 2, 3: sd 1, so 2 / √3; a clip that could not be measured does not count."""
    assert two_errors(np.array([1.0, 2.0, np.nan, 3.0])) == pytest.approx(2 / 3**0.5)
    assert np.isnan(two_errors(np.array([1.0, np.nan])))


def test_how_often_a_method_is_first_again_is_the_share_of_all_draws():
    """Of three clips all 27 draws can be counted."""
    figures = {"a": np.array([1.0, 0.0, 0.4]), "b": np.array([0.0, 0.9, 0.3])}
    draws = [list(draw) for draw in product(range(3), repeat=3)]
    first = [figures["a"][draw].sum() >= figures["b"][draw].sum() for draw in draws]
    assert first_again(figures) == pytest.approx(np.mean(first), abs=0.05)
    assert 0.4 < np.mean(first) < 0.8


def test_a_method_that_leads_on_every_clip_stays_first_and_one_that_ties_does_too():
    low = np.arange(5.0)
    assert first_again({"low": low, "high": low + 1}) == 1
    assert first_again({"one": low, "same": low}) == 1


def test_halves_are_compared_as_an_independent_tau_compares_them():
    """Four clips fall into halves in three ways, seen from either side; with ties among methods."""
    figures = np.random.default_rng(5).integers(3, size=(4, 4)).astype(float)
    taus = []
    for first in combinations(range(4), 2):
        second = [clip for clip in range(4) if clip not in first]
        means = (figures[:, list(half)].mean(axis=1) for half in (first, second))
        taus.append(stats.kendalltau(*means).statistic)
    found = between_halves(dict(enumerate(figures)))
    assert found == pytest.approx(np.mean(taus), abs=0.05)
    assert len(set(np.round(taus, 6))) == 3


def test_orders_of_halves_agree_where_all_clips_do_and_oppose_where_clips_oppose():
    same = {name: np.full(6, height) for name, height in (("a", 3.0), ("b", 2.0), ("c", 1.0))}
    assert between_halves(same) == pytest.approx(1)
    opposed = {"a": np.array([1.0, 0.0]), "b": np.array([0.0, 1.0])}
    assert between_halves(opposed) == pytest.approx(-1)
    assert np.isnan(between_halves({"a": np.zeros(4), "b": np.zeros(4)}))

"""What a number of paired seeds could have shown."""

import math

import numpy as np
import pytest
from scipy import stats

from stabn.tables.comparison import Paired
from stabn.tables.power import power, power_table, seeds_needed, visible


def test_equals_what_textbooks_print():
    """A standardised difference of 0.5 needs 34 pairs for a power of 0.8 (Cohen; G*Power)."""
    assert seeds_needed(0.5, 1.0) == 34
    assert power(0.5, 1.0, 34) == pytest.approx(0.8078, abs=1e-4)


def test_without_a_difference_it_is_the_level_of_the_test():
    assert power(0.0, 2.0, 5) == pytest.approx(0.05)
    assert power(3.0, 2.0, 5) == pytest.approx(power(-3.0, 2.0, 5))


def test_is_the_share_of_drawn_experiments_that_are_significant():
    """The slow way: draw 4,000 studies of five pairs and test each."""
    rng = np.random.default_rng(0)
    drawn = rng.normal(2.0, 1.5, (4000, 5))
    found = (stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05).mean()
    assert power(2.0, 1.5, 5) == pytest.approx(found, abs=4 * math.sqrt(0.25 / 4000))


def test_the_visible_difference_is_seen_in_four_of_five():
    assert power(visible(1.5, 5), 1.5, 5) == pytest.approx(0.8)
    assert visible(3.0, 5) == pytest.approx(2 * visible(1.5, 5))


def test_a_difference_far_below_the_spread_needs_too_many():
    assert seeds_needed(0.001, 1.0) is None


def test_the_table_leaves_out_what_has_no_spread():
    names = {"a": "a < b", "b": "b"}
    alike = ("b", "a", Paired(0.0, 0.0, 5, 0.0, 1.0), 1.0)
    html = power_table("c", [("a", "b", Paired(1.0, 2.0, 5, 1.1, 0.3), 0.6), alike], names, 5.8)
    assert "a &lt; b − b" in html
    assert "b − a &lt; b" not in html
    assert f"{seeds_needed(5.8, 2.0)}</td>" in html
    assert "No record yet" in power_table("c", [alike], names, 5.8)

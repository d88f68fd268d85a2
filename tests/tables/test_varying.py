"""How far one more run may lie from the mean of those on record."""

import math

import numpy as np
import pytest
from scipy import stats

from stabn.tables.runs import Run
from stabn.tables.varying import further_run, your_number


def run_on(cpu: str) -> Run:
    return Run({"hardware": {"gpus": [], "cpu": cpu}}, "x.json")


def test_by_hand():
    """Of 1, 2 and 3: mean 2, sd 1; t of two degrees of freedom is 4.303 in every table."""
    assert further_run([1, 2, 3]) == pytest.approx(4.3027 * math.sqrt(4 / 3), abs=1e-3)
    assert further_run([2, 2, 2]) == 0


def test_holds_19_of_20_runs_more():
    """The slow way: draw 4,000 studies of five seeds, and one seed more for each."""
    rng = np.random.default_rng(0)
    drawn = rng.normal(60.0, 1.5, (4000, 6))
    widths = np.array([further_run(study) for study in drawn[:, :5]])
    inside = (abs(drawn[:, 5] - drawn[:, :5].mean(axis=1)) <= widths).mean()
    assert inside == pytest.approx(0.95, abs=4 * math.sqrt(0.05 * 0.95 / 4000))


def test_equals_scipys_own_interval_for_the_mean_widened_by_one_value():
    values = [51.0, 53.5, 52.2, 50.9, 54.0]
    _, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert further_run(values) == pytest.approx((high - np.mean(values)) * math.sqrt(6))


def test_words_name_device_spread_and_the_row_that_varies_most():
    rows = {"calm": {0: 1.0, 1: 1.2, 2: 1.4}, "wild": {0: 1.0, 1: 2.0, 2: 3.0}, "one": {0: 9.0}}
    words = your_number([run_on("B"), run_on("A"), run_on("A")], rows)
    assert "Over 3 seeds" in words
    assert "0.2 to 1.0 points (on A, B)" in words
    assert "±5.0 of their row's mean (wild," in words


def test_of_two_seeds_nothing_is_said():
    assert "is not known" in your_number([], {"row": {0: 1.0, 1: 2.0}})
    assert "is not known" in your_number([], {})

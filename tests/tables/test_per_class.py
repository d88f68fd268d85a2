"""The table of classes, worked out by hand."""

import numpy as np

from stabn.tables.per_class import per_class


def test_the_weakest_class_comes_first_with_what_it_is_taken_for():
    counts = np.array([[3, 1, 0, 0], [1, 0, 3, 0], [0, 0, 2, 0], [0, 0, 0, 0]])
    table = per_class(counts, ["push", "pull", "lift", "drop"])
    assert table.index.tolist() == [1, 0, 2, 3]
    assert table["class"].tolist() == ["pull", "push", "lift", "drop"]
    assert table["videos"].tolist() == [4, 4, 2, 0]
    assert table["top-1"].tolist()[:3] == [0, 0.75, 1]
    assert np.isnan(table["top-1"][3])  # nothing is known of a class without videos
    assert table["taken for"].tolist() == ["lift", "pull", "", ""]
    assert table["times"].tolist() == [3, 1, 0, 0]

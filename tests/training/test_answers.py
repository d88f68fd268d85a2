"""Answers for a test split: the benchmark's lines, which whoever scores them can read."""

import csv

import numpy as np
import pandas as pd

from stabn.training.answers import write_answers

CLASSES = [f"Doing thing {k}, slowly" for k in range(7)]


def predictions() -> pd.DataFrame:
    logits = [
        [0.0, 5.0, 1.0, 4.0, 2.0, 3.0, -1.0],
        [1.0, 1.0, 9.0, 1.0, 0.0, 1.0, 1.0],  # of equals the smaller id first
        [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7],
    ]
    return pd.DataFrame({"video_id": ["17", "3", "9"], "logits": [np.array(z) for z in logits]})


def test_lines_by_hand(tmp_path):
    write_answers(predictions(), tmp_path / "answers.csv")
    lines = (tmp_path / "answers.csv").read_text().splitlines()
    assert lines == ["17;1;3;5;4;2", "3;2;0;1;3;5", "9;6;5;4;3;2"]


def test_two_classes_are_two_columns(tmp_path):
    two = pd.DataFrame({"video_id": ["1"], "logits": [np.array([0.0, 1.0])]})
    write_answers(two, tmp_path / "answers.csv")
    assert (tmp_path / "answers.csv").read_text() == "1;1;0\n"


def test_they_can_be_scored_against_the_data_set_s_own_answers(tmp_path):
    """``test-answers.csv`` has id;class text, in an order of its own."""
    write_answers(predictions(), tmp_path / "answers.csv")
    truth = {"9": CLASSES[5], "3": CLASSES[2], "17": CLASSES[0]}
    (tmp_path / "test-answers.csv").write_text("".join(f"{k};{t}\n" for k, t in truth.items()))
    with open(tmp_path / "test-answers.csv", newline="") as file:
        right = {
            video_id: CLASSES.index(text) for video_id, text in csv.reader(file, delimiter=";")
        }
    answers = pd.read_csv(tmp_path / "answers.csv", sep=";", header=None, dtype={0: str})
    answers = answers.set_index(0)
    hits = answers.eq(pd.Series(right), axis=0)
    assert hits[1].mean() == 1 / 3
    assert hits.any(axis=1).mean() == 2 / 3

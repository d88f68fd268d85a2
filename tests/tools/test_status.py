"""The status page: what was measured beside its budget, and what only the end of a build knows."""

import json
import time
from types import SimpleNamespace

import pytest

from tools import status


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """A folder of step records: 100 s of drawing and decoding, chapters by both ways."""
    monkeypatch.setattr(status, "STEPS", tmp_path / "steps")
    monkeypatch.setattr(status, "THIS_BUILD", tmp_path / "build.json")
    steps = {"data": 70, "prepare": 30, "chapter/01_x": 10, "quick_chapter/04_y": 5, "book": 60}
    for number, (step, seconds) in enumerate(steps.items()):
        path = tmp_path / "steps" / f"{step}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        ended = f"2026-01-01T00:00:{number:02d}Z"
        record = {"step": step, "seconds": seconds, "peak_mib": 1024 + number, "finished": ended}
        path.write_text(json.dumps(record))
    now = time.time()
    monkeypatch.setattr(status, "time", SimpleNamespace(time=lambda: now))
    this = {"began": now - 600, "made": 7, "peak_mib": 3072}
    (tmp_path / "build.json").write_text(json.dumps(this))
    return tmp_path


def test_steps_of_a_kind_are_added_up_beside_their_budget(measured):
    page = status.page()
    assert "| mini-SSv2 | 1 min 40 s | 3 min |" in page
    assert "| Tests, browser included | – | 10 min |" in page
    assert "| quick_chapter/04_y | 5.0 s | 1.00 GiB | 2026-01-01 00:00:03 |" in page
    assert "largest single step was 1.0 GiB (book)" in page


def test_the_end_of_the_build_fills_in_what_it_alone_knows(measured):
    built = measured / "status.html"
    built.write_text(status.page())
    status.fill_in(built, "book", 42.0)
    text = built.read_text()
    assert "| pages (Sphinx) | 42 s |" in text
    assert "| Chapters and pages | 57 s | 10 min |" in text  # without the pages' earlier 60 s
    assert "| This build, side by side | 10 min 00 s, 8 steps made | 20 min" in text
    assert "in this build it was 3.0 GiB" in text
    assert "at work" not in text


def test_what_took_longer_than_its_budget_says_so(measured):
    built = measured / "status.html"
    (measured / "steps/train.json").write_text(
        json.dumps({"step": "train/x", "seconds": 1400, "peak_mib": 1, "finished": "2026"})
    )
    built.write_text(status.page())
    status.fill_in(built, "book", 601.0)
    text = built.read_text()
    assert "| Launch notebooks, one seed | 23 min 20 s, over its budget | 22 min |" in text
    assert "| Chapters and pages | 10 min 16 s, over its budget | 10 min |" in text
    assert "| mini-SSv2 | 1 min 40 s | 3 min |" in text


def test_a_page_without_a_place_for_a_figure_is_refused(measured):
    built = measured / "status.html"
    built.write_text("nothing pending")
    with pytest.raises(ValueError, match="no place left"):
        status.fill_in(built, "book", 42.0)


def test_encoders_are_told_by_thread_and_video_with_the_machine_of_their_record(
    measured, monkeypatch
):
    monkeypatch.setattr(status, "ENCODERS", measured)
    assert "– (no record)" in status.page()
    row = {"encoder": "vgg16", "frames_per_second": 12.0, "ratio_to_decoding": 0.025}
    row |= {"bytes_pooled": 2048, "bytes_cube": 50176}
    hardware = {"cpu": "a processor", "gpus": ["a card"]}
    for device in ("cpu", "cuda"):
        record = {"device": device, "threads": 2, "hardware": hardware, "rows": [row]}
        (measured / f"encoders_{device}.json").write_text(json.dumps(record))
    page = status.page()
    assert "| vgg16 | 0.2 | 2.5% | 61 | 1,505 | a processor |" in page  # 12 / 2 threads / 30 frames
    assert "| vgg16 | 0.4 | 2.5% | 61 | 1,505 | a card |" in page

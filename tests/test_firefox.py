"""The figures that answer in Firefox, from a file and with no network."""

import asyncio

import numpy as np
import pytest

from stabn.data.sampling import segment_indices
from stabn.data.transforms import eval_transform
from stabn.data.video import read_frames
from stabn.training.checkpoint import load_trained
from tests import firefox
from tests.own_videos import LOSSLESS, encoded, moving, unpacked
from tools.built import built

pytestmark = [
    pytest.mark.slow(40),
    pytest.mark.skipif(firefox.find() is None, reason="no Firefox here: install firefox-esr"),
]

PRESS = """document.querySelectorAll('[data-live=when] button').forEach(
    button => button.textContent === 'All 0' && button.click())"""
READ = """({
    numbers: [...document.querySelectorAll('.live-number')].map(e => Number(e.textContent)),
    strip: document.querySelector('.live-picture').style.backgroundImage,
})"""


def test_the_network_answers_as_in_the_library(tmp_path):
    async def visit():
        async with firefox.visitor(tmp_path) as page:
            await page.goto((built() / "notebooks/12_reading_attention.html").as_uri())
            await page.wait_for("[data-live=when][data-state=recorded]")
            await page.evaluate(PRESS)
            await page.wait_for("[data-live=when][data-state=checked]")
            worst = await page.evaluate("document.querySelector('[data-live=when]').dataset.worst")
            assert float(worst) < 1e-3
            return page.wrong

    assert asyncio.run(visit()) == []


@pytest.mark.parametrize(("count", "fps"), [(48, "24"), (64, "30"), (5, "10"), (1, "25")])
def test_a_readers_video_is_read_as_the_library_reads_it(tmp_path, count, fps):
    path = encoded(tmp_path / "a.webm", moving(count, 72, 96), fps, *LOSSLESS)

    async def visit():
        async with firefox.visitor(tmp_path) as page:
            await page.goto((built() / "notebooks/your_own_video.html").as_uri())
            await page.wait_for("[data-live=own][data-state=recorded]")
            await page.set_file(".live-yours input", path)
            await page.wait_for(".live-yours[data-video=shown]")
            assert page.wrong == []
            return await page.evaluate(READ)

    found = asyncio.run(visit())
    config = load_trained("mini_st_abn").config
    expected = segment_indices(count, config.num_frames)
    assert found["numbers"] == expected.tolist()
    transform = eval_transform(config.image_size, short_side=config.short_side)
    clip, _ = transform(read_frames(path, expected))  # (3, T, S, S)
    far = np.abs(unpacked(found["strip"]).astype(int) - clip.permute(1, 2, 3, 0).numpy())
    assert far.max() <= 1

"""Transforms: one choice for all frames of a clip, uint8 throughout, left never taken for right."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from stabn.data.transforms import (
    CentreCrop,
    ClipTransform,
    LongSideCrop,
    RandomCrop,
    RandomResizedCrop,
    colour_jitter,
    eval_transform,
    eval_transforms,
    normalise,
    resize,
    train_transform,
)

PAIRS = {4: 5, 5: 4}
EVERY_CHOICE = {
    "random crop": train_transform(32, mirror=PAIRS, jitter=0.4),
    "random resized crop": train_transform(32, area=(0.2, 1.0), mirror=PAIRS, jitter=0.4),
}


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """A pan over a photograph: uint8 (6, 50, 70, 3)."""
    photo = data.astronaut()
    return np.stack([photo[10 * i : 10 * i + 50, 20 * i : 20 * i + 70] for i in range(6)])


@pytest.mark.parametrize("transform", EVERY_CHOICE.values(), ids=EVERY_CHOICE.keys())
def test_identical_frames_stay_identical(frames, transform):
    still = np.repeat(frames[:1], 8, axis=0)
    clips = set()
    for seed in range(30):
        clip, _ = transform(still, 0, np.random.default_rng(seed))
        assert clip.dtype == torch.uint8
        assert clip.shape == (3, 8, 32, 32)
        assert clip.permute(1, 2, 3, 0).is_contiguous()  # the channels last
        assert (clip == clip[:, :1]).all()
        clips.add(clip.numpy().tobytes())
    assert len(clips) == 30  # and yet every draw is another clip


@pytest.mark.parametrize("area", [None, (0.2, 1.0)])
def test_without_jitter_frames_do_not_meet(frames, area):
    """Without contrast, which looks at the whole clip, a frame's fate does not hang on others."""
    transform = train_transform(32, area=area, mirror=PAIRS)
    for seed in range(10):
        whole, _ = transform(frames, 0, np.random.default_rng(seed))
        for i in range(len(frames)):
            alone, _ = transform(frames[i : i + 1], 0, np.random.default_rng(seed))
            assert torch.equal(whole[:, i : i + 1], alone)


def test_the_same_generator_gives_the_same_clip(frames):
    for transform in EVERY_CHOICE.values():
        a, b = (transform(frames, 4, np.random.default_rng(7)) for _ in range(2))
        assert torch.equal(a[0], b[0])
        assert a[1] == b[1]


def test_a_flip_is_horizontal_and_swaps_the_label(frames):
    plain, flipping = train_transform(32), train_transform(32, mirror=PAIRS)
    flips = 0
    for seed in range(200):
        same, label = plain(frames, 4, np.random.default_rng(seed))
        assert label == 4
        clip, label = flipping(frames, 4, np.random.default_rng(seed))
        flips += label == 5
        assert torch.equal(clip, same.flip(3) if label == 5 else same)  # (3, T, H, W): W is 3
    assert 70 < flips < 130


def test_a_class_without_a_side_keeps_its_label(frames):
    labels = {
        EVERY_CHOICE["random crop"](frames, 9, np.random.default_rng(s))[1] for s in range(20)
    }
    assert labels == {9}


def test_evaluation_takes_the_centre(frames):
    square = frames[:, :, 10:60]
    clip, label = eval_transform(50, short_side=50)(frames, 3)
    assert torch.equal(clip, torch.from_numpy(square).permute(3, 0, 1, 2))
    assert label == 3
    smaller, _ = eval_transform(32, short_side=40)(frames)  # 32 of 40: the central 40 of 50
    expected = resize(square[:, 5:45, 5:45], 32, 32).transpose(0, 1)
    assert torch.equal(smaller, expected)
    with_everything = ClipTransform(32, CentreCrop(0.8), mirror=PAIRS, jitter=0.5)
    assert torch.equal(with_everything(frames)[0], smaller)


def test_masks_are_cropped_as_their_frames_are():
    masks = np.random.default_rng(0).random((2, 20, 30)) < 0.5
    seen = ClipTransform(10, CentreCrop(0.5))  # the middle, at its own size
    np.testing.assert_array_equal(seen.masks(masks), masks[:, 5:15, 10:20])
    assert eval_transform(32).masks(np.ones((1, 50, 70), bool)).all()


def test_crops_lie_evenly_along_the_longer_side(frames):
    """Frames of 50 × 70, a crop of 40 of 50: 5 pixels above it, 30 to move along."""
    lefts = {1: [15], 2: [0, 30], 3: [0, 15, 30], 4: [0, 10, 20, 30]}
    upright = np.ascontiguousarray(frames.swapaxes(1, 2))
    for crops, places in lefts.items():
        made = eval_transforms(32, short_side=40, crops=crops)
        assert len(made) == crops
        for transform, left in zip(made, places, strict=True):
            wide = resize(frames[:, 5:45, left : left + 40], 32, 32).transpose(0, 1)
            assert torch.equal(transform(frames)[0], wide)
            high = resize(upright[:, left : left + 40, 5:45], 32, 32).transpose(0, 1)
            assert torch.equal(transform(upright)[0], high)


def test_one_crop_is_the_evaluation_transform_and_so_is_the_middle_one_of_three(frames):
    (alone,) = eval_transforms(32, short_side=40)
    assert alone == eval_transform(32, short_side=40)
    _, middle, _ = eval_transforms(32, short_side=40, crops=3)
    assert torch.equal(middle(frames)[0], alone(frames)[0])
    whole = eval_transforms(50, short_side=50, crops=3)  # as high as the frame
    last = torch.from_numpy(frames[:, :, 20:]).permute(3, 0, 1, 2)
    assert torch.equal(whole[2](frames)[0], last)


def test_defaults_are_256_and_320_of_224():
    assert eval_transform(224).crop == CentreCrop(224 / 256)
    assert train_transform(224).crop == RandomCrop((224 / 320, 224 / 256))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 9), (50, 70), (240, 427), (427, 240)])
@pytest.mark.parametrize(
    "crop",
    [
        *(CentreCrop(0.875), CentreCrop(1.0), LongSideCrop(0.875, 2, 3), LongSideCrop(1.0, 0, 2)),
        *(RandomCrop((0.5, 1.0)), RandomResizedCrop((0.05, 1.0))),
    ],
)
def test_a_box_lies_inside_the_frame(crop, height, width):
    for seed in range(100):
        top, left, h, w = crop(height, width, np.random.default_rng(seed))
        assert min(top, left) >= 0
        assert min(h, w) >= 1
        assert top + h <= height
        assert left + w <= width


def test_random_boxes_have_the_asked_size():
    rng = np.random.default_rng(0)
    boxes = [RandomCrop((0.7, 0.875))(240, 427, rng) for _ in range(500)]
    sides = [h for _, _, h, w in boxes if h == w]
    assert len(sides) == 500
    assert (min(sides), max(sides)) == (168, 210)
    assert {top for top, *_ in boxes} >= set(range(31))  # every place that the largest allows
    boxes = [RandomResizedCrop((0.3, 0.5))(240, 240, rng) for _ in range(500)]
    share = np.array([h * w / 240**2 for _, _, h, w in boxes])
    aspect = np.array([w / h for _, _, h, w in boxes])
    assert 0.295 < share.min() < 0.31
    assert 0.49 < share.max() < 0.505
    assert 0.74 < aspect.min() < 0.78
    assert 1.28 < aspect.max() < 1.35


@pytest.mark.parametrize(("height", "width"), [(25, 35), (20, 20), (60, 90)])
def test_resize_equals_pillows(frames, height, width):
    ours = resize(frames, height, width).permute(0, 2, 3, 1).numpy()
    for frame, small in zip(frames, ours, strict=True):
        theirs = Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR)
        assert np.abs(small.astype(int) - np.asarray(theirs)).max() <= 1
    assert np.array_equal(resize(frames, 50, 70).permute(0, 2, 3, 1).numpy(), frames)


def test_colour_jitter_by_hand():
    video = torch.tensor([[10, 20, 30], [110, 120, 130]], dtype=torch.uint8).view(2, 3, 1, 1)
    assert torch.equal(colour_jitter(video, 1, 1, 1), video)
    assert colour_jitter(video, 1.5, 1, 1).ravel().tolist() == [15, 30, 45, 165, 180, 195]
    assert colour_jitter(video, 3, 1, 1).ravel().tolist() == [30, 60, 90, 255, 255, 255]
    # mean grey of the clip: (18.15 + 118.15) / 2 = 68.15, for both frames
    assert colour_jitter(video, 1, 0.5, 1).ravel().tolist() == [39, 44, 49, 89, 94, 99]
    assert colour_jitter(video, 1, 1, 0).ravel().tolist() == [18] * 3 + [118] * 3
    grey = torch.full((2, 3, 4, 4), 99, dtype=torch.uint8)
    assert torch.equal(colour_jitter(grey, 1, 1.3, 0.2), grey)


def test_normalise_is_imagenets():
    video = torch.randint(0, 256, (2, 3, 4, 5, 6), dtype=torch.uint8)
    out = normalise(video)
    assert out.dtype == torch.float32
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    channels_last = video.permute(0, 2, 3, 4, 1).numpy()
    expected = (channels_last / 255 - mean) / std
    np.testing.assert_allclose(out.permute(0, 2, 3, 4, 1).numpy(), expected, atol=1e-5)


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="short_side 40 must hold a crop of 48"):
        eval_transform(48, short_side=40)
    with pytest.raises(ValueError, match="short_side 40 to 60 must hold a crop of 48"):
        train_transform(48, short_side=(40, 60))
    with pytest.raises(ValueError, match="not both"):
        train_transform(48, short_side=(50, 60), area=(0.5, 1))

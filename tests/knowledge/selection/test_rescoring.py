"""Re-scoring answers what the whole network would, without most of it."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from stabn.data.sampling import views
from stabn.data.transforms import normalise
from stabn.knowledge.selection.queue import Queue, QueuedVideo, QueueError
from stabn.knowledge.selection.rescoring import (
    Features,
    Rescorer,
    load_head,
    save_features,
    save_head,
)
from stabn.training.build import build_model

K, N = 3, 10  # classes, frames of the video


def made(folder, config, *, seed=0):
    """A network with settled BN statistics, and a queue of one random video for it."""
    torch.manual_seed(seed)
    model = build_model(config, K)
    video = torch.randint(256, (3, N, config.image_size, config.image_size), dtype=torch.uint8)
    indices = torch.from_numpy(views(config.sampling, N, config.num_frames))  # (V, T)
    clips = normalise(video[:, indices].transpose(0, 1))
    with torch.no_grad():
        model.train()(clips.repeat(3, 1, 1, 1, 1))
        maps = model.eval().features(clips)
        output = model.from_features(maps)
    features = Features(maps, output.spatial_attention, output.temporal_attention, indices)
    save_features(folder / "features" / "00000.npz", features)
    save_head(folder / "head.pt", model, config)
    sampled = tuple(indices.flatten().tolist())
    entry = QueuedVideo("17", 0, 1, 0.2, (0.5,) * N, sampled, "features/00000.npz")
    queue = Queue(
        folder=folder,
        run="runs/tiny",
        checkpoint="best",
        model="ab" * 32,
        data_root="data/tiny",
        classes=("a", "b", "c"),
        num_frames=config.num_frames,
        splits=("train", "tuning"),
        weak=(0,),
        accuracy={},
        videos=(entry,),
        key="",
        provenance={},
    )
    return model, features, queue


@pytest.fixture(params=["segments", "two_clip"])
def case(request, tiny, tmp_path):
    return made(tmp_path, tiny(sampling=request.param))


def probabilities(model, features, temporal):
    """The whole network's answer from the attention point on, at the precision that is stored."""
    with torch.inference_mode():
        output = model.from_features(
            features.features.half().float(),
            spatial_attention=features.spatial.half().float(),
            temporal_attention=temporal,
        )
        return output.logits.mean(0).softmax(0).numpy()


@pytest.mark.parametrize("variant", [{}, {"fusion": "gated"}, {"fusion_relu": False}])
def test_equal_to_the_whole_network_from_the_attention_point_on(tiny, tmp_path, variant):
    model, features, queue = made(tmp_path, tiny(**variant))
    rescorer = Rescorer(queue)
    levels = np.random.default_rng(0).random(N).astype(np.float32)
    temporal = torch.from_numpy(levels)[features.indices]
    np.testing.assert_array_equal(rescorer("17", levels), probabilities(model, features, temporal))
    np.testing.assert_array_equal(
        rescorer.own("17"), probabilities(model, features, features.temporal)
    )


def test_close_to_the_whole_network_whose_features_were_not_rounded(case):
    model, features, queue = case
    with torch.inference_mode():
        logits = model.from_features(features.features).logits
    own = Rescorer(queue).own("17")
    np.testing.assert_allclose(own, logits.mean(0).softmax(0), atol=2e-3)
    assert own.dtype == np.float32
    assert own.shape == (K,)


def test_levels_count_where_a_frame_was_sampled_and_nowhere_else(case):
    _, features, queue = case
    rescorer = Rescorer(queue)
    sampled = np.isin(np.arange(N), features.indices.numpy())
    base = np.full(N, 0.5)
    elsewhere = np.where(sampled, 0.5, 1.0)
    assert not sampled.all()
    np.testing.assert_array_equal(rescorer("17", base), rescorer("17", elsewhere))
    for frame in np.flatnonzero(sampled):
        other = base.copy()
        other[frame] = 1
        assert np.abs(rescorer("17", other) - rescorer("17", base)).max() > 1e-6


def test_the_networks_own_attention_as_levels_changes_nothing(case):
    _, features, queue = case
    levels = np.zeros(N, np.float32)
    levels[features.indices] = features.temporal
    np.testing.assert_array_equal(Rescorer(queue)("17", levels), Rescorer(queue).own("17"))


def test_spatial_attention_of_the_sampled_frames(case):
    _, features, queue = case
    maps = Rescorer(queue).spatial("17")
    assert maps.dtype == np.float32
    assert len(maps) == len(queue.videos[0].sampled)
    np.testing.assert_array_equal(maps, features.spatial.half().float().flatten(0, 2))


def test_only_fusion_and_perception_branch_are_stored_and_loaded(case):
    model, _, queue = case
    head = load_head(queue.folder / "head.pt")
    after = ("fusion.", "backbone.layer3.", "backbone.norm.", "backbone.fc.")
    theirs = [t for name, t in sorted(model.state_dict().items()) if name.startswith(after)]
    assert len(head.state_dict()) == len(theirs)
    assert sum(t.numel() for t in head.state_dict().values()) == sum(t.numel() for t in theirs)
    assert not any(t.is_meta for t in head.state_dict().values())
    assert not any(p.requires_grad for p in head.parameters())
    stored = torch.load(queue.folder / "head.pt", weights_only=True)["weights"]
    assert stored.keys() == head.state_dict().keys()


@pytest.mark.parametrize("backbone", ["small", "resnet50"])
def test_the_head_is_the_networks_for_every_backbone(tiny, tmp_path, backbone):
    config = tiny(backbone=backbone)
    torch.manual_seed(0)
    model = build_model(config, K).eval()
    save_head(tmp_path / "head.pt", model, config)
    maps = torch.rand(1, model.fusion.conv.out_channels, 4, 2, 2)
    spatial, temporal = torch.rand(1, 1, 4, 2, 2), torch.rand(1, 4)
    with torch.inference_mode():
        own = load_head(tmp_path / "head.pt")(maps, spatial, temporal)
        whole = model.from_features(maps, spatial_attention=spatial, temporal_attention=temporal)
    if backbone == "small":
        assert torch.equal(own, whole.logits)
    # a product of matrices may round the last bit by where its weights lie in memory (planes.py)
    torch.testing.assert_close(own, whole.logits, rtol=1e-5, atol=1e-6)


def test_threads_of_the_process_are_as_before_and_one_while_it_answers(case, monkeypatch):
    _, _, queue = case
    rescorer = Rescorer(queue)
    rescorer.own("17")
    during = []
    forward = rescorer._head.forward

    def watched(*arguments):
        during.append((torch.get_num_threads(), torch.is_inference_mode_enabled()))
        return forward(*arguments)

    monkeypatch.setattr(rescorer._head, "forward", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        rescorer.own("17")
        assert torch.get_num_threads() == 2
        monkeypatch.setattr(rescorer._head, "forward", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rescorer.own("17")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert during == [(1, True)]
    assert not torch.is_inference_mode_enabled()


def test_answers_from_several_threads_at_once(case):
    _, _, queue = case
    rescorer = Rescorer(queue)
    asked = np.linspace(0, 1, 8)
    expected = [rescorer("17", np.full(N, level)) for level in asked]
    answers = [None] * len(asked)

    def work(i):
        answers[i] = rescorer("17", np.full(N, asked[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(answers, expected)


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        (np.zeros(N - 1), r"video 17 has 10 frames, not \(9,\) levels"),
        (np.full(N, 1.5), r"must lie in \[0, 1\]"),
        (np.full(N, np.nan), r"must lie in \[0, 1\]"),
    ],
)
def test_wrong_levels(case, levels, said):
    with pytest.raises(ValueError, match=said):
        Rescorer(case[2])("17", levels)


def test_a_video_that_is_not_queued(case):
    with pytest.raises(QueueError, match="video 18 is not among"):
        Rescorer(case[2]).own("18")


def test_a_video_without_features(case):
    queue = case[2]
    bare = replace(queue, videos=(replace(queue.videos[0], features=None),))
    with pytest.raises(QueueError, match="video 17 has no features; select again"):
        Rescorer(bare).own("17")


@pytest.mark.parametrize("damage", [lambda p: p.unlink(), lambda p: p.write_bytes(b"no"), "cut"])
@pytest.mark.parametrize("name", ["head.pt", "features/00000.npz"])
def test_missing_or_damaged_files(case, name, damage):
    queue = case[2]
    path = queue.folder / name
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:500])
    else:
        damage(path)
    with pytest.raises(QueueError, match=rf"{name}: .*copy it again, or delete"):
        Rescorer(queue).own("17")


def test_a_head_of_another_kind(tiny, case):
    queue = case[2]
    torch.save({"format": "something else"}, queue.folder / "head.pt")
    with pytest.raises(QueueError, match=r"head\.pt: is no 'stabn head 1'"):
        Rescorer(queue)
    stored = build_model(tiny(), K)
    save_head(queue.folder / "head.pt", stored, tiny(backbone="resnet50"))
    with pytest.raises(QueueError, match=r"head\.pt: is of another version of stabn"):
        Rescorer(queue)


def test_a_head_of_no_numbers(case):
    path = case[2].folder / "head.pt"
    stored = torch.load(path, weights_only=True)
    stored["weights"]["fc.bias"][0] = float("nan")
    torch.save(stored, path)
    with pytest.raises(QueueError, match=r"head\.pt: holds NaN.*an earlier checkpoint"):
        Rescorer(case[2])


def test_features_of_another_video(case):
    queue = case[2]
    entry = replace(queue.videos[0], sampled=queue.videos[0].sampled[::-1])
    with pytest.raises(QueueError, match=r"00000\.npz: is of another video than 17"):
        Rescorer(replace(queue, videos=(entry,))).own("17")

"""Inflation: what the 2-D network gives on a picture, the 3-D one gives inside a still video."""

import hashlib

import pytest
import torch

from stabn.models.inflation import (
    IMAGENET_URLS,
    imagenet_state_dict,
    inflate,
    load_inflated,
)
from stabn.models.resnet3d import BACKBONES, Backbone, ResNet3d, Stage
from stabn.models.weights import WeightsError, read_state_dict


def backbone(kernel):
    return Backbone(8, (1, 7, 7), (Stage(2, 16, 1, 1), Stage(2, 24, kernel, 2), Stage(1, 32, 1, 2)))


@pytest.fixture
def networks(monkeypatch):
    """A network of 1-frame kernels (in effect 2-D) and a 3-D one of the same shape."""
    monkeypatch.setitem(BACKBONES, "flat", backbone(1))
    monkeypatch.setitem(BACKBONES, "deep", backbone(3))
    torch.manual_seed(0)
    return ResNet3d("flat", 7).eval(), ResNet3d("deep", 5).eval()


def as_torchvision(model):
    """The state dict a 2-D network would have: kernels without their time axis."""
    return {k: v.squeeze(2) if v.dim() == 5 else v for k, v in model.state_dict().items()}


def saved(tmp_path, state, name="resnet.pth"):
    torch.save(state, tmp_path / name)
    return tmp_path / name


def test_a_kernel_repeated_and_divided_keeps_its_sum():
    kernel = torch.randn(4, 3, 5, 5)
    cube = inflate(kernel, 3)
    assert cube.shape == (4, 3, 3, 5, 5)
    torch.testing.assert_close(cube.sum(dim=2), kernel)


def test_on_a_still_video_the_inflated_network_sees_the_picture(networks):
    flat, deep = networks
    load_inflated(deep, as_torchvision(flat))
    picture = torch.randn(1, 3, 1, 32, 32)
    still = picture.expand(-1, -1, 9, -1, -1)
    on_picture = flat.features(picture)[:, :, 0]
    on_video = deep.features(still)
    # zero padding in time reaches two frames in from each end (two 3-frame kernels): not the middle
    torch.testing.assert_close(on_video[:, :, 4], on_picture, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(on_video[:, :, 0], on_picture, atol=1e-3)


def test_the_class_layer_keeps_its_own_weights(networks):
    flat, deep = networks
    before = deep.fc.weight.clone()
    load_inflated(deep, as_torchvision(flat))  # 7 classes there, 5 here
    torch.testing.assert_close(deep.fc.weight, before)


def test_module_prefix_is_taken_off(networks, tmp_path):
    flat, deep = networks
    state = {f"module.{k}": v for k, v in as_torchvision(flat).items()}
    load_inflated(deep, read_state_dict(saved(tmp_path, state)))
    torch.testing.assert_close(deep.conv1.weight, flat.conv1.weight)


def test_a_name_that_promises_a_hash_is_held_to_it(networks, tmp_path):
    path = saved(tmp_path, as_torchvision(networks[0]))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    right = path.rename(tmp_path / f"resnet50-{digest[:8]}.pth")
    assert "conv1.weight" in read_state_dict(right)
    wrong = right.rename(tmp_path / "resnet50-0676ba61.pth")
    with pytest.raises(WeightsError, match=r"resnet50-0676ba61.pth.*promises 0676ba61"):
        read_state_dict(wrong)


def test_the_hub_cache_is_used_before_the_network(networks, tmp_path, monkeypatch):
    path = saved(tmp_path, as_torchvision(networks[0]))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    path.rename(cache / f"resnet50-{digest[:8]}.pth")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setitem(
        IMAGENET_URLS, "resnet50", f"https://nowhere.invalid/resnet50-{digest[:8]}.pth"
    )
    assert "conv1.weight" in imagenet_state_dict("resnet50")


def test_no_network_and_no_cache_says_where_to_put_the_file(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(WeightsError, match=r"put the file at .*resnet101-63fe2227.pth"):
        imagenet_state_dict("resnet101")


def test_weights_of_another_depth_are_refused_and_nothing_is_copied(networks):
    flat, deep = networks
    state = as_torchvision(flat)
    del state["layer2.1.conv2.weight"]
    state["layer1.0.conv1.weight"] = torch.zeros(1, 1, 1, 1)
    before = {k: v.clone() for k, v in deep.state_dict().items()}
    with pytest.raises(WeightsError, match=r"2 tensors do not fit.*layer1.0.conv1.weight"):
        load_inflated(deep, state, "some.pth")
    for name, tensor in deep.state_dict().items():
        torch.testing.assert_close(tensor, before[name])


@pytest.mark.parametrize("content", [b"", b"not weights at all", b"\x80\x02]q\x00."])
def test_a_file_that_is_no_state_dict_is_named(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"weights\.pth"):
        read_state_dict(path)


def test_missing_file_and_the_small_backbone():
    with pytest.raises(WeightsError, match="no such file"):
        read_state_dict("nowhere.pth")
    with pytest.raises(WeightsError, match="'small'"):
        imagenet_state_dict("small")

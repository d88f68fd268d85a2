"""Checkpoints of the 2022 release load by name; the mapping is one to one."""

import pytest
import torch

from stabn.models.official import load_official, official_name, our_name
from stabn.models.st_abn import OFFICIAL, STABN
from stabn.models.weights import WeightsError

# Names and shapes of the release's own tensors for R50, K = 174, T = 32, beside torchvision's.
DOCUMENTED = {
    "conv_att_common.1.weight": (174, 2048, 1, 1, 1),
    "conv_att_common.0.running_mean": (2048,),
    "conv_att_common.2.weight": (174,),
    "conv_att_out.0.weight": (174, 174, 1, 1, 1),
    "fc_att_out.weight": (174, 5568),
    "fc_att_out.bias": (174,),
    "conv_spatial_att.0.weight": (1, 174, 1, 1, 1),
    "conv_spatial_att.1.bias": (1,),
    "conv_temp_att1.0.weight": (1, 174, 3, 3, 3),
    "conv_temp_att1.1.running_var": (1,),
    "conv_temp_att2.0.weight": (32, 32, 1, 1),
    "conv_temp_att3.0.weight": (32, 32),
    "conv_temp_att3.2.bias": (32,),
    "conv_att_mechanism.0.weight": (1024, 2048, 1, 1, 1),
    "conv_att_mechanism.1.weight": (1024,),
    "layer_att_common.0.downsample.0.weight": (2048, 1024, 1, 1, 1),
    "layer_att_common.2.conv2.weight": (512, 512, 1, 3, 3),
    "conv1.weight": (64, 3, 1, 7, 7),
    "layer3.5.conv1.weight": (256, 1024, 3, 1, 1),
    "fc.weight": (174, 2048),
}


def test_every_documented_tensor_is_there_with_its_shape_and_no_other():
    with torch.device("meta"):
        state = STABN("resnet50", 174, 32, **OFFICIAL).state_dict()
    theirs = {official_name(k): tuple(v.shape) for k, v in state.items()}
    assert len(theirs) == len(state) == 417
    assert {name: theirs[name] for name in DOCUMENTED} == DOCUMENTED
    assert all(our_name(official_name(k)) == k for k in state)
    roles = ("attention_branch.", "fusion.", "backbone.")
    assert not any(name.startswith(roles) for name in theirs)


def as_release(model, prefix=""):
    state = {prefix + official_name(k): v.clone() for k, v in model.state_dict().items()}
    state[f"{prefix}conv1.weight"] = state[f"{prefix}conv1.weight"].flip(1)
    return {"model_state_dict": state, "epoch": 3}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return STABN("small", 5, 4, **OFFICIAL).eval()


@pytest.mark.parametrize("prefix", ["", "module."])
def test_round_trip_gives_the_same_answers_on_rgb(model, tmp_path, prefix):
    torch.save(as_release(model, prefix), tmp_path / "release.pth")
    other = STABN("small", 5, 4, **OFFICIAL).eval()
    load_official(other, tmp_path / "release.pth")
    clip = torch.randn(1, 3, 4, 32, 32)
    for a, b in zip(model(clip), other(clip), strict=True):
        torch.testing.assert_close(a, b)


def test_the_release_reads_bgr_so_its_first_kernels_are_turned(model, tmp_path):
    checkpoint = as_release(model)
    torch.save(checkpoint, tmp_path / "release.pth")
    other = STABN("small", 5, 4, **OFFICIAL)
    load_official(other, tmp_path / "release.pth")
    rgb = torch.randn(1, 3, 4, 16, 16)
    theirs = torch.nn.functional.conv3d(
        rgb.flip(1), checkpoint["model_state_dict"]["conv1.weight"], padding=(1, 2, 2)
    )
    ours = torch.nn.functional.conv3d(rgb, other.backbone.conv1.weight, padding=(1, 2, 2))
    torch.testing.assert_close(ours, theirs)


def test_wrong_files_are_named_and_leave_the_model_alone(model, tmp_path):
    path = tmp_path / "x.pth"
    before = model.fusion.conv.weight.clone()
    with pytest.raises(WeightsError, match="no such file"):
        load_official(model, path)
    torch.save({"weights": {}}, path)
    with pytest.raises(WeightsError, match=r"x\.pth: no 'model_state_dict'"):
        load_official(model, path)
    torch.save(as_release(STABN("small", 6, 4, **OFFICIAL)), path)
    with pytest.raises(WeightsError, match="made for another network"):
        load_official(model, path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"x\.pth: is truncated; copy it again"):
        load_official(model, path)
    torch.testing.assert_close(model.fusion.conv.weight, before)

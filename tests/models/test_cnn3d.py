"""The 3-D CNN has the published layers and number of parameters; its flow is a known motion."""

import pytest
import torch

from stabn.models.cnn3d import CNN3d, Subsample, hardwired
from stabn.models.resnet3d import count_parameters


def test_it_has_as_many_parameters_as_the_paper_says():
    """295,458 for 7 frames of 60×40 and three classes.

    There the last convolution has an offset for each pair of its 78 maps and 128 features, of which
    we keep one a feature; and the classes have none.
    """
    model = CNN3d(3, 7, (60, 40))
    assert count_parameters(model) + (78 - 1) * 128 - 3 == 295_458


def test_its_maps_have_the_published_sizes():
    model, shapes = CNN3d(3, 7, (60, 40)), []
    for layer in (*model.still, *model.moving):
        layer.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[1:])))
    assert model(torch.randn(2, 3, 7, 60, 40)).shape == (2, 3)
    assert shapes[0:7:2] == [(6, 5, 54, 34), (6, 5, 27, 17), (18, 3, 21, 12), (18 * 3 * 7 * 4,)]
    assert shapes[7::2] == [(4, 4, 54, 34), (4, 4, 27, 17), (12, 2, 21, 12), (12 * 2 * 7 * 4,)]


def test_each_channel_goes_through_by_itself():
    """What is in another channel changes none of its maps: 6 of the 18."""
    model = CNN3d(3, 7, (60, 40))
    one = torch.randn(1, 3, 7, 60, 40)
    other = one.clone()
    other[:, 1] += 1
    changed = (model.still(one) != model.still(other)).unflatten(1, (3, -1)).any(dim=2)
    assert changed.tolist() == [[False, True, False]]


def test_slopes_of_a_plane_by_hand():
    """Grey = 2x + 3y in every frame: its slopes are 2 and 3, and nothing moves."""
    y, x = torch.meshgrid(torch.arange(8.0), torch.arange(9.0), indexing="ij")
    still, moving = hardwired((2 * x + 3 * y).expand(1, 3, 4, 8, 9))
    torch.testing.assert_close(still[0, :, 0, 4, 4], torch.tensor([20.0, 2.0, 3.0]))
    assert still.shape == (1, 3, 4, 8, 9)
    assert moving.shape == (1, 2, 3, 8, 9)
    assert moving.abs().max() == 0


@pytest.mark.parametrize(("u", "v"), [(0.5, 0.0), (0.0, -0.4), (0.3, 0.6)])
def test_the_flow_of_a_pattern_that_moves_is_its_motion(u, v):
    """Waves in two directions, moved by (u, v) pixels a frame, drawn anew for each frame."""
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(40.0), indexing="ij")
    frames = [
        torch.sin(0.25 * (x - u * k)) + torch.cos(0.2 * (y - v * k) + 0.1 * (x - u * k))
        for k in range(4)
    ]
    _, moving = hardwired(torch.stack(frames).expand(1, 3, 4, 40, 40))
    inner = moving[0, :, :, 6:-6, 6:-6].mean(dim=(1, 2, 3))
    torch.testing.assert_close(inner, torch.tensor([u, v]), rtol=0, atol=0.02)


def test_a_flat_picture_has_no_flow_and_a_gradient():
    clip = torch.zeros(1, 3, 7, 24, 22, requires_grad=True)
    CNN3d(2, 7, (24, 22))(clip).sum().backward()
    assert clip.grad.isfinite().all()


def test_sub_sampling_is_a_mean_with_a_factor_and_an_offset_a_map():
    layer = Subsample(1, 2, 2)
    with torch.no_grad():
        layer.factor[0, 1], layer.offset[0, 1] = 2.0, 0.5
    x = torch.tensor([[1.0, 3.0, 9.0], [5.0, 7.0, 9.0]]).expand(1, 1, 2, 2, 3)
    torch.testing.assert_close(layer(x).flatten(), torch.tensor([4.0, 8.5]))


@pytest.mark.parametrize(("frames", "size"), [(5, (24, 22)), (6, (23, 22)), (6, (24, 21))])
def test_a_clip_too_small_is_refused(frames, size):
    CNN3d(2, 6, (24, 22))
    with pytest.raises(ValueError, match=f"not {frames} of {size[0]}×{size[1]}"):
        CNN3d(2, frames, size)

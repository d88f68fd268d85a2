"""The bi-LSTM and its attention are their equations, frame by frame, with and without the mask."""

import pytest
import torch

from stabn.models.bilstm import BiLSTM, DenseSoftmax
from stabn.models.encoders import keras_on_torch
from stabn.models.resnet3d import count_multiply_adds, count_parameters

N, T, C, U, K = 3, 4, 5, 2, 3
LENGTHS = torch.tensor([4, 2, 1])


def network(attention: str, **values) -> BiLSTM:
    torch.manual_seed(0)
    sizes = {"units": U, "dense": 6, "dropout": 0}
    return BiLSTM(C, T, K, attention=attention, **sizes, **values).double()


@pytest.fixture
def features():
    """Zero behind each video's end."""
    present = torch.arange(T) < LENGTHS[:, None]
    x = torch.randn(N, T, C, generator=torch.Generator().manual_seed(1)).double()
    return (x * present[:, :, None]).requires_grad_()


def slow_direction(lstm, suffix, frames):
    """States of one direction, written out; PyTorch's order of the gates is i, f, g, o."""
    w, v, b, a = (
        getattr(lstm, f"{name}_l0{suffix}")
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    h, c, states = torch.zeros(U).double(), torch.zeros(U).double(), []
    for x in frames:
        i, f, g, o = (w @ x + b + v @ h + a).split(U)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        states.append(h)
    return states


def slow_lstm(lstm, video, length):
    """States (T, 2·units) of the true frames, zeros behind; the last ones of both directions."""
    forth = slow_direction(lstm, "", video[:length])
    back = slow_direction(lstm, "_reverse", video[:length].flip(0))
    none = [torch.zeros(2 * U).double()] * (T - length)
    states = [torch.cat(pair) for pair in zip(forth, reversed(back), strict=True)]
    return torch.stack(states + none), torch.cat([forth[-1], back[-1]])


def slow_attention(attention, x, length):
    """A softmax of its own for each feature, over the true frames."""
    weights = torch.zeros_like(x)
    for feature in range(x.shape[1]):
        energy = attention.fc.weight @ x[:, feature] + attention.fc.bias
        e = energy[:length].exp()
        weights[:length, feature] = e / e.sum()
    return weights


def slow(model, features, lengths):
    logits, attention = [], []
    for whole, length in zip(features, lengths.tolist(), strict=True):
        video = torch.cat([whole[:length], torch.zeros(T - length, C).double()])
        if model.place == "before":
            weights = slow_attention(model.attention, video, length)
            video = weights * video
        states, last = slow_lstm(model.lstm, video, length)
        if model.place == "after":
            weights = slow_attention(model.attention, states, length)
            last = (weights * states).flatten()
        units = torch.relu(model.dense.weight @ last + model.dense.bias)
        logits.append(model.fc.weight @ units + model.fc.bias)
        if model.place != "none":
            attention.append(weights.mean(dim=1))
    return torch.stack(logits), torch.stack(attention) if attention else None


def test_it_begins_as_keras_does():
    """Its layers of the same sizes, drawn by Keras: as wide, as orthogonal, the same biases."""
    torch.manual_seed(0)
    inputs, units, dense = 600, 64, 48
    ours = BiLSTM(inputs, T, K, attention="none", units=units, dense=dense)
    keras = keras_on_torch()
    keras.utils.set_random_seed(0)
    theirs = [keras.layers.LSTM(units), keras.layers.Dense(dense)]
    for layer, width in zip(theirs, (inputs, 2 * units), strict=True):
        layer.build((None, T, width) if layer is theirs[0] else (None, width))
    (kernel, recurrent, bias), (kernel_of_dense, _) = (
        [torch.from_numpy(values).t() for values in layer.get_weights()] for layer in theirs
    )
    lstm = ours.lstm
    for mine, other in ((lstm.weight_ih_l0, kernel), (ours.dense.weight, kernel_of_dense)):
        assert mine.shape == other.shape
        assert mine.std().item() == pytest.approx(other.std().item(), rel=0.05)
        assert mine.abs().max().item() == pytest.approx(other.abs().max().item(), rel=0.01)
    for of_the_state in (lstm.weight_hh_l0, lstm.weight_hh_l0_reverse, recurrent):
        torch.testing.assert_close(of_the_state.t() @ of_the_state, torch.eye(units))
    torch.testing.assert_close(lstm.bias_ih_l0 + lstm.bias_hh_l0, bias)  # of i, f, and two of 0
    assert bias.sum() == units
    assert not ours.dense.bias.any()


@pytest.mark.parametrize("place", ["after", "before", "none"])
@pytest.mark.parametrize("official", [False, True])
def test_it_equals_a_slow_version_forward_and_backward(features, place, official):
    model = network(place, official=official)
    counted = torch.full((N,), T) if official else LENGTHS
    output, (logits, attention) = model(features, lengths=LENGTHS), slow(model, features, counted)
    torch.testing.assert_close(output.logits, logits)
    if place == "none":
        assert output.temporal_attention is None
    else:
        torch.testing.assert_close(output.temporal_attention, attention)
        torch.testing.assert_close(output.temporal_attention.sum(dim=1), torch.ones(N).double())
    weights = torch.randn(N, K).double()
    inputs = [features, *model.parameters()]
    ours = torch.autograd.grad((weights * output.logits).sum(), inputs)
    theirs = torch.autograd.grad((weights * logits).sum(), inputs)
    for mine, other in zip(ours, theirs, strict=True):
        assert other.abs().sum() > 0
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("place", ["after", "before", "none"])
def test_what_stands_behind_the_end_of_a_video_is_not_read_by_default(features, place):
    filled = torch.where(features == 0, 7.0, features)
    masked, official = network(place), network(place, official=True)
    for model, same in ((masked, True), (official, False)):
        ours, theirs = (model(x, lengths=LENGTHS).logits for x in (features, filled))
        torch.testing.assert_close(ours[0], theirs[0])  # it has all T frames
        for mine, other in zip(ours[1:], theirs[1:], strict=True):
            assert torch.allclose(mine, other) == same


def test_where_no_video_is_short_the_mask_is_nothing(features):
    full = torch.randn(N, T, C).double()
    for place in ("after", "before", "none"):
        model = network(place)
        masked = model(full, lengths=torch.full((N,), T)).logits
        torch.testing.assert_close(masked, model(full).logits)


def test_the_dense_layer_is_shared_by_all_features():
    """Of two features with the same course through time, both get the same weights."""
    layer = DenseSoftmax(T)
    course = torch.randn(1, T, 1)
    weights = layer(course.expand(1, T, 2))
    torch.testing.assert_close(weights[..., 0], weights[..., 1])
    assert layer.fc.weight.shape == (T, T)


def test_maps_are_read_as_one_row_of_numbers():
    model = BiLSTM(2 * 3 * 2, T, K, units=U, dense=6, dropout=0)
    maps = torch.randn(N, T, 2, 3, 2)
    torch.testing.assert_close(model(maps).logits, model(maps.flatten(2)).logits)
    pooling = BiLSTM(2, T, K, units=U, dense=6, dropout=0, pooled=True)
    means = torch.stack([maps[:, :, c].sum(dim=(2, 3)) / 6 for c in range(2)], dim=2)
    torch.testing.assert_close(pooling(maps).logits, pooling(means).logits)


@pytest.mark.parametrize("place", ["after", "before"])
def test_an_edit_of_when_reaches_the_answer(features, place):
    model = network(place)
    edit = torch.zeros(N, T).double()
    edit[:, 0] = 1.0
    output = model(features, temporal_attention=edit)
    assert not torch.allclose(output.logits, model(features).logits)
    torch.testing.assert_close(output.temporal_attention, edit)
    only = features * edit[:, :, None]  # before the LSTM: as if nothing else had been shown
    if place == "before":
        plain = network("none")
        plain.load_state_dict(model.state_dict(), strict=False)
        torch.testing.assert_close(output.logits, plain(only).logits)


def test_what_cannot_be_is_refused(features):
    with pytest.raises(ValueError, match="no attention to replace"):
        network("none")(features, temporal_attention=torch.zeros(N, T))
    with pytest.raises(ValueError, match=r"temporal_attention must have shape \(3, 4\)"):
        network("after")(features, temporal_attention=torch.zeros(N, T + 1))
    with pytest.raises(ValueError, match="reads 4 frames, this clip has 3"):
        network("after")(features[:, :3])


def test_the_published_sizes():
    """VGG's 25,088 features, a bi-LSTM of 256, dense 512; PyTorch has two biases a gate."""
    frames = 7
    with torch.device("meta"):
        model = BiLSTM(25088, frames, 101)
    sizes = {name: count_parameters(part) for name, part in model.named_children()}
    assert sizes == {
        "attention": frames * frames + frames,
        "lstm": 2 * 4 * 256 * (25088 + 256 + 2),
        "dense": frames * 512 * 512 + 512,
        "dropout": 0,
        "fc": 512 * 101 + 101,
    }


def test_its_multiply_adds_are_counted_on_meta_tensors():
    with torch.device("meta"):
        model = BiLSTM(C, T, K, attention="none", units=U, dense=6)
        counted = count_multiply_adds(model, torch.empty(1, T, C))
    assert counted == 2 * T * 4 * U * (C + U) + 2 * U * 6 + 6 * K

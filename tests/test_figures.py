"""Figures say what their arrays hold: numbers, order, words; and they disturb nothing."""

import base64
import io

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from stabn import figures
from stabn.data.video import read_frames
from stabn.figures.architecture import parts
from stabn.models.resnet3d import ResNet3d, count_parameters
from stabn.models.st_abn import STABN
from stabn.tables import together


def texts(sheet: Figure) -> list[str]:
    """Every text on a sheet, legends' and tick labels' too."""
    found = [t for t in sheet.findobj(matplotlib.text.Text) if t.get_visible()]
    return [t.get_text() for t in found if t.get_text()]


@pytest.fixture
def clip():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (4, 20, 30, 3), np.uint8)
    return frames, np.array([0.1, 0.9, 0.4, 0.2]), rng.random((4, 5, 7)).astype(np.float32)


def test_upsample_equals_a_slow_bilinear_with_cell_centres_in_place():
    maps = np.random.default_rng(1).random((2, 3, 4)).astype(np.float32)
    height, width = 9, 16
    ours = figures.upsample(maps, (height, width))
    for t in range(2):
        for y in range(height):
            for x in range(width):
                v = np.clip((y + 0.5) * 3 / height - 0.5, 0, 2)
                u = np.clip((x + 0.5) * 4 / width - 0.5, 0, 3)
                i, j = int(v), int(u)
                k, m = min(i + 1, 2), min(j + 1, 3)
                a, b = v - i, u - j
                corners = maps[t, [i, i, k, k], [j, m, j, m]]
                shares = np.array([(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b])
                assert ours[t, y, x] == pytest.approx(float(corners @ shares), abs=1e-5)


def test_upsample_keeps_a_constant_and_the_range():
    assert np.all(figures.upsample(np.full((1, 2, 2), 0.25), (5, 5)) == 0.25)
    with pytest.raises(ValueError, match="maps must be"):
        figures.upsample(np.ones((2, 2)), (4, 4))


def test_moving_clips_play_side_by_side_under_their_names(tmp_path):
    frames = np.full((5, 16, 24, 3), 40, np.uint8)
    frames[:, :, :, 0] += np.arange(0, 200, 40, dtype=np.uint8)[:, None, None]  # ever redder
    sheet = figures.moving_clips({"reds <up>": frames, "reds down": frames[::-1]}, stills=[3, 4])
    page = BeautifulSoup(sheet._repr_html_(), "html.parser")
    assert [span.get_text() for span in page("span")] == ["reds <up>", "reds down"]
    assert {"controls", "loop", "muted", "playsinline"} <= page.video.attrs.keys()
    assert "reds <up>, reds down" in page.video["aria-label"]
    path = tmp_path / "clips.webm"
    path.write_bytes(base64.b64decode(page.video["src"].partition("base64,")[2]))
    played = read_frames(path, range(5)).astype(int)
    assert played.shape == (5, 16, 24 + 4 + 24, 3)
    assert np.abs(played[:, :, :24] - frames).mean() < 8  # VP9 is lossy
    assert np.abs(played[:, :, -24:] - frames[::-1]).mean() < 8
    with pytest.raises(ValueError, match="dimension"):
        figures.moving_clips({"a": frames, "b": frames[:4]}, stills=[0, 0])
    with pytest.raises(ValueError, match="zip"):
        figures.moving_clips({"a": frames, "b": frames}, stills=[0])


def test_moving_clips_show_the_chosen_frame_of_each_before_they_play():
    grey = np.arange(0, 250, 50, dtype=np.uint8)
    frames = np.tile(grey[:, None, None, None], (1, 16, 24, 3))  # frame k is 50·k
    sheet = figures.moving_clips({"a": frames, "b": frames[::-1]}, stills=[1, 0])
    video = BeautifulSoup(sheet._repr_html_(), "html.parser").video
    assert (video["width"], video["height"]) == ("52", "16")  # two clips and the gap of 4
    encoded = video["poster"].partition("base64,")[2]
    still = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded)))).astype(int)
    assert still.shape == (16, 52, 3)
    assert np.abs(still[:, :16] - 50).max() < 8  # frame 1 of a; JPEG is lossy
    assert np.abs(still[:, -16:] - 200).max() < 8  # frame 0 of b, which is turned round


def test_attention_figure_writes_every_number_and_name(clip):
    frames, temporal, spatial = clip
    sheet = figures.attention_figure(
        frames,
        temporal,
        spatial,
        frame_indices=[3, 9, 21, 40],
        levels=np.array([0, 1, 0.5, 0]),
        predictions=[("Dropping something", 0.75), ("Turning something", 0.2)],
        truth="Turning something",
    )
    written = texts(sheet)
    for word in ("3", "9", "21", "40", "0.10", "0.90", "0.40", "0.20", "1.00", "0.50"):
        assert word in written
    assert "75.0%" in written
    assert "Dropping something" in written
    assert "Turning something  (true class)" in written
    assert f"{spatial[0].min():.2f}–{spatial[0].max():.2f}" in written


def test_heat_maps_show_raw_values_in_the_unit_interval(clip):
    frames, temporal, spatial = clip
    sheet = figures.attention_figure(frames, temporal, spatial[None] * 0.1)
    heats = [i for a in sheet.axes for i in a.images if i.get_alpha() == figures.attention.OPACITY]
    assert len(heats) == 4
    assert {h.get_clim() for h in heats} == {(0.0, 1.0)}
    assert max(h.get_array().max() for h in heats) <= 0.1
    assert any("raw values" in t for t in texts(sheet))
    stretched = figures.attention_figure(frames, temporal, spatial, spatial_limits=(0.2, 0.4))
    assert any("stretched" in t for t in texts(stretched))


def test_a_long_clip_is_thinned_evenly_and_says_which_frames():
    frames = np.zeros((50, 4, 4, 3), np.uint8)
    sheet = figures.attention_figure(frames, np.linspace(0, 1, 50), np.zeros((50, 2, 2)))
    shown = [int(t) for t in texts(sheet) if t.isdigit()]
    assert len(shown) == 16
    assert (shown[0], shown[-1]) == (0, 49)
    assert max(np.diff(shown)) - min(np.diff(shown)) <= 1


def test_attention_figure_reads_the_networks_own_tensors():
    model = STABN("small", num_classes=3, num_frames=4).eval()
    out = model(torch.randn(1, 3, 4, 32, 32))
    frames = np.zeros((4, 32, 32, 3), np.uint8)
    sheet = figures.attention_figure(frames, out.temporal_attention[0], out.spatial_attention[0])
    assert f"{out.temporal_attention[0, 2].item():.2f}" in texts(sheet)


@pytest.mark.parametrize("wrong", ["temporal", "spatial", "range", "nan"])
def test_attention_figure_refuses_what_is_not_attention(clip, wrong):
    frames, temporal, spatial = clip
    if wrong == "temporal":
        temporal = temporal[:3]
    elif wrong == "spatial":
        spatial = spatial[:, 0]
    elif wrong == "range":
        temporal = temporal * 2
    else:
        spatial = spatial * np.nan
    with pytest.raises(ValueError, match=r"M_t|M_s"):
        figures.attention_figure(frames, temporal, spatial)


def test_describe_attention_by_hand():
    spatial = np.zeros((3, 6, 6))
    spatial[1, 0, 5] = 0.8
    words = figures.describe_attention(
        np.array([0.2, 0.7, 0.1]),
        spatial,
        frame_indices=[5, 10, 15],
        predictions=[("Turning something", 0.5)],
        truth="Dropping something",
    )
    assert "“Turning something” with probability 50.0%" in words
    assert "true class is “Dropping something”" in words
    assert "highest, 0.70, at frame 10 and lowest, 0.10, at frame 15" in words
    assert "at the upper right (0.80" in words


def test_attention_that_is_the_same_throughout_has_no_peak():
    peaked = np.array([[[0.1, 0.8]], [[0.1, 0.2]]])
    over_places = figures.describe_attention(np.ones(2), peaked)
    assert "Temporal attention is the same at all frames. At frame 0 spatial" in over_places
    over_time = figures.describe_attention(np.array([0.2, 0.8]), np.ones((2, 4, 4)))
    assert over_time.endswith("lowest, 0.20, at frame 0. Spatial attention is the same everywhere.")


def test_explanations_stand_below_the_clip_each_on_its_own_scale(clip):
    frames, temporal, spatial = clip
    pairs = {
        "seen": (temporal, spatial),
        "far away": (temporal * 1e-3 - 2e-4, spatial[:, :2, :2] * 50),
        "nothing": (np.zeros(4), np.zeros((4, 3, 3))),
    }
    sheet = figures.explanations_figure(
        frames,
        pairs,
        frame_indices=[3, 9, 21, 40],
        levels=np.array([0, 1, 0.5, 0]),
        predictions=[("Dropping something", 0.75)],
        truth="Turning something",
    )
    written = texts(sheet)
    heats = [i for a in sheet.axes for i in a.images if i.get_alpha() == figures.overlay.OPACITY]
    maps = np.stack([heat.get_array() for heat in heats])
    rows = dict(zip(pairs, np.split(maps, 3), strict=True))
    assert {h.get_clim() for h in heats} == {(0.0, 1.0)}
    for name in ("seen", "far away"):
        assert rows[name].max() == pytest.approx(1)  # of the clip, not of every frame
        np.testing.assert_allclose(
            rows[name] * figures.upsample(pairs[name][1], (20, 30)).max(),
            figures.upsample(pairs[name][1], (20, 30)),
            rtol=1e-4,
        )
    assert rows["nothing"].max() == 0
    assert {"seen", "far away", "nothing", "when ≤ 0.9", "when ≤ 0.0007"} <= set(written)
    assert "1.00" in written  # the frame that counts most
    assert "Turning something  (true class)" in written
    crosses = [line for a in sheet.axes for line in a.lines]
    assert len(crosses) == 2 * 2 * 4  # none where there is no peak
    with pytest.raises(ValueError, match="seen: when"):
        figures.explanations_figure(frames, {"seen": (temporal[:3], spatial)})
    with pytest.raises(ValueError, match="at least one"):
        figures.explanations_figure(frames, {})


def test_describe_explanations_by_hand():
    where = np.zeros((3, 6, 6))
    where[2, 5, 0] = 1
    words = figures.describe_explanations(
        {"rise": (np.array([-1, 0, 2]), where), "flat": (np.array([1, 0, 0]), np.ones((3, 2, 2)))},
        frame_indices=[5, 10, 15],
        predictions=[("Turning something", 0.5)],
    )
    assert "“Turning something” with probability 50.0%" in words
    assert "rise: most at frame 15, there at the lower left; least at frame 5." in words
    assert "flat: most at frame 5, there everywhere alike; least at frame 10." in words


def test_temporal_figure_tells_series_apart_without_colour():
    series = {name: np.linspace(0, 1, 6) ** k for k, name in enumerate(["a", "b", "c"], 1)}
    sheet = figures.temporal_figure(series, levels=np.array([0, 0, 1, 1, 0.5, 0]))
    lines = sheet.axes[0].lines
    assert [line.get_label() for line in lines] == ["a", "b", "c"]
    assert len({(line.get_linestyle(), line.get_marker()) for line in lines}) == 3
    np.testing.assert_array_equal(lines[1].get_ydata(), series["b"])
    words = figures.describe_temporal({"M_t": series["a"]}, levels=np.array([0, 0, 1, 1, 0.5, 0]))
    assert "M_t is highest, 1.00, at frame 5" in words
    assert "from frame 2 to frame 3" in words


def test_levels_can_be_an_edit():
    sheet = figures.temporal_figure(
        {"a": np.zeros(3)}, levels=np.array([0, 1, 0]), levels_name="edit"
    )
    assert "edit level" in [text.get_text() for text in sheet.legends[0].texts]
    words = figures.describe_temporal(
        {"a": np.zeros(3)}, levels=np.array([0, 1, 0]), levels_name="edit"
    )
    assert "The edit is highest from frame 1 to frame 1" in words


def test_levels_of_several_people_have_a_row_each_and_signs():
    rows = {"Ada": np.array([0, 0.5, 1, 1]), "nobody": np.zeros(4)}
    axes = figures.levels_figure(rows).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(rows)
    np.testing.assert_array_equal(axes.images[0].get_array(), np.stack(list(rows.values())))
    signs = {text.get_position(): text.get_text() for text in axes.texts}
    assert [signs[x, 0] for x in range(4)] == ["", "·", "|", "|"]
    image = axes.images[0]
    for level in (0, 0.5, 1):
        assert figures.level_colour(level) == to_hex(image.cmap(image.norm(level)))
    words = figures.describe_levels(rows)
    assert words == "Frames at level 1 by Ada: 2 to 3; nobody: none."


def test_curves_skip_missing_values_and_say_start_and_end():
    rows = [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0, "top1": 0.5}, {"epoch": 3}]
    panels = {"loss": ["loss"], "accuracy": ["top1", "absent"]}
    left, right = figures.curves(rows, panels).axes
    np.testing.assert_array_equal(left.lines[0].get_xydata(), [[1, 2.0], [2, 1.0]])
    assert [line.get_label() for line in right.lines] == ["top1"]
    assert figures.describe_curves(rows, panels) == (
        "loss: 2 at epoch 1, 1 at epoch 2. top1: 0.5 at epoch 2, 0.5 at epoch 2."
    )


def test_confusion_writes_row_percentages():
    counts = np.array([[3, 1], [0, 5]])
    written = texts(figures.confusion(counts, ["up", "down"]))
    assert {"75", "25", "100", "up  0", "down  1"} <= set(written)
    words = figures.describe_confusion(counts, ["up", "down"])
    assert words == "88.9% of 9 clips are right. “up” taken for “down”: 1 clips."
    with pytest.raises(ValueError, match="one row a class"):
        figures.confusion(counts, ["up"])


def test_confusion_of_many_classes_stays_a_picture():
    sheet = figures.confusion(np.eye(30, dtype=int), [str(i) for i in range(30)])
    assert not sheet.axes[0].texts


def test_seeds_figure_joins_the_same_seed_and_marks_the_mean():
    sheet = figures.seeds_figure({"a": {0: 1.0, 1: 3.0}, "b": {0: 2.0, 1: 6.0}, "c": {}})
    np.testing.assert_array_equal(sheet.axes[0].lines[1].get_xydata(), [[0, 3.0], [1, 6.0]])
    assert {"2.0", "4.0"} <= set(texts(sheet))


def test_sweep_figure_shows_every_seed_and_the_means():
    panels = {"γ": {1: {0: 1.0, 1: 3.0}, 100: {0: 4.0}}, "share": {5: {0: -1.0}}}
    sheet = figures.sweep_figure(panels, label="points")
    assert [axes.get_xlabel() for axes in sheet.axes] == ["γ", "share"]
    first = sheet.axes[0]
    assert [tick.get_text() for tick in first.get_xticklabels()] == ["1", "100"]
    drawn = [line.get_ydata().tolist() for line in first.lines[1:]]
    assert drawn == [[1.0, 3.0], [4.0], [2.0, 4.0]]


def test_arms_figure_shows_every_seed_every_mean_and_the_line():
    arms = {"control": [1.0, 3.0], "knowledge": [5.0], "placebo": []}
    panels = {"swapped": {"paper": arms, "gated": arms}, "absent": {"paper": arms, "gated": arms}}
    sheet = figures.arms_figure(panels, {"swapped": 7.0}, "top-1, %")
    swapped, absent = sheet.axes
    assert [line.get_ydata()[0] for line in swapped.lines[:3]] == [7.0, 1.0, 2.0]
    assert len(swapped.lines) == 1 + 2 * 2 * 2  # the line; seeds and mean of two arms of two ways
    assert len(absent.lines) == 2 * 2 * 2
    assert [tick.get_text() for tick in absent.get_xticklabels()] == ["paper", "gated"]
    words = figures.describe_arms(panels, {"swapped": 7.0}).splitlines()
    assert words[0] == "swapped (to reach: 7.0), paper: control 2.0, knowledge 5.0"
    assert words[3] == "absent, gated: control 2.0, knowledge 5.0"


def test_ranked_figure_shows_each_method_of_each_row_with_its_error():
    rows = {"one network": {"a": (0.5, 0.1), "b": (-0.25, 0.2)}, "another": {"b": (0.75, 0.0)}}
    sheet = figures.ranked_figure({"when": rows, "over time": rows})
    when, _ = sheet.axes
    (a, _, (bar,)), (b, *_) = when.containers
    assert list(a.get_xdata()) == [0.5]
    assert list(b.get_xdata()) == [-0.25, 0.75]
    assert [[round(x, 9) for x in ends[:, 0]] for ends in bar.get_segments()] == [[0.4, 0.6]]
    assert a.get_ydata()[0] < b.get_ydata()[0] < b.get_ydata()[1]  # rows from above
    assert when.get_ylim()[0] > when.get_ylim()[1]
    assert [tick.get_text() for tick in when.get_yticklabels()] == list(rows)


def test_filmstrip_shows_frames_in_order():
    frames = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 6, 3), np.uint8)
    sheet = figures.filmstrip(frames, frame_indices=[2, 4, 8], captions=["a", "b", "c"])
    assert [int(a.images[0].get_array().max()) for a in sheet.axes] == [0, 1, 2]
    assert [t for t in texts(sheet) if t in "248abc"] == ["2", "a", "4", "b", "8", "c"]


def test_architecture_shapes_are_those_of_a_real_forward():
    model = STABN("small", num_classes=5, num_frames=4)
    seen = parts(model, (4, 48, 32))
    clip = torch.randn(1, 3, 4, 48, 32)
    out = model.eval()(clip)
    assert seen["layer2"].shape == tuple(model.features(clip).shape[1:])
    assert seen["spatial_head"].shape == tuple(out.spatial_attention.shape[1:])
    assert seen["temporal_head"].shape == tuple(out.temporal_attention.shape[1:])
    assert seen["fusion"].parameters == count_parameters(model.fusion)
    drawn = texts(figures.architecture(model, (4, 48, 32)))
    for part in ("layer1", "layer2", "layer3", "stage", "h", "fusion", "spatial_head"):
        assert "×".join(map(str, seen[part].shape)) in drawn


def test_describe_architecture_says_the_same_sizes():
    model = STABN("small", num_classes=5, num_frames=4)
    seen, words = parts(model, (4, 48, 32)), figures.describe_architecture(model, (4, 48, 32))
    for part in ("layer2", "h", "spatial_head", "fusion"):
        assert "×".join(map(str, seen[part].shape)) in words
    assert words.startswith("A clip, 3×4×48×32,")
    plain = figures.describe_architecture(ResNet3d("small", 5))
    assert "3×16×56²" in plain
    assert "attention" not in plain


def test_architecture_leaves_the_model_as_it_was():
    model = STABN("small", num_classes=5, num_frames=4).train()
    figures.architecture(model)
    assert model.training
    assert all(p.device.type == "cpu" for p in model.parameters())
    assert not any(m._forward_hooks for m in model.modules())


def test_architecture_names_the_variant():
    gated = texts(figures.architecture(STABN("small", 5, 4, fusion="gated")))
    assert "$(1+M_s)\\,M_t\\,f$" in gated
    held = texts(figures.architecture(STABN("small", 5, 4, constant_attention=(0.5, 1.0))))
    assert any("≡ 0.5" in t for t in held)
    no_relu = texts(figures.architecture(STABN("small", 5, 4, fusion_relu=False)))
    assert any("BN → " in t for t in no_relu)
    baseline = texts(figures.architecture(ResNet3d("small", 5)))
    assert "logits: 5" in baseline
    assert not any("attention" in t for t in baseline)


def test_figures_are_opaque_light_and_leave_global_state_alone(clip):
    before = dict(matplotlib.rcParams)
    sheet = figures.attention_figure(*clip)
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == []
    red, green, blue, alpha = sheet.get_facecolor()
    assert alpha == 1
    assert min(red, green, blue) > 0.9
    png, size = sheet._repr_png_()
    assert png.startswith(b"\x89PNG")
    assert size["width"] <= 700


def test_text_stays_on_the_sheet_and_is_legible(clip):
    long = "Putting something that cannot actually stand upright upright on the table, so it falls"
    with torch.device("meta"):
        largest = STABN("resnet50", 174, 32, fusion="gated")
    drawn = [
        figures.attention_figure(*clip, predictions=[(long, 0.5)], truth=long),
        figures.architecture(largest),
        figures.confusion(np.eye(14, dtype=int), [long] * 14),
        figures.seeds_figure({"baseline": {0: 70.1}, "ST-ABN": {0: 73.2}}),
        figures.sweep_figure({"γ": {1: {0: 0.5}, 10: {0: 1.5}}}, label="points"),
        figures.arms_figure(
            {name: {way: {"control": [1.0]} for way in "abc"} for name in "xyz"}, {"x": 2.0}, "%"
        ),
        figures.ranked_figure(
            {
                f"insertion − deletion,\nover {over}": {
                    "soft attention + ConvLSTM": dict.fromkeys(
                        together.METHODS.values(), (0.5, 0.1)
                    )
                }
                for over in ("time", "space", "both")
            }
        ),
    ]
    for sheet in drawn:
        sheet.draw_without_rendering()
        written = list(sheet.texts)
        for axes in sheet.axes:
            written += [*axes.texts, axes.xaxis.label, axes.yaxis.label]
        written += sheet.axes[0].get_yticklabels() if sheet is drawn[2] else []
        for text in filter(lambda t: t.get_text(), written):
            assert text.get_fontsize() >= 8
            place = text.get_window_extent()
            assert min(place.x0, place.y0) >= -1, text.get_text()
            assert place.x1 <= sheet.bbox.x1 + 1, text.get_text()
            assert place.y1 <= sheet.bbox.y1 + 1, text.get_text()

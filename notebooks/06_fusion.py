# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 6. Fusion and the perception branch
#
# *Hardware: any laptop, one CPU core, about 9 seconds.*
#
# **The question.** We have features $f$, a map $M_s$ a frame ([chapter 4](04_spatial_head.ipynb))
# and a weight $M_t$ a frame ([chapter 5](05_temporal_head.ipynb)). How do the two act on the
# answer? And if a person sets a frame's weight to 0, is that frame really out?

# %% tags=["hide-input"]
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from stabn.data.mini.make import example
from stabn.data.sampling import segment_indices
from stabn.data.transforms import eval_transform, normalise
from stabn.figures.sheet import COLOURS, LINES, MARKERS, SEQUENTIAL, Sheet, bare, styled
from stabn.models.attention import Fusion
from stabn.models.resnet3d import BACKBONES, count_multiply_adds
from stabn.training.checkpoint import load_trained

_ = torch.manual_seed(0)
_ = torch.set_grad_enabled(False)  # nothing is trained in this chapter
torch.set_num_threads(1)  # small tensors: a second thread would only wait

# %% [markdown]
# ## A network and two clips

# %%
trained = load_trained("mini_st_abn")
model, config = trained.model, trained.config
T = config.num_frames
transform = eval_transform(config.image_size, short_side=config.short_side)


def clip_of(text, seed):
    """A fresh synthetic clip of this class, float (1, 3, T, H, W)."""
    video = example(trained.classes.index(text), seed, split="validation")
    frames = video.frames[segment_indices(len(video.frames), T)]
    return normalise(transform(frames)[0][None])


f = model.features(clip_of("Moving something from left to right", seed=0))  # (N, C, T, H', W')
other_f = model.features(clip_of("Dropping something", seed=1))
branch = model.attention_branch(f)
m_s, m_t = branch.spatial_attention, branch.temporal_attention
C = f.shape[1]
print("weights:", trained.origin)
print("f", tuple(f.shape), " M_s", tuple(m_s.shape), " M_t", tuple(m_t.shape))

# %% [markdown]
# ## Equations (1) to (3)
#
# $$ f'_s = (1 + M_s) \cdot f \tag{1} $$
#
# $$ f'_t = M_t \cdot f \tag{2} $$
#
# $$ f' = \mathrm{conv}_\theta\bigl(\mathrm{concat}[f'_s, f'_t]\bigr) \tag{3} $$
#
# Concatenation is over channels, so the 1×1×1 convolution goes from $2C$ back to $C$: $f'$ has the
# shape of $f$, and the perception branch need not know that anything happened. The published code
# adds a batch normalisation after it (and in the first release a ReLU).


# %%
class OpenFusion(nn.Module):
    """f (N, C, T, H', W'), M_s (N, 1, T, H', W'), M_t (N, T) → f' (N, C, T, H', W')."""

    def __init__(self, channels: int, relu: bool = True):
        super().__init__()
        self.conv = nn.Conv3d(2 * channels, channels, kernel_size=1, bias=False)
        self.bn = nn.BatchNorm3d(channels)
        self.relu = nn.ReLU() if relu else nn.Identity()

    def forward(self, f, m_s, m_t):
        f_s = (1 + m_s) * f  # (1): one map for all C channels
        f_t = m_t[:, None, :, None, None] * f  # (2): one number a frame
        both = torch.cat([f_s, f_t], dim=1)  # (N, 2C, T, H', W')
        return self.relu(self.bn(self.conv(both)))  # (3)


paper = Fusion(C, "paper", config.fusion_relu).eval()
paper.load_state_dict(model.fusion.state_dict())
mine = OpenFusion(C, config.fusion_relu).eval()
mine.load_state_dict(model.fusion.state_dict())

fused = mine(f, m_s, m_t)
torch.testing.assert_close(fused, paper(f, m_s, m_t))
print("f'", tuple(fused.shape), "equal to the library's")

# %% [markdown]
# ## Why $1 + M$ for space and $M$ for time
#
# With $M_s$ alone, features would *vanish* wherever the map is near 0, and a map that starts out
# wrong would hide the very thing it should learn to find. $1 + M_s$ cannot do that: it lies
# between 1 and 2. The map may emphasise, at most twofold, and never silence. $M_t$ stands bare: a
# frame may vanish, because that is what "this frame does not matter" means.
#
# On an $f$ of ones the two weights can be read off. A map with one bright half, and one frame off:

# %%
ones = torch.ones(1, 1, 2, 1, 2)  # two frames of one row, two cells
space = torch.tensor([0.0, 1.0]).view(1, 1, 1, 1, 2).expand(1, 1, 2, 1, 2)
time = torch.tensor([1.0, 0.0]).view(1, 1, 2, 1, 1)
print("by hand: (1 + M_s)·f = [1, 2] in both frames; M_t·f = [1, 1] and [0, 0]")
print("found:  ", ((1 + space) * ones).flatten(2).tolist(), (time * ones).flatten(2).tolist())
print("M_s·f would be", (space * ones).flatten(2).tolist(), ": the dark half is gone")

# %% [markdown]
# In the trained network, on our clip:

# %%
ratio = (1 + m_s).max() / (1 + m_s).min()
print(f"1 + M_s spans {1 + m_s.min():.2f} to {1 + m_s.max():.2f}: ratio {ratio:.2f}, never above 2")
ratio = m_t.max() / m_t.min()
print(f"M_t     spans {m_t.min():.2f} to {m_t.max():.2f}: ratio {ratio:.4g}, no limit")
t = int(m_t[0].argmin())
loudness = f[0, :, t].mean(dim=0)  # (H', W'), mean over channels of the frame with the lowest M_t
weighted = {
    "$f$": loudness,
    "$(1 + M_s) \\cdot f$": (1 + m_s[0, 0, t]) * loudness,
    "$M_s \\cdot f$": m_s[0, 0, t] * loudness,
    "$M_t \\cdot f$": m_t[0, t] * loudness,
}


# %% tags=["hide-input"]
#| fig-alt: The mean feature of one frame, weighed in four ways on one scale of colours, with the mean and the largest value under each: weighed by 1 + M nothing is lost, weighed by M alone what has a low weight is dark
@styled
def weighted_features() -> Sheet:
    """Mean feature over channels, one frame, weighed four ways, on one scale."""
    sheet, top = Sheet(2.35), max(float(v.max()) for v in weighted.values())
    for i, (name, v) in enumerate(weighted.items()):
        x = 0.1 + 1.58 * i
        image = bare(sheet.box(x, 0.3, 1.5, 1.5)).imshow(v, cmap=SEQUENTIAL, vmin=0, vmax=top)
        sheet.note(x + 0.75, 0.16, name, ha="center", va="center")
        sheet.note(x + 0.75, 1.92, f"mean {v.mean():.2f}", ha="center", va="center")
        sheet.note(x + 0.75, 2.12, f"largest {v.max():.2f}", ha="center", va="center")
    sheet.colorbar(image, cax=sheet.box(6.45, 0.3, 0.1, 1.5))
    return sheet


weighted_features()

# %% [markdown]
# One frame of $f$ (mean over channels) in four versions on one scale, with mean and largest value
# below each. $(1 + M_s) \cdot f$ is nowhere darker than $f$. $M_s \cdot f$, which nobody uses,
# loses what the map does not like. $M_t \cdot f$ is $f$ dimmed evenly: this is the frame that
# $M_t$ cares for least, and near $M_t = 0$ nothing of it is left.
#
# ## A concatenation is a sum
#
# A 1×1×1 convolution over $2C$ stacked channels is two convolutions, one for each half, added up.
# Cut the weight matrix in two, $W = [W_s \mid W_t]$:
#
# $$ \mathrm{conv}_\theta(\mathrm{concat}[a, b]) = W_s a + W_t b . $$

# %%
w = model.fusion.conv.weight  # (C, 2C, 1, 1, 1)
w_s, w_t = w[:, :C], w[:, C:]
a, b = (1 + m_s) * f, m_t[:, None, :, None, None] * f
together = F.conv3d(torch.cat([a, b], dim=1), w)
torch.testing.assert_close(together, F.conv3d(a, w_s) + F.conv3d(b, w_t), atol=1e-5, rtol=1e-4)

x = torch.randn_like(a)  # linear in each half: what is added to one half adds its own share
changed = F.conv3d(torch.cat([a + 2 * x, b], dim=1), w)
torch.testing.assert_close(changed, together + 2 * F.conv3d(x, w_s), atol=1e-4, rtol=1e-4)
print("conv of the concatenation = sum of two convs; linear in each half")

# %% [markdown]
# Put (1) and (2) in, and at every frame and place
#
# $$ f' = \mathrm{ReLU}\Bigl(\mathrm{BN}\bigl(\,\bigl[(1 + M_s)\, W_s + M_t\, W_t\bigr] f \,\bigr)\Bigr) . $$
#
# Two numbers, $M_s$ and $M_t$, choose a blend of two fixed matrices. The next three sections read
# consequences off this line.
#
# ## The leak
#
# Set $M_t = 0$ at a frame. What is left of it?
#
# $$ \bigl[(1 + M_s)\, W_s + 0 \cdot W_t\bigr] f = (1 + M_s)\, W_s f . $$
#
# The spatial half does not know about $M_t$. **A frame of weight 0 still speaks through it.** The
# test: replace that frame of $f$ by a frame of another video. If the frame were out, nothing could
# change. $M_s$ and $M_t$ are held fixed, so that only the frame's own path is open.
#
# Beside it a variant of ours, `fusion="gated"`, in which $M_t$ governs both halves:
#
# $$ f' = \mathrm{ReLU}\Bigl(\mathrm{BN}\bigl(\,M_t \bigl[(1 + M_s)\, W_s + W_t\bigr] f \,\bigr)\Bigr) . $$

# %%
gated = Fusion(C, "gated", config.fusion_relu).eval()
gated.load_state_dict(model.fusion.state_dict())  # the same weights: a check of the wiring only
j = int(m_t[0].argmax())  # the frame this network finds most important
swapped = f.clone()
swapped[:, :, j] = other_f[:, :, j]
off = m_t.clone()
off[:, j] = 0

for name, fuse in (("paper", paper), ("gated", gated)):
    one, two = fuse(f, m_s, off), fuse(swapped, m_s, off)
    change = (one - two).abs().amax(dim=(0, 1, 3, 4))  # (T,)
    answer = model.backbone.perception(one) - model.backbone.perception(two)
    print(f"{name}: f' changes in frames {change.nonzero().flatten().tolist()},", end=" ")
    print(f"by up to {change.max():.3g}; logits change by up to {answer.abs().max():.3g}")
    assert (change.max() == 0) == (name == "gated"), "the leak is not where we expect it"
    assert (answer.abs().max() == 0) == (name == "gated")

# %% [markdown]
# With the paper's fusion, frame $j$ and only frame $j$ of $f'$ changes, and the answer with it.
# With the gated one the difference is not small but 0: the frame enters nowhere.
#
# (Gated, the frame is *replaced by a constant*, BN's answer to 0, and not cut out: a clip still has
# $T$ frames. And $M_s$, $M_t$ were held. Left free, the attention branch would see the new frame.)
#
# How much leaks? We turn frame $j$'s weight from 1 down to 0 and measure how far the swap moves
# $f'$.


# %%
def effect(fuse, weight):
    """How far swapping frame j moves f' when M_t is ``weight`` there: Euclidean distance."""
    at = m_t.clone()
    at[:, j] = weight
    return (fuse(f, m_s, at) - fuse(swapped, m_s, at)).norm().item()


levels = np.linspace(0, 1, 11)
moved = {name: [effect(k, v) for v in levels] for name, k in (("paper", paper), ("gated", gated))}
for name, values in moved.items():
    kept = values[0] / values[-1]
    print(f"{name}: at M_t = 0 the swap keeps {kept:.0%} of its effect at M_t = 1")


# %% tags=["hide-input"]
#| fig-alt: Effect of one frame on f prime against the M_t of that frame: with the gated fusion it falls to 0% at M_t = 0, with the fusion of the paper part of it remains
@styled
def leak() -> Sheet:
    """Effect of a frame on f' against its M_t, for both fusions."""
    sheet = Sheet(2.7, layout="constrained")
    axes = sheet.subplots()
    for i, (name, values) in enumerate(moved.items()):
        shares = np.array(values) / values[-1]
        look = {"linestyle": LINES[i], "color": COLOURS[i], "marker": MARKERS[i]}
        axes.plot(levels, shares, label=f"{name} fusion", **look)
        axes.text(-0.025, shares[0], f"{shares[0]:.0%}", ha="right", va="center")
    axes.set(xlabel="$M_t$ of the frame", ylabel="effect of the frame on $f'$")
    axes.set(xlim=(-0.1, 1.03), ylim=(-0.07, None))
    axes.legend(loc="lower right")
    return sheet


leak()

# %% [markdown]
# The effect of one frame on $f'$ against its weight, each curve as a share of its right end. The
# gated fusion (squares, dashed) starts at 0 %. The paper's (circles, solid) starts higher: what it
# has at the left edge is the leak.
#
# Why it matters: a person who sets a frame to 0 expects it to be out. We keep the paper's fusion as
# the default, and offer the gated one under its own name.
#
# ### Feel the leak
#
# So far one frame was 0. Let all be. What is left for the perception branch?
#
# $$ \text{paper's:}\quad f' = \mathrm{ReLU}\bigl(\mathrm{BN}(\,(1 + M_s)\, W_s f\,)\bigr)
#    \qquad\qquad \text{gated:}\quad f' = \mathrm{ReLU}\bigl(\mathrm{BN}(0)\bigr) . $$
#
# On the left stands $f$: the whole clip. On the right stands nothing of it. In the pages of the built book
# two networks answer side by side here, one *trained* with each fusion, both on the
# [synthetic set with a known fault](results_fault.ipynb), whose four classes are hard to tell apart. The
# clips are fresh ones without that fault's sign: of each class the first that both get right. The bars
# begin as $M_t$ of the first network. Until you touch one, each answers with its own $M_t$; from then on
# both get what the bars say. $f$ and $M_s$ stay.
#
# <div class="live" data-live="fusion"></div>
#
# Press *All 0*. Then choose another clip, and press it again.
#
# - **The gated network says the same four numbers, whatever the clip.** They are what the layers behind make
#   of a constant. Where it is right now, it is by accident.
# - **The paper's network still answers each clip differently**, with every frame "out". This is the leak: its
#   answer came through $(1 + M_s) \cdot f$. It need not be right: its layers have never met $M_t = 0$.
#
# Then pull one bar up, slowly: in the gated network this frame alone begins to speak. (In JupyterLab the
# place above is empty: `fuse(f, m_s, off)` above is the same question.)
#
# ### A weight that is nearly 0
#
# A person can set $M_t = 0$. A network cannot: its $M_t$ comes out of a sigmoid. Train it towards 0, and
# it may end at 0.15. A frame at 15 % of its size is small, but not gone, and size is cheap: the
# convolution that follows can multiply by seven. So we offer a **gate that closes**, `closed=τ`. In
# place of $M_t$ the gated fusion takes
#
# $$ g = \max\Bigl(0,\; \frac{M_t - \tau}{1 - \tau}\Bigr) . $$
#
# At 1 nothing changes. At $\tau$ and below the frame is out, exactly, and so is its gradient.

# %%
closing = Fusion(C, "gated", config.fusion_relu, closed=0.3).eval()
closing.load_state_dict(model.fusion.state_dict())
for weight in (0.0, 0.15, 0.3, 0.65, 1.0):
    at = m_t.clone()
    at[:, j] = weight
    gate = max(0.0, (weight - 0.3) / 0.7)  # by hand
    at_gate = m_t.clone().sub(0.3).div(0.7).clamp(min=0)
    at_gate[:, j] = gate
    torch.testing.assert_close(closing(f, m_s, at), gated(f, m_s, at_gate))
    moves = {
        name: (fuse(f, m_s, at) - fuse(swapped, m_s, at)).norm().item()
        for name, fuse in (("gated", gated), ("closing", closing))
    }
    print(
        f"M_t {weight:4.2f}   g {gate:4.2f}   the swap moves f': gated {moves['gated']:6.2f}"
        f"   closing {moves['closing']:6.2f}"
    )
    assert (moves["closing"] == 0) == (weight <= 0.3)

# %% [markdown]
# What the two leaks cost when a network has learned to look at the wrong time, and what closing them
# gives, is measured on [a set with a known fault](results_fault.ipynb).
#
# Is a gated frame out of the *video*, then? Not quite. The extractor and the attention branch look
# across frames, so the features and maps of the neighbours hold something of frame $j$. We open
# these ways one after the other, with $M_t = 0$ at $j$.

# %%
clip = clip_of("Moving something from left to right", seed=0)
foreign = clip.clone()
foreign[:, :, j] = clip_of("Dropping something", seed=1)[:, :, j]


def gated_logits(features, maps):
    """Logits with the gated fusion and M_t = 0 at frame j."""
    return model.backbone.perception(gated(features, maps, off))


before = gated_logits(f, m_s)
pixels = model.features(foreign)
for way, features, maps in (
    ("frame j of f swapped, M_s held", swapped, m_s),
    ("frame j of f swapped, M_s from it", swapped, model.attention_branch(swapped)[1]),
    ("frame j of the clip swapped      ", pixels, model.attention_branch(pixels)[1]),
):
    change = (gated_logits(features, maps) - before).abs().max()
    print(f"{way:34}: logits change by up to {change:.3g}")

# %% [markdown]
# ## The perception branch
#
# It is the second half of the plain network of chapter 3: the last residual stage with stride 2,
# global average pooling over time and space, dropout, a linear layer. (The small network also has a
# batch normalisation before the linear layer.)

# %%
net = model.backbone
last_stage = getattr(net, f"layer{len(net.backbone.stages)}")
x = model.fusion(f, m_s, m_t)
for name, step in (
    ("fused f'", nn.Identity()),
    ("last stage", last_stage),
    ("GAP", lambda x: x.mean(dim=(2, 3, 4))),
    ("norm", net.norm),
    ("dropout", net.dropout),
    ("linear", net.fc),
):
    x = step(x)
    print(f"{name:10}", tuple(x.shape))
whole = model.from_features(f)
torch.testing.assert_close(x, whole.logits)
print("equal to the library's; it answers:", trained.classes[x.argmax()])

# %% [markdown]
# ## Turning the map over
#
# The paper's Table 3 asks what $M_s$ is worth by inverting it at test time, equation (7):
#
# $$ M_{s\,\mathrm{invert}} = 1 - M_s , \qquad
#    f'_s = \bigl(1 + (1 - M_s)\bigr) \cdot f = (2 - M_s) \cdot f . $$
#
# The weights stay between 1 and 2; what was emphasised is left plain, and the other way round. Two
# truths to check: a map that is ½ everywhere cannot change, and inverting twice is no change at
# all.

# %%
inverted = model.from_features(f, invert_spatial=True)
torch.testing.assert_close(inverted.spatial_attention, 1 - m_s)
by_hand = model.from_features(f, spatial_attention=1 - m_s, temporal_attention=m_t)
torch.testing.assert_close(inverted.logits, by_hand.logits)

half = torch.full_like(m_s, 0.5)
same = [model.from_features(f, spatial_attention=half, invert_spatial=i).logits for i in (0, 1)]
twice = model.from_features(f, spatial_attention=1 - m_s, invert_spatial=True).logits
torch.testing.assert_close(same[0], same[1])
torch.testing.assert_close(twice, whole.logits)
for name, logits in (("as it is", whole.logits), ("inverted", inverted.logits)):
    p, best = logits.softmax(1).max(1)
    print(f"M_s {name}: {p.item():.1%} “{trained.classes[best.item()]}”")

# %% [markdown]
# One clip is an illustration, not a result; chapter 12 counts over a whole split.
#
# ## What the ReLU changes
#
# The group's second release ends the fusion at the batch normalisation; ours ends with ReLU unless
# told otherwise (`fusion_relu=False`). ReLU adds no weight. It cuts the negative half of each
# channel before the perception branch reads it, as is the case with $f$ itself, which ends in a
# ReLU.

# %%
without = Fusion(C, config.fusion, relu=False).eval()
with_relu = Fusion(C, config.fusion, relu=True).eval()
for variant in (without, with_relu):
    variant.load_state_dict(model.fusion.state_dict())
signed = without(f, m_s, m_t)
torch.testing.assert_close(with_relu(f, m_s, m_t), signed.clamp(min=0))
print(f"smallest value of f: {f.min():.2f}; of f' without ReLU: {signed.min():.2f}")
print(f"share of f' that ReLU sets to 0: {(signed < 0).float().mean():.0%}")

# %% [markdown]
# Without it the perception branch gets signed inputs, which weights that come from an ImageNet
# network have not seen; with it, half of each channel's range is lost. Neither is wrong, and a
# checkpoint of one is not a checkpoint of the other.
#
# ## Constant attention is no attention
#
# Hold $M_s \equiv s$ and $M_t \equiv t$. Then the blend is the same everywhere:
#
# $$ (1 + s)\, W_s f + t\, W_t f = W f \quad\text{with one matrix}\quad W = (1 + s)\, W_s + t\, W_t , $$
#
# a plain 1×1×1 convolution. Two constants can be exchanged for two others by rescaling the halves
# of the weights; training can do that, so *which* constants one picks limits nothing.


# %%
def constant(s, t):
    """M_s and M_t held at s and t."""
    return torch.full_like(m_s, s), torch.full_like(m_t, t)


blend = (1 + 0.5) * w_s + 0.5 * w_t  # (C, C, 1, 1, 1)
plain = paper.relu(paper.bn(F.conv3d(f, blend)))
torch.testing.assert_close(paper(f, *constant(0.5, 0.5)), plain, atol=1e-5, rtol=1e-4)

rescaled = Fusion(C, "paper", config.fusion_relu).eval()
rescaled.load_state_dict(model.fusion.state_dict())
rescaled.conv.weight.copy_(torch.cat([1.5 / 1.0 * w_s, 0.5 / 1.0 * w_t], dim=1))
torch.testing.assert_close(rescaled(f, *constant(0, 1)), plain, atol=1e-5, rtol=1e-4)
print("constants ½, ½ = one plain convolution = constants 0, 1 with rescaled weights")

# %% [markdown]
# A *common* factor is absorbed even without touching a weight: batch normalisation in training
# divides by the standard deviation of what it gets. Gated, with $M_s$ held: $M_t \equiv 1$ and
# $M_t \equiv ¼$ must give the same $f'$, up to BN's small $\epsilon$.

# %%
learning = Fusion(C, "gated", config.fusion_relu)
learning.load_state_dict(model.fusion.state_dict())
learning.train().bn.eps = 1e-12  # the one thing that is not scale-free
full, weak = learning(f, *constant(0.5, 1.0)), learning(f, *constant(0.5, 0.25))
torch.testing.assert_close(full, weak, atol=1e-4, rtol=1e-3)
print(f"f' is up to {full.max():.2f}; largest difference {(full - weak).abs().max():.1e}")

# %% [markdown]
# This is the idea of the **matched control** in the results: the same layers, the same class head
# and losses, but $M_s$ and $M_t$ held constant (`constant_attention=(s, t)`) and their heads
# frozen. What ST-ABN gains over it must come from attention that *varies* over place and time. A
# comparison with the plain backbone alone would mix that with a second loss and more layers.
#
# ## What we learned
#
# - $1 + M_s$ lies between 1 and 2: space is emphasised, never silenced. $M_t$ stands bare: a frame
#   may vanish.
# - Concatenate-and-convolve is a blend of two matrices, chosen at each place by two numbers.
# - With the paper's fusion a frame of $M_t = 0$ still reaches the answer through the spatial half.
#   With our gated one its features do not, exactly; only what its neighbours saw of it remains.
# - A learned weight is never 0. A gate that closes takes what is below a threshold for 0.
# - Inverting $M_s$ swaps 1 and 2 as weights; ½ is its fixed point.
# - Constant attention is a plain convolution, which makes a fair control.

# %% [markdown]
# ## Questions
#
# **Question 1.** With the paper's fusion, $M_t$ is set to 0 in *all* frames. What does the network
# answer?
#
# 1. The same for all clips: nothing is left of them.
# 2. What it answers without an edit: $M_t$ is a mere picture.
# 3. An answer that still depends on the clip.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: so it is with the gated fusion. In the paper's, $M_t$ weighs one half only.
# 2. No: the temporal half is gone, and its part of the sum with it. The logits change.
# 3. **Right:** the spatial half, $(1 + M_s) \cdot f$, does not know about $M_t$, and carries every
#    frame on.
#
# </details>
#
# **Question 2.** Training has brought $M_t$ of a frame down to 0.15, in the gated fusion. Is the
# frame out?
#
# 1. No: later layers can make it large again.
# 2. Yes: 15 % is next to nothing.
# 3. Yes: batch normalisation removes what is small.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** a factor of 0.15 is undone by weights seven times as large. Only 0 cannot be undone.
# 2. No: what counts is what the next layers make of it, and they learn.
# 3. No: it divides all frames by *one* number, and keeps what they are to each other.
#
# </details>
#
# **Question 3.** You want to know what attention is worth. Why not take a trained ST-ABN, and set
# its $M_s$ and $M_t$ to constants?
#
# 1. A lucky choice of the constants may decide.
# 2. Its later layers have never met such features.
# 3. The constant network has fewer parameters.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: it may, but in training any choice would do: the weights can take it up. The fault lies
#    elsewhere.
# 2. **Right:** it would show what a surprise costs. The matched control is *trained* with its
#    constants.
# 3. No: it has the same layers; that is why it is called matched.
#
# </details>
#
# **Question 4.** A gate closes at $\tau = 0.3$. How much of a frame with $M_t = 0.65$ does it let
# through?
#
# <details class="answers"><summary>The answer</summary>
#
# **0.5**, that is `max(0, (0.65 - 0.3) / (1 - 0.3))`: what lies above $\tau$ is stretched to reach
# from 0 to 1.
#
# - **0.35:** $M_t - \tau$ is still to be divided by $1 - \tau$, so that a weight of 1 stays 1.
# - **0.65:** this is the gate that does not close.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** Can the paper's fusion *learn* to let no frame leak? Which weights would do it, and what
# would be lost? Check with the swap.

# %% tags=["hide-cell"]
deaf = Fusion(C, "paper", config.fusion_relu).eval()
deaf.load_state_dict(model.fusion.state_dict())
deaf.conv.weight[:, :C] = 0  # W_s = 0
print("leak with W_s = 0:", (deaf(f, m_s, off) - deaf(swapped, m_s, off)).abs().max().item())
print("M_s inverted changes f' by:", (deaf(f, m_s, m_t) - deaf(f, 1 - m_s, m_t)).abs().max().item())
print("Before BN, only W_s = 0 closes the leak for every f, and then M_s has no say at all.")

# %% [markdown]
# **2.** We said that BN absorbs a common factor in *training*. Repeat the last comparison in eval
# mode. What does that say about switching a trained network to constant attention and calling it a
# control?

# %% tags=["hide-cell"]
learning.load_state_dict(model.fusion.state_dict())
learning.eval()
full, weak = learning(f, *constant(0.5, 1.0)), learning(f, *constant(0.5, 0.25))
print(f"f' is up to {full.max():.2f}; largest difference {(full - weak).abs().max():.2f}")
print("In eval mode BN is a fixed line and absorbs nothing: the perception branch would get")
print("features of a size it never saw. So the control is trained with its constants.")

# %% [markdown]
# **3.** What does the fusion cost in the paper's setting ($C = 1024$, $T = 32$, 14×14)? Work out
# multiply–adds and parameters by hand, then let the library count.

# %% tags=["hide-cell"]
channels = BACKBONES["resnet50"].feature_channels
by_hand = 2 * channels * channels * 32 * 14 * 14
with torch.device("meta"):
    large = Fusion(channels)
    inputs = torch.empty(1, channels, 32, 14, 14), torch.empty(1, 1, 32, 14, 14), torch.empty(1, 32)
    found = count_multiply_adds(large, *inputs)
print(f"multiply–adds by hand {by_hand / 1e9:.2f} G, found {found / 1e9:.2f} G")
weights = sum(p.numel() for p in large.parameters())
print(f"parameters by hand {2 * channels**2 + 2 * channels}, found {weights}")
assert found == by_hand

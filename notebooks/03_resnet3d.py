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
# # 3. The 3-D ResNet
#
# *Hardware: any laptop, two CPU cores, about 20 seconds.*
#
# **The question.** A picture has height and width; a video has time as well. What does a convolution
# gain from a third direction, what does the backbone of ST-ABN look like, and how can it begin with
# weights that were trained on pictures?

# %% tags=["hide-input"]
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from stabn.figures.sheet import LINES, MARKERS, Sheet, styled
from stabn.models.inflation import inflate, load_inflated
from stabn.models.resnet3d import (
    BACKBONES,
    Backbone,
    Bottleneck,
    ResNet3d,
    Stage,
    count_multiply_adds,
    count_parameters,
)
from stabn.models.st_abn import STABN

_ = torch.manual_seed(0)
_ = torch.set_num_threads(1)
_ = torch.set_grad_enabled(False)  # nothing is trained in this chapter

# %% [markdown]
# ## A kernel that sees motion
#
# A 2-D kernel looks at one frame. A 3-D kernel of size 3×1×1 looks at one place in three frames. Take
# the weights $(-1, 0, 1)$: it answers with the difference between the next frame and the one before.
# Where nothing moves, it is silent. We can work out its answer by hand.

# %%
video = torch.zeros(1, 1, 5, 1, 8)  # (N, C, T, H, W): one line of eight pixels, five frames
video[0, 0, :, 0, 1] = 1.0  # a dot that stays at column 1
for t in range(5):
    video[0, 0, t, 0, 3 + t] = 1.0  # a dot that moves one column a frame, from column 3
difference = torch.tensor([-1.0, 0.0, 1.0]).view(1, 1, 3, 1, 1)
answer = F.conv3d(video, difference, padding=(1, 0, 0))
print(answer[0, 0, 1:4, 0].int().numpy())  # frames 1 to 3, which have both neighbours

# %% [markdown]
# Each row is a frame. The still dot in column 1 gives 0. The moving dot gives −1 where it was a frame
# before and +1 where it will be a frame later: in frame 1, columns 3 and 5.

# %%
by_hand = torch.zeros(3, 8)
for row, t in enumerate((1, 2, 3)):
    by_hand[row, 3 + t - 1], by_hand[row, 3 + t + 1] = -1, 1
assert torch.equal(answer[0, 0, 1:4, 0], by_hand)
print("as worked out by hand; no kernel of one frame can do this")

# %% [markdown]
# ## Kernels in two pieces
#
# A full 3×3×3 kernel has 27 weights for each pair of channels; 3×1×1 and 1×3×3 have 3 + 9 = 12. One
# after the other they are a 3×3×3 kernel too, namely the product of the two.

# %%
clip = torch.randn(1, 1, 8, 12, 12)
in_time, in_space = torch.randn(1, 1, 3, 1, 1), torch.randn(1, 1, 1, 3, 3)
in_two_steps = F.conv3d(F.conv3d(clip, in_time), in_space)
torch.testing.assert_close(in_two_steps, F.conv3d(clip, in_time * in_space))
print("3×1×1 then 1×3×3 = one 3×3×3 kernel, the product: yes")

# %% [markdown]
# What is lost? Written as a table, time down and place across, a product has rank 1. A kernel that
# matches "a dot moving right" has a diagonal there: rank 3. No single pair is such a kernel, but the
# sum over three channels is.

# %%
moving_right = torch.zeros(3, 3, 3)  # (kt, kh, kw)
moving_right[torch.arange(3), 1, torch.arange(3)] = 1
tables = [kernel.reshape(3, 9) for kernel in (in_time * in_space, moving_right)]
ranks = [torch.linalg.matrix_rank(table).item() for table in tables]
print("rank of a product, rank of the moving dot:", ranks)
assert ranks == [1, 3]

time_pieces = torch.eye(3).reshape(3, 1, 3, 1, 1)  # channel k sees frame t + k − 1 …
space_pieces = moving_right.reshape(1, 3, 1, 3, 3)  # … and looks where the dot is by then
summed = F.conv3d(F.conv3d(clip, time_pieces), space_pieces)
torch.testing.assert_close(summed, F.conv3d(clip, moving_right[None, None]))
print("three channels of pieces = the moving-dot kernel: yes")

# %% [markdown]
# ## One block
#
# The backbone is the *slow pathway* of SlowFast networks (Feichtenhofer et al., 2019). It never uses
# a full 3×3×3 kernel. Each block splits the work: a $k_t\times1\times1$ convolution looks along time,
# a 1×3×3 one looks along space, a 1×1×1 one mixes channels, and a shortcut goes around all three.


# %%
class Block(nn.Module):
    """kt×1×1 → 1×3×3 (with the stride) → 1×1×1, around a shortcut."""

    def __init__(self, inputs: int, channels: int, kt: int, stride: int):
        super().__init__()
        width = channels // 4
        self.conv1 = nn.Conv3d(inputs, width, (kt, 1, 1), padding=(kt // 2, 0, 0), bias=False)
        self.conv2 = nn.Conv3d(
            width, width, (1, 3, 3), stride=(1, stride, stride), padding=(0, 1, 1), bias=False
        )
        self.conv3 = nn.Conv3d(width, channels, 1, bias=False)
        self.bn1, self.bn2, self.bn3 = (nn.BatchNorm3d(c) for c in (width, width, channels))
        shortcut = nn.Conv3d(inputs, channels, 1, stride=(1, stride, stride), bias=False)
        self.downsample = nn.Sequential(shortcut, nn.BatchNorm3d(channels))

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        y = self.bn3(self.conv3(y))
        return (y + self.downsample(x)).relu()


# %% [markdown]
# With the library's weights copied over it gives what the library gives. (Where input and output have
# the same shape, the library's shortcut is the input itself.)

# %%
ours, library = Block(16, 32, kt=3, stride=2).eval(), Bottleneck(16, 32, 3, 2).eval()
ours.load_state_dict(library.state_dict())
x = torch.randn(2, 16, 4, 12, 12)
torch.testing.assert_close(ours(x), library(x))
print(tuple(x.shape), "→", tuple(ours(x).shape), " T stays, H and W are halved")

# %% [markdown]
# ## The whole network, from one definition
#
# A backbone is a stem and a list of stages. ResNet-50 has 3, 4, 6 and 3 blocks; ResNet-101 has 23 in
# the third stage. Only the last two stages look along time. *Meta* tensors have shapes and no
# numbers, so the full size costs nothing here: $T = 32$ frames of 224×224, $K = 174$ classes.

# %%
with torch.device("meta"):
    network, clip = ResNet3d("resnet50", 174).eval(), torch.empty(1, 3, 32, 224, 224)
x = network.relu(network.maxpool(network.bn1(network.conv1(clip))))
print(f"{'stem':8s} {'1×7×7, pool 1×3×3':22s} {tuple(x.shape[1:])}")
for number, stage in enumerate(BACKBONES["resnet50"].stages, start=1):
    x = getattr(network, f"layer{number}")(x)
    blocks = f"{stage.depth} × [{stage.temporal_kernel}×1×1, 1×3×3, 1×1×1]"
    print(f"layer{number}   {blocks:22s} {tuple(x.shape[1:])}")
    assert x.shape[2] == clip.shape[2]  # T is what it was
    if number == 3:
        print("         ── the attention point: f(x) is here ──")

# %% [markdown]
# Follow the second number: it is 32 all the way down. There is **no temporal stride**. Each of the 32
# feature maps at the attention point belongs to one frame, and so a weight for each of them can be
# read as a weight for a frame. A network that pooled over time could not offer that.
#
# The layers up to the attention point are the **feature extractor**; the last stage with its pooling
# and linear layer is the **perception branch**. The library's network can be called whole or in
# halves.
#
# "Belongs to one frame" has a limit. Each kernel of size $k_t$ reaches $(k_t - 1)/2$ frames to either
# side, and along the depth the reaches add up. Change one frame, and see which slices of $f$ change.
# Expected for frame 16: six blocks with $k_t = 3$, so slices 10 to 22 and not one more.


# %%
def reach(spec: Backbone) -> int:
    """Frames to either side that a slice of f sees, up to the attention point."""
    return spec.stem_kernel[0] // 2 + sum(
        s.depth * (s.temporal_kernel // 2) for s in spec.stages[:-1]
    )


for name, spec in BACKBONES.items():
    print(f"{name:9s} a slice of f sees {2 * reach(spec) + 1} frames")
r = reach(BACKBONES["resnet50"])
resnet50, noise = ResNet3d("resnet50", 174).eval(), torch.randn(1, 3, 32, 32, 32)
f = resnet50.features(noise)
torch.testing.assert_close(resnet50.perception(f), resnet50(noise))  # two halves make the whole
touched = noise.clone()
touched[:, :, 16] += 1
moved = (resnet50.features(touched) - f).abs().amax(dim=(0, 1, 3, 4)).nonzero().flatten()
print("slices that changed:", moved.tolist())
assert moved.tolist() == list(range(16 - r, 16 + r + 1))

# %% [markdown]
# So $M_t$ weighs the features *around* a frame. [Chapter 6](06_fusion.ipynb) measures what the
# neighbours of a frame still carry when its own weight is 0.
#
# ## What it costs
#
# A convolution uses every weight once at every place of its output, so its multiply–adds are weights
# × T·H·W. We count that way, layer by layer, and compare with the library's count.


# %%
def count_by_hand(network: nn.Module, clip: torch.Tensor) -> int:
    """Weights × places, summed over convolutions and linear layers."""
    counts = []

    def note(module, inputs, output):
        counts.append(module.weight.numel() * output[0, 0].numel())

    layers = [m for m in network.modules() if isinstance(m, nn.Conv3d | nn.Linear)]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    network(clip)
    for hook in hooks:
        hook.remove()
    return sum(counts)


with torch.device("meta"):
    clip = torch.empty(1, 3, 32, 224, 224)
assert count_by_hand(network, clip) == count_multiply_adds(network, clip)
print(f"ResNet-50, by hand and by the library: {count_by_hand(network, clip) / 1e9:.1f} G")

# %% [markdown]
# Now the four networks of the paper, beside the published architecture's reference figures.

# %%
reference = {  # millions of parameters, thousand millions of multiply–adds
    "3D ResNet-50": (lambda: ResNet3d("resnet50", 174), 32.0, 167),
    "3D ResNet-101": (lambda: ResNet3d("resnet101", 174), 59.9, 342),
    "ST-ABN, ResNet-50": (lambda: STABN("resnet50", 174, 32), 55.7, 309),
    "ST-ABN, ResNet-101": (lambda: STABN("resnet101", 174, 32), 83.6, 484),
}
for name, (make, millions, giga) in reference.items():
    with torch.device("meta"):
        model = make()
    counted = count_parameters(model) / 1e6, count_multiply_adds(model, clip) / 1e9
    print(f"{name:19s} {counted[0]:5.1f} M (ref. {millions})   {counted[1]:5.0f} G (ref. {giga})")
    assert abs(counted[0] / millions - 1) < 0.01
    assert abs(counted[1] / giga - 1) < 0.01

# %% [markdown]
# The attention branch nearly doubles the arithmetic of ResNet-50, as it runs a copy of the last stage
# at twice the resolution ([chapter 8](08_st_abn.ipynb) has the parts).
#
# ## Inflation: begin with pictures
#
# Millions of labelled pictures have been seen by 2-D ResNets. Their weights can be used: repeat each
# kernel $k_t$ times along time and divide by $k_t$,
#
# $$ w_{3D}[\,\cdot,\cdot,\tau,\cdot,\cdot\,] = w_{2D}\,/\,k_t \qquad \tau = 1 \ldots k_t. $$
#
# On a video in which nothing moves, the sum over $\tau$ gives the 2-D answer back.


# %%
def inflate_by_hand(kernel, kt):
    """(O, I, h, w) → (O, I, kt, h, w)."""
    return torch.stack([kernel / kt] * kt, dim=2)


kernel = torch.randn(8, 4, 3, 3)
torch.testing.assert_close(inflate_by_hand(kernel, 3), inflate(kernel, 3))
picture = torch.randn(1, 4, 10, 10)
still = picture[:, :, None].expand(-1, -1, 7, -1, -1)  # seven frames, all the same
flat = F.conv2d(picture, kernel, padding=1)
deep = F.conv3d(still, inflate(kernel, 3), padding=1)
torch.testing.assert_close(deep[:, :, 3], flat)
print("largest difference in the middle frame:", f"{(deep[:, :, 3] - flat).abs().max():.1e}")
print("largest difference in the first frame: ", f"{(deep[:, :, 0] - flat).abs().max():.1f}")

# %% [markdown]
# The middle frame is right. The first and the last are not: beyond the clip lie zeros, so a third of
# the sum is missing there. How far does this reach in a whole network? Every $3\times1\times1$
# convolution carries it one frame further. We count on a small pair of networks: one with kernels of
# one frame (in effect 2-D), and one inflated from it with three such convolutions.


# %%
def pair(temporal_kernel):
    stages = (Stage(1, 16, 1, 1), Stage(3, 24, temporal_kernel, 2), Stage(1, 32, 1, 2))
    return Backbone(stem_channels=8, stem_kernel=(1, 7, 7), stages=stages)


BACKBONES["one frame"], BACKBONES["three frames"] = pair(1), pair(3)
one, three = ResNet3d("one frame", 5).eval(), ResNet3d("three frames", 5).eval()
flat_weights = {k: v.squeeze(2) if v.dim() == 5 else v for k, v in one.state_dict().items()}
load_inflated(three, flat_weights)  # a state dict as a 2-D network would have it
frame = torch.randn(1, 3, 1, 48, 48)
expected = one.features(frame)[:, :, 0]
found = three.features(frame.expand(-1, -1, 12, -1, -1))
off = [(found[:, :, t] - expected).abs().max().item() for t in range(12)]
right = [t for t in range(12) if off[t] < 1e-4]
print("frames that equal the picture's features:", right)
assert right == list(range(3, 9))  # three convolutions: three frames from each end are wrong


# %% tags=["hide-input"]
@styled
def edges_figure(off) -> Sheet:
    """Difference from the 2-D network, frame by frame."""
    sheet = Sheet(2.3, layout="constrained")
    axes = sheet.subplots()
    axes.plot(range(len(off)), off, color="#1f4e79", linestyle=LINES[0], marker=MARKERS[0])
    axes.axvspan(2.5, 8.5, facecolor="#e4e3da", hatch="///", edgecolor="#8b9199", linewidth=0)
    axes.text(5.5, max(off) * 0.5, "equal to the picture", ha="center", backgroundcolor="white")
    axes.set(xlabel="frame of a still clip", ylabel="largest difference")
    return sheet


# %%
#| fig-alt: Difference from the picture network: zero in the middle frames, large at both ends
edges_figure(off)

# %% [markdown]
# The largest difference between the inflated network's features on a still clip and the 2-D network's
# features on the picture, for each of twelve frames. It is zero in the hatched middle and grows
# towards both ends. ResNet-50 has six 3×1×1 convolutions before the attention point, so of 32 frames
# the middle 20 are exact.
#
# This is one more reason why $M_t$ knows about *position*: frames near the ends look different to the
# network even when nothing moves.
#
# ## Forwards and backwards
#
# A last known truth. A network whose kernels see one frame, followed by an average over time, cannot
# tell a clip from the same clip played backwards. One with three-frame kernels can.

# %%
clip = torch.randn(1, 3, 12, 48, 48)
for name, network in {"one frame": one, "three frames": three}.items():
    change = (network(clip) - network(clip.flip(2))).abs().max()
    print(f"kernels of {name:12s}  the answer changes by {change:.1e}")
torch.testing.assert_close(one(clip), one(clip.flip(2)), atol=1e-5, rtol=1e-4)

# %% [markdown]
# Inflated kernels are symmetric in time, $(\tfrac13, \tfrac13, \tfrac13)$, so at the start even the
# three-frame network feels no direction: its answer does not change either. Direction is something
# that it must *learn*. Give its kernels a direction, and it does:

# %%
directed = ResNet3d("three frames", 5).eval()  # kernels drawn at random are not symmetric
change = (directed(clip) - directed(clip.flip(2))).abs().max()
print(f"kernels with a direction: the answer changes by {change:.2f}")
assert change > 1e-3

# %% [markdown]
# ## The small network of this book
#
# A laptop cannot train ResNet-50 on video, and a small set cannot either. Our small backbone has the
# same parts and one liberty: its very first convolution spans three frames. From scratch and on few
# clips, a network that sees no motion until its third stage did not learn.
#
# The **stem** is a 3×5×5 convolution with stride 2 in space, BN, ReLU, and a 1×3×3 max-pooling with
# stride 2. A **block** of the first two stages is one convolution of the temporal kernel × 3×3, BN and
# ReLU, without a shortcut. The last stage is a bottleneck as above; pooling and one more BN follow, then
# dropout and the linear layer. A clip of 16 × 56² becomes an $f$ of 32 × 16 × 14².

# %%
small = BACKBONES["small"]
print("stem", small.stem_kernel, small.stem_channels, "channels")
for stage in small.stages:
    print(stage)
with torch.no_grad():
    print("f", tuple(ResNet3d("small", 14).features(torch.zeros(1, 3, 16, 56, 56)).shape))
print(f"{count_parameters(ResNet3d('small', 14)):,} parameters")

# %% [markdown]
# ## What we learned
#
# - A kernel that spans frames can answer to motion alone; one that spans a single frame cannot.
# - The slow pathway splits 3-D convolution into time, space and channels, and never strides in time:
#   at the attention point every feature map still belongs to one frame.
# - Inflated 2-D weights give the picture's answer on a still clip, away from its ends.
# - Inflated kernels have no sense of direction until they are trained.

# %% [markdown]
# ## Questions
#
# **Question 1.** The backbone has no stride in time. What does attention gain from that?
#
# 1. It saves arithmetic.
# 2. Each feature map depends on one frame alone.
# 3. Each feature map belongs to one frame.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: it costs some: with a stride there would be fewer feature maps.
# 2. No: kernels of size 3 in time reach to the neighbours, stride or not.
# 3. **Right:** there are as many maps as frames, so that a weight for a map can be read as a weight
#    for a frame.
#
# </details>
#
# **Question 2.** Kernels of a picture network were inflated, and not yet trained. The network ends
# in a mean over time. You play a clip backwards. What does it answer?
#
# 1. The same: the new kernels are symmetric in time.
# 2. Something else: its kernels span three frames.
# 3. The same, and so it will stay after training: a mean forgets order.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** three equal weights do not tell before from after. Training must give them a
#    direction.
# 2. No: they span them with equal weights, $(\frac13, \frac13, \frac13)$, and so add the same
#    numbers.
# 3. No: the mean forgets the order of *features*. Kernels with a direction give a reversed clip
#    other features.
#
# </details>
#
# **Question 3.** A clip repeats one picture. Where do the inflated network's features differ from
# those of the picture network?
#
# 1. Nowhere: the weights of a kernel add up to the old one.
# 2. Near both ends of the clip.
# 3. A little everywhere.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: only where all of the kernel lies within the clip.
# 2. **Right:** beyond the ends lie zeros, so a part of the sum is missing there, one frame further
#    with each convolution.
# 3. No: in the middle they are exactly equal.
#
# </details>
#
# **Question 4.** Four convolutions of size 3×1×1 follow one another, with stride 1. How many frames
# of the clip can one slice of the result depend on?
#
# <details class="answers"><summary>The answer</summary>
#
# **9**, that is `1 + 4 * 2`: the frame itself, and one more on each side for each convolution.
#
# - **12:** kernels overlap: each convolution after the first brings two *new* frames, not three.
# - **5:** they reach to both sides, before and after.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** Frames of 3×1×1 kernels are counted above. Up to the attention point ResNet-101 has 23 of
# them. In how many of 32 frames is its inflated answer exact?

# %% tags=["hide-cell"]
exact = [t for t in range(32) if 23 <= t <= 31 - 23]
print(f"{len(exact)} frames: with 23 convolutions the zeros of one end reach beyond the other's")

# %% [markdown]
# **2.** How many multiply–adds does a full 3×3×3 convolution need, against 3×1×1 followed by 1×3×3,
# with 64 channels in and out?

# %% tags=["hide-cell"]
full, split = 64 * 64 * 27, 64 * 64 * (3 + 9)
print(f"{full:,} against {split:,} for each output number: {full / split:.2f} times as many")

# %% [markdown]
# **3.** Design weights of a 3×1×1 kernel that answers to *acceleration* and is silent for a value
# that grows steadily.

# %% tags=["hide-cell"]
acceleration = torch.tensor([1.0, -2.0, 1.0]).view(1, 1, 3, 1, 1)
steady = torch.arange(7.0).view(1, 1, 7, 1, 1)
print("steady:  ", F.conv3d(steady, acceleration).flatten().numpy())
print("squares: ", F.conv3d(steady**2, acceleration).flatten().numpy())
assert np.allclose(F.conv3d(steady, acceleration), 0)

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
# # 20. What it costs
#
# *Hardware: any laptop, one CPU core, about 20 seconds.*
#
# **The question.** Attention nearly doubles the arithmetic of a ResNet-50. Does it double the time? What
# does a layer's time depend on: on the numbers it computes, or on those it moves?

# %% tags=["hide-input"]
import time
from statistics import median

import torch
from IPython.display import HTML, Markdown
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from stabn.figures.sheet import COLOURS, INK, MARKERS, Sheet, styled
from stabn.models.resnet3d import Bottleneck, ResNet3d, count_multiply_adds
from stabn.models.st_abn import STABN
from stabn.tables.cost import gpu_table
from stabn.tables.html import table
from stabn.tables.kinds import kinds_table
from stabn.tables.targets import targets_in_words, targets_table
from stabn.tables.work import PEAKS, SHARE, projected, works

_ = torch.manual_seed(0)
_ = torch.set_num_threads(1)
_ = torch.set_grad_enabled(False)

# %% [markdown]
# ## Counting
#
# A convolution uses each of its weights once at each place of its output. So its multiply–adds are
#
# $$ M = \underbrace{C_\text{out}\, C_\text{in}\, k_t k_h k_w}_{\text{weights}} \cdot
# \underbrace{T H' W'}_{\text{places}}, $$
#
# and one multiply–add is two floating-point operations (FLOP). Here is a block of the stage before the
# attention point, on eight frames. By hand, and by the library's counter:


# %%
def multiply_adds(weight: torch.Tensor, output: torch.Tensor) -> int:
    """Weights × places, of a batch of one."""
    return weight.numel() * output[0, 0].numel()


block = Bottleneck(1024, 1024, temporal_kernel=3, stride=1).eval()
x = torch.randn(1, 1024, 8, 14, 14)  # (N, C, T, H, W)
places = 8 * 14 * 14
by_hand = {"conv1": 256 * 1024 * 3 * places, "conv2": 256 * 256 * 9 * places}
by_hand["conv3"] = 1024 * 256 * places
inner = x
for name, expected in by_hand.items():
    layer = getattr(block, name)
    output = layer(inner)
    counted = multiply_adds(layer.weight, output)
    assert expected == counted == count_multiply_adds(layer, inner)
    print(f"{name} {'×'.join(map(str, layer.kernel_size))}: {counted / 1e9:.2f} G multiply–adds")
    inner = output

# %% [markdown]
# And the whole of ST-ABN-50, on tensors that have shapes and no numbers. Its four parts must add up to
# what the counter finds for the network.

# %%
with torch.device("meta"):
    network, plain = STABN("resnet50", 174, 32).eval(), ResNet3d("resnet50", 174).eval()
    clip, m_s, m_t = (
        torch.empty(1, 3, 32, 224, 224),
        torch.empty(1, 1, 32, 14, 14),
        torch.ones(1, 32),
    )
f = network.features(clip)
last = network.backbone.layer4
parts = {
    "feature extractor": count_multiply_adds(nn.Sequential(*network.extractor_modules()), clip),
    "attention branch": count_multiply_adds(network.attention_branch, f),
    "fusion": count_multiply_adds(network.fusion, f, m_s, m_t),
    "perception branch": count_multiply_adds(last, f) + 2048 * 174,
}
whole = count_multiply_adds(network, clip)
assert sum(parts.values()) == whole
for name, count in parts.items():
    print(f"{name:18s} {2 * count / 1e9:5.0f} GFLOP  {count / whole:4.0%}")
print(f"with attention / without: {whole / count_multiply_adds(plain, clip):.2f}")

# %% [markdown]
# The branch is a copy of the last stage at twice the resolution: four times its places, and more than
# three times its arithmetic.
#
# ## The roofline
#
# A processor can do two things: compute, at most $R$ FLOP a second, and move numbers between itself and
# memory, at most $W$ bytes a second. At best it does both at once. So a layer of $2M$ FLOP that moves $B$
# bytes takes
#
# $$ t \;\ge\; \max\!\left(\frac{2M}{R},\; \frac{B}{W}\right). $$
#
# Which of the two it is depends on the layer's **intensity** $I = 2M/B$, in FLOP a byte. Where
# $I > R/W$ the arithmetic is what one waits for, else the memory. This is the *roofline model* (Williams,
# Waterman and Patterson, 2009). Both limits can be measured: $R$ by a product of large matrices, $W$ by a
# copy of 64 MiB. We take the CPU time of one thread, which other programs change little.


# %%
def seconds(call) -> float:
    """CPU time of a call, the best of five: what disturbs it only ever adds."""
    call()
    taken = []
    for _ in range(5):
        begun = time.process_time()
        call()
        taken.append(time.process_time() - begun)
    return min(taken)


(a, b), (source, copied) = torch.randn(2, 768, 768), torch.zeros(2, 2**24)
products = [(a, b), tuple(torch.randn(2, 1536, 1536))]
R = max(2 * len(p) ** 3 / seconds(lambda p=p, q=q: p @ q) for p, q in products)  # FLOP/s
W = 2 * source.nbytes / seconds(lambda: copied.copy_(source))  # bytes/s: read, and written
print(f"one core: R = {R / 1e9:.0f} GFLOP/s, W = {W / 1e9:.1f} GB/s, R/W = {R / W:.0f} FLOP a byte")

# %% [markdown]
# Two intensities are known without a machine. An addition of two tensors reads two numbers and writes
# one, twelve bytes for one FLOP. A product of $n \times n$ matrices does $2n^3$ FLOP on $3n^2$ numbers: the
# larger, the better. Each number that is read is used $n$ times.


# %%
def intensity(flop: float, *tensors: torch.Tensor) -> float:
    """FLOP a byte, if each tensor is moved once."""
    return flop / sum(tensor.nbytes for tensor in tensors)


n = 768
product = a @ b
assert intensity(n * n, a, b, product) == 1 / 12
assert intensity(2 * n**3, a, b, product) == n / 6
print(f"an addition: {1 / 12:.3f} FLOP a byte; a product of {n}×{n} matrices: {n / 6:.0f}")

# %% [markdown]
# Now the block, one operation after the other. For each: its FLOP, the bytes of input, weights and
# output, the floor under its time, and the time it takes here. BN in evaluation multiplies and adds once
# for each number, ReLU and the shortcut's addition do one operation.


# %%
def operation(name: str, call, x, flop: float, *weights) -> tuple:
    """Name, FLOP, intensity, floor and time in ms; and what comes out."""
    y = call(x)
    i = intensity(flop, x, y, *weights)
    return name, flop, i, 1e3 * max(flop / R, flop / i / W), 1e3 * seconds(lambda: call(x)), y


done, y = [], x.contiguous(memory_format=torch.channels_last_3d)
for number in (1, 2, 3):
    conv, bn = getattr(block, f"conv{number}"), getattr(block, f"bn{number}")
    work = 2 * count_multiply_adds(conv, y)
    done.append(operation(f"conv{number}", conv, y, work, conv.weight))
    done.append(operation(f"bn{number}", bn, done[-1][-1], 2 * done[-1][-1].numel()))
    if number == 3:
        done.append(operation("add", lambda y: y + x, done[-1][-1], done[-1][-1].numel(), x))
    done.append(operation(f"relu{number}", torch.relu, done[-1][-1], done[-1][-1].numel()))
    y = done[-1][-1]
torch.testing.assert_close(y, block(x))  # step by step it is the block

# %%
head = ["Operation", "MFLOP", "FLOP a byte", "Floor, ms", "Here, ms"]
rows = [
    [name, f"{flop / 1e6:,.1f}", f"{i:.2f}", f"{floor:.2f}", f"{ms:.2f}"]
    for name, flop, i, floor, ms, _ in done
]
HTML(table("One block on 8×14×14, counted and timed on this machine", head, rows, text_columns=1))


# %% tags=["hide-input"]
@styled
def roofline(done, rate: float, bandwidth: float) -> Sheet:
    """GFLOP/s of each operation over its intensity, below the two limits."""
    sheet = Sheet(3.0, layout="constrained")
    axes = sheet.subplots()
    at = torch.logspace(-1.5, 3, 100)
    roof = (at * bandwidth).clamp(max=rate)
    axes.plot(at, roof / 1e9, color=INK, label="the roof: min(R, I·W)")
    kinds = {"conv": "convolution", "bn": "BN", "relu": "ReLU", "add": "addition"}
    for number, (kind, words) in enumerate(kinds.items()):
        mine = [one for one in done if one[0].startswith(kind)]
        speeds = [flop / ms / 1e6 for _, flop, _, _, ms, _ in mine]
        looks = {"color": COLOURS[number], "marker": MARKERS[number], "ls": "none"}
        axes.plot([one[2] for one in mine], speeds, label=words, **looks)
    axes.set(
        xscale="log", yscale="log", xlabel="intensity, FLOP a byte", ylabel="GFLOP/s, one core"
    )
    sheet.legend(loc="outside right upper")
    return sheet


# %%
#| fig-alt: A roof that rises, then is level. Convolutions lie right, near the level part; all else left
roofline(done, R, W)

# %% [markdown]
# Each point is one operation of the block. Along the slope lie those that wait for memory, under the level
# roof those that could use the whole arithmetic unit. A point above the slope, or a time below its floor, is no error: a
# tensor that still lies in a cache need not come from memory. Nor is one a little above the level part: $R$ is what our
# products reached, and another kernel may do better. A point far below the roof is what can be mended by
# better code, and the roof itself only by another machine.

# %%
flop, took = ({one[0]: one[k] for one in done} for k in (1, 4))
convolutions = [name for name in flop if name.startswith("conv")]
shares = [sum(of[name] for name in convolutions) / sum(of.values()) for of in (flop, took)]
print(f"the convolutions do {shares[0]:.1%} of the FLOP, in {shares[1]:.0%} of the time")
assert shares[0] > 0.99  # all else is hardly any arithmetic

# %% [markdown]
# ## What attention costs
#
# So there are two things to count: multiply–adds, and the numbers that all layers write. They need not
# grow alike. We count both with attention and without, for the small network of this book and for
# ResNet-50.


# %%
def written(network: nn.Module, clip: torch.Tensor) -> int:
    """How many numbers the layers of a network put out, all together."""
    counts = []

    def note(module, inputs, output):
        counts.append(output.numel())

    layers = [m for m in network.modules() if not [*m.children()]]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    network(clip)
    for hook in hooks:
        hook.remove()
    return sum(counts)


cases = {"small": (14, (1, 3, 16, 56, 56)), "resnet50": (174, (1, 3, 4, 64, 64))}
networks, ratios = {}, {}
for name, (classes, shape) in cases.items():
    clip = torch.randn(shape)  # (N, 3, T, H, W)
    pair = STABN(name, classes, shape[2]).eval(), ResNet3d(name, classes).eval()
    arithmetic, numbers = ([f(n, clip) for n in pair] for f in (count_multiply_adds, written))
    networks[name], ratios[name] = (clip, *pair), [a / b for a, b in (arithmetic, numbers)]
    told = "arithmetic × {:.2f}, numbers written × {:.2f}".format(*ratios[name])
    print(f"{name:9s}clip {shape[2]}×{shape[3]}²: {told}")
assert ratios["small"][0] < ratios["small"][1]
assert ratios["resnet50"][0] > ratios["resnet50"][1]

# %% [markdown]
# They go apart in opposite ways. In the small network attention is little arithmetic, spread over large
# maps: the branch's stage runs at twice the resolution, on few channels. In ResNet-50 it is much
# arithmetic on small maps: 2048 channels at 14×14 places of a full-size clip, while the largest maps are
# those near the stem, which both networks have.
#
# The time should lie between the two ratios: nearer to that of the numbers where a machine computes quickly and moves
# slowly (a large $R/W$), else nearer to that of the arithmetic. To compare times, both networks run *in turns* and in one process, so that whatever else the machine does
# falls on both. The ratio is taken turn by turn; we show the median and the range.


# %%
def in_turns(clip, ours, peer, turns: int = 5) -> list[float]:
    """Time of ours over that of its peer, in each turn, sorted."""
    found = []
    for turn in range(turns + 1):
        taken = []
        for network in (ours, peer):
            begun = time.process_time()
            network(clip)
            taken.append(time.process_time() - begun)
        found += [taken[0] / taken[1]] * (turn > 0)  # the first one warms up
    return sorted(found)


rows = []
for name, case in networks.items():
    times = in_turns(*case)
    said = f"{median(times):.2f} ({times[0]:.2f} to {times[-1]:.2f})"
    rows.append([name, *(f"{ratio:.2f}" for ratio in ratios[name]), said])
head = ["Network", "Arithmetic", "Numbers written", "Time, on this machine"]
HTML(table("Forward pass with attention / without, on the clips above", head, rows, text_columns=1))

# %% [markdown]
# If your time is outside both ratios, look at the range first: where it is wide, something else was at work.
#
# ## Beside a peer
#
# A time alone says little: machines differ tenfold. A ratio to somebody else's network, in the same run,
# travels better. So we set targets for the library's speed before it was made quick. The peer is pytorchvideo's
# `slow_r50` as it comes: the same ResNet-50, with the same number of weights, and without attention.
# `python -m benchmarks` measures what stands here, with a product of matrices before and after each sample. One that
# is slow says that something else had the cores, and that turn is left out; where fewer than five turns are left,
# nothing is decided.

# %%
HTML(targets_table())

# %%
Markdown(targets_in_words())

# %% [markdown]
# A value links to its record, which has the machine, the versions and the commit. *8×112²* is a clip of 8 frames of
# 112×112 pixels. *AVX2* and *AVX-512* are instructions that compute on 8 and on 16 numbers at once; some processors
# multiply in bf16, numbers of half the bytes, as well. *BN folded* says that BN stands in the weights of the convolution
# before it, as it does where the library evaluates; exercise 3 does it by hand. `share` is the roofline once more, for a
# whole network: what ST-ABN-50 computes in a second, over $R$. `finetune_cached` is a step of fine-tuning that reads the
# features before the attention branch from a file, over one of the whole network.
#
# Of what misses its target: where its time goes, and what would have to become how much quicker. A part
# that *alone cannot do it* could take no time at all, and the target would still be missed.

# %%
HTML(kinds_table())

# %% [markdown]
# ## On a GPU
#
# A GPU has another $R/W$. With the figures that NVIDIA publishes, we can say where the block's operations
# would lie, and how many clips a second the arithmetic alone would allow. These are *bounds*, not
# measurements.

# %%
BANDWIDTH = {"A100": 2.039, "H100": 3.35}  # TB/s, as NVIDIA publishes them (SXM cards, 80 GB)
st_abn = next(w for w in works() if w.names[:2] == ["ST-ABN", "ResNet-50"])
for card, peak in PEAKS.items():
    ridge = peak / BANDWIDTH[card]
    # in bf16 a number has two bytes instead of four: every intensity doubles
    below = sum(2 * i < ridge for _, _, i, _, _, _ in done)
    print(
        f"{card}: R/W = {ridge:.0f} FLOP a byte; {below} of {len(done)} operations wait for memory"
    )
    ceiling, likely = (projected(st_abn, card, share) for share in (1.0, SHARE))
    told = f"at most {ceiling:.0f} clips/s, at {SHARE:.0%} of R {likely:.0f}"
    print(f"      R = {peak:.0f} TFLOP/s in bf16; training ST-ABN-50 on 32×224²: {told}")

# %% [markdown]
# A fifth of $R$ is our guess of what a training step reaches, and no more. Where arithmetic is so quick, everything between
# the convolutions counts, and so do bytes: hence bf16,
# channels last in memory, and compilers that join BN, ReLU and the addition into one pass. How much of it
# is true, only a measurement tells. `make gpu` makes one: five ways to run a training step of ResNet-50
# and ResNet-101, with attention and without, one of them fed by videos that are decoded meanwhile. It begins
# nothing new after nine minutes, goes on where it stopped, and leaves a file of a few kilobytes.

# %%
HTML(gpu_table())

# %% [markdown]
# ## What we learned
#
# - Arithmetic is counted: weights × places. Time is not: it has two floors, one of arithmetic and one of
#   bytes.
# - Convolutions are nearly all of the FLOP. BN, ReLU and additions are nearly none, and yet take time: they wait
#   for bytes, from memory or from a cache.
# - Attention costs ResNet-50 more arithmetic than traffic, and the small network more traffic than
#   arithmetic. The time lies between: ResNet-50's does not double (`attention_cost`).
# - Some of our targets of speed are met, and most are not: the line below their table counts them.
# - A time says something beside another time, taken in turns in the same run.

# %% [markdown]
# ## Questions
#
# **Question 1.** A machine has $R/W$ = 20 FLOP a byte, and a layer 5 FLOP a byte. You replace it by one
# with half the multiply–adds that moves as many bytes. How much sooner is it done, at best?
#
# 1. In half of the time.
# 2. In nearly the same time.
# 3. In a quarter of the time.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: it would be, if arithmetic were what it waits for, above 20 FLOP a byte.
# 2. **Right:** it waits for memory, and the bytes have stayed.
# 3. No: the ratio of 20 and 5 says only how much of the arithmetic unit it can use.
#
# </details>
#
# **Question 2.** Attention adds 85 % to ResNet-50's arithmetic and only about a quarter to the numbers
# that are written. Why?
#
# 1. It works on few places with very many channels: each number is used often.
# 2. Its maps are in [0, 1] and take fewer bytes.
# 3. It does not have to write anything that the backbone has written.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** the largest maps are those near the stem, and they are the same with attention and without.
# 2. No: a float has four bytes, whatever its value.
# 3. No: a layer writes what it computes; the branch has layers of its own.
#
# </details>
#
# **Question 3.** Two networks are timed, one after the other, ten times each. While the second one runs,
# the machine makes a backup. What helps?
#
# 1. The median of each, as it leaves single slow runs out.
# 2. More runs of each.
# 3. Running them in turns, and the ratio turn by turn.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: all of the second network's runs are slow, the median too.
# 2. No: as long as they run one after the other, load may fall on one of them alone.
# 3. **Right:** the backup falls on both, and a turn that it begins in is one among many.
#
# </details>
#
# **Question 4.** A 1×1×1 convolution from 256 to 64 channels works on 8×28×28 places. How many million
# multiply–adds are that?
#
# <details class="answers"><summary>The answer</summary>
#
# **103**, that is `256 * 64 * 8 * 28 * 28 / 1e6`: 16,384 weights, each used at 6,272 places.
#
# - **206:** these are FLOP: a multiply–add is two of them.
# - **13:** this is one frame; there are eight.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** A training step is said to cost three forward passes: the gradient with respect to the weights is
# as large a product as the forward pass, and so is that with respect to the input. Count it. Where does the
# difference from 3 come from?

# %% tags=["hide-cell"]
with torch.device("meta"):
    network, clip = ResNet3d("resnet50", 174).train(), torch.empty(2, 3, 8, 64, 64)
with torch.enable_grad(), FlopCounterMode(display=False) as counter:
    network(clip).sum().backward()
steps = counter.get_total_flops() / 2 / count_multiply_adds(network, clip)
stem = multiply_adds(network.conv1.weight, network.conv1(clip)) * len(clip)
assert abs(3 - steps - stem / count_multiply_adds(network, clip)) < 1e-9
print(f"{steps:.3f}: the first layer needs no gradient of its input, the pixels")

# %% [markdown]
# **2.** A 1×1×1 convolution keeps $C$ channels on $P$ places, in fp32. From how many channels on does it
# wait for arithmetic rather than for memory, if $P$ is large? Work it out, then for this machine.

# %% tags=["hide-cell"]
# 2·C²·P FLOP on 2·4·C·P bytes, the weights being few: I = C/4, and C > 4·R/W
print(f"from about {4 * R / W:.0f} channels on")
many, C = torch.empty(1, 64, 32, 112, 112, device="meta"), 64
assert abs(intensity(2 * C * C * many[0, 0].numel(), many, many) - C / 4) < 1e-9

# %% [markdown]
# **3.** BN in evaluation is a multiplication and an addition for each channel, so it can be folded into
# the convolution before it: its scale into the weights, the rest into a bias. Do it for `conv1` and `bn1`,
# and see that the block's first two operations are one.

# %% tags=["hide-cell"]
bn = block.bn1
bn.running_mean.normal_(), bn.running_var.uniform_(0.5, 2.0), bn.weight.uniform_(0.5, 2.0)
scale = bn.weight / (bn.running_var + bn.eps).sqrt()
weight, bias = (
    block.conv1.weight * scale[:, None, None, None, None],
    bn.bias - bn.running_mean * scale,
)
folded = nn.functional.conv3d(x, weight, bias, padding=(1, 0, 0))
torch.testing.assert_close(folded, bn(block.conv1(x)), atol=1e-4, rtol=1e-4)
print(
    "one operation instead of two;",
    f"{folded.nbytes / 2**20:.1f} MiB less to write, and as many less to read",
)

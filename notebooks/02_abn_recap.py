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
# # 2. The attention branch network, on pictures
#
# *Any laptop, no GPU: about 70 seconds on two CPU cores.*
#
# **The question.** ST-ABN grew from the attention branch network (ABN; Fukui et al., 2019), which
# classifies pictures and draws a map of where it looked. The map takes part in the answer. How is it
# built, does it lie on the right place, and how much of the answer hangs on it?

# %% tags=["hide-input"]
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from matplotlib.patches import Rectangle
from scipy.stats import ttest_rel
from skimage import data
from skimage.transform import resize
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

from stabn.figures.sheet import COLOURS, LINES, MARKERS, SEQUENTIAL, Sheet, bare, styled
from stabn.losses import classification_loss
from stabn.metrics import mass_in_mask, pointing_game, topk_accuracy
from stabn.models.abn import ABN, BasicBlock

torch.set_num_threads(1)  # small tensors: a second thread would only wait

# %% [markdown]
# ## Pictures whose *where* is known
#
# To judge a map we must know the right place. So we make the pictures: a handwritten digit
# (scikit-learn's) on a photographed texture (scikit-image's brick, grass and gravel), among strokes
# that belong to no digit. The question is *which digit*. The truth about *where* is its box.

# %%
SIDE, BOX, K = 32, 12, 5  # picture and box in pixels; digits 0 to 4
digits = load_digits(n_class=K)
glyphs = np.stack([resize(image / 16, (BOX, BOX), order=1) for image in digits.images])
textures = [0.4 * texture / 255 for texture in (data.brick(), data.grass(), data.gravel())]
pixels = np.stack(np.mgrid[:SIDE, :SIDE], axis=-1)  # (H, W, 2)


# %%
def stroke(rng: np.random.Generator) -> np.ndarray:
    """A line 2 pixels thick at a random place: ink in [0, 1], (H, W)."""
    angle, length = rng.uniform(0, np.pi), rng.uniform(6, 12)
    start, along = rng.uniform(0, SIDE, 2), length * np.array([np.sin(angle), np.cos(angle)])
    share = np.clip((pixels - start) @ along / length**2, 0, 1)  # nearest point on the line
    distance = np.linalg.norm(pixels - start - share[..., None] * along, axis=-1)
    return np.clip(2 - distance, 0, 1)


def scene(rng: np.random.Generator, glyph: np.ndarray, columns: range):
    """One picture (H, W) in [0, 1] and its digit's box, bool (H, W)."""
    texture = textures[rng.integers(len(textures))]
    y, x = rng.integers(len(texture) - SIDE), rng.integers(columns.start, columns.stop - SIDE)
    ink = np.maximum(stroke(rng), stroke(rng))
    top, left = rng.integers(SIDE - BOX + 1, size=2)
    where = np.zeros((SIDE, SIDE), dtype=bool)
    where[top : top + BOX, left : left + BOX] = True
    ink[where] = glyph.ravel()
    picture = texture[y : y + SIDE, x : x + SIDE] * (1 - ink) + rng.uniform(0.8, 1) * ink
    return picture, where


# %% [markdown]
# Training and test share nothing: three quarters of the digits and of each texture's width are for
# training.


# %%
def make(n: int, digits_used: np.ndarray, columns: range, seed: int):
    """n scenes: pictures (N, 1, H, W) in [−1, 1], labels (N,), boxes bool (N, 1, H, W)."""
    rng = np.random.default_rng(seed)
    picked = rng.choice(digits_used, n)
    pictures, boxes = zip(*(scene(rng, glyphs[i], columns) for i in picked), strict=True)
    images = torch.from_numpy(np.stack(pictures)).float()[:, None] * 2 - 1
    return images, torch.from_numpy(digits.target[picked]), np.stack(boxes)[:, None]


order = np.random.default_rng(0).permutation(len(glyphs))
cut = len(order) * 3 // 4
images, labels, _ = make(1536, order[:cut], range(0, 384), seed=1)
test_images, test_labels, boxes = make(500, order[cut:], range(384, 512), seed=2)
print("training", tuple(images.shape), " test", tuple(test_images.shape), " boxes", boxes.shape)
print(f"the box is {boxes.mean():.1%} of a picture; guessing the digit is right in {1 / K:.0%}")


# %% tags=["hide-input"]
def outline(axes, box, colour="white"):
    """The truth box, as a dashed line, on axes in pixels of the picture."""
    rows, columns = np.nonzero(box)
    corner = (columns.min() - 0.5, rows.min() - 0.5)
    frame = Rectangle(corner, BOX, BOX, fill=False, ec=colour, ls="--", lw=1.2)
    axes.add_patch(frame)


@styled
def scenes_figure(images, labels, boxes) -> Sheet:
    """Pictures in a row, each with its truth box and digit."""
    sheet = Sheet(1.5, layout="constrained")
    for axes, image, label, box in zip(
        sheet.subplots(1, len(images)), images, labels, boxes, strict=True
    ):
        bare(axes).imshow(image[0], cmap="gray", vmin=-1, vmax=1)
        outline(axes, box[0])
        axes.set_title(f"digit {label}")
    return sheet


# %%
#| fig-alt: Six synthetic pictures; in each a dashed box marks the digit among other strokes
scenes_figure(test_images[:6], test_labels[:6], boxes[:6])

# %% [markdown]
# Six test pictures. The network never sees the dashed box. The strokes are at least as bright as the
# digit, so brightness does not say where to look.
#
# ## The network
#
# Cut a residual network before its last stage. The first part, the *feature extractor*, gives the
# features $f(x)$; the last stage is the *perception branch*. Between them stands the **attention
# branch**: a copy of the last stage that keeps the resolution, then batch normalisation, a 1×1
# convolution to one map a class, batch normalisation and ReLU. From these K maps $h$ one head makes
# class logits, another the attention map $M$.


# %%
class OpenBranch(nn.Module):
    """f (N, C, H', W') → attention logits (N, K), M (N, 1, H', W') in (0, 1)."""

    def __init__(self, channels: int, last: int, num_classes: int):
        super().__init__()
        self.attention_stage = BasicBlock(channels, last, stride=1)
        self.to_classes = nn.Sequential(
            nn.BatchNorm2d(last),
            nn.Conv2d(last, num_classes, kernel_size=1, bias=False),
            nn.BatchNorm2d(num_classes),
            nn.ReLU(),
        )
        self.class_conv = nn.Conv2d(num_classes, num_classes, kernel_size=1, bias=False)
        self.map_conv = nn.Conv2d(num_classes, 1, kernel_size=3, padding=1, bias=False)
        self.map_bn = nn.BatchNorm2d(1)

    def forward(self, f):
        h = self.to_classes(self.attention_stage(f))  # (N, K, H', W')
        logits = self.class_conv(h).mean(dim=(2, 3))  # global average pooling: (N, K)
        return logits, torch.sigmoid(self.map_bn(self.map_conv(h)))


# %% [markdown]
# (The paper draws a 1×1 kernel for the map; its authors' code has this 3×3.)
#
# The **attention mechanism** weights the features with the map: the spatial half of ST-ABN's
# equation (1), for one picture.
#
# $$ f'(x) = (1 + M(x)) \cdot f(x) $$
#
# Where $M = 0$ a feature passes unchanged, where $M = 1$ it is doubled. Nothing is removed.


# %%
class OpenABN(nn.Module):
    """Images (N, 1, H, W) → logits (N, K), attention logits (N, K), M (N, 1, H', W')."""

    def __init__(self, num_classes: int, channels: tuple[int, int, int]):
        super().__init__()
        first, second, last = channels
        self.stem = nn.Sequential(
            nn.Conv2d(1, first, 3, padding=1, bias=False), nn.BatchNorm2d(first), nn.ReLU()
        )
        blocks = BasicBlock(first, first, stride=2), BasicBlock(first, second, stride=2)
        self.extractor = nn.Sequential(*blocks)
        self.branch = OpenBranch(second, last, num_classes)
        self.perception_stage = BasicBlock(second, last, stride=2)
        self.fc = nn.Linear(last, num_classes)

    def forward(self, image):
        f = self.extractor(self.stem(image))  # (N, C, H/4, W/4)
        attention_logits, m = self.branch(f)
        weighted = (1 + m) * f  # the attention mechanism
        g = self.perception_stage(weighted)  # (N, C', H/8, W/8)
        return self.fc(g.mean(dim=(2, 3))), attention_logits, m


# %% [markdown]
# The loss is ST-ABN's equation (4), a cross-entropy for each branch's answer.
#
# $$ \mathcal{L}(x_i) = \mathcal{L}_{att}(x_i) + \mathcal{L}_{per}(x_i) \tag{4} $$


# %%
def open_loss(logits, attention_logits, labels):
    """Two cross-entropies, equally weighted."""
    return cross_entropy(attention_logits, labels) + cross_entropy(logits, labels)


# %% [markdown]
# Is this the library's ABN? Copy its weights over and compare.

# %%
CHANNELS = (8, 16, 32)
torch.manual_seed(0)
library, opened = ABN(K, CHANNELS, in_channels=1), OpenABN(K, CHANNELS)
theirs = library.state_dict()
opened.load_state_dict({name: theirs[name.removeprefix("branch.")] for name in opened.state_dict()})
assert len(opened.state_dict()) == len(theirs)  # every weight has been copied

# %%
for network in (library, opened):
    logits, attention_logits, m = network(images[:32])
    open_loss(logits, attention_logits, labels[:32]).backward()
torch.testing.assert_close(opened(images[:32]), tuple(library(images[:32])))
torch.testing.assert_close(
    open_loss(*opened(images[:32])[:2], labels[:32]),
    classification_loss(*library(images[:32])[:2], labels[:32]).total,
)
for name, parameter in opened.named_parameters():
    torch.testing.assert_close(
        parameter.grad, library.get_parameter(name.removeprefix("branch.")).grad
    )
print("logits", tuple(logits.shape), " attention logits", tuple(attention_logits.shape))
print("M", tuple(m.shape), " for pictures", tuple(images[:32].shape))
print("the open network equals the library's: outputs, loss and every gradient")

# %% [markdown]
# ## Training, in seconds
#
# Four kinds of network, each from the same three seeds (the same first weights, the same batches):
#
# - **plain**: extractor and perception branch only;
# - **ABN**: as above;
# - **M·f**: $f' = M \cdot f$, without the 1;
# - **no L_att**: ABN, without the attention branch's loss.


# %%
def plain_logits(model, images):
    """The network without attention: extractor, last stage, pooling, linear layer."""
    return model.fc(model.perception_stage(model.features(images)).mean(dim=(2, 3)))


def loss_of(arm: str, model, images, labels):
    """What each kind of network is trained on."""
    if arm == "plain":
        return cross_entropy(plain_logits(model, images), labels)
    out = model(images)
    marked = None if arm == "no L_att" else out.attention_logits
    return classification_loss(out.logits, marked, labels).total


# %%
def fit(arm: str, seed: int, model, epochs: int = 8, batch: int = 64, lr: float = 0.03):
    """Train one network in place; all randomness is in ``seed`` and the weights it starts from."""
    model.to(memory_format=torch.channels_last)  # the same numbers, quicker on a CPU
    optimizer = torch.optim.AdamW(model.parameters(), lr, weight_decay=0.05, fused=True)
    steps = epochs * (len(images) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, steps)
    rng = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for chosen in torch.randperm(len(images), generator=rng).split(batch):
            optimizer.zero_grad()
            loss_of(arm, model, images[chosen], labels[chosen]).backward()
            optimizer.step()
            schedule.step()
    return model.eval().requires_grad_(False)


# %%
ARMS, SEEDS = ("plain", "ABN", "M·f", "no L_att"), (0, 1, 2)
models = {}
for arm in ARMS:
    for seed in SEEDS:
        torch.manual_seed(seed)
        models[arm, seed] = ABN(K, CHANNELS, in_channels=1, residual=arm != "M·f")

with ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(1,)) as pool:
    list(pool.map(lambda run: fit(*run, models[run]), models))  # two networks at a time

# %% [markdown]
# 500 test pictures leave a standard error of about one percentage point in each accuracy.


# %%
def per_cent(values) -> str:
    """Mean ± standard deviation over seeds, then every seed."""
    values = 100 * np.asarray(values)
    each = "  ".join(f"{value:5.1f}" for value in values)
    return f"{values.mean():5.1f} ± {values.std(ddof=1):4.1f}   (each seed: {each})"


answers = {run: model(test_images) for run, model in models.items() if run[0] != "plain"}
logits = {run: out.logits for run, out in answers.items()}
logits |= {("plain", s): plain_logits(models["plain", s], test_images) for s in SEEDS}
accuracy = {arm: [topk_accuracy(logits[arm, s], test_labels, 1) for s in SEEDS] for arm in ARMS}
for arm in ARMS:
    print(f"{arm:9s} top-1, %: {per_cent(accuracy[arm])}")

# %% [markdown]
# ## Does the map lie on the digit?
#
# The network saw no boxes. Two measures, each with its chance level: the **pointing game** asks whether
# the peak of $M$ lies in the box; **mass in the mask** is the share of $M$'s sum inside it. First, maps
# whose score we know: the box itself, and a constant map.

# %%
cells = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(boxes).float(), 8)  # (N, 1, 8, 8)
for name, maps in (("the box itself", cells == 1), ("constant", torch.ones_like(cells))):
    pointing, mass = pointing_game(maps, boxes), mass_in_mask(maps, boxes)
    print(f"{name:15s} pointing {pointing.value:.3f} (chance {pointing.chance:.3f})", end="   ")
    print(f"mass {mass.value:.3f} (chance {mass.chance:.3f})")

# %% [markdown]
# Now the networks' own maps.

# %%
for arm in ARMS[1:]:
    for s in SEEDS:
        m = answers[arm, s].attention
        pointing, mass = pointing_game(m, boxes), mass_in_mask(m, boxes)
        print(
            f"{arm:9s} seed {s}: pointing {pointing.value:.2f} (chance {pointing.chance:.2f})  "
            f"mass {mass.value:.2f} (chance {mass.chance:.2f})  M from {m.min():.2f} to "
            f"{m.max():.2f}, mean {m.mean():.2f}"
        )

# %% [markdown]
# The peak finds the digit far more often than chance, but unevenly from seed to seed: the loss asks for
# right answers, and a map is only one way to them. Mass is closer to chance, because a sigmoid is never
# 0: most of $M$'s sum lies off the digit. Read a map by its peaks.
#
# ## CAM, the older relative
#
# Class activation mapping (CAM; Zhou et al., 2016) needs a network that ends in global average pooling
# (GAP) and *then* one linear layer. The two may change places. So the same weights $w$, applied at every
# place, give a map for every class $c$, whose mean and the bias are the logit:
#
# $$ \mathrm{CAM}_c(y, x) = \sum_k w_{c,k}\, g_k(y, x), \qquad
# \mathrm{logit}_c = b_c + \frac{1}{H W}\sum_{y,x} \mathrm{CAM}_c(y, x) $$


# %%
def cam(features, fc):
    """Last features g (N, C, H, W) and the linear layer after GAP → maps (N, K, H, W)."""
    return torch.einsum("kc,nchw->nkhw", fc.weight, features)


plain = models["plain", 0]
g = plain.perception_stage(plain.features(test_images))  # (N, C', 4, 4)
maps = cam(g, plain.fc)
torch.testing.assert_close(maps.mean(dim=(2, 3)) + plain.fc.bias, logits["plain", 0])
print("g", tuple(g.shape), "→ CAM", tuple(maps.shape), "; mean of CAM + bias = logits: yes")

# %% [markdown]
# ABN's branch is CAM the other way round: first the linear layer (the 1×1 convolution), then the
# pooling.

# %%
abn = models["ABN", 0]
h = abn.to_classes(abn.attention_stage(abn.features(test_images)))  # (N, K, 8, 8)
class_maps = abn.class_conv(h)  # (N, K, 8, 8)
pooled_first = h.mean(dim=(2, 3)) @ abn.class_conv.weight[:, :, 0, 0].T
torch.testing.assert_close(pooled_first, answers["ABN", 0].attention_logits)
print("h", tuple(h.shape), "; GAP then linear = linear then GAP: yes")

# %% [markdown]
# Three maps: CAM of the plain network, the class map of ABN's branch (both for the class that was
# answered), and $M$, which belongs to no class.


# %%
def of_answer(maps, logits):
    """The map of the class that was answered: (N, K, H, W) → (N, 1, H, W)."""
    return maps[torch.arange(len(maps)), logits.argmax(dim=1)][:, None]


def three_maps(seed: int) -> dict[str, torch.Tensor]:
    """CAM (plain network), class map (ABN's branch) and M (ABN), for every test picture."""
    plain, abn, out = models["plain", seed], models["ABN", seed], answers["ABN", seed]
    g = plain.perception_stage(plain.features(test_images))
    h = abn.to_classes(abn.attention_stage(abn.features(test_images)))
    return {
        "CAM": of_answer(cam(g, plain.fc), logits["plain", seed]),
        "class map": of_answer(abn.class_conv(h), out.attention_logits),
        "M": out.attention,
    }


all_maps = [three_maps(s) for s in SEEDS]
for name, grid in all_maps[0].items():
    scores = [pointing_game(maps[name], boxes) for maps in all_maps]
    print(
        f"{name:10s} {'×'.join(map(str, grid.shape[2:]))} cells: pointing, %: "
        f"{per_cent([score.value for score in scores])}  chance {100 * scores[0].chance:.0f}"
    )


# %% tags=["hide-input"]
def cross(axes, cells):
    """A cross on the peak of a map (H', W'), on axes in pixels of the picture."""
    y, x = ((v + 0.5) * SIDE / len(cells) - 0.5 for v in divmod(int(cells.argmax()), len(cells)))
    axes.plot(x, y, "x", color="black", ms=8, mew=3.5)
    axes.plot(x, y, "x", color="white", ms=7, mew=1.5)


# %% tags=["hide-input"]
@styled
def maps_figure(images, labels, boxes, maps) -> Sheet:
    """Pictures and their maps, raw cells; the box dashed, the peak a cross."""
    sheet = Sheet(4.9, layout="constrained")
    grid = sheet.subplots(1 + len(maps), len(images))
    rows = {"picture": images} | maps
    for line, (name, stack) in zip(grid, rows.items(), strict=True):
        for axes, image, box in zip(line, stack, boxes, strict=True):
            low, high = {"picture": (-1, 1), "M": (0, 1)}.get(name, (None, None))
            colours = "gray" if name == "picture" else SEQUENTIAL
            edge = (-0.5, SIDE - 0.5, SIDE - 0.5, -0.5)
            shown = bare(axes).imshow(image[0], cmap=colours, vmin=low, vmax=high, extent=edge)
            outline(axes, box[0])
            if name != "picture":
                cross(axes, image[0])
        line[0].text(-3, SIDE / 2, name, rotation=90, ha="right", va="center", fontsize=9.5)
    for axes, label in zip(grid[0], labels, strict=True):
        axes.set_title(f"digit {label}")
    sheet.colorbar(shown, ax=list(grid[-1]), shrink=0.9, label="M")
    return sheet


# %%
#| fig-alt: Six pictures with CAM, class map and attention map below; crosses mark the peaks
maps_figure(test_images[:6], test_labels[:6], boxes[:6], {k: v[:6] for k, v in all_maps[0].items()})

# %% [markdown]
# Six test pictures, seed 0. Dashed: the truth. Cross: the map's peak. M is drawn from 0 to 1; CAM and
# the class map have no fixed range, so each goes from its smallest to its largest value.
#
# CAM points well here, on a coarser grid. But it is computed *from* the answer, and nothing reads it.
# $M$ stands inside the network: it can be replaced and, in later chapters, edited.
#
# ## (1 + M)·f against M·f, and is L_att needed?
#
# Three seeds show only a large gap. We compare seed by seed with a paired t-test; for three questions a
# difference needs $p < 0.05 / 3$.

# %%
for arm in ("plain", "M·f", "no L_att"):
    gaps = np.subtract(accuracy[arm], accuracy["ABN"])
    p = ttest_rel(accuracy[arm], accuracy["ABN"]).pvalue
    verdict = "a difference" if p < 0.05 / 3 else "within noise: nothing is shown"
    each = "  ".join(f"{100 * gap:+5.1f}" for gap in gaps)
    print(f"{arm:9s} minus ABN, points: {each}   p = {p:.3f}  {verdict}")

branch = {
    arm: [topk_accuracy(answers[arm, s].attention_logits, test_labels, 1) for s in SEEDS]
    for arm in ARMS[1:]
}
for arm, values in branch.items():
    print(f"{arm:9s} attention branch's own answer, %: {per_cent(values)}")

# %% [markdown]
# When this page was written the plain network was not worse than ABN: here the map shows something, and
# gains no accuracy.
#
# The last line does not depend on luck. Without $L_{att}$ the attention branch's class head is never
# trained, and its answer stays near the chance of one in five. $L_{per}$ still trains the map
# ([chapter 7](07_losses.ipynb)), but the channels of $h$ are no longer *class* maps.
#
# Published gains are not certain either: an open report in the repository of the ABN paper (issue 14)
# finds ABN and its ResNet-110 baseline nearly equal on CIFAR-100, 75.54 and 75.35 %, where the paper has
# a clear gain. So believe an attention gain after several seeds and a matched control, as our
# [Table 1](results_table1.ipynb) has them.
#
# ## Turn the map round and watch the answer
#
# If the map matters, a wrong map must hurt. The usual test is the paper's equation (7): $M \to 1 - M$.
# First the logits of one picture that both mechanisms get right.

# %%
right = [(answers[arm, 0].logits.argmax(dim=1) == test_labels) for arm in ("ABN", "M·f")]
chosen = int((right[0] & right[1]).int().argmax())  # the first that both get right
print(f"test picture {chosen}, digit {test_labels[chosen]}; logits of 0 to {K - 1}")
for arm in ("ABN", "M·f"):
    own = answers[arm, 0]
    inverted = models[arm, 0](test_images, attention=1 - own.attention)
    for name, out in (("own map", own), ("inverted", inverted)):
        row = "  ".join(f"{value:6.2f}" for value in out.logits[chosen].tolist())
        print(f"{arm:4s} {name:9s} {row}   answer: {out.logits[chosen].argmax()}")

# %% [markdown]
# Inverting changes both *where* the map is high and *how strong* it is. Two more maps separate them.
# **Another picture's map** keeps the strength and has the wrong place. **The mean everywhere** has no
# place at all.

# %%
CHANGES = {
    "own map": lambda m: m,
    "mean everywhere": lambda m: m.mean().expand_as(m),
    "another picture's": lambda m: m.roll(1, dims=0),
    "inverted": lambda m: 1 - m,
}
changed = {}  # mechanism → change → accuracy of each seed
for arm in ("ABN", "M·f"):
    changed[arm] = {}
    for name, change in CHANGES.items():
        runs = [
            models[arm, s](test_images, attention=change(answers[arm, s].attention)) for s in SEEDS
        ]
        changed[arm][name] = [topk_accuracy(out.logits, test_labels, 1) for out in runs]
        print(f"{arm:4s} {name:20s} top-1, %: {per_cent(changed[arm][name])}")


# %% tags=["hide-input"]
@styled
def changes_figure(changed) -> Sheet:
    """Accuracy under four maps, one panel a mechanism, one line a seed."""
    sheet = Sheet(2.9, layout="constrained")
    titles = {"ABN": "(1 + M)·f", "M·f": "M·f"}
    for axes, (arm, rows) in zip(sheet.subplots(1, 2, sharey=True), changed.items(), strict=True):
        table = 100 * np.array(list(rows.values()))  # (changes, seeds)
        for i, seed in enumerate(SEEDS):
            style = {"color": COLOURS[i], "ls": LINES[i], "marker": MARKERS[i]}
            axes.plot(table[:, i], label=f"seed {seed}", **style)
        axes.axhline(100 / K, color="black", lw=0.8, ls=(0, (1, 3)))
        axes.text(0, 100 / K + 1.5, "chance", fontsize=9)
        names = [name.replace(" ", "\n", 1) for name in rows]
        axes.set_xticks(range(len(rows)), names)
        axes.set(title=titles[arm], ylim=(0, 101), xlim=(-0.4, len(rows) - 0.6))
    sheet.axes[0].set_ylabel("top-1 accuracy, %")
    sheet.axes[0].legend(loc="lower center", bbox_to_anchor=(0.55, 0.25))
    return sheet


# %%
#| fig-alt: Accuracy falls gently under changed maps with (1+M)f and steeply with M times f
changes_figure(changed)

# %% [markdown]
# Left, $(1 + M) \cdot f$: accuracy falls gently. The weights $1 + M$ and, inverted, $2 - M$ lie between
# 1 and 2. Right, $M \cdot f$: the inverted map takes the digit away, and accuracy falls steeply. Not the
# whole fall is about *place*: part of it appears with another picture's map, or with the mean.
# [Reading attention](12_reading_attention.ipynb) keeps both for ST-ABN.
#
# ### Paint the map yourself
#
# In the pages of the built book the two networks of seed 0 stand here, before test pictures that both get
# right: the first of each digit. One map goes to both. It begins as the map of $(1 + M) \cdot f$, and
# each network's recorded answer is the one to its own. The dashed line is the digit's box.
#
# <div class="live" data-live="picture"></div>
#
# (In JupyterLab the place above is empty: change `changed` instead.)
#
# Three things to try. *All 0*: say first what each network will answer, then try it on two digits
# (exercise 2 tells why). *Brush lowers*, drawn over the digit alone: which of the two lets go of its answer
# first? And *The truth*, the box and nothing else: a better map, and does it give a better answer?
#
# ## What we learned
#
# - ABN is a network cut before its last stage, a branch that makes K class maps $h$, and one map
#   $M$ that weights the features: $(1 + M) \cdot f$.
# - Its map finds the digit without being told where it is, unevenly from seed to seed.
# - CAM explains afterwards; ABN's map takes part in the answer: with $(1 + M)$ a little, with
#   $M \cdot f$ wholly.
# - Inverting a map tests more than place.

# %% [markdown]
# ## Questions
#
# **Question 1.** The map is set to 0 at every place. What does an ABN with $f' = (1 + M) \cdot f$
# answer?
#
# 1. The same for every picture, for nothing is left of $f$.
# 2. What its weights answer to $f$ as it is.
# 3. Something at random.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: this is what $M \cdot f$ would do. With $1 + M$ the features pass.
# 2. **Right:** $(1 + 0) \cdot f = f$: nothing is emphasised, and nothing is lost.
# 3. No: there is no chance in it: the same picture gets the same answer.
#
# </details>
#
# **Question 2.** Inverting the map costs ten points. You want to know whether the *place* of its
# high values was what mattered. What do you put in beside it?
#
# 1. The map of another picture.
# 2. A map of ones everywhere.
# 3. The map of the same network from another seed.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. **Right:** it is as strong, and its place is wrong. What it costs, the place has cost.
# 2. No: this changes place and strength at once, as the inverted map did.
# 3. No: this is a map for another network's features, and may well have the right place.
#
# </details>
#
# **Question 3.** ABN is trained without $L_{att}$. What becomes of its map?
#
# 1. It stays as it began: no loss reaches it.
# 2. It becomes the same everywhere.
# 3. It learns, but from maps that no longer stand for classes.
#
# <details class="answers"><summary>The answers</summary>
#
# 1. No: $L_{per}$ reaches it, through the product with $f$.
# 2. No: nothing asks for that. A map that helps the answer still lowers $L_{per}$.
# 3. **Right:** $L_{per}$ trains the map. What is missing is the loss that ties each of the K maps
#    to a class.
#
# </details>
#
# **Question 4.** A feature has the value 4 at a place where $M = 0.25$. What does $(1 + M) \cdot f$
# become there if $M$ is inverted?
#
# <details class="answers"><summary>The answer</summary>
#
# **7**, that is `(1 + (1 - 0.25)) * 4`: inverted, the map is 0.75, and the weight $1 + 0.75 = 2 -
# M$.
#
# - **3:** this is $(1 - M) \cdot f$. The 1 of $1 + M$ stays where it is.
# - **5:** this is the map as it was, not inverted.
#
# </details>

# %% [markdown]
# ## Exercises
#
# **1.** Replace the map by the truth: 1 in the box, 0 outside. Does accuracy rise, for both mechanisms?
# Must a *better* map give a better answer, if the network was not trained with it?

# %% tags=["hide-cell"]
for arm in ("ABN", "M·f"):
    told = [models[arm, s](test_images, attention=cells).logits for s in SEEDS]
    print(f"{arm:4s} own map,   %: {per_cent(accuracy[arm])}")
    print(f"{arm:4s} truth box, %: {per_cent([topk_accuracy(z, test_labels, 1) for z in told])}")
# A right place is not enough: the network must have been trained to read such a map. That is why
# the paper fine-tunes with edited attention instead of only replacing it.

# %% [markdown]
# **2.** What does each network answer if the map is 0 everywhere? Predict it for both mechanisms.

# %% tags=["hide-cell"]
for arm in ("ABN", "M·f"):
    zero = models[arm, 0](test_images, attention=torch.zeros_like(answers[arm, 0].attention))
    same = bool((zero.logits - zero.logits[:1]).abs().max() < 1e-5)
    print(
        f"{arm:4s} all pictures get the same logits: {same}; "
        f"top-1 {100 * topk_accuracy(zero.logits, test_labels, 1):.1f} %"
    )
torch.testing.assert_close(
    models["ABN", 0](test_images, attention=torch.zeros_like(answers["ABN", 0].attention)).logits,
    plain_logits(models["ABN", 0], test_images),
)
# (1 + 0)·f is f: the plain path through ABN's weights. 0·f is nothing: what is left is biases and
# batch normalisation, the same for every picture.

# %% [markdown]
# **3.** Paint the digit out with texture. Where does the map go?

# %% tags=["hide-cell"]
rng = np.random.default_rng(3)
blank = glyphs[0] * 0
pictures, places = zip(*(scene(rng, blank, range(384, 512)) for _ in range(200)), strict=True)
empty = torch.from_numpy(np.stack(pictures)).float()[:, None] * 2 - 1
for s in SEEDS:
    out = models["ABN", s](empty)
    score = pointing_game(out.attention, np.stack(places)[:, None])
    print(
        f"seed {s}: peak in the empty box {score.value:.2f} (chance {score.chance:.2f}); "
        f"mean M {out.attention.mean():.2f}, with digits {answers['ABN', s].attention.mean():.2f}"
    )
# With nothing to find, the peak has no reason to be in the empty box, and M is lower on the whole.
# But it still has a peak somewhere: every map has one. A peak is not yet a finding.

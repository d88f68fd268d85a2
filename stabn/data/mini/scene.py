"""One mini-SSv2 clip, drawn: background, objects, hand, camera shake, and the truth about them."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from stabn.data.mini import actions, sprites, textures, tracks
from stabn.data.mini.sprites import Sprite
from stabn.data.mini.tracks import HEIGHT, WIDTH, Timing, Track

LABELS = {"other": 0, "actor": 1, "hand": 2}
SHAKE = 4  # scene units the camera may wander from its place


@dataclass(frozen=True)
class MiniVideo:
    """A clip and what is true of it.

    Attributes:
        frames: uint8 (n, H, W, 3) RGB.
        levels: float32 (n,): 0 nothing to see, 0.5 context (the hand comes or goes), 1 the action.
        actor: bool (n, H, W): visible pixels of the object that is acted on.
        hand: bool (n, H, W): visible pixels of the hand.
        sign: bool (n, H, W): pixels of the misleading sign (only the biased variant has one).
        class_id: Index of the template among its size's templates.
        template: Class text with its placeholders in brackets.
        caption: The template with its placeholders filled in.
        placeholders: What fills them, in order.
    """

    frames: np.ndarray
    levels: np.ndarray
    actor: np.ndarray
    hand: np.ndarray
    sign: np.ndarray
    class_id: int
    template: str
    caption: str
    placeholders: tuple[str, ...]


@dataclass(frozen=True)
class _Thing:
    sprite: Sprite
    track: Track
    role: str  # "actor", "hand" or "other"


def render(
    rng: np.random.Generator, classes: tuple[str, ...], class_id: int, split: str, height: int
) -> MiniVideo:
    """Draw one clip of a class.

    Args:
        rng: Source of every choice.
        classes: All templates; index is class id.
        class_id: Which one to act.
        split: Decides which photographs may be used.
        height: Height of the frames in pixels; the width is 5/4 of it.
    """
    template = classes[class_id]
    unit = height / HEIGHT
    timing = tracks.draw_timing(rng)
    action = actions.act(rng, template, timing)
    # every photograph shows up once in a clip, so that no two things look alike
    allowed = textures.sources(split)
    names = [str(name) for name in rng.permutation(sorted(allowed))]
    backdrop, arm, *surfaces = names

    def thing(track: Track, role: str, cloth: bool = False) -> tuple[_Thing, str]:
        source = surfaces.pop()
        diameter = round((60 if cloth else float(rng.uniform(38, 46))) * unit)
        make = sprites.cloth_sprite if cloth else sprites.object_sprite
        sprite = make(rng, source, diameter)
        return _Thing(sprite, track, role), _with_article(
            f"{allowed[source]}-patterned {sprite.word}"
        )

    actor, said = thing(action.actor, "actor", action.cloth)
    hand = _Thing(sprites.hand_sprite(rng, arm, unit), action.hand, "hand")
    things, words = [actor, hand], [said]
    if action.partner is not None:
        partner, word = thing(action.partner, "other")
        things.append(partner)
        # "covering A with B": the cloth is named last; "putting A behind B": it is the actor first
        words = [word, said] if action.cloth else [said, word]
    for when in _distractions(rng, timing, len(surfaces)):
        x, y = _free_place(rng, [t.track for t in things if t.role != "hand"])
        things.append(thing(tracks.distract(rng, timing, x, y, when), "other")[0])

    background = _background(rng, backdrop, unit)
    shake = _shake(rng, timing.n)
    frames, labels = _draw(things, background, shake, timing.n, unit)
    caption = template
    used = tuple(words[: template.count("[something]")])
    for word in used:
        caption = caption.replace("[something]", word, 1)
    return MiniVideo(
        frames=frames,
        levels=timing.levels,
        actor=labels == LABELS["actor"],
        hand=labels == LABELS["hand"],
        sign=np.zeros(labels.shape, bool),
        class_id=class_id,
        template=template,
        caption=caption,
        placeholders=used,
    )


def _with_article(words: str) -> str:
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def _distractions(rng: np.random.Generator, timing: Timing, most: int) -> list[str]:
    """When each distractor moves: often one as the hand acts, often one at another time."""
    whens = ["same" if rng.random() < 0.7 else "never", "other" if rng.random() < 0.7 else "never"]
    if rng.random() < 0.4:
        whens.append(str(rng.choice(["same", "other", "never"])))
    return whens[:most]


def _free_place(rng: np.random.Generator, tracks: list[Track]) -> tuple[float, float]:
    """A place well away from everything so far, or the best of some random ones."""
    taken = np.array(
        [(x, y) for p in tracks for x, y in zip(np.ravel(p.x), np.ravel(p.y), strict=False)]
        + [(np.ravel(p.x)[-1], np.ravel(p.y)[-1]) for p in tracks]
    )
    places = np.stack([rng.uniform(14, WIDTH - 14, 24), rng.uniform(14, HEIGHT - 14, 24)], axis=1)
    room = np.linalg.norm(places[:, None] - taken[None], axis=2).min(axis=1)
    best = int(np.argmax(np.minimum(room, 40)))  # 40 units are plenty: the first such place
    return float(places[best, 0]), float(places[best, 1])


def _background(rng: np.random.Generator, name: str, unit: float) -> Image.Image:
    """A soft, dimmed photograph, larger than the frame by the camera's room to shake."""
    size = (round((WIDTH + 2 * SHAKE) * unit), round((HEIGHT + 2 * SHAKE) * unit))
    picture = textures.texture(rng, name, *size, cut=float(rng.uniform(0.5, 1.0)))
    picture = picture.filter(ImageFilter.BoxBlur(max(round(1.2 * unit), 1)))
    grey = int(rng.integers(60, 200))
    pixels = np.asarray(picture).astype(np.int32)
    return Image.fromarray(((pixels * 130 + grey * 126) // 256).astype(np.uint8))


def _shake(rng: np.random.Generator, n: int) -> np.ndarray:
    """(n, 2) camera offsets in scene units: a slow drift and a tremble, never beyond `SHAKE`."""
    walk = np.cumsum(rng.normal(0, 0.5, (n, 2)), axis=0)
    return np.clip(walk - walk.mean(axis=0) + rng.normal(0, 0.25, (n, 2)), -SHAKE, SHAKE)


def _draw(
    things: list[_Thing], background: Image.Image, shake: np.ndarray, n: int, unit: float
) -> tuple[np.ndarray, np.ndarray]:
    """Frames uint8 (n, H, W, 3) and labels uint8 (n, H, W): 1 actor, 2 hand, 0 anything else."""
    width, height = round(WIDTH * unit), round(HEIGHT * unit)
    frames = np.empty((n, height, width, 3), np.uint8)
    labels = np.zeros((n, height, width), np.uint8)
    tracks = []
    for thing in things:
        p = thing.track
        tracks.append([np.broadcast_to(v, n) for v in (p.depth, p.x, p.y, p.scale, p.angle)])
    for t in range(n):
        off_x, off_y = (int(round(float(v) * unit)) for v in shake[t])
        room = round(SHAKE * unit)
        corner = (room - off_x, room - off_y)
        frame = background.crop((*corner, corner[0] + width, corner[1] + height))
        label = Image.new("L", (width, height))
        for index in sorted(range(len(things)), key=lambda i: tracks[i][0][t]):
            _, x, y, scale, angle = (float(track[t]) for track in tracks[index])
            # sixteenths of a unit first: the last bit of a float can move no pixel
            px, py = (int(round(round(v * 16) / 16 * unit)) for v in (x, y))
            pose = things[index].sprite.posed(scale, angle)
            place = (px - pose.x + off_x, py - pose.y + off_y)
            frame.paste((0, 0, 0), place, pose.shadow)
            frame.paste(pose.image, place, pose.image)
            label.paste(LABELS[things[index].role], place, pose.solid)
        frames[t], labels[t] = frame, label
    return frames, labels

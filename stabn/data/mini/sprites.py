"""Things that can be moved about: an object cut from a photograph, and a hand to move it.

A sprite is drawn once; `Sprite.posed` then gives it at any scale and angle, and remembers the poses
it was asked for (most things stand still most of the time).
"""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from stabn.data.mini import textures

# silhouettes in a unit square, y down; the last word of a caption's placeholder
SILHOUETTES: dict[str, list[tuple[float, float]]] = {
    "box": [(0.1, 0.16), (0.9, 0.16), (0.9, 0.84), (0.1, 0.84)],
    "bottle": [
        (0.4, 0),
        (0.6, 0),
        (0.6, 0.3),
        (0.78, 0.46),
        (0.78, 1),
        (0.22, 1),
        (0.22, 0.46),
        (0.4, 0.3),
    ],
    "cone": [(0.5, 0.02), (0.92, 0.95), (0.08, 0.95)],
    "cup": [(0.05, 0.1), (0.95, 0.1), (0.78, 0.92), (0.22, 0.92)],
    "house": [
        (0.5, 0),
        (1, 0.42),
        (0.84, 0.42),
        (0.84, 0.98),
        (0.16, 0.98),
        (0.16, 0.42),
        (0, 0.42),
    ],
    "arrow": [(0.5, 0), (1, 0.5), (0.7, 0.5), (0.7, 1), (0.3, 1), (0.3, 0.5), (0, 0.5)],
    "gem": [(0.25, 0.08), (0.75, 0.08), (1, 0.4), (0.5, 1), (0, 0.4)],
    "ball": [
        (0.5 + 0.46 * x, 0.5 + 0.46 * y)
        for x, y in (
            (1, 0),
            (0.92, 0.38),
            (0.71, 0.71),
            (0.38, 0.92),
            (0, 1),
            (-0.38, 0.92),
            (-0.71, 0.71),
            (-0.92, 0.38),
            (-1, 0),
            (-0.92, -0.38),
            (-0.71, -0.71),
            (-0.38, -0.92),
            (0, -1),
            (0.38, -0.92),
            (0.71, -0.71),
            (0.92, -0.38),
        )
    ],
}
CLOTH = [
    (0.02, 0.05),
    (0.5, 0),
    (0.98, 0.04),
    (1, 0.5),
    (0.97, 0.97),
    (0.5, 1),
    (0.03, 0.96),
    (0, 0.5),
]
SKINS = ((240, 205, 178), (224, 177, 140), (190, 136, 100), (141, 92, 63), (92, 58, 41))
SHADOW = 90  # of 255: how much a shadow darkens


@dataclass(frozen=True)
class Pose:
    """A sprite ready to paste: all images have one size; (x, y) is the anchor's pixel in them."""

    image: Image.Image  # RGBA
    shadow: Image.Image  # L, how much to darken
    solid: Image.Image  # L, 255 where the sprite hides what is under it
    x: int
    y: int


@dataclass
class Sprite:
    """An RGBA drawing with the point it is held at.

    Attributes:
        image: RGBA drawing at scale 1.
        anchor: (x, y) in the drawing, the point that a pose's position refers to.
        word: What a caption calls it.
    """

    image: Image.Image
    anchor: tuple[float, float]
    word: str = ""
    _poses: dict = field(default_factory=dict, repr=False)

    def posed(self, scale: float, angle: float) -> Pose:
        """The sprite at one scale and angle (degrees, clockwise)."""
        # a coarse grid of poses: fewer to draw, and the last bit of a float can change no pixel
        key = (round(scale * 48), round(angle) % 360)
        if key not in self._poses:
            self._poses[key] = self._draw(key[0] / 48, np.deg2rad(key[1]))
        return self._poses[key]

    def _draw(self, scale: float, radians: float) -> Pose:
        cos, sin = round(float(np.cos(radians)), 6), round(float(np.sin(radians)), 6)
        width, height = self.image.size
        ax, ay = self.anchor
        corners = [(x - ax, y - ay) for x in (0, width) for y in (0, height)]
        xs = [scale * (cos * x - sin * y) for x, y in corners]
        ys = [scale * (sin * x + cos * y) for x, y in corners]
        left, top = int(np.floor(min(xs))) - 1, int(np.floor(min(ys))) - 1
        size = (int(np.ceil(max(xs))) + 3 - left, int(np.ceil(max(ys))) + 4 - top)
        # PIL wants the inverse map: pixel of the result → pixel of the drawing
        a, b, d, e = cos / scale, sin / scale, -sin / scale, cos / scale
        inverse = (a, b, a * left + b * top + ax, d, e, d * left + e * top + ay)
        image = self.image.transform(
            size, Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR
        )
        alpha = image.getchannel("A")
        shadow = ImageChops.offset(alpha, 2, 3).filter(ImageFilter.BoxBlur(1))
        shadow = shadow.point([v * SHADOW // 255 for v in range(256)])
        solid = alpha.point([255 * (v > 127) for v in range(256)])
        return Pose(image, shadow, solid, -left, -top)


def _cut_out(picture: Image.Image, outline: list[tuple[float, float]]) -> Image.Image:
    """A picture inside a silhouette with a dark rim, smooth at its edge."""
    width, height = picture.size
    fine = 4
    points = [(fine * (2 + x * (width - 5)), fine * (2 + y * (height - 5))) for x, y in outline]
    mask = Image.new("L", (fine * width, fine * height))
    ImageDraw.Draw(mask).polygon(points, fill=255)
    rim = Image.new("L", mask.size)
    ImageDraw.Draw(rim).line([*points, points[0], points[1]], fill=190, width=5, joint="curve")
    shape, rim = (m.resize((width, height), Image.Resampling.BOX) for m in (mask, rim))
    picture = picture.copy()
    picture.paste((20, 20, 24), (0, 0), rim)
    picture.putalpha(shape)
    return picture


def object_sprite(rng: np.random.Generator, source: str, diameter: int) -> Sprite:
    """One object: a random silhouette filled with a piece of the photograph `source`."""
    name = str(rng.choice(sorted(SILHOUETTES)))
    picture = textures.texture(rng, source, diameter, diameter, cut=float(rng.uniform(0.3, 0.6)))
    image = _cut_out(picture, SILHOUETTES[name])
    return Sprite(image, (diameter / 2, diameter / 2), name)


def cloth_sprite(rng: np.random.Generator, source: str, diameter: int) -> Sprite:
    """A cloth, wide enough to hide an object of three quarters of its diameter."""
    picture = textures.texture(rng, source, diameter, diameter, cut=float(rng.uniform(0.4, 0.8)))
    return Sprite(_cut_out(picture, CLOTH), (diameter / 2, diameter / 2), "cloth")


def hand_sprite(rng: np.random.Generator, source: str, unit: float) -> Sprite:
    """A hand with forearm and sleeve, fingers up, anchored between thumb and fingers.

    Args:
        rng: Source of skin and finger positions.
        source: Photograph that the sleeve is cut from.
        unit: Pixels per scene unit.
    """
    fine = 4
    size = (36, 190)  # scene units; the arm is long enough to leave the frame from anywhere in it

    def at(x: float, y: float) -> tuple[float, float]:
        return (x * unit * fine, y * unit * fine)

    skin = tuple(int(c) for c in rng.permutation(SKINS)[0])
    dark = tuple(c * 3 // 4 for c in skin)
    pixels = (round(size[0] * unit), round(size[1] * unit))
    drawing = Image.new("RGB", (pixels[0] * fine, pixels[1] * fine), skin)
    mask = Image.new("L", drawing.size)
    ink, shape = ImageDraw.Draw(drawing), ImageDraw.Draw(mask)

    def capsule(start, stop, radius, fill) -> None:
        for draw, colour in ((ink, fill), (shape, 255)):
            draw.line([at(*start), at(*stop)], fill=colour, width=round(2 * radius * unit * fine))
            for x, y in (start, stop):
                draw.ellipse([at(x - radius, y - radius), at(x + radius, y + radius)], fill=colour)

    capsule((18, 40), (18, 190), 7.5, skin)
    tips = [(10.0, 9.0), (14.5, 6.0), (19.5, 6.5), (24.0, 10.0)]
    for (x, y), root in zip(tips, (12, 15.5, 19.5, 23), strict=True):
        tip = (x + float(rng.uniform(-0.6, 0.6)), y + float(rng.uniform(-1, 1)))
        capsule(tip, (root, 28), 2.9, dark)
        capsule(tip, (root, 28), 2.3, skin)
    capsule((30, 19), (23, 32), 3.0, dark)
    capsule((30, 19), (23, 32), 2.4, skin)
    capsule((17.5, 29), (17.5, 35), 8.2, skin)
    image = drawing.resize(pixels, Image.Resampling.BOX)
    alpha = mask.resize(pixels, Image.Resampling.BOX)
    cuff = round(60 * unit)
    sleeve = textures.texture(rng, source, pixels[0], pixels[1] - cuff, cut=0.9)
    image.paste(sleeve, (0, cuff))
    image.putalpha(alpha)
    return Sprite(image, (19 * unit, 13 * unit), "hand")

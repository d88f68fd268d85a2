// From a frame of any size to what the network reads: the central square, shrunk as the library
// does it. A canvas would shrink by another filter, and the network would see another clip.

/** The central square whose side is this fraction of the short side; rounds half to even. */
function centralSquare(width, height, fraction) {
  const exact = fraction * Math.min(width, height);
  const up = Math.round(exact);
  const side = Math.max(1, up - exact === 0.5 && up % 2 ? up - 1 : up);
  return { left: Math.floor((width - side) / 2), top: Math.floor((height - side) / 2), side };
}

/** T pictures, bytes (3, S, S) → a clip, bytes (3, T, S, S). */
function stacked(pictures) {
  const each = pictures[0].length / 3;
  const pixels = new Uint8Array(3 * pictures.length * each);
  pictures.forEach((picture, t) => {
    for (let colour = 0; colour < 3; colour++) {
      const plane = picture.subarray(colour * each, (colour + 1) * each);
      pixels.set(plane, (colour * pictures.length + t) * each);
    }
  });
  return pixels;
}

/** For each of `size` outputs, the first of `side` inputs and the weights of those it is made of. */
function triangles(side, size) {
  const scale = side / size;
  const reach = Math.max(scale, 1); // wider when shrinking, so that nothing is skipped
  return Array.from({ length: size }, (_, i) => {
    const centre = scale * (i + 0.5);
    const first = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const count = Math.min(Math.trunc(centre + reach + 0.5), side) - first;
    const weights = Array.from({ length: count }, (_, j) =>
      Math.max(0, 1 - Math.abs((j + first - centre + 0.5) / reach)),
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => weight / total) };
  });
}

/**
 * Bilinear with antialiasing, along rows and then along columns, with bytes in between.
 *
 * @param rgba bytes (side, side, 4), as a canvas gives them.
 * @returns bytes (3, size, size).
 */
function shrunk(rgba, side, size) {
  const along = triangles(side, size);
  const rows = new Uint8Array(3 * side * size); // (3, side, size)
  const found = new Uint8Array(3 * size * size);
  for (let colour = 0; colour < 3; colour++) {
    for (let y = 0; y < side; y++) {
      along.forEach(({ first, weights }, x) => {
        let sum = 0.5;
        for (let j = 0; j < weights.length; j++) {
          sum += weights[j] * rgba[4 * (y * side + first + j) + colour];
        }
        rows[(colour * side + y) * size + x] = sum;
      });
    }
    along.forEach(({ first, weights }, y) => {
      for (let x = 0; x < size; x++) {
        let sum = 0.5;
        for (let j = 0; j < weights.length; j++) {
          sum += weights[j] * rows[(colour * side + first + j) * size + x];
        }
        found[(colour * size + y) * size + x] = sum;
      }
    });
  }
  return found;
}

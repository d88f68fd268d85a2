// A map over a frame: a coloured cell for each value, the truth's edge dashed, the brush outlined.

const DRAWN = 392; // pixels that a map is drawn on, each way
const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

/** A map as it is recorded, a byte a cell → its values in [0, 1]. */
const shares = (text) => Float32Array.from(atob(text), (byte) => byte.charCodeAt(0) / 255);

/** The same the other way round. */
const writtenMap = (values) =>
  btoa(String.fromCharCode(...values.map((value) => Math.round(255 * value))));

/** A map (T·S·S,) over T small pictures. */
function layHeat(map, pictures) {
  const each = map.length / pictures.length;
  const side = Math.sqrt(each);
  pictures.forEach((picture, t) => {
    const canvas = make("canvas", { width: side, height: side, "aria-hidden": "true" });
    const pen = canvas.getContext("2d");
    for (let i = 0; i < each; i++) {
      pen.fillStyle = viridis(map[t * each + i]);
      pen.fillRect(i % side, Math.floor(i / side), 1, 1);
    }
    picture.append(canvas);
    picture.classList.add("live-heated");
  });
}

/** @param clip what is recorded of it: strip, cells (T, H′, W′), truth. */
function heatMap(clip) {
  const [frames, rows, columns] = clip.cells;
  const [each, high, wide] = [rows * columns, DRAWN / rows, DRAWN / columns];
  const truth = shares(clip.truth);
  const canvas = make("canvas", { width: DRAWN, height: DRAWN, "aria-hidden": "true" });
  const pen = canvas.getContext("2d");
  const picture = make("span", { class: "live-picture" });
  picture.style.backgroundImage = `url("${HERE}${clip.strip}")`;
  picture.style.backgroundSize = `${100 * frames}% 100%`;

  /** The map (T·H′·W′,) in frame t, and the brush around a cell. */
  function draw(map, t, { row, column, reach }) {
    picture.style.backgroundPosition = `${(100 * t) / Math.max(1, frames - 1)}% 0`;
    pen.clearRect(0, 0, DRAWN, DRAWN);
    for (let i = 0; i < each; i++) {
      pen.fillStyle = viridis(map[t * each + i]);
      pen.fillRect((i % columns) * wide, Math.floor(i / columns) * high, wide, high);
    }
    line(edge(truth.subarray(t * each, (t + 1) * each)), [6, 4], 1.6);
    const brush = new Path2D();
    const across = 2 * reach + 1;
    brush.rect((column - reach) * wide, (row - reach) * high, across * wide, across * high);
    line(brush, [], 2);
  }

  /** White on black, so that it is seen on any cell. */
  function line(path, dashes, width) {
    pen.setLineDash(dashes);
    [pen.strokeStyle, pen.lineWidth] = ["#000", width + 2];
    pen.stroke(path);
    [pen.strokeStyle, pen.lineWidth] = ["#fff", width];
    pen.stroke(path);
  }

  /** Around what a frame's truth (H′·W′,) covers by half or more. */
  function edge(covered) {
    const path = new Path2D();
    const inside = (y, x) => x >= 0 && x < columns && covered[y * columns + x] >= 0.5;
    const side = (x, y, right, down) => {
      path.moveTo(x * wide, y * high);
      path.lineTo((x + right) * wide, (y + down) * high);
    };
    for (let y = 0; y <= rows; y++) {
      for (let x = 0; x <= columns; x++) {
        if (inside(y, x) !== inside(y - 1, x)) side(x, y, 1, 0);
        if (inside(y, x) !== inside(y, x - 1)) side(x, y, 0, 1);
      }
    }
    return path;
  }
  return { picture, canvas, truth, draw };
}

function viridis(value) {
  const below = Math.min(RAMP.length - 2, Math.floor(value * (RAMP.length - 1)));
  const part = value * (RAMP.length - 1) - below;
  const mixed = RAMP[below].map((from, i) => from + part * (RAMP[below + 1][i] - from));
  return `rgb(${mixed.map(Math.round).join(" ")} / 60%)`;
}

// Where: a map over the frames of a clip, or over one picture. A pointer paints it with a brush;
// keys move the brush from cell to cell and paint where it stands.

const STROKE = 0.5; // how far one stroke of the pointer moves a cell, however often it passes
const PRESS = 0.1; // how far a key does
const BRUSHES = { "1 cell": 0, "3 × 3 cells": 1, "5 × 5 cells": 2 }; // cells on each side
const WAYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

const within = (value, most) => Math.min(most, Math.max(0, value));

/**
 * @param clip what is recorded of it: strip, frames, cells (T, H′, W′), truth.
 * @param changed is called with the edit whenever the reader has changed the map.
 */
function paintedMap(clip, changed) {
  const [frames, rows, columns] = clip.cells;
  const each = rows * columns;
  const { picture, canvas, truth, draw: drawHeat } = heatMap(clip);
  let own, map;
  let [t, row, column] = [frames, rows, columns].map((count) => count >> 1);
  let way = 1; // the brush raises, or with −1 lowers
  let passed = null; // cells that the stroke under way has changed

  const cell = make("input", {
    ...{ type: "range", min: 0, max: 1, step: "any" },
    "aria-label": "The cell under the brush. Arrow keys move the brush, plus and minus paint",
    oninput: () => paint(Number(cell.value) - map[at()]),
    onkeydown: press,
  });
  const told = make("span");
  const scale = make("span", { class: "live-scale" }, "0", make("span"), "1");
  const legend = make("p", { class: "live-cell", "aria-hidden": "true" }, told, scale);
  const time = playing(clip.frames, t, (chosen) => {
    t = chosen;
    draw();
  });
  const button = (text, pressed) => make("button", { type: "button", onclick: pressed }, text);
  const [raises, lowers] = [
    button("Brush raises", () => turnBrush(1)),
    button("Brush lowers", () => turnBrush(-1)),
  ];
  const size = make("select", { "aria-label": "Size of the brush", onchange: draw });
  size.append(...Object.keys(BRUSHES).map((name) => make("option", {}, name)));
  size.value = "3 × 3 cells";
  const every = make("input", { type: "checkbox" });
  every.checked = true;

  const at = () => t * each + row * columns + column;

  function turnBrush(turned) {
    way = turned;
    raises.setAttribute("aria-pressed", way > 0);
    lowers.setAttribute("aria-pressed", way < 0);
  }

  /** What lies under the brush, in this frame or in every one, moves by so much. */
  function paint(much) {
    const reach = BRUSHES[size.value];
    if (!every.checked) time.stop();
    map = map.slice();
    for (let i = 0; i < map.length; i++) {
      const [frame, y, x] = [Math.floor(i / each), Math.floor((i % each) / columns), i % columns];
      const under = Math.abs(y - row) <= reach && Math.abs(x - column) <= reach;
      if (!under || (frame !== t && !every.checked) || passed?.has(i)) continue;
      passed?.add(i);
      map[i] = within(map[i] + much, 1);
    }
    draw();
    changed({ spatial_attention: map });
  }

  function press(event) {
    const much = { "+": PRESS, "=": PRESS, "-": -PRESS }[event.key];
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (much === undefined && !WAYS[event.key]) return;
    event.preventDefault();
    event.stopPropagation(); // the page would turn
    if (much) return paint(much);
    const [down, right] = WAYS[event.key];
    [row, column] = [within(row + down, rows - 1), within(column + right, columns - 1)];
    draw();
  }

  /** The brush goes to the pointer, and paints every cell on its way. */
  function follow(event) {
    const box = canvas.getBoundingClientRect();
    const y = within(Math.floor((rows * (event.clientY - box.top)) / box.height), rows - 1);
    const x = within(Math.floor((columns * (event.clientX - box.left)) / box.width), columns - 1);
    if (event.type === "pointerdown") [row, column] = [y, x];
    const [fromY, fromX] = [row, column];
    const steps = Math.max(1, Math.abs(y - row), Math.abs(x - column));
    for (let step = 1; step <= steps; step++) {
      row = Math.round(fromY + ((y - fromY) * step) / steps);
      column = Math.round(fromX + ((x - fromX) * step) / steps);
      paint(way * STROKE);
    }
  }
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    passed = new Set();
    follow(event);
    cell.focus({ preventScroll: true });
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) follow(event);
  });
  canvas.addEventListener("lostpointercapture", () => (passed = null));

  function draw() {
    drawHeat(map, t, { row, column, reach: BRUSHES[size.value] });
    const [now, before] = [map[at()].toFixed(2), own[at()].toFixed(2)];
    const words = `row ${row + 1}, column ${column + 1}: ${now}`;
    told.textContent = now === before ? words : `${words}, recorded ${before}`;
    cell.value = map[at()];
    cell.setAttribute("aria-valuetext", told.textContent);
  }

  /** Another map, in all frames at once. */
  function put(given) {
    map = given.slice();
    draw();
    changed({ spatial_attention: map });
  }
  const inEvery = make("label", {}, every, " in every frame");
  const brush = [raises, lowers, size, ...(frames > 1 ? [inEvery] : [])];
  const maps = [
    button("Invert", () => put(map.map((value) => 1 - value))),
    button("Its mean everywhere", () => put(map.slice().fill(mean(map)))),
    button("All 0", () => put(map.map(() => 0))),
    button("All 1", () => put(map.map(() => 1))),
    button("The truth", () => put(truth)),
  ];
  const tools = make(
    "div",
    {},
    ...[brush, maps].map((group) => make("div", { class: "live-tools" }, ...group)),
  );
  turnBrush(1);
  const board = make("div", { class: "live-map" }, picture, canvas, cell);
  const place = make("div", {}, board, legend, ...(frames > 1 ? [time.tools] : []));

  /** The network's own map. */
  function show({ map: text }) {
    own = shares(text);
    map = own.slice();
    draw();
  }
  return { row: place, tools, show, put };
}

// The page's half of the editor. Python holds the levels; this file shows them, paints ahead of
// the kernel while somebody drags, and sends each finished step as one message. It holds no
// history and saves nothing: what it has not been told, it does not claim.

const FPS = 12;
const PATIENCE = 5000; // ms without an answer after which we say so
const STEP = 0.05;
const QUIET = 600; // ms without a change before the summary is read out
const SVG = "http://www.w3.org/2000/svg";

const TOOLS = [
  { id: "select", word: "select", level: null },
  { id: "0", word: "irrelevant", level: 0 },
  { id: "1", word: "context", level: 0.5 },
  { id: "2", word: "the action", level: 1 },
];

const KEYS = [
  ["2", "set the frame, or the selected frames, to 1: the action"],
  ["1", "set them to 0.5: context"],
  ["0", "set them to 0: irrelevant"],
  ["← →", "go to the frame before, after"],
  ["Shift + ← →", "select several frames"],
  ["Shift + click", "select from the current frame to this one"],
  ["↑ ↓", "level up, down by 0.05"],
  ["Home  End", "first, last frame"],
  ["f", "fill: a straight line between the two ends of the selection"],
  ["s", "smooth the whole video a little"],
  ["Ctrl + Z", "undo (⌘ Z on a Mac)"],
  ["Ctrl + Y", "redo (also Ctrl + Shift + Z)"],
  ["Space", "play, pause (a selection plays in a loop)"],
  ["o", "show or hide where the network looks"],
  ["Enter", "next video"],
  ["Esc", "give up a drag, end the selection"],
];

// matplotlib's viridis at 17 even steps; values between are interpolated
const VIRIDIS = [
  [68, 1, 84], [72, 24, 106], [71, 45, 123], [66, 64, 134], [59, 82, 139], [51, 99, 141],
  [44, 114, 142], [38, 130, 142], [33, 145, 140], [31, 160, 136], [40, 174, 128], [63, 188, 115],
  [94, 201, 98], [132, 212, 75], [173, 220, 48], [216, 226, 25], [253, 231, 37],
];

// -- small helpers --------------------------------------------------------------------------

/**
 * An element; texts go in as text, never as markup. What can have the focus keeps JupyterLab's
 * shortcuts off (0 0 restarts the kernel, d d deletes the cell): it looks for this attribute from
 * the focused element upwards and finds its own selectors on that very element first.
 */
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  if (["button", "input"].includes(tag) || "tabindex" in attributes) {
    node.setAttribute("data-lm-suppress-shortcuts", "true");
  }
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** An icon of one path on a 16 × 16 field. */
function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  const line = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

const PLAY = "M4 2.5v11l9-5.5z";
const PAUSE = "M4 2.5h3v11H4zM9 2.5h3v11H9z";
const DIAMOND = "M8 1l7 7-7 7-7-7z";

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const onGrid = (level) => clamp(Math.round(Math.round(level / STEP) * STEP * 100) / 100, 0, 1);
const say = (level) => level.toFixed(2);
const setText = (node, text) => node.textContent !== text && (node.textContent = text);

function viridis(value) {
  const at = clamp(value, 0, 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
  return VIRIDIS[low].map((c, k) => Math.round(c + (VIRIDIS[low + 1][k] - c) * (at - low)));
}

// -- talking to Python ----------------------------------------------------------------------

/** One page's line to the kernel: numbers each step, knows which ones were answered. */
function connect(model, changed) {
  const line = { client: crypto.getRandomValues(new Uint32Array(2)).join("-"), pending: [] };
  let seq = 0;
  line.silent = false; // Python has not answered for a while
  line.gone = false; // the widget's channel was closed
  line.send = (op, fields = {}) => {
    seq += 1;
    line.pending.push({ seq, op, at: Date.now() });
    try {
      model.send({ op, seq, client: line.client, ...fields });
    } catch {
      line.silent = true;
    }
    setTimeout(line.check, PATIENCE + 50);
    changed();
  };
  line.check = () => {
    const oldest = line.pending[0];
    const silent = line.gone || (oldest !== undefined && Date.now() - oldest.at >= PATIENCE);
    if (silent !== line.silent) {
      line.silent = silent;
      changed();
    }
  };
  line.heard = ([client, number] = []) => {
    if (client !== line.client) return;
    line.pending = line.pending.filter((step) => step.seq > number);
    line.silent = line.gone;
  };
  line.unsaved = () => line.pending.filter((step) => step.op !== "hello").length;
  return line;
}

// -- one view -------------------------------------------------------------------------------

function render({ model, el }) {
  const root = make("div", {
    class: "stabn-editor",
    role: "group",
    "aria-label": "Editor of temporal attention",
    tabindex: "-1",
  });
  el.append(root);
  const view = {
    model, root,
    levels: [], // as far as this page knows, with what it sent but was not answered yet
    current: 0, anchor: 0,
    tool: TOOLS[0],
    overlay: false,
    drag: null, // {kind, first, last, level, pointer}
    playing: null,
    images: [], urls: [],
  };
  view.line = connect(model, () => showState(view));
  view.open = () => openVideo(view);
  root.addEventListener("keydown", (event) => onKey(view, event));
  root.addEventListener("se-refocus", () => focusCurrent(view));

  const listeners = {
    "change:_video": view.open,
    "change:_state": () => receive(view),
    "change:_scores": () => showScores(view),
    "change:saved": () => showState(view),
    "change:note": () => showState(view),
    "change:summary": () => showSummary(view),
    "change:true_levels": () => showTruth(view),
    "msg:custom": (message) => message === "focus" && focusCurrent(view),
    "comm:close": () => { view.line.gone = true; view.line.check(); },
    comm_live_update: () => view.line.send("hello"), // after a kernel restart nobody answers
  };
  for (const [name, listener] of Object.entries(listeners)) model.on(name, listener);
  const stopTheme = followTheme(view);
  view.open();
  view.line.send("hello");

  return () => {
    for (const [name, listener] of Object.entries(listeners)) model.off(name, listener);
    stopTheme();
    closeVideo(view);
  };
}

/** Show the video that the model holds, from its first frame. */
function openVideo(view) {
  const hadFocus = view.root.contains(document.activeElement);
  closeVideo(view);
  const video = view.model.get("_video");
  const state = view.model.get("_state");
  view.video = video;
  view.sampled = new Set(video.sampled);
  view.levels = [...state.levels];
  view.current = view.anchor = 0;
  view.tool = TOOLS[0]; // a click in a new video paints nothing
  view.drag = null;
  view.line.pending = view.line.pending.filter((step) => step.op === "hello");
  loadImages(view);
  view.maps = readMaps(view);
  view.parts = {};
  view.root.replaceChildren(
    header(view), banner(view),
    make("div", { class: "se-main" }, picture(view),
      make("div", { class: "se-side" }, tools(view), scores(view))),
    timeline(view), strip(view), summary(view),
  );
  showTruth(view);
  showLevels(view);
  showCurrent(view);
  showScores(view);
  showState(view);
  showSummary(view);
  if (hadFocus) focusCurrent(view);
}

function closeVideo(view) {
  stop(view);
  view.resized?.disconnect();
  for (const url of view.urls) URL.revokeObjectURL(url);
  view.urls = [];
}

/** The frames came as JPEGs; thumbnails and the large picture share one decoded image each. */
function loadImages(view) {
  view.images = view.model.get("_frames").map((bytes, frame) => {
    const url = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    view.urls.push(url);
    const image = make("img", { alt: "", draggable: "false", decoding: "async" });
    image.addEventListener("load", () => {
      if (frame === 0) view.root.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight);
      if (frame === view.current) drawPicture(view);
    });
    image.src = url;
    return image;
  });
}

/** Spatial maps as small coloured canvases, on the fixed scale from 0 to 1. */
function readMaps(view) {
  const maps = new Map();
  const [height, width] = view.video.map_size;
  if (!height) return maps;
  const raw = view.model.get("_spatial");
  const bytes = new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
  view.video.sampled.forEach((frame, k) => {
    const canvas = make("canvas", { width, height });
    const pixels = new ImageData(width, height);
    for (let i = 0; i < width * height; i += 1) {
      pixels.data.set([...viridis(bytes[k * width * height + i] / 255), 255], 4 * i);
    }
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    maps.set(frame, canvas);
  });
  return maps;
}

// -- parts of the page ----------------------------------------------------------------------

function header(view) {
  const { truth, predicted } = view.video;
  const { parts } = view;
  parts.saved = make("span", { class: "se-saved", role: "status" });
  parts.note = make("span", { class: "se-note" });
  parts.helpButton = button("?", "", () => toggleHelp(view), "se-help-button");
  parts.helpButton.setAttribute("aria-label", "list of keys");
  parts.helpButton.setAttribute("aria-expanded", "false");
  const next = view.model.get("can_command")
    ? button("Next video", "Enter", () => command(view), "se-next") : null;
  return make("header", { class: "se-head" },
    make("div", { class: "se-classes" },
      make("p", {}, "This video shows: ", make("strong", { class: "se-truth" }, truth)),
      make("p", {}, "The network answered: ", make("strong", { class: "se-answer" }, predicted),
        truth === predicted ? " (right)" : " (wrong)")),
    make("div", { class: "se-status" }, parts.note, parts.saved),
    make("div", { class: "se-row" }, parts.helpButton, next), brushes(view), help(view));
}

function banner(view) {
  return (view.parts.banner = make("p", { class: "se-banner", role: "alert", hidden: true }));
}

function picture(view) {
  const { parts } = view;
  const n = view.levels.length;
  parts.canvas = make("canvas", { class: "se-canvas", role: "img" });
  parts.play = button("Play", "space", () => togglePlay(view), "se-play");
  parts.play.prepend(icon(PLAY));
  parts.scrub = make("input", {
    type: "range", class: "se-scrub", min: 0, max: n - 1, step: 1, value: 0, "aria-label": "frame",
    oninput: () => { stop(view); go(view, Number(parts.scrub.value)); },
  });
  parts.counter = make("output", { class: "se-counter" });
  const figure = make("figure", { class: "se-picture" }, parts.canvas,
    make("div", { class: "se-player" }, parts.play, parts.scrub, parts.counter));
  if (view.maps.size) figure.append(overlaySwitch(view));
  return figure;
}

function overlaySwitch(view) {
  const { parts } = view;
  parts.overlay = make("input", {
    type: "checkbox", onchange: () => { view.overlay = parts.overlay.checked; drawPicture(view); },
  });
  parts.overlay.checked = view.overlay;
  parts.overlayWords = make("span", { class: "se-overlay-words" });
  const stops = VIRIDIS.map((colour) => `rgb(${colour})`).join(", ");
  const bar = make("span", { class: "se-colours", "aria-hidden": "true" });
  bar.style.background = `linear-gradient(to right, ${stops})`;
  return make("div", { class: "se-overlay" },
    make("label", {}, parts.overlay, " Where the network looks"),
    make("span", { class: "se-scale" }, "0", bar, "1"), parts.overlayWords);
}

function scores(view) {
  view.parts.scores = make("section", { class: "se-scores", "aria-label": "class probabilities" });
  return view.parts.scores;
}

function timeline(view) {
  const { parts } = view;
  parts.chart = make("canvas", { class: "se-chart", role: "img" });
  const entry = (mark, text) => make("li", {}, make("span", { class: `se-mark ${mark}` }), text);
  const sampled = make("li", {}, make("span", { class: "se-mark" }, icon(DIAMOND)),
    "frame that the network saw");
  parts.truthEntry = entry("se-mark-truth", "the truth (dashed line)");
  view.resized = new ResizeObserver(() => { drawChart(view); drawPicture(view); });
  view.resized.observe(parts.chart);
  pointers(view, parts.chart, (event) => {
    const box = parts.chart.getBoundingClientRect();
    const { left, right } = chartArea(box.width);
    const at = (event.clientX - box.left - left) / (right - left);
    return clamp(Math.floor(at * view.levels.length), 0, view.levels.length - 1);
  });
  return make("section", { class: "se-timeline", "aria-label": "levels of all frames" },
    make("ul", { class: "se-legend" }, entry("se-mark-bar", "your level (bar)"),
      entry("se-mark-line", "the network's attention (line)"), parts.truthEntry,
      view.sampled.size ? sampled : ""),
    parts.chart);
}

/** All of it in words: last, for its length changes with every edit and must move nothing. */
function summary(view) {
  const { parts } = view;
  parts.summary = make("p", { class: "se-summary" });
  parts.live = make("p", { class: "se-hidden", "aria-live": "polite" });
  return make("footer", {}, parts.summary, parts.live);
}

/** A button; `key` is shown on it. After a mouse click the keys go to the frames again. */
function button(label, key, act, extra = "") {
  const words = make("span", {}, label);
  const node = make("button", { type: "button", class: `se-button ${extra}` }, words);
  if (key) node.append(make("kbd", {}, key));
  node.words = words;
  node.addEventListener("click", (event) => {
    if (node.getAttribute("aria-disabled") === "true") return;
    act();
    if (event.detail > 0) node.closest(".stabn-editor")?.dispatchEvent(new Event("se-refocus"));
  });
  return node;
}

function tools(view) {
  const { parts } = view;
  parts.level = make("input", {
    type: "number", class: "se-level", min: 0, max: 1, step: STEP, "aria-label": "level",
    onchange: () => typed(view),
  });
  parts.range = make("span", { class: "se-range" });
  const levels = TOOLS.slice(1).map((tool) =>
    button(`${tool.level} ${tool.word}`, tool.id, () => paint(view, tool.level)));
  parts.fill = button("Fill", "f", () => fill(view));
  parts.smooth = button("Smooth", "s", () => step(view, "smooth"));
  parts.clear = button("All 0", "", () => paint(view, 0, [0, view.levels.length - 1]));
  parts.reset = button("Back to the network's", "", () => step(view, "reset"));
  parts.undo = button("Undo", "Ctrl Z", () => step(view, "undo"));
  parts.redo = button("Redo", "Ctrl Y", () => step(view, "redo"));
  const less = button("−", "↓", () => nudge(view, -STEP));
  const more = button("+", "↑", () => nudge(view, STEP));
  less.setAttribute("aria-label", "level down by 0.05");
  more.setAttribute("aria-label", "level up by 0.05");
  return make("section", { class: "se-tools", "aria-label": "tools" },
    make("div", { class: "se-row", role: "group", "aria-label": "selected frames" }, parts.range,
      ...levels, make("span", { class: "se-typed" }, less, parts.level, more)),
    make("div", { class: "se-row", role: "group", "aria-label": "steps" }, parts.undo, parts.redo,
      parts.fill, parts.smooth, parts.clear, parts.reset));
}

function brushes(view) {
  const group = `se-brush-${view.line.client}`;
  const choices = TOOLS.map((tool) => {
    const input = make("input", {
      type: "radio", name: group, value: tool.id,
      onchange: () => { view.tool = tool; view.root.dataset.tool = tool.id; },
    });
    input.checked = tool === view.tool;
    const swatch = make("span", { class: "se-swatch" });
    swatch.style.setProperty("--level", tool.level ?? 0);
    // Mouse users go on with keys on the frames; arrows on a focused radio change the brush
    const label = tool.level === null ? make("label", {}, input, tool.word)
      : make("label", {}, input, swatch, `${tool.level} ${tool.word}`,
        make("span", { class: "se-soft" }, `(key ${tool.id})`));
    label.addEventListener("click", (event) => {
      if (event.detail > 0 && event.target !== input) setTimeout(() => focusCurrent(view));
    });
    return label;
  });
  view.root.dataset.tool = view.tool.id;
  return make("fieldset", { class: "se-brushes" },
    make("legend", {}, "Dragging:"), ...choices);
}

function strip(view) {
  const { parts } = view;
  parts.cells = view.levels.map((_, frame) => cell(view, frame));
  parts.strip = make("section", { class: "se-strip", "aria-label": "all frames" },
    ...parts.cells.map(({ node }) => node));
  pointers(view, parts.strip, (event) => {
    const under = document.elementFromPoint(event.clientX, event.clientY)?.closest(".se-cell");
    return under && parts.strip.contains(under) ? Number(under.dataset.frame) : null;
  });
  parts.strip.style.maxWidth = `${150 * view.levels.length}px`; // few frames do not grow huge
  parts.slots = make("div", { class: "se-slots" }, parts.strip);
  return parts.slots;
}

function cell(view, frame) {
  const own = view.video.attention[frame];
  const seen = view.sampled.has(frame);
  const bar = make("div", { class: "se-bar" });
  const line = make("div", { class: "se-line" });
  const truth = make("div", { class: "se-line se-truth-line" });
  line.style.bottom = `${100 * own}%`;
  const slider = make("div", {
    class: "se-slider", role: "slider", tabindex: "-1", "aria-valuemin": 0, "aria-valuemax": 1,
    "aria-orientation": "vertical",
  }, bar, line, truth);
  slider.addEventListener("focus", () => frame !== view.current && !view.drag && go(view, frame));
  const value = make("div", { class: "se-value" });
  const head = make("div", { class: "se-index" }, make("span", {}, String(frame)));
  if (seen) head.append(icon(DIAMOND));
  const node = make("div", {
    class: "se-cell", "data-frame": frame, "data-seen": seen,
    title: `frame ${frame}${seen ? ", seen by the network" : ""}; its attention ${say(own)}`,
  }, head, make("div", { class: "se-thumb" }, view.images[frame]), slider, value);
  return { node, slider, bar, truth, value, shown: null };
}

function help(view) {
  const rows = KEYS.map(([key, what]) =>
    make("tr", {}, make("th", { scope: "row" }, make("kbd", {}, key)), make("td", {}, what)));
  view.parts.help = make("section", { class: "se-help", hidden: true, "aria-label": "keys" },
    make("h4", {}, "Keys, while the editor has the focus (click on a frame)"),
    make("table", {}, make("tbody", {}, ...rows)),
    make("p", {}, "Mouse: drag a bar up or down to set one frame; choose what dragging across ",
      "pictures or the chart does, then drag. A level says how much the network should look at a ",
      "frame: 0 irrelevant, 0.5 context, 1 the action itself."));
  return view.parts.help;
}

function toggleHelp(view) {
  const { help: panel, helpButton } = view.parts;
  panel.hidden = !panel.hidden;
  helpButton.setAttribute("aria-expanded", String(!panel.hidden));
  if (!panel.hidden) panel.scrollIntoView({ block: "nearest" });
}

// -- showing --------------------------------------------------------------------------------

/** The levels as they would be if the drag at hand ended now. */
function preview(view) {
  const { drag } = view;
  if (!drag || drag.kind === "select") return view.levels;
  return painted(view.levels, drag.first, drag.last, drag.level);
}

function painted(levels, first, last, level) {
  const [low, high] = [Math.min(first, last), Math.max(first, last)];
  return levels.map((old, frame) => (frame >= low && frame <= high ? level : old));
}

function showLevels(view) {
  preview(view).forEach((level, frame) => {
    const { slider, bar, value, shown } = view.parts.cells[frame];
    if (shown === level) return;
    view.parts.cells[frame].shown = level;
    bar.style.height = `${100 * level}%`;
    setText(value, say(level));
    slider.setAttribute("aria-valuenow", say(level));
    slider.setAttribute("aria-label", `frame ${frame}, level ${say(level)}`);
  });
  showTyped(view);
  drawChart(view);
}

/** What would be right, where the model holds it: over the bars and in the chart. */
function showTruth(view) {
  const levels = view.model.get("true_levels");
  view.parts.truthEntry.hidden = !levels.length;
  view.parts.cells.forEach(({ truth }, frame) => {
    truth.hidden = !levels.length;
    truth.style.bottom = `${100 * levels[frame]}%`;
  });
  drawChart(view);
}

function range(view) {
  return [Math.min(view.anchor, view.current), Math.max(view.anchor, view.current)];
}

function showCurrent(view) {
  const { parts, current } = view;
  const [low, high] = range(view);
  parts.cells.forEach(({ node, slider }, frame) => {
    node.classList.toggle("se-current", frame === current);
    node.classList.toggle("se-selected", high > low && frame >= low && frame <= high);
    slider.tabIndex = frame === current ? 0 : -1;
  });
  parts.scrub.value = current;
  parts.scrub.setAttribute("aria-valuetext", `frame ${current}`);
  setText(parts.counter, `frame ${current} of 0–${view.levels.length - 1}`);
  setText(parts.range, high > low ? `Frames ${low}–${high}` : `Frame ${current}`);
  parts.fill.setAttribute("aria-disabled", String(high - low < 2));
  showTyped(view);
  drawPicture(view);
  drawChart(view);
}

function showTyped(view) {
  const { level } = view.parts;
  if (document.activeElement === level && level.dirty) return;
  level.value = say(preview(view)[view.current]);
}

function reveal(view) {
  const { slots, cells } = view.parts;
  const box = cells[view.current].node.getBoundingClientRect();
  const frame = slots.getBoundingClientRect();
  if (box.top < frame.top) slots.scrollTop -= frame.top - box.top + 4;
  else if (box.bottom > frame.bottom) slots.scrollTop += box.bottom - frame.bottom + 4;
}

function drawPicture(view) {
  const { canvas, overlayWords } = view.parts;
  const image = view.images[view.current];
  if (!image?.complete || !image.naturalWidth || !canvas) return;
  const width = Math.round((canvas.clientWidth || 320) * devicePixelRatio);
  const height = Math.round((width * image.naturalHeight) / image.naturalWidth);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const draw = canvas.getContext("2d");
  draw.imageSmoothingQuality = "high";
  draw.globalAlpha = 1;
  draw.drawImage(image, 0, 0, width, height);
  const words = [];
  if (view.overlay && view.maps.size) {
    const frame = nearest(view.video.sampled, view.current);
    draw.globalAlpha = 0.55;
    draw.drawImage(view.maps.get(frame), 0, 0, width, height);
    words.push(frame === view.current ? `attention at frame ${frame}`
      : `attention at frame ${frame}, the nearest one that the network saw`);
  }
  if (overlayWords) setText(overlayWords, words.join(""));
  canvas.setAttribute("aria-label", ["frame " + view.current, ...words].join(", "));
}

function nearest(sampled, frame) {
  return sampled.reduce((best, other) =>
    Math.abs(other - frame) < Math.abs(best - frame) ? other : best);
}

const chartArea = (width) => ({ left: 30, right: width - 8 });

/** All frames in one line: bars for the levels, a stepped line for the network's attention. */
function drawChart(view) {
  const { chart } = view.parts;
  const { clientWidth: width, clientHeight: height } = chart;
  if (!width || !height) return;
  const scale = devicePixelRatio;
  Object.assign(chart, { width: Math.round(width * scale), height: Math.round(height * scale) });
  const draw = chart.getContext("2d");
  draw.scale(scale, scale);
  const style = getComputedStyle(view.root);
  const colour = (name) => style.getPropertyValue(name).trim();
  const levels = preview(view);
  const n = levels.length;
  const { left, right } = chartArea(width);
  const [top, bottom] = [8, height - 26];
  const x = (frame) => left + ((right - left) * frame) / n;
  const y = (level) => bottom - (bottom - top) * level;
  const unit = x(1) - x(0);

  draw.font = `11px ${style.fontFamily}`;
  draw.fillStyle = colour("--se-soft");
  draw.strokeStyle = colour("--se-rule");
  draw.textAlign = "right";
  draw.textBaseline = "middle";
  for (const level of [0, 0.5, 1]) {
    draw.fillText(String(level), left - 6, y(level));
    draw.beginPath();
    draw.moveTo(left, Math.round(y(level)) + 0.5);
    draw.lineTo(right, Math.round(y(level)) + 0.5);
    draw.stroke();
  }
  const [low, high] = range(view);
  if (high > low) {
    draw.fillStyle = colour("--se-chosen");
    draw.fillRect(x(low), top - 4, x(high + 1) - x(low), bottom - top + 4);
  }
  draw.fillStyle = colour("--se-bar");
  const gap = Math.min(2, unit * 0.15);
  levels.forEach((level, frame) => {
    draw.fillRect(x(frame) + gap / 2, y(level), unit - gap, Math.max(bottom - y(level), 1));
  });
  const steps = (line, stroke, thick) => {
    draw.strokeStyle = colour(stroke);
    draw.lineWidth = thick;
    draw.beginPath();
    line.forEach((level, frame) => {
      draw.lineTo(x(frame), y(level));
      draw.lineTo(x(frame + 1), y(level));
    });
    draw.stroke();
  };
  steps(view.video.attention, "--se-ground", 4.5); // a halo: lines are seen on the bars, too
  steps(view.video.attention, "--se-line", 2);
  const truth = view.model.get("true_levels");
  steps(truth, "--se-ground", 4.5);
  draw.setLineDash([6, 4]);
  steps(truth, "--se-good", 3);
  draw.setLineDash([]);
  drawFeet(view, draw, { x, unit, bottom, colour });
}

/** Under the bars: diamonds at sampled frames, some frame numbers, the current frame's mark. */
function drawFeet(view, draw, { x, unit, bottom, colour }) {
  const size = clamp(unit * 0.4, 2, 4);
  draw.fillStyle = colour("--se-text");
  for (const frame of view.sampled) {
    const centre = x(frame + 0.5);
    draw.beginPath();
    for (const [dx, dy] of [[0, -1], [1, 0], [0, 1], [-1, 0]]) {
      draw.lineTo(centre + dx * size, bottom + 7 + dy * size);
    }
    draw.fill();
  }
  draw.textAlign = "center";
  const n = view.levels.length;
  const every = [1, 2, 5, 10, 20, 50].find((step) => step * unit >= 26) ?? 50;
  draw.fillStyle = colour("--se-soft");
  for (let frame = 0; frame < n; frame += every) {
    if (Math.abs(frame - view.current) * unit > 20) draw.fillText(frame, x(frame + 0.5), bottom + 19);
  }
  draw.strokeStyle = draw.fillStyle = colour("--se-accent");
  draw.lineWidth = 2;
  draw.strokeRect(x(view.current), 4, Math.max(unit, 3), bottom - 4);
  draw.font = `bold ${draw.font}`;
  draw.fillText(view.current, x(view.current + 0.5), bottom + 19);
}

/**
 * The classes worth a row: the true one, the answer, the likeliest after the edit and before it.
 * Always as many rows, so that nothing below moves when somebody edits.
 */
function chooseClasses({ truth, predicted, classes, own }, after) {
  const likeliest = (p) => (p ? p.map((_, k) => k).sort((a, b) => p[b] - p[a]) : []);
  const chosen = [classes.indexOf(truth), classes.indexOf(predicted),
    ...likeliest(after).slice(0, 1), ...likeliest(own ?? after)];
  return [...new Set(chosen)].filter((k) => k >= 0).slice(0, 4);
}

function showScores(view) {
  const { video, parts } = view;
  const { version = 0, problem = "", ...computed } = view.model.get("_scores");
  const edited = view.model.get("_state").changed || view.line.unsaved() > 0;
  const after = edited || !video.own ? computed.after : null; // unedited there is nothing after
  const { own, classes, truth, predicted, rescored } = video;
  parts.scores.hidden = !own && !rescored;
  if (parts.scores.hidden) return;
  const stale = rescored && !view.line.silent && (view.line.unsaved() > 0 || version !== view.model.get("_state").version);
  parts.scores.setAttribute("aria-busy", String(stale));
  const kind = (k) => ({ [predicted]: "se-answered", [truth]: "se-true" })[classes[k]] ?? "se-other";
  const row = (k) => make("tr", { class: kind(k) },
    make("th", { scope: "row" }, make("span", { class: "se-name" }, classes[k]), " ",
      badge(classes[k] === truth, "true class"), badge(classes[k] === predicted, "network's answer")),
    amount(own?.[k], "before"), amount(after?.[k], "after"));
  const state = problem ? `Could not compute: ${problem}` : stale ? "computing …" : "";
  parts.scores.replaceChildren(
    make("h4", {}, "What the network would answer",
      make("span", { class: problem ? "se-problem" : "se-busy" }, state)),
    make("table", {},
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "class"),
        make("th", { scope: "col" }, "before your edit"), make("th", { scope: "col" }, "after your edit"))),
      make("tbody", {}, ...chooseClasses(video, after).map(row))));
}

const badge = (on, text) => (on ? make("span", { class: "se-badge" }, text) : null);

function amount(p, when) {
  if (p === undefined) return make("td", { "data-when": when }, "–");
  const bar = make("span", { class: "se-fill" });
  bar.style.width = `${100 * p}%`;
  return make("td", { "data-when": when },
    make("span", { class: "se-amount" }, p.toFixed(2)),
    make("span", { class: "se-track", "aria-hidden": "true" }, bar));
}

function showSummary(view) {
  const { summary, live } = view.parts;
  const text = view.model.get("summary");
  setText(summary, text);
  view.parts.chart.setAttribute("aria-label", text);
  clearTimeout(view.reading);
  view.reading = setTimeout(() => setText(live, text), QUIET);
}

function showState(view) {
  const { parts, line, model } = view;
  if (!parts) return;
  const state = model.get("_state");
  const waiting = line.unsaved();
  const disconnected = line.silent || line.gone;
  const saved = model.get("saved");
  view.root.dataset.connection = disconnected ? "lost" : waiting || state.saving ? "busy" : "ready";
  setText(parts.saved, disconnected ? "not connected" : waiting || state.saving ? "saving …" : saved);
  parts.saved.classList.toggle("se-kept", !disconnected && /^saved/.test(parts.saved.textContent));
  setText(parts.note, model.get("note"));
  const lost = waiting
    ? ` ${waiting === 1 ? "The last change" : `The last ${waiting} changes`} made here ${waiting === 1 ? "is" : "are"} not saved.` : "";
  const text = disconnected
    ? "Not connected: the program behind this page does not answer." + lost + " Editing waits until it does; if this"
      + " stays, reload the page (in a notebook: run its cells again)."
    : view.trouble || state.problem;
  parts.banner.hidden = !text;
  setText(parts.banner, text);
  parts.undo.setAttribute("aria-disabled", String(!state.can_undo && !waiting));
  parts.redo.setAttribute("aria-disabled", String(!state.can_redo || waiting > 0));
  parts.reset.setAttribute("aria-disabled", String(!state.changed && !waiting));
}

/** Python answered, or the draft changed elsewhere. */
function receive(view) {
  const state = view.model.get("_state");
  view.line.heard(state.seen);
  if (!view.line.unsaved() && state.levels.length === view.levels.length) {
    view.levels = [...state.levels];
    showLevels(view);
  }
  showState(view);
  showScores(view);
}

// -- doing ----------------------------------------------------------------------------------

/** Send a step; `levels` is what it makes of them where the page can tell. */
function step(view, op, fields = {}, levels = null) {
  view.trouble = "";
  if (view.line.silent || view.line.gone) return showState(view);
  if (levels) view.levels = levels;
  view.line.send(op, { video: view.video.number, ...fields });
  showLevels(view);
  showScores(view);
}

function paint(view, level, [first, last] = range(view)) {
  const levels = painted(view.levels, first, last, level);
  if (levels.every((value, frame) => value === view.levels[frame])) return showLevels(view);
  if (first === last) step(view, "set", { frame: first, level }, levels);
  else step(view, "paint", { first, last, level }, levels);
}

function fill(view) {
  const [first, last] = range(view);
  if (last - first < 2) return;
  const { levels } = view;
  const slope = (levels[last] - levels[first]) / (last - first);
  step(view, "fill", { first, last }, levels.map((level, frame) =>
    frame > first && frame < last ? levels[first] + slope * (frame - first) : level));
}

function nudge(view, by) {
  paint(view, clamp(Math.round((view.levels[view.current] + by) * 100) / 100, 0, 1));
}

function typed(view) {
  const input = view.parts.level;
  const level = input.value.trim() === "" ? NaN : Number(input.value);
  if (level >= 0 && level <= 1) {
    paint(view, level);
    return;
  }
  view.trouble = "A level is a number from 0 to 1.";
  input.value = say(view.levels[view.current]);
  showState(view);
}

function command(view) {
  if (view.model.get("can_command")) step(view, "next");
}

/** Make a frame the current one; with `extend` the selection stretches to it. */
function go(view, frame, extend = false) {
  view.current = clamp(frame, 0, view.levels.length - 1);
  if (!extend) view.anchor = view.current;
  showCurrent(view);
  reveal(view);
}

function focusCurrent(view) {
  view.parts.cells[view.current].slider.focus({ preventScroll: true });
}

function togglePlay(view) {
  if (view.playing) return stop(view);
  const [low, high] = range(view);
  const [first, last] = high > low ? [low, high] : [0, view.levels.length - 1];
  const { anchor, current } = view;
  const start = performance.now();
  const from = high > low ? first : current === last ? first : current;
  const loop = last - first + 1;
  const tick = (now) => {
    const passed = Math.floor(((now - start) / 1000) * FPS);
    const frame = first + ((from - first + passed) % loop);
    if (frame !== view.current) {
      view.current = frame;
      if (high === low) view.anchor = frame;
      showPlaying(view, [low, high]);
    }
    view.playing.request = requestAnimationFrame(tick);
  };
  view.playing = { request: requestAnimationFrame(tick), selection: high > low && { anchor, current } };
  view.parts.play.words.textContent = "Pause";
  view.parts.play.querySelector("path").setAttribute("d", PAUSE);
}

/** While a selection plays in a loop it stays selected; only the picture moves. */
function showPlaying(view, [low, high]) {
  if (high === low) return showCurrent(view);
  drawPicture(view);
  view.parts.scrub.value = view.current;
  setText(view.parts.counter, `frame ${view.current} of 0–${view.levels.length - 1}`);
}

function stop(view) {
  if (!view.playing) return;
  cancelAnimationFrame(view.playing.request);
  const { selection } = view.playing;
  view.playing = null;
  if (selection) Object.assign(view, selection);
  view.parts.play.words.textContent = "Play";
  view.parts.play.querySelector("path").setAttribute("d", PLAY);
  showCurrent(view);
  reveal(view);
}

// -- pointers -------------------------------------------------------------------------------

/** Dragging on the strip or the chart; `frameAt` says which frame lies under the pointer. */
function pointers(view, surface, frameAt) {
  surface.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || view.drag) return;
    const frame = frameAt(event);
    if (frame === null) return;
    event.preventDefault(); // no text selection, no dragging of images
    surface.setPointerCapture(event.pointerId);
    stop(view);
    startDrag(view, event, frame);
  });
  surface.addEventListener("pointermove", (event) => {
    if (view.drag?.pointer !== event.pointerId) return;
    view.drag.follow = () => moveDrag(view, event, frameAt(event));
    view.drag.follow();
  });
  surface.addEventListener("pointerup", (event) => {
    if (view.drag?.pointer === event.pointerId) endDrag(view);
  });
  for (const name of ["pointercancel", "lostpointercapture"]) {
    surface.addEventListener(name, () => cancelDrag(view));
  }
}

function startDrag(view, event, frame) {
  const slider = event.target.closest(".se-slider");
  const level = view.tool.level;
  const kind = slider ? "slider" : level === null ? "select" : "paint";
  const before = { anchor: view.anchor, current: view.current };
  view.drag = { kind, pointer: event.pointerId, first: frame, last: frame, level, slider, before };
  if (kind === "slider") view.drag.level = levelAt(slider, event);
  else view.drag.timer = setInterval(() => view.drag?.follow?.(), 40); // held still, it scrolls on
  go(view, frame, kind === "select" && event.shiftKey);
  focusCurrent(view);
  showLevels(view);
}

function moveDrag(view, event, frame) {
  const { drag } = view;
  if (drag.kind === "slider") drag.level = levelAt(drag.slider, event);
  else {
    scrollAtEdge(view, event);
    if (frame === null || frame === drag.last) return;
    drag.last = frame;
    go(view, frame, true);
  }
  showLevels(view);
}

function endDrag(view) {
  const { kind, first, last, level, timer } = view.drag;
  clearInterval(timer);
  view.drag = null;
  if (kind !== "select") {
    view.anchor = view.current; // what was painted needs no selection any more
    paint(view, level, [Math.min(first, last), Math.max(first, last)]);
  }
  showCurrent(view);
  focusCurrent(view);
}

/** Nothing stays half painted. */
function cancelDrag(view) {
  if (!view.drag) return;
  clearInterval(view.drag.timer);
  Object.assign(view, view.drag.before);
  view.drag = null;
  showLevels(view);
  showCurrent(view);
}

function levelAt(slider, event) {
  const box = slider.getBoundingClientRect();
  return onGrid((box.bottom - event.clientY) / box.height);
}

function scrollAtEdge(view, event) {
  const { slots } = view.parts;
  if (!slots.contains(event.target)) return;
  const box = slots.getBoundingClientRect();
  if (event.clientY > box.bottom - 20) slots.scrollTop += 12;
  else if (event.clientY < box.top + 20) slots.scrollTop -= 12;
}

// -- keys -----------------------------------------------------------------------------------

/** What a key does; undefined where it is not ours. */
function action(view, event) {
  const { key, shiftKey: shift } = event;
  if (event.ctrlKey || event.metaKey) {
    const letter = key.toLowerCase();
    if (letter === "z") return () => step(view, shift ? "redo" : "undo");
    if (letter === "y") return () => step(view, "redo");
    if (letter === "s") return () => {}; // all is saved as it is made; no browser's dialog
    return undefined;
  }
  if (event.altKey) return undefined;
  const last = view.levels.length - 1;
  const brush = TOOLS.slice(1).find(({ id }) => id === key);
  if (brush) return () => paint(view, brush.level);
  return {
    ArrowLeft: () => go(view, view.current - 1, shift),
    ArrowRight: () => go(view, view.current + 1, shift),
    ArrowUp: () => nudge(view, STEP),
    ArrowDown: () => nudge(view, -STEP),
    Home: () => go(view, 0, shift),
    End: () => go(view, last, shift),
    f: () => fill(view),
    s: () => step(view, "smooth"),
    o: () => view.parts.overlay?.click(),
    " ": () => togglePlay(view),
    Enter: () => command(view),
    "?": () => toggleHelp(view),
    Escape: () => {
      if (view.drag) cancelDrag(view);
      else if (!view.parts.help.hidden) toggleHelp(view);
      else go(view, view.current);
    },
  }[key];
}

function onKey(view, event) {
  const { target, key } = event;
  if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  const typing = target === view.parts.level;
  if (typing) {
    target.dirty = !["Enter", "Escape"].includes(key);
    if (target.dirty) return;
    if (key === "Escape") target.value = say(view.levels[view.current]);
    focusCurrent(view); // which makes the browser commit what was typed
    return;
  }
  const control = target.closest("button, input");
  const own = key === " " || (key === "Enter" && control?.tagName === "BUTTON");
  if (control && own && control.type !== "range") return;
  if (control?.type === "radio" && key.startsWith("Arrow")) return;
  const held = event.repeat && (key === "Enter" || key === " "); // one press, one video
  if (held || (view.drag && key !== "Escape")) return event.preventDefault();
  const act = action(view, event);
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  const moves = key.startsWith("Arrow") || key === "Home" || key === "End";
  if (view.playing && moves) stop(view);
  act();
  if (moves) focusCurrent(view);
}

// -- theme ----------------------------------------------------------------------------------

/** Light or dark after the ground that lies behind us; without one, what the system prefers. */
function ground(node) {
  for (let at = node.parentElement; at; at = at.parentElement) {
    const match = getComputedStyle(at).backgroundColor.match(/^rgba?\(([^)]*)\)/);
    const [r, g, b, alpha = 1] = match ? match[1].split(/[\s,/]+/).map(Number) : [0, 0, 0, 0];
    if (alpha > 0.5) return 0.299 * r + 0.587 * g + 0.114 * b < 110 ? "dark" : "light";
  }
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

function followTheme(view) {
  const look = () => {
    const theme = ground(view.root);
    if (view.root.dataset.theme === theme) return;
    view.root.dataset.theme = theme;
    if (view.parts) drawChart(view);
  };
  const attributes = new MutationObserver(() => setTimeout(look, 50));
  attributes.observe(document.body, { attributes: true });
  const attached = new ResizeObserver(look);
  attached.observe(view.root);
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", look);
  return () => {
    attributes.disconnect();
    attached.disconnect();
    media.removeEventListener("change", look);
  };
}

export default { render };

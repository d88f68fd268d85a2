// Every frame over its own bar, in one row: the axis of time, with what its marks mean.

import { DIAMOND, button, icon, make, shape } from "./dom.js";
import { pointers } from "./drag.js";
import { say } from "./levels.js";
import { go, reveal } from "./show.js";

const NUMBERED = 5; // every so manieth frame has its number under it, beside the current one
const ONE_ROW = 22; // frames of which each picture is large enough over its own bar

export function timeline(view) {
  const { parts } = view;
  parts.cells = view.levels.map((_, frame) => cell(view, frame));
  parts.line = shape("se-line", view.levels.length);
  parts.truthLine = shape("se-truth-line", view.levels.length);
  parts.strip = make("div", { class: "se-strip", role: "group", "aria-label": "all frames" },
    ...parts.cells.map(({ node }) => node), parts.line, parts.truthLine);
  pointers(view, parts.strip);
  parts.slots = make("div", { class: "se-slots" }, parts.strip);
  const axis = ["1", "0.5", "0"].map((level) => make("span", {}, level));
  view.root.style.setProperty("--frames", view.levels.length);
  view.rows = view.levels.length > ONE_ROW ? 2 : 1; // of pictures: odd frames above even ones
  const head = make("div", { class: "se-above" }, legend(view), view.rows > 1 ? larger(view) : null);
  parts.timeline = make("section", { class: "se-timeline", "data-rows": view.rows, "aria-label": "levels of all frames" },
    head, make("div", { class: "se-plot" },
      make("div", { class: "se-axis", "aria-hidden": "true" }, ...axis), parts.slots));
  enlarge(view, view.large);
  return parts.timeline;
}

/** Frames of a long video are small; who needs to see them makes them larger, and scrolls. */
function larger(view) {
  view.parts.larger = button("Larger frames", "z", () => enlarge(view, !view.large), "se-larger");
  return view.parts.larger;
}

/** Draw the frames of a long video large, or small; short videos' are as large as they get. */
export function enlarge(view, large) {
  view.large = large;
  view.parts.timeline.toggleAttribute("data-large", large);
  view.parts.larger?.setAttribute("aria-pressed", String(large));
  reveal(view);
}

function legend({ parts, sampled }) {
  const entry = (mark, text) => make("li", {}, make("span", { class: `se-mark ${mark}` }), text);
  parts.truthEntry = entry("se-mark-truth", "the truth (dashed line)");
  return make("ul", { class: "se-legend" }, entry("se-mark-bar", "your level (bar)"),
    entry("se-mark-line", "the network's attention (line)"), parts.truthEntry,
    sampled.size ? make("li", {}, make("span", { class: "se-mark" }, icon(DIAMOND)),
      "frame that the network saw") : null);
}

function cell(view, frame) {
  const own = view.video.attention[frame];
  const seen = view.sampled.has(frame);
  const bar = make("div", { class: "se-bar" });
  const slider = make("div", {
    class: "se-slider", role: "slider", tabindex: "-1", "aria-valuemin": 0, "aria-valuemax": 1,
    "aria-orientation": "vertical",
  }, bar);
  slider.addEventListener("focus", () => frame !== view.current && !view.drag && go(view, frame));
  const node = make("div", {
    class: "se-cell", "data-frame": frame, "data-numbered": frame % NUMBERED === 0,
    title: `frame ${frame}${seen ? ", seen by the network" : ""}; its attention ${say(own)}`,
  }, make("div", { class: "se-thumb" }, view.images[frame]), slider,
    make("div", { class: "se-index" }, seen ? icon(DIAMOND) : null, make("span", {}, String(frame))));
  return { node, slider, bar, shown: null };
}

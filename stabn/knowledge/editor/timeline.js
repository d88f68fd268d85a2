// All levels as one chart, with what its marks mean.

import { drawChart, frameAt } from "./chart.js";
import { DIAMOND, icon, make } from "./dom.js";
import { pointers } from "./drag.js";
import { drawPicture } from "./picture.js";

export function timeline(view) {
  const { parts } = view;
  parts.chart = make("canvas", { class: "se-chart", role: "img" });
  const entry = (mark, text) => make("li", {}, make("span", { class: `se-mark ${mark}` }), text);
  const sampled = make("li", {}, make("span", { class: "se-mark" }, icon(DIAMOND)),
    "frame that the network saw");
  parts.truthEntry = entry("se-mark-truth", "the truth (dashed line)");
  view.resized = new ResizeObserver(() => { drawChart(view); drawPicture(view); });
  view.resized.observe(parts.chart);
  pointers(view, parts.chart, (event) => frameAt(view, event.clientX));
  return make("section", { class: "se-timeline", "aria-label": "levels of all frames" },
    make("ul", { class: "se-legend" }, entry("se-mark-bar", "your level (bar)"),
      entry("se-mark-line", "the network's attention (line)"), parts.truthEntry,
      view.sampled.size ? sampled : ""),
    parts.chart);
}

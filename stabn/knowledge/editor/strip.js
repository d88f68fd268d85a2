// Every frame in a cell of its own: its picture, its level as a bar.

import { DIAMOND, icon, make } from "./dom.js";
import { pointers } from "./drag.js";
import { say } from "./levels.js";
import { go } from "./show.js";

export function strip(view) {
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

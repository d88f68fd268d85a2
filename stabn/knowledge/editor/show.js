// The levels and the frame at hand, brought to where they are seen.

import { drawChart } from "./chart.js";
import { setText } from "./dom.js";
import { clamp, preview, range, say } from "./levels.js";
import { drawPicture } from "./picture.js";

export function showLevels(view) {
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
export function showTruth(view) {
  const levels = view.model.get("true_levels");
  view.parts.truthEntry.hidden = !levels.length;
  view.parts.cells.forEach(({ truth }, frame) => {
    truth.hidden = !levels.length;
    truth.style.bottom = `${100 * levels[frame]}%`;
  });
  drawChart(view);
}

export function showCurrent(view) {
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

/** Make a frame the current one; with `extend` the selection stretches to it. */
export function go(view, frame, extend = false) {
  view.current = clamp(frame, 0, view.levels.length - 1);
  if (!extend) view.anchor = view.current;
  showCurrent(view);
  reveal(view);
}

export function reveal(view) {
  const { slots, cells } = view.parts;
  const box = cells[view.current].node.getBoundingClientRect();
  const frame = slots.getBoundingClientRect();
  if (box.top < frame.top) slots.scrollTop -= frame.top - box.top + 4;
  else if (box.bottom > frame.bottom) slots.scrollTop += box.bottom - frame.bottom + 4;
}

export function focusCurrent(view) {
  view.parts.cells[view.current].slider.focus({ preventScroll: true });
}

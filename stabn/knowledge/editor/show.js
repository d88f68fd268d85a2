// The levels and the frame at hand, brought to where they are seen.

import { setText } from "./dom.js";
import { clamp, preview, range, say } from "./levels.js";
import { drawPicture } from "./picture.js";

export function showLevels(view) {
  preview(view).forEach((level, frame) => {
    const cell = view.parts.cells[frame];
    if (cell.shown === level) return;
    cell.shown = level;
    cell.bar.style.height = `${100 * level}%`;
    cell.slider.setAttribute("aria-valuenow", say(level));
    cell.slider.setAttribute("aria-label", `frame ${frame}, level ${say(level)}`);
  });
  showTyped(view);
}

/** What would be right, where the model holds it: over the bars. */
export function showTruth(view) {
  const levels = view.model.get("true_levels");
  view.parts.truthEntry.hidden = !levels.length;
  view.parts.truthLine.follow(levels);
}

export function showCurrent(view) {
  const { parts, current } = view;
  const [low, high] = range(view);
  parts.cells.forEach(({ node, slider }, frame) => {
    node.classList.toggle("se-current", frame === current);
    node.classList.toggle("se-selected", high > low && frame >= low && frame <= high);
    node.classList.toggle("se-in", frame === view.mark);
    slider.tabIndex = frame === current ? 0 : -1;
  });
  setText(parts.range, high > low ? `Frames ${low}–${high}` : `Frame ${current}`);
  parts.fill.setAttribute("aria-disabled", String(high - low < 2));
  showTyped(view);
  drawPicture(view);
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
  view.hover = null; // until the mouse moves again
  view.chosen = true;
  showCurrent(view);
  reveal(view);
}

/** Scroll, where something must, until the current frame is in view; never under a drag. */
export function reveal(view) {
  if (view.drag?.pointer !== undefined) return;
  view.parts.cells[view.current].node.scrollIntoView({ block: "nearest", inline: "nearest" });
}

export function focusCurrent(view) {
  view.parts.cells[view.current].slider.focus({ preventScroll: true });
  reveal(view);
}

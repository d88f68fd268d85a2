// What sets levels by mouse: one row of levels, one of steps.

import { button, make } from "./dom.js";
import { STEP, range } from "./levels.js";
import { fill, nudge, paint, step, typed } from "./steps.js";

/** The three levels; the key of each is its digit: 5 for 0.5. */
export const LEVELS = [
  { level: 0, key: "0", word: "irrelevant" },
  { level: 0.5, key: "5", word: "context" },
  { level: 1, key: "1", word: "the action" },
];

export function tools(view) {
  const { parts } = view;
  parts.level = make("input", {
    type: "number", class: "se-level", min: 0, max: 1, step: STEP, "aria-label": "level",
    onchange: () => typed(view),
  });
  parts.range = make("span", { class: "se-range" });
  parts.hint = make("span", { class: "se-soft", role: "status" });
  parts.levels = LEVELS.map((tool) => levelButton(view, tool));
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
  take(view, null);
  return make("section", { class: "se-tools", "aria-label": "tools" },
    make("div", { class: "se-row", role: "group", "aria-label": "levels" }, parts.range,
      ...parts.levels, make("span", { class: "se-typed" }, less, parts.level, more), parts.hint),
    make("div", { class: "se-row", role: "group", "aria-label": "steps" }, parts.undo, parts.redo,
      parts.fill, parts.smooth, parts.clear, parts.reset));
}

function levelButton(view, tool) {
  const node = button(`${tool.level} ${tool.word}`, tool.key, () => press(view, tool), "se-colour");
  const swatch = make("span", { class: "se-swatch" });
  swatch.style.setProperty("--level", tool.level);
  node.prepend(swatch);
  return node;
}

/** Chosen frames get the level; where none are, it is taken in hand, to be dragged over frames. */
function press(view, tool) {
  const [low, high] = range(view);
  if (high > low || (view.chosen && !view.tool)) paint(view, tool.level);
  else take(view, view.tool === tool ? null : tool);
}

/** Take a level in hand, or none. */
export function take(view, tool) {
  const { parts, root } = view;
  view.tool = tool;
  view.chosen = false; // what was painted over is not chosen
  root.dataset.tool = tool ? tool.key : "select";
  LEVELS.forEach((other, k) => parts.levels[k].setAttribute("aria-pressed", String(other === tool)));
  parts.hint.textContent = tool
    ? `Drag over frames to set them to ${tool.level}; Esc ends that.`
    : "Drag over frames to select them, then choose a level.";
}

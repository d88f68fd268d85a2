// What sets levels by mouse: brushes for dragging, buttons for the frames that are chosen.

import { button, make } from "./dom.js";
import { STEP } from "./levels.js";
import { focusCurrent } from "./show.js";
import { fill, nudge, paint, step, typed } from "./steps.js";

export const TOOLS = [
  { id: "select", word: "select", level: null },
  { id: "0", word: "irrelevant", level: 0 },
  { id: "1", word: "context", level: 0.5 },
  { id: "2", word: "the action", level: 1 },
];

export function tools(view) {
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

export function brushes(view) {
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

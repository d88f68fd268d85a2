// What is done to the levels: shown at once, sent as one message, put right by the answer.

import { filled, nudged, painted, range, say } from "./levels.js";
import { showScores } from "./scores.js";
import { showLevels } from "./show.js";
import { refused, showState, tooEarly } from "./status.js";

/** Send a step; `levels` is what it makes of them where the page can tell. */
export function step(view, op, fields = {}, levels = null) {
  view.trouble = "";
  if (refused(view)) return;
  if (levels) view.levels = levels;
  view.line.send(op, { video: view.video.number, ...fields });
  showLevels(view);
  showScores(view);
}

export function paint(view, level, [first, last] = range(view)) {
  const levels = painted(view.levels, first, last, level);
  if (levels.every((value, frame) => value === view.levels[frame])) return showLevels(view);
  if (first === last) step(view, "set", { frame: first, level }, levels);
  else step(view, "paint", { first, last, level }, levels);
}

export function fill(view) {
  const [first, last] = range(view);
  if (last - first < 2) return;
  step(view, "fill", { first, last }, filled(view.levels, first, last));
}

export function nudge(view, by) {
  paint(view, nudged(view.levels[view.current], by));
}

export function typed(view) {
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

export function command(view) {
  if (view.model.get("can_command") && !tooEarly(view)) step(view, "next");
}

/** Python answered, or the draft changed elsewhere. */
export function receive(view) {
  const state = view.model.get("_state");
  view.line.heard(state.seen);
  if (!view.line.unsaved() && state.levels.length === view.levels.length) {
    view.levels = [...state.levels];
    showLevels(view);
  }
  showState(view);
  showScores(view);
}

// What is said: saved or not, connected or not, what went wrong, and all of it in words.

import { make, setText } from "./dom.js";

const QUIET = 600; // ms without a change before the summary is read out
const GLANCE = 700; // ms for which a video is seen before one can go on
const EARLY = "Too quick: look at this video first, then press Enter";

export function banner(view) {
  return (view.parts.banner = make("p", { class: "se-banner", role: "alert", hidden: true }));
}

/** All of it in words: last and in one line, for its length changes and must move nothing. */
export function summary(view) {
  const { parts } = view;
  parts.summary = make("p", { class: "se-summary" });
  parts.live = make("p", { class: "se-hidden", "aria-live": "polite" });
  return make("div", { class: "se-words" }, parts.summary, parts.live);
}

/** How things stand, in one place, from what is known: never "saved" beside trouble. */
export function showState(view) {
  const { parts, line, model } = view;
  if (!parts) return;
  const state = model.get("_state");
  const waiting = line.unsaved();
  const disconnected = line.silent || line.gone;
  const busy = waiting > 0 || state.saving;
  view.root.dataset.connection = disconnected ? "lost" : busy ? "busy" : "ready";
  setText(parts.saved, disconnected ? "not connected" : busy ? "saving …"
    : state.failed ? "not saved" : view.early ? EARLY : model.get("saved"));
  parts.saved.classList.toggle("se-early", view.early);
  parts.saved.title = parts.saved.textContent; // of which two lines are seen
  setText(parts.note, model.get("note"));
  const text = disconnected ? lost(waiting) : view.trouble || state.problem;
  parts.banner.hidden = !text;
  setText(parts.banner, text);
  parts.undo.setAttribute("aria-disabled", String(!state.can_undo && !waiting));
  parts.redo.setAttribute("aria-disabled", String(!state.can_redo || waiting > 0));
  parts.reset.setAttribute("aria-disabled", String(!state.changed && !waiting));
}

function lost(waiting) {
  const many = waiting > 1;
  const changes = many ? `The last ${waiting} changes` : "The last change";
  return "Not connected: the program behind this page does not answer."
    + (waiting ? ` ${changes} made here ${many ? "are" : "is"} not saved.` : "")
    + " Editing waits until it does; if this stays, reload the page (in a notebook: run its cells again).";
}

/** Whether nobody is there to hear of a step; then that is said again, to be seen. */
export function refused(view) {
  if (!view.line.silent && !view.line.gone) return false;
  showState(view);
  view.parts.banner.animate({ opacity: [0, 1] }, 400);
  return true;
}

/** Somebody did something with this video: they have seen it. */
export function touch(view) {
  view.seen = 0;
  if (!view.early) return;
  view.early = false;
  showState(view);
}

/** Whether the video cannot have been seen yet; then that is said: Enter pressed twice is a slip. */
export function tooEarly(view) {
  view.early = Date.now() - (view.seen ?? Date.now()) < GLANCE;
  if (view.early) {
    showState(view);
    view.parts.saved.animate({ opacity: [0, 1] }, 400);
  }
  return view.early;
}

export function showSummary(view) {
  const { summary, live } = view.parts;
  const text = view.model.get("summary");
  setText(summary, text);
  clearTimeout(view.reading);
  view.reading = setTimeout(() => setText(live, text), QUIET);
}

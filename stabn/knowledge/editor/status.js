// What is said: saved or not, connected or not, what went wrong, and all of it in words.

import { make, setText } from "./dom.js";

const QUIET = 600; // ms without a change before the summary is read out

export function banner(view) {
  return (view.parts.banner = make("p", { class: "se-banner", role: "alert", hidden: true }));
}

/** All of it in words: last, for its length changes with every edit and must move nothing. */
export function summary(view) {
  const { parts } = view;
  parts.summary = make("p", { class: "se-summary" });
  parts.live = make("p", { class: "se-hidden", "aria-live": "polite" });
  return make("footer", {}, parts.summary, parts.live);
}

export function showState(view) {
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

export function showSummary(view) {
  const { summary, live } = view.parts;
  const text = view.model.get("summary");
  setText(summary, text);
  view.parts.chart.setAttribute("aria-label", text);
  clearTimeout(view.reading);
  view.reading = setTimeout(() => setText(live, text), QUIET);
}

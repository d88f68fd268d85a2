// The page's half of the editor. Python holds the levels; these modules show them, paint ahead of
// the kernel while somebody drags, and send each finished step as one message. They hold no history
// and save nothing: what they have not been told, they do not claim. This one opens and closes.
// From what is imported by all to what imports all: dom, levels, viridis, line, theme; what draws
// (picture, frames, scores, status, show); what does (steps, player, drag, watch); what is pressed
// (tools, keys, header, timeline).

import { make } from "./dom.js";
import { cancelDrag } from "./drag.js";
import { loadImages, readMaps } from "./frames.js";
import { header } from "./header.js";
import { onKey } from "./keys.js";
import { connect } from "./line.js";
import { player, stop } from "./player.js";
import { scores, showScores } from "./scores.js";
import { focusCurrent, showCurrent, showLevels, showTruth } from "./show.js";
import { showState, showSummary, summary, touch } from "./status.js";
import { receive } from "./steps.js";
import { followTheme } from "./theme.js";
import { timeline } from "./timeline.js";
import { tools } from "./tools.js";

function render({ model, el }) {
  const root = make("div", {
    class: "stabn-editor",
    role: "group",
    "aria-label": "Editor of temporal attention",
    tabindex: "-1",
  });
  el.append(root);
  const view = {
    model, root,
    levels: [], // as far as this page knows, with what it sent but was not answered yet
    current: 0, anchor: 0,
    mark: null, // where something was marked to begin
    hover: null, // the frames that the mouse rests over
    chosen: false, // whether the current frame was chosen, or only is the first
    tool: null, // the level in hand
    seen: null, // when the picture was first seen, in ms; 0 once something was done with it
    early: false, // whether somebody would go on before that was long enough ago
    overlay: false, large: false, speed: 1, loop: true, // which another video keeps
    drag: null, // {kind, first, last, level, before} and what each kind needs
    playing: null,
    images: [], urls: [],
  };
  view.line = connect(model, () => showState(view));
  view.open = () => openVideo(view);
  root.addEventListener("keydown", (event) => onKey(view, event));
  root.addEventListener("pointerdown", ({ target }) => target.closest(".se-next") || touch(view));
  root.addEventListener("se-refocus", () => focusCurrent(view));
  root.addEventListener("se-kernel", ({ detail: alive }) => { // what the page around knows of it
    view.line.away = !alive;
    view.line.check();
  });

  const listeners = {
    "change:_video": view.open,
    "change:_state": () => receive(view),
    "change:_scores": () => showScores(view),
    "change:saved": () => showState(view),
    "change:note": () => showState(view),
    "change:summary": () => showSummary(view),
    "change:true_levels": () => showTruth(view),
    "msg:custom": (message) => message === "focus" && focusCurrent(view),
    "comm:close": () => { view.line.gone = true; view.line.check(); },
    comm_live_update: () => view.line.send("hello"), // after a kernel restart nobody answers
  };
  for (const [name, listener] of Object.entries(listeners)) model.on(name, listener);
  const stopTheme = followTheme(root);
  view.open();
  view.line.send("hello");

  return () => {
    for (const [name, listener] of Object.entries(listeners)) model.off(name, listener);
    stopTheme();
    closeVideo(view);
  };
}

/** Show the video that the model holds, from its first frame. */
function openVideo(view) {
  const hadFocus = view.root.contains(document.activeElement);
  closeVideo(view);
  const video = view.model.get("_video");
  const state = view.model.get("_state");
  view.video = video;
  view.sampled = new Set(video.sampled);
  view.levels = [...state.levels];
  view.current = view.anchor = 0;
  view.mark = view.hover = view.seen = null;
  view.early = false;
  view.line.pending = view.line.pending.filter((step) => step.op === "hello");
  loadImages(view);
  view.maps = readMaps(view);
  view.parts = {};
  view.root.replaceChildren(
    header(view),
    make("div", { class: "se-page" }, player(view), timeline(view),
      make("div", { class: "se-side" }, tools(view), scores(view)), summary(view)),
  );
  view.parts.line.follow(video.attention);
  showTruth(view);
  showLevels(view);
  showCurrent(view);
  showScores(view);
  showState(view);
  showSummary(view);
  if (hadFocus) focusCurrent(view);
}

function closeVideo(view) {
  if (view.parts) cancelDrag(view);
  stop(view);
  view.resized?.disconnect();
  for (const url of view.urls) URL.revokeObjectURL(url);
  view.urls = [];
}

export default { render };

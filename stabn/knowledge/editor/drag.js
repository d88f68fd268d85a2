// Dragging on the strip or the chart, to choose, to paint, to move one bar.

import { onGrid } from "./levels.js";
import { stop } from "./player.js";
import { focusCurrent, go, showCurrent, showLevels } from "./show.js";
import { paint } from "./steps.js";

/** Dragging on the strip or the chart; `frameAt` says which frame lies under the pointer. */
export function pointers(view, surface, frameAt) {
  surface.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || view.drag) return;
    const frame = frameAt(event);
    if (frame === null) return;
    event.preventDefault(); // no text selection, no dragging of images
    surface.setPointerCapture(event.pointerId);
    stop(view);
    startDrag(view, event, frame);
  });
  surface.addEventListener("pointermove", (event) => {
    if (view.drag?.pointer !== event.pointerId) return;
    view.drag.follow = () => moveDrag(view, event, frameAt(event));
    view.drag.follow();
  });
  surface.addEventListener("pointerup", (event) => {
    if (view.drag?.pointer === event.pointerId) endDrag(view);
  });
  for (const name of ["pointercancel", "lostpointercapture"]) {
    surface.addEventListener(name, () => cancelDrag(view));
  }
}

function startDrag(view, event, frame) {
  const slider = event.target.closest(".se-slider");
  const level = view.tool.level;
  const kind = slider ? "slider" : level === null ? "select" : "paint";
  const before = { anchor: view.anchor, current: view.current };
  view.drag = { kind, pointer: event.pointerId, first: frame, last: frame, level, slider, before };
  if (kind === "slider") view.drag.level = levelAt(slider, event);
  else view.drag.timer = setInterval(() => view.drag?.follow?.(), 40); // held still, it scrolls on
  go(view, frame, kind === "select" && event.shiftKey);
  focusCurrent(view);
  showLevels(view);
}

function moveDrag(view, event, frame) {
  const { drag } = view;
  if (drag.kind === "slider") drag.level = levelAt(drag.slider, event);
  else {
    scrollAtEdge(view, event);
    if (frame === null || frame === drag.last) return;
    drag.last = frame;
    go(view, frame, true);
  }
  showLevels(view);
}

function endDrag(view) {
  const { kind, first, last, level, timer } = view.drag;
  clearInterval(timer);
  view.drag = null;
  if (kind !== "select") {
    view.anchor = view.current; // what was painted needs no selection any more
    paint(view, level, [Math.min(first, last), Math.max(first, last)]);
  }
  showCurrent(view);
  focusCurrent(view);
}

/** Nothing stays half painted. */
export function cancelDrag(view) {
  if (!view.drag) return;
  clearInterval(view.drag.timer);
  Object.assign(view, view.drag.before);
  view.drag = null;
  showLevels(view);
  showCurrent(view);
}

function levelAt(slider, event) {
  const box = slider.getBoundingClientRect();
  return onGrid((box.bottom - event.clientY) / box.height);
}

function scrollAtEdge(view, event) {
  const { slots } = view.parts;
  if (!slots.contains(event.target)) return;
  const box = slots.getBoundingClientRect();
  if (event.clientY > box.bottom - 20) slots.scrollTop += 12;
  else if (event.clientY < box.top + 20) slots.scrollTop -= 12;
}

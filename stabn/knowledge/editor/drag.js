// Dragging on the frames: to choose, to paint, to move one bar or the edge of a stretch.

import { clamp, isEdge, moved, onGrid } from "./levels.js";
import { drawPicture } from "./picture.js";
import { stop } from "./player.js";
import { focusCurrent, go, showCurrent, showLevels } from "./show.js";
import { refused } from "./status.js";
import { paint } from "./steps.js";

const NEAR = 5; // pixels from an edge at which the mouse takes hold of it
const MEANT = 6; // pixels after which it is clear whether a drag on a bar goes along or up and down

/**
 * Dragging and pointing on the strip. A finger that moves up or down scrolls the page (the style
 * sheet says so, and the browser cancels the drag), one that moves along chooses or paints.
 */
export function pointers(view, strip) {
  strip.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || view.drag) return;
    event.preventDefault(); // no text selection, no dragging of images
    if (refused(view)) return;
    strip.setPointerCapture(event.pointerId);
    stop(view);
    startDrag(view, event);
  });
  strip.addEventListener("pointermove", (event) => {
    if (!view.drag) return point(view, event);
    if (view.drag.pointer !== event.pointerId) return;
    view.drag.follow = () => moveDrag(view, event);
    view.drag.follow();
  });
  strip.addEventListener("pointerleave", () => hover(view, null));
  strip.addEventListener("pointerup", (event) => {
    if (view.drag?.pointer === event.pointerId) endDrag(view);
  });
  for (const name of ["pointercancel", "lostpointercapture"]) {
    strip.addEventListener(name, () => view.drag?.pointer !== undefined && cancelDrag(view));
  }
}

/** How many frames lie to the left of a place on the page; a fraction of one counts. */
function along({ parts, levels }, clientX) {
  const box = parts.strip.getBoundingClientRect();
  return clamp((clientX - box.left) / box.width, 0, 1) * levels.length;
}

/** The frame under a place on the page, however far above or below it lies. */
export function frameAt(view, clientX) {
  return Math.min(Math.floor(along(view, clientX)), view.levels.length - 1);
}

/** The frame whose picture lies there: pictures in two rows are wider than the bars below them. */
export function pictureAt(view, { clientX, clientY }) {
  const under = frameAt(view, clientX);
  const { strip, cells } = view.parts;
  const { top } = strip.getBoundingClientRect();
  const bars = cells[0].slider.getBoundingClientRect().top;
  if (view.rows === 1 || clientY >= bars) return under;
  const odd = Number(clientY < (top + bars) / 2);
  const at = along(view, clientX);
  const near = 2 * Math.round((at - 0.5 - odd) / 2) + odd;
  const pictured = near >= 0 && near < view.levels.length && Math.abs(at - near - 0.5) <= 1;
  return pictured ? near : under;
}

/** The frame that begins at the edge under the mouse; null where there is none to take hold of. */
function edgeAt(view, event) {
  if (event.pointerType === "touch" || event.shiftKey || view.tool) return null;
  if (!event.target.closest(".se-slider")) return null;
  const at = along(view, event.clientX);
  const edge = Math.round(at);
  const unit = view.parts.strip.clientWidth / view.levels.length;
  const near = Math.abs(at - edge) * unit <= Math.min(NEAR, unit / 4);
  return near && isEdge(view.levels, edge) ? edge : null;
}

/** The mouse rests over something: it is seen large. */
function point(view, event) {
  if (event.pointerType === "touch") return;
  const edge = edgeAt(view, event);
  view.parts.strip.classList.toggle("se-over-edge", edge !== null);
  hover(view, edge === null ? [pictureAt(view, event)] : [edge - 1, edge]);
}

function hover(view, frames) {
  if (String(frames) === String(view.hover)) return;
  view.hover = frames;
  drawPicture(view);
}

function startDrag(view, event) {
  const frame = pictureAt(view, event);
  const edge = edgeAt(view, event);
  const slider = !view.tool && !event.shiftKey && event.pointerType !== "touch"
    && event.target.closest(".se-slider");
  const kind = edge !== null ? "edge" : slider ? "press" : view.tool ? "paint" : "select";
  const before = { anchor: view.anchor, current: view.current };
  const level = view.tool ? view.tool.level : null;
  const from = [event.clientX, event.clientY];
  view.drag = { kind, pointer: event.pointerId, from, first: frame, last: frame, level, slider, before, edge, to: edge };
  view.drag.timer = setInterval(() => view.drag?.follow?.(), 40); // held still at a side it scrolls on
  go(view, frame, kind === "select" && event.shiftKey);
  focusCurrent(view);
  showLevels(view);
}

function moveDrag(view, event) {
  const { drag } = view;
  if (drag.kind === "press") drag.kind = meant(drag, event);
  if (drag.kind === "press") return;
  if (drag.kind === "slider") drag.level = levelAt(drag.slider, event);
  else scrollAtSide(view, event);
  if (drag.kind === "edge") {
    drag.to = clamp(Math.round(along(view, event.clientX)), 1, view.levels.length - 1);
    Object.assign(drag, moved(view.levels, drag.edge, drag.to));
    drawPicture(view);
  } else if (drag.kind !== "slider") {
    const frame = pictureAt(view, event);
    if (frame === drag.last) return;
    drag.last = frame;
    go(view, frame, true);
  }
  showLevels(view);
}

/** What a press on a bar becomes: along the bars it selects, up and down it sets the one. */
function meant({ kind, from: [x, y] }, { clientX, clientY }) {
  const [along, across] = [Math.abs(clientX - x), Math.abs(clientY - y)];
  return Math.max(along, across) < MEANT ? kind : along > across ? "select" : "slider";
}

function endDrag(view) {
  const { kind, first, last, level, timer, edge, to } = view.drag;
  clearInterval(timer);
  view.drag = null;
  if (!["press", "select"].includes(kind) && (kind !== "edge" || to !== edge)) {
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
  view.drag.quit?.();
  Object.assign(view, view.drag.before);
  view.drag = null;
  showLevels(view);
  showCurrent(view);
}

function levelAt(slider, event) {
  const box = slider.getBoundingClientRect();
  return onGrid((box.bottom - event.clientY) / box.height);
}

function scrollAtSide(view, event) {
  const { slots } = view.parts;
  const box = slots.getBoundingClientRect();
  if (event.clientX > box.right - 20) slots.scrollLeft += 12;
  else if (event.clientX < box.left + 20) slots.scrollLeft -= 12;
}

// The video plays at its own rate, slower or faster, once or in a loop; a selection by itself.

import { PAUSE, PLAY, button, icon, make } from "./dom.js";
import { clamp, range } from "./levels.js";
import { drawPicture, overlaySwitch } from "./picture.js";
import { go, reveal, showCurrent, showLevels } from "./show.js";

const SPEEDS = [[0.25, "¼ ×"], [0.5, "½ ×"], [1, "1 ×"], [2, "2 ×"]];

export function player(view) {
  const { parts } = view;
  parts.canvas = make("canvas", { class: "se-canvas", role: "img" });
  parts.play = button("Play", "space", () => togglePlay(view), "se-play");
  parts.play.prepend(icon(PLAY));
  parts.scrub = make("input", {
    type: "range", class: "se-scrub", min: 0, max: view.levels.length - 1, step: 1, value: 0,
    "aria-label": "frame", oninput: () => { stop(view); go(view, Number(parts.scrub.value)); },
  });
  parts.counter = make("output", { class: "se-counter" });
  parts.speed = make("select", {
    class: "se-speed", "aria-label": `speed; 1 is ${view.video.fps.toFixed(0)} frames a second`,
    title: "speed (keys < and >)", onchange: () => { view.speed = Number(parts.speed.value); },
  }, ...SPEEDS.map(([speed, words]) => make("option", { value: speed }, words)));
  parts.speed.value = view.speed;
  parts.loop = button("Loop", "l", () => toggleLoop(view));
  parts.loop.setAttribute("aria-pressed", String(view.loop));
  const caption = make("p", { class: "se-caption", "aria-hidden": "true" }, view.video.truth);
  const figure = make("figure", { class: "se-picture" },
    make("div", { class: "se-screen" }, caption, parts.canvas),
    make("div", { class: "se-player" }, parts.scrub, parts.counter),
    make("div", { class: "se-player" }, stepper(view, -1), parts.play, stepper(view, 1), parts.speed,
      parts.loop, view.maps.size ? overlaySwitch(view) : null));
  view.resized = new ResizeObserver(() => drawPicture(view));
  view.resized.observe(parts.canvas);
  return figure;
}

function stepper(view, by) {
  const node = button(by < 0 ? "←" : "→", "", () => { stop(view); go(view, view.current + by); });
  node.setAttribute("aria-label", by < 0 ? "one frame back" : "one frame on");
  return node;
}

export function toggleLoop(view) {
  view.loop = !view.loop;
  view.parts.loop.setAttribute("aria-pressed", String(view.loop));
}

export function changeSpeed(view, by) {
  const at = SPEEDS.findIndex(([speed]) => speed === view.speed);
  [view.speed] = SPEEDS[clamp(at + by, 0, SPEEDS.length - 1)];
  view.parts.speed.value = view.speed;
}

export function togglePlay(view) {
  if (view.playing) return stop(view);
  view.hover = null;
  const [low, high] = range(view);
  const [first, last] = high > low ? [low, high] : [0, view.levels.length - 1];
  const { anchor, current } = view;
  const from = high > low || current === last ? first : current;
  let [at, before] = [from - first, performance.now()]; // frames since the first; when that was
  const tick = (now) => {
    at += (Math.max(0, now - before) / 1000) * view.video.fps * view.speed;
    before = now;
    const ended = at >= last - first + 1;
    if (ended) release(view); // what a held key paints does not go round
    if (ended && !view.loop) return stop(view);
    if (ended) at %= last - first + 1;
    pass(view, first + Math.floor(at), high > low);
    view.playing.request = requestAnimationFrame(tick);
  };
  view.playing = { request: requestAnimationFrame(tick), selection: high > low && { anchor, current } };
  view.parts.play.words.textContent = "Pause";
  view.parts.play.querySelector("path").setAttribute("d", PAUSE);
}

/** A frame goes by: what a key holds is painted; a selection that plays stays selected. */
function pass(view, frame, selected) {
  if (frame === view.current) return;
  view.current = frame;
  if (view.drag?.kind === "hold") {
    view.drag.last = frame;
    showLevels(view);
  }
  if (selected) return drawPicture(view);
  view.anchor = frame;
  showCurrent(view);
  reveal(view);
}

/** The end of what a held key paints; `watch.js` says how it is kept. */
const release = (view) => view.drag?.kind === "hold" && view.drag.end();

export function stop(view) {
  if (!view.playing) return;
  release(view);
  cancelAnimationFrame(view.playing.request);
  const { selection } = view.playing;
  view.playing = null;
  if (selection) Object.assign(view, selection);
  view.parts.play.words.textContent = "Play";
  view.parts.play.querySelector("path").setAttribute("d", PLAY);
  showCurrent(view);
  reveal(view);
}

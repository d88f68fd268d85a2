// The picture with its slider; the video plays, a selection plays in a loop.

import { PAUSE, PLAY, button, icon, make, setText } from "./dom.js";
import { range } from "./levels.js";
import { drawPicture, overlaySwitch } from "./picture.js";
import { go, reveal, showCurrent } from "./show.js";

const FPS = 12;

export function player(view) {
  const { parts } = view;
  const n = view.levels.length;
  parts.canvas = make("canvas", { class: "se-canvas", role: "img" });
  parts.play = button("Play", "space", () => togglePlay(view), "se-play");
  parts.play.prepend(icon(PLAY));
  parts.scrub = make("input", {
    type: "range", class: "se-scrub", min: 0, max: n - 1, step: 1, value: 0, "aria-label": "frame",
    oninput: () => { stop(view); go(view, Number(parts.scrub.value)); },
  });
  parts.counter = make("output", { class: "se-counter" });
  const figure = make("figure", { class: "se-picture" }, parts.canvas,
    make("div", { class: "se-player" }, parts.play, parts.scrub, parts.counter));
  if (view.maps.size) figure.append(overlaySwitch(view));
  return figure;
}

export function togglePlay(view) {
  if (view.playing) return stop(view);
  const [low, high] = range(view);
  const [first, last] = high > low ? [low, high] : [0, view.levels.length - 1];
  const { anchor, current } = view;
  const start = performance.now();
  const from = high > low ? first : current === last ? first : current;
  const loop = last - first + 1;
  const tick = (now) => {
    const passed = Math.floor(((now - start) / 1000) * FPS);
    const frame = first + ((from - first + passed) % loop);
    if (frame !== view.current) {
      view.current = frame;
      if (high === low) view.anchor = frame;
      showPlaying(view, [low, high]);
    }
    view.playing.request = requestAnimationFrame(tick);
  };
  view.playing = { request: requestAnimationFrame(tick), selection: high > low && { anchor, current } };
  view.parts.play.words.textContent = "Pause";
  view.parts.play.querySelector("path").setAttribute("d", PAUSE);
}

/** While a selection plays in a loop it stays selected; only the picture moves. */
function showPlaying(view, [low, high]) {
  if (high === low) return showCurrent(view);
  drawPicture(view);
  view.parts.scrub.value = view.current;
  setText(view.parts.counter, `frame ${view.current} of 0–${view.levels.length - 1}`);
}

export function stop(view) {
  if (!view.playing) return;
  cancelAnimationFrame(view.playing.request);
  const { selection } = view.playing;
  view.playing = null;
  if (selection) Object.assign(view, selection);
  view.parts.play.words.textContent = "Play";
  view.parts.play.querySelector("path").setAttribute("d", PLAY);
  showCurrent(view);
  reveal(view);
}

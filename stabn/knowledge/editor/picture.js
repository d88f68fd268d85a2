// The large picture of the current frame, with or without where the network looks.

import { make, setText } from "./dom.js";
import { VIRIDIS } from "./viridis.js";

export function drawPicture(view) {
  const { canvas, overlayWords } = view.parts;
  const image = view.images[view.current];
  if (!image?.complete || !image.naturalWidth || !canvas) return;
  const width = Math.round((canvas.clientWidth || 320) * devicePixelRatio);
  const height = Math.round((width * image.naturalHeight) / image.naturalWidth);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const draw = canvas.getContext("2d");
  draw.imageSmoothingQuality = "high";
  draw.globalAlpha = 1;
  draw.drawImage(image, 0, 0, width, height);
  const words = [];
  if (view.overlay && view.maps.size) {
    const frame = nearest(view.video.sampled, view.current);
    draw.globalAlpha = 0.55;
    draw.drawImage(view.maps.get(frame), 0, 0, width, height);
    words.push(frame === view.current ? `attention at frame ${frame}`
      : `attention at frame ${frame}, the nearest one that the network saw`);
  }
  if (overlayWords) setText(overlayWords, words.join(""));
  canvas.setAttribute("aria-label", ["frame " + view.current, ...words].join(", "));
}

function nearest(sampled, frame) {
  return sampled.reduce((best, other) =>
    Math.abs(other - frame) < Math.abs(best - frame) ? other : best);
}

export function overlaySwitch(view) {
  const { parts } = view;
  parts.overlay = make("input", {
    type: "checkbox", onchange: () => { view.overlay = parts.overlay.checked; drawPicture(view); },
  });
  parts.overlay.checked = view.overlay;
  parts.overlayWords = make("span", { class: "se-overlay-words" });
  const stops = VIRIDIS.map((colour) => `rgb(${colour})`).join(", ");
  const bar = make("span", { class: "se-colours", "aria-hidden": "true" });
  bar.style.background = `linear-gradient(to right, ${stops})`;
  return make("div", { class: "se-overlay" },
    make("label", {}, parts.overlay, " Where the network looks"),
    make("span", { class: "se-scale" }, "0", bar, "1"), parts.overlayWords);
}

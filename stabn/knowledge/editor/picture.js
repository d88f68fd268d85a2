// The large picture: the current frame, the one under the mouse, or both sides of an edge; with or
// without where the network looks.

import { make, setText } from "./dom.js";
import { VIRIDIS } from "./viridis.js";

/** Which frames are seen large: one, or the last before an edge and the first after it. */
export function large({ current, drag, hover, playing }) {
  if (drag?.kind === "edge") return [drag.to - 1, drag.to];
  return drag || playing || !hover ? [current] : hover;
}

export function drawPicture(view) {
  const { canvas, overlayWords, counter, scrub } = view.parts;
  const frames = large(view);
  const named = frames.join(" | ");
  scrub.value = view.current;
  scrub.setAttribute("aria-valuetext", `frame ${view.current}`);
  setText(counter, `frame${frames.length > 1 ? "s" : ""} ${named} of 0–${view.levels.length - 1}`);
  const [image] = frames.map((frame) => view.images[frame]);
  if (!image?.complete || !image.naturalWidth) return;
  const width = Math.round((canvas.clientWidth || 320) * devicePixelRatio);
  const height = Math.round((width * image.naturalHeight) / image.naturalWidth);
  Object.assign(canvas, { width, height }); // which clears it
  const draw = canvas.getContext("2d");
  draw.imageSmoothingQuality = "high";
  const share = 1 / frames.length;
  const words = frames.map((frame, k) => {
    const place = [k * share * width, ((1 - share) / 2) * height, share * width, share * height];
    draw.globalAlpha = 1;
    draw.drawImage(view.images[frame], ...place);
    if (!view.overlay || !view.maps.size) return "";
    const near = nearest(view.video.sampled, frame);
    draw.globalAlpha = 0.55;
    draw.drawImage(view.maps.get(near), ...place);
    return near === frame ? `attention at frame ${near}`
      : `attention at frame ${near}, the nearest one that the network saw`;
  });
  const said = [...new Set(words)].filter(Boolean);
  if (overlayWords) setText(overlayWords, said.join("; "));
  canvas.setAttribute("aria-label", [`frame ${named}`, ...said].join(", "));
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
    make("label", {}, parts.overlay, " Where the network looks ", make("kbd", {}, "w")),
    make("span", { class: "se-scale" }, "0", bar, "1"), parts.overlayWords);
}

// What came as bytes, decoded: the pictures of the frames and the maps of spatial attention.

import { make } from "./dom.js";
import { drawPicture, large } from "./picture.js";
import { viridis } from "./viridis.js";

/** The frames came as JPEGs; thumbnails and the large picture share one decoded image each. */
export function loadImages(view) {
  view.images = view.model.get("_frames").map((bytes, frame) => {
    const url = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    view.urls.push(url);
    const image = make("img", { alt: "", draggable: "false", decoding: "async" });
    image.addEventListener("load", () => {
      if (frame === 0) view.root.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight);
      if (!large(view).includes(frame)) return;
      drawPicture(view);
      view.seen ??= Date.now();
    });
    image.src = url;
    return image;
  });
}

/** Spatial maps as small coloured canvases, on the fixed scale from 0 to 1. */
export function readMaps(view) {
  const maps = new Map();
  const [height, width] = view.video.map_size;
  if (!height) return maps;
  const raw = view.model.get("_spatial");
  const bytes = new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
  view.video.sampled.forEach((frame, k) => {
    const canvas = make("canvas", { width, height });
    const pixels = new ImageData(width, height);
    for (let i = 0; i < width * height; i += 1) {
      pixels.data.set([...viridis(bytes[k * width * height + i] / 255), 255], 4 * i);
    }
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    maps.set(frame, canvas);
  });
  return maps;
}

// Elements made in code: texts go in as texts, icons as paths, buttons with their keys.

const SVG = "http://www.w3.org/2000/svg";
export const PLAY = "M4 2.5v11l9-5.5z";
export const PAUSE = "M4 2.5h3v11H4zM9 2.5h3v11H9z";
export const DIAMOND = "M8 1l7 7-7 7-7-7z";

/**
 * An element; texts go in as text, never as markup. What can have the focus keeps JupyterLab's
 * shortcuts off (0 0 restarts the kernel, d d deletes the cell): it looks for this attribute from
 * the focused element upwards and finds its own selectors on that very element first.
 */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  if (["button", "input", "select"].includes(tag) || "tabindex" in attributes) {
    node.setAttribute("data-lm-suppress-shortcuts", "true");
  }
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** An icon of one path on a 16 × 16 field. */
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  const line = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

/** A stepped line over all bars, with a halo so that it is seen on them; `steps` gives its course. */
export function shape(name, frames) {
  const svg = document.createElementNS(SVG, "svg");
  const lines = ["se-halo", "se-stroke"].map((part) => {
    const line = document.createElementNS(SVG, "path");
    line.setAttribute("class", part);
    return line;
  });
  svg.setAttribute("class", `se-lines ${name}`);
  svg.setAttribute("viewBox", `0 0 ${frames} 1`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(...lines);
  svg.follow = (levels) => {
    const course = levels.map((level, frame) => `${frame} ${1 - level} ${frame + 1} ${1 - level}`);
    for (const line of lines) line.setAttribute("d", levels.length ? `M${course.join(" ")}` : "");
  };
  return svg;
}

/** A button; `key` is shown on it. After a mouse click the keys go to the frames again. */
export function button(label, key, act, extra = "") {
  const words = make("span", {}, label);
  const node = make("button", { type: "button", class: `se-button ${extra}` }, words);
  if (key) node.append(make("kbd", {}, key));
  node.words = words;
  node.addEventListener("click", (event) => {
    if (node.getAttribute("aria-disabled") !== "true") act();
    if (event.detail > 0) node.closest(".stabn-editor")?.dispatchEvent(new Event("se-refocus"));
  });
  return node;
}

export const setText = (node, text) => node.textContent !== text && (node.textContent = text);

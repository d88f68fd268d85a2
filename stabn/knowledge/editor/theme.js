// Light or dark, after what lies behind the editor.

/** Light or dark after the ground that lies behind us; without one, what the system prefers. */
function ground(node) {
  for (let at = node.parentElement; at; at = at.parentElement) {
    const match = getComputedStyle(at).backgroundColor.match(/^rgba?\(([^)]*)\)/);
    const [r, g, b, alpha = 1] = match ? match[1].split(/[\s,/]+/).map(Number) : [0, 0, 0, 0];
    if (alpha > 0.5) return 0.299 * r + 0.587 * g + 0.114 * b < 110 ? "dark" : "light";
  }
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Keep `data-theme` right; returns what ends that. */
export function followTheme(root) {
  const look = () => { root.dataset.theme = ground(root); };
  const attributes = new MutationObserver(() => setTimeout(look, 50));
  attributes.observe(document.body, { attributes: true });
  const attached = new ResizeObserver(look);
  attached.observe(root);
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", look);
  return () => {
    attributes.disconnect();
    attached.disconnect();
    media.removeEventListener("change", look);
  };
}

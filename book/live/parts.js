// Small things that the figures are made of.

/** An element: tag, attributes, children; attributes that begin with "on" are listened for. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const percent = (share) => `${Math.round(100 * share)}\u00a0%`;

const signed = (value) => value.toFixed(2).replace("-", "−");

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function softmax(logits) {
  const top = Math.max(...logits);
  const parts = logits.map((logit) => Math.exp(logit - top));
  const total = parts.reduce((sum, part) => sum + part, 0);
  return parts.map((part) => part / total);
}

/** Numbers of the classes, the likeliest first. */
const ranked = (shares) => shares.map((_, k) => k).sort((a, b) => shares[b] - shares[a]);

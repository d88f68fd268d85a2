// What the pages do beside being read: names for the theme's own parts, wide things that say so,
// figures that open large, clips that loop. Without it a page is whole, only plainer.

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

/** Names where the theme gives none, for those who hear a page. */
function nameParts() {
  for (const summary of all(".bd-sidenav summary")) {
    const title = summary.closest("li").querySelector("a").textContent.trim();
    summary.setAttribute("aria-label", `Chapters of: ${title}`);
  }
  for (const summary of all("details.hide > summary")) summary.removeAttribute("aria-label");
  // docutils writes a role that a div may not have
  for (const entry of all("div.citation[role]")) entry.setAttribute("role", "listitem");
  const sidebar = document.querySelector(".bd-sidebar-primary");
  sidebar?.setAttribute("role", "navigation");
  sidebar?.setAttribute("aria-label", "The book");
}

/** A block that is wider than its column: reached by keys, faded where it goes on. */
function watchWidth(block) {
  const look = () => {
    const over = block.scrollWidth - block.clientWidth;
    block.classList.toggle("sideways", over > 1);
    block.classList.toggle("more-left", over > 1 && block.scrollLeft > 1);
    block.classList.toggle("more-right", over > 1 && block.scrollLeft < over - 1);
    if (over > 1) block.tabIndex = 0;
    else block.removeAttribute("tabindex");
  };
  block.addEventListener("scroll", look, { passive: true });
  new ResizeObserver(look).observe(block);
  for (const child of block.children) new ResizeObserver(look).observe(child);
}

/** A figure opens over the page, as large as it was drawn; Escape, a click or the button close it. */
function enlarge(image) {
  const dialog = document.createElement("dialog");
  dialog.className = "large";
  dialog.setAttribute("aria-label", "Figure, enlarged");
  dialog.innerHTML = '<form method="dialog"><button>Close</button></form>';
  const large = new Image();
  [large.src, large.alt] = [image.src, image.alt];
  large.addEventListener("click", () => dialog.close());
  dialog.append(large);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** The link to its file that Sphinx puts around a figure, or one of ours, opens it here. */
function makeEnlargeable(image) {
  let link = image.closest("a");
  if (!link) {
    link = document.createElement("a");
    link.href = image.src;
    image.replaceWith(link);
    link.append(image);
  }
  if (link.href !== image.src) return;
  link.classList.add("enlarge");
  link.title = "Enlarge the figure";
  link.addEventListener("click", (event) => {
    event.preventDefault();
    enlarge(image);
  });
}

/** A clip plays when it first comes into view, for readers who have not asked for less motion. */
function playInView(clip) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const watch = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watch.disconnect();
    clip.play().catch(() => {}); // a browser may refuse: the button is there
  });
  watch.observe(clip);
}

document.addEventListener("DOMContentLoaded", () => {
  nameParts();
  const blocks = ".text_html, .pst-scrollable-table-container, div.math, div.highlight pre";
  all(blocks, document.querySelector(".bd-article") ?? document).forEach(watchWidth);
  all(".bd-article :is(.cell_output, figure) img").forEach(makeEnlargeable);
  all("figure.moving video").forEach(playInView);
});

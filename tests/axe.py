"""What axe-core, the usual checker of accessibility, finds wrong with a page."""

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

# These two compare colours, and are slow: equal colours are compared once.
OF_COLOURS = ("color-contrast", "link-in-text-block")
RUN = """(options) => axe.run(options.of ?? document,
    {...options, resultTypes: ['violations'], preload: false})
  .then(found => found.violations.flatMap(v => v.nodes.map(
    n => `${v.id}: ${n.target.join(' ')}: ${n.html.slice(0, 120)} ${n.any[0]?.message ?? ''}`)))"""
# Of all texts of one colour, on one ground, of one size and weight: the one with the least in it.
KINDS = """() => {
  const ground = text => {
    const colours = [];
    for (let e = text; e; e = e.parentElement) colours.push(getComputedStyle(e).backgroundColor);
    return colours.filter(colour => colour !== 'rgba(0, 0, 0, 0)').join();
  };
  const kinds = new Map();
  for (const e of document.querySelectorAll('body *')) {
    const texts = [...e.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.data.trim());
    if (!texts || !e.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    const {color, fontSize, fontWeight} = getComputedStyle(e);
    const kind = [e.localName, color, fontSize, fontWeight, ground(e)].join();
    const other = kinds.get(kind);
    if (!other || e.querySelectorAll('*').length < other.querySelectorAll('*').length) {
      kinds.set(kind, e);
    }
  }
  return [...kinds.values()];
}"""


def load(page: Page) -> None:
    """Bring axe to a page; once for each page that is opened."""
    page.evaluate(f"{AXE_SCRIPT}; 0")


def violations(page: Page) -> list[str]:
    """Every rule of axe's that is broken, but for those of colours."""
    return page.evaluate(RUN, {"rules": {rule: {"enabled": False} for rule in OF_COLOURS}})


def pale(page: Page) -> list[str]:
    """Texts and links that are hard to tell from what is around them, one of each kind."""
    script = f"(options) => ({RUN})({{...options, of: {{include: ({KINDS})()}}}})"
    return page.evaluate(script, {"runOnly": list(OF_COLOURS)})

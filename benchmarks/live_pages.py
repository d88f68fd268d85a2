"""How long does a reader of the built book wait for a figure that answers?

Opens each page from its file in Chromium, no other host having an address. Prints milliseconds from
the first touch to the first answer (everything that the page computes with is loaded then), and
from a later change to its answer, the median of several. The targets are 2000 and 100.

    make book && PYTHONPATH=. python benchmarks/live_pages.py
    PYTHONPATH=. python benchmarks/live_pages.py --quick    # one figure: no figure of speed to keep
"""

import re
from pathlib import Path
from statistics import median

from measured import finish, parser_for, provenance
from playwright.sync_api import Browser, sync_playwright

from tools import browser
from tools.built import built

QUESTION = "How long does a reader of the built book wait for a figure that answers?"
READY, DRAG = 2000, 100  # milliseconds
TURNS = 10
PLACE = re.compile(r'class="live" data-live="(\w+)"')
# what the reader turns moves to this share of its length; the milliseconds until that is answered
TURN = """async (figure, share) => {
  const slider = figure.querySelector('input[type=range]:not([data-plays])');
  delete figure.dataset.answered;
  const answered = new Promise(done => {
    const look = () => figure.dataset.answered && done();
    new MutationObserver(look).observe(figure, {attributeFilter: ['data-answered']});
  });
  const begun = performance.now();
  slider.value = share;
  slider.dispatchEvent(new Event('input'));
  await answered;
  return performance.now() - begun;
}"""


def measure(chromium: Browser, page: Path, name: str) -> dict:
    """The row of one figure."""
    visit = chromium.new_page()
    visit.set_default_timeout(0)
    visit.goto(page.as_uri())
    figure = visit.locator(f"[data-live={name}]")
    visit.locator(f"[data-live={name}][data-state=recorded]").wait_for()
    ready = figure.evaluate(TURN, 0)
    visit.locator(f"[data-live={name}][data-state=checked]").wait_for()
    drags = [figure.evaluate(TURN, (turn + 1) / TURNS) for turn in range(TURNS)]
    visit.close()
    return {"figure": name, "page": page.stem, "ready_ms": ready, "drag_ms": median(drags)}


def main() -> None:
    """The command line."""
    parser = parser_for(QUESTION)
    parser.add_argument("--quick", action="store_true", help="one figure alone")
    args = parser.parse_args()
    pages = sorted((built() / "notebooks").glob("*.html"))
    figures = [(page, name) for page in pages for name in PLACE.findall(page.read_text())]
    record = provenance(QUESTION, args.note) | {"rows": []}
    flags = [*browser.FLAGS, browser.OFFLINE]
    with sync_playwright() as playwright:
        path = browser.find(playwright)
        chromium = playwright.chromium.launch(executable_path=path, args=flags)
        for page, name in figures[: 1 if args.quick else None]:
            row = measure(chromium, page, name)
            met = row["ready_ms"] <= READY and row["drag_ms"] <= DRAG
            record["rows"].append(row)
            print(
                f"{name:<8} {page.stem:<22} ready in {row['ready_ms']:6.0f} ms, a change in "
                f"{row['drag_ms']:5.0f} ms: {'met' if met else 'not met'}",
                flush=True,
            )
        chromium.close()
    finish(record, args.out)


if __name__ == "__main__":
    main()

"""The page's modules, each by itself, in a browser that gets them as files; how they are linked."""

from collections.abc import Iterator
from graphlib import CycleError
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from playwright.sync_api import Page, sync_playwright

from stabn.knowledge.editor import modules
from stabn.knowledge.editor.modules import linked
from stabn.knowledge.edits.edit import Draft
from tools import browser as chromium

pytestmark = pytest.mark.slow(10)

FOLDER = Path(modules.__file__).parent
HOST = "https://editor.test/"  # answered here, from the folder
LOAD = "await import(URL.createObjectURL(new Blob([a], {type: 'text/javascript'})))"  # as anywidget


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    """A tab that gets the modules as they lie in the folder."""

    def answer(route) -> None:
        if name := route.request.url.removeprefix(HOST):
            route.fulfill(path=FOLDER / name, content_type="text/javascript")
        else:
            route.fulfill(body="<!DOCTYPE html><body></body>", content_type="text/html")

    with sync_playwright() as playwright:
        path = chromium.find(playwright)
        assert path, "no Chromium here: run `make browser`"
        browser = playwright.chromium.launch(executable_path=path, args=chromium.FLAGS)
        tab = browser.new_page()
        tab.route(f"{HOST}**", answer)
        yield tab
        browser.close()


@pytest.fixture
def page(tab) -> Page:
    """An empty page, on which nothing was loaded yet."""
    tab.goto(HOST)
    return tab


def run(page: Page, module: str, code: str, argument=None):
    """What a function's body, which sees a module as `m` and its argument as `a`, returns."""
    return page.evaluate(
        f"async a => {{ const m = await import('{HOST}{module}.js'); {code} }}", argument
    )


class TestLinking:
    def write(self, folder: Path, **texts: str) -> Path:
        for name, text in texts.items():
            (folder / f"{name}.js").write_text(text)
        return folder / "entry.js"

    def test_modules_share_what_they_import_and_nothing_else(self, page, tmp_path):
        entry = self.write(
            tmp_path,
            entry='import { up } from "./left.js";\nimport { count } from "./right.js";\n'
            'const own = "é \\u2028 </script> $&";\nup();\nexport default [count(), own];\n',
            left='import { box } from "./deep.js";\nconst own = 1;\n'
            "export const up = () => { box.count += own; };\n",
            right='import { box } from "./deep.js";\nexport const count = () => box.count;\n',
            deep="export const box = { count: 41 };\n",
        )
        assert page.evaluate(f"async a => ({LOAD}).default", linked(entry)) == [
            42,
            "é \u2028 </script> $&",
        ]

    def test_the_editor_is_whole(self, page):
        text = linked(FOLDER / "editor.js")
        assert page.evaluate(f"async a => typeof ({LOAD}).default.render", text) == "function"
        files = {path.name for path in FOLDER.glob("*.js")} - {"link.js"}
        assert {name for name in files if f'["{name}", ' in text} == files, "one is never imported"

    def test_a_module_that_fails_says_which_it_is(self, page, tmp_path):
        entry = self.write(
            tmp_path,
            entry='import { a } from "./broken.js";\nexport default a;\n',
            broken="export const a = 1;\n\nnobody();\n",
        )
        code = f"async a => {{ try {{ {LOAD} }} catch (error) {{ return error.stack }} }}"
        said = page.evaluate(code, linked(entry))
        assert "nobody is not defined" in said
        assert "stabn/broken.js:3" in said

    def test_a_circle_is_refused(self, tmp_path):
        entry = self.write(
            tmp_path,
            entry='import { a } from "./other.js";\nexport const b = 1;\n',
            other='import { b } from "./entry.js";\nexport const a = b;\n',
        )
        with pytest.raises(CycleError, match=r"other\.js"):
            linked(entry)

    def test_a_file_that_is_not_there_is_named(self, tmp_path):
        entry = self.write(tmp_path, entry='import { a } from "./gone.js";\n')
        with pytest.raises(FileNotFoundError, match=r"gone\.js"):
            linked(entry)


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.js")))
def test_every_module_loads_by_itself(page, name):
    assert run(page, name, "return Object.keys(m).length") > 0


def test_levels_become_on_the_page_what_python_makes_of_them(page):
    """It paints ahead of the kernel, whose answer must change nothing."""
    rng = np.random.default_rng(0)
    cases = [
        (rng.random(n).tolist(), *(int(frame) for frame in rng.integers(0, n, 2)), rng.random())
        for n in rng.integers(1, 40, 200)
    ]
    code = "return a.map(([levels, first, last, level]) => m.painted(levels, first, last, level))"
    for case, painted in zip(cases, run(page, "levels", code, cases), strict=True):
        draft = Draft(np.array(case[0]))
        draft.paint(*case[1:])
        assert painted == draft.levels.tolist()
    cases = [(levels, min(a, b), max(a, b)) for levels, a, b, _ in cases if a != b]
    code = "return a.map(([levels, first, last]) => m.filled(levels, first, last))"
    for case, filled in zip(cases, run(page, "levels", code, cases), strict=True):
        draft = Draft(np.array(case[0]))
        draft.fill(*case[1:])
        assert filled == pytest.approx(draft.levels.tolist(), abs=1e-12)


def test_a_level_keeps_to_its_scale(page):
    code = "return a.map(([level, by]) => m.nudged(level, by))"
    steps = [(0.3, 0.05), (0.12, -0.05), (0.98, 0.05), (0.01, -0.05), (1 / 3, 0.05)]
    assert run(page, "levels", code, steps) == [0.35, 0.07, 1, 0, 0.38]
    places = [-0.2, 0, 0.024, 0.026, 0.34, 0.975, 0.99, 1.7]
    code = "return a.map(m.onGrid)"
    assert run(page, "levels", code, places) == [0, 0, 0, 0.05, 0.35, 1, 1, 1]


def test_what_is_seen_during_a_drag_is_what_it_will_leave(page):
    code = """const levels = [0, 0.1, 0.2, 0.3];
      const seen = drag => m.preview({ levels, drag });
      return [seen(null), seen({ kind: "select", first: 0, last: 2, level: 1 }),
        seen({ kind: "press", first: 1, last: 1, level: null }),
        seen({ kind: "paint", first: 2, last: 1, level: 1 })]"""
    same = [0, 0.1, 0.2, 0.3]
    assert run(page, "levels", code) == [same, same, same, [0, 1, 1, 0.3]]


def test_the_colours_are_viridis(page):
    values = np.linspace(0, 1, 101)
    ours = run(page, "viridis", "return a.map(m.viridis)", values.tolist())
    table = matplotlib.colormaps["viridis"](np.linspace(0, 1, 17))[:, :3] * 255
    theirs = [np.interp(values, np.linspace(0, 1, 17), channel) for channel in table.T]
    assert np.abs(np.array(ours) - np.transpose(theirs)).max() <= 1  # both are rounded
    ends = run(page, "viridis", "return [m.viridis(-1), m.viridis(2)]")
    assert ends == [ours[0], ours[-1]]


@pytest.mark.parametrize(
    ("own", "after", "rows"),
    [
        ([0.1, 0.2, 0.3, 0.15, 0.25], None, [3, 1, 2, 4]),  # true, answered, then the likeliest
        ([0.1, 0.2, 0.3, 0.15, 0.25], [0.9, 0.1, 0, 0, 0], [3, 1, 0, 2]),  # the edit's before
        (None, [0, 0.1, 0.2, 0.3, 0.4], [3, 1, 4, 2]),
        (None, None, [3, 1]),
    ],
)
def test_the_classes_worth_a_row(page, own, after, rows):
    video = {"truth": "d", "predicted": "b", "classes": list("abcde"), "own": own}
    code = "return m.chooseClasses(...a)"
    assert run(page, "scores", code, [video, after]) == rows


LINE = """
  const sent = [], said = [];
  const line = m.connect({ send: message => sent.push(message) }, () => said.push(line.silent));
"""


def test_a_line_knows_what_was_answered(page):
    code = f"""{LINE}
      line.send("hello"); line.send("set", {{ frame: 3, level: 1 }}); line.send("undo");
      const unsaved = [line.unsaved()];
      line.heard(["another page", 9]); unsaved.push(line.unsaved());
      line.heard([line.client, 2]); unsaved.push(line.unsaved());
      line.heard([line.client, 3]); unsaved.push(line.unsaved());
      return {{ unsaved, steps: sent.map(({{ client, ...step }}) => step),
        mine: sent.every(step => step.client === line.client) }}"""
    answer = run(page, "line", code)
    assert answer["unsaved"] == [2, 2, 1, 0]  # a greeting is no work
    assert answer["steps"] == [
        {"op": "hello", "seq": 1},
        {"op": "set", "seq": 2, "frame": 3, "level": 1},
        {"op": "undo", "seq": 3},
    ]
    assert answer["mine"]


def test_a_line_without_an_answer_is_silent_until_there_is_one(page):
    code = f"""{LINE}
      const start = Date.now();
      Date.now = () => start + later;
      let later = 0;
      line.send("set");
      const silent = [4999, 5000].map(ms => {{ later = ms; line.check(); return line.silent; }});
      line.heard([line.client, 1]); silent.push(line.silent);
      line.gone = true; line.check(); line.heard([line.client, 1]); silent.push(line.silent);
      return {{ silent, said }}"""
    answer = run(page, "line", code)
    assert answer["silent"] == [False, True, False, True]  # a closed channel brings no answer
    assert answer["said"] == [False, True, True]  # at once for the step, then when it fell silent


def test_a_line_that_cannot_send_says_so_at_once(page):
    code = """const line = m.connect({ send() { throw new Error("closed"); } }, () => {});
      line.send("set"); return [line.silent, line.unsaved()]"""
    assert run(page, "line", code) == [True, 1]


def test_the_theme_follows_the_ground(page):
    code = """const root = document.createElement("div"), seen = [];
      const settled = theme => new Promise(done => { const look = () =>
        root.dataset.theme === theme ? done() : requestAnimationFrame(look); look(); });
      document.body.append(root);
      const stop = m.followTheme(root);
      for (const [ground, theme] of [["white", "light"], ["#111", "dark"], ["#eee", "light"]]) {
        document.body.style.background = ground; await settled(theme); seen.push(theme);
      }
      stop();
      return seen"""
    assert run(page, "theme", code) == ["light", "dark", "light"]


def test_texts_are_texts_and_keys_of_jupyterlab_rest(page):
    code = """const node = m.make("p", { title: "<b>" }, "<img src=x>", m.make("button"),
        m.make("div", { tabindex: "-1" }), m.make("div"), null);
      return [node.querySelectorAll("img").length, node.textContent, node.title,
        [...node.children].map(child => child.hasAttribute("data-lm-suppress-shortcuts"))]"""
    assert run(page, "dom", code) == [0, "<img src=x>", "<b>", [True, True, False]]


def test_a_place_on_the_strip_is_the_frame_that_is_drawn_there(page):
    code = """const strip = { getBoundingClientRect: () => ({ left: 100, width: 200 }) };
      const view = { parts: { strip }, levels: Array(10).fill(0) };
      return a.map(x => m.frameAt(view, x))"""
    places = [0, 100, 119, 120, 299, 300, 999]  # 20 pixels a frame
    assert run(page, "drag", code, places) == [0, 0, 0, 1, 9, 9, 9]


def test_a_place_in_two_rows_of_pictures_is_the_picture_there(page):
    """Even frames below, odd ones above; where there is none, the frame whose bar lies below."""
    code = """const box = (top, width) =>
        ({ getBoundingClientRect: () => ({ left: 100, top, width }) });
      const parts = { strip: box(10, 200), cells: [{ slider: box(90, 20) }] };
      const view = { rows: 2, parts, levels: Array(10).fill(0) };
      return a.map(([clientX, clientY]) => m.pictureAt(view, { clientX, clientY }))"""
    lower = {101: 0, 129: 0, 131: 2, 168: 2, 172: 4, 289: 8, 295: 9}
    upper = {105: 0, 111: 1, 148: 1, 152: 3, 271: 9, 299: 9}
    bars = {101: 0, 131: 1, 172: 3, 299: 9}
    places = [(x, y) for y, row in ((60, lower), (20, upper), (95, bars)) for x in row]
    wanted = [frame for row in (lower, upper, bars) for frame in row.values()]
    assert run(page, "drag", code, places) == wanted


def test_an_edge_is_where_a_stretch_of_one_level_begins_or_ends(page):
    levels = [0.1, 0.2, 1, 1, 1, 0.3, 0.4, 0, 0]
    code = "return a.map((_, frame) => m.isEdge(a, frame))"
    at = [frame for frame, is_edge in enumerate(run(page, "levels", code, levels)) if is_edge]
    assert at == [2, 5, 7]


@pytest.mark.parametrize(
    ("to", "left"),
    [(4, [0, 0, 1, 1, 1, 1]), (1, [0, 0.5, 0.5, 0.5, 1, 1]), (3, [0, 0, 1, 0.5, 1, 1])],
)
def test_an_edge_that_is_dragged_takes_the_level_on_its_other_side_along(page, to, left):
    """From 3, between frames 2 and 3; back where it was it leaves nothing."""
    code = """const levels = [0, 0, 1, 0.5, 1, 1];
      const drag = { kind: "edge", edge: 3, to: a, ...m.moved(levels, 3, a) };
      return m.preview({ levels, drag })"""
    assert run(page, "levels", code, to) == left


@pytest.mark.parametrize(
    ("view", "frames"),
    [
        ({"current": 3}, [3]),
        ({"current": 3, "hover": [7]}, [7]),
        ({"current": 3, "hover": [6, 7]}, [6, 7]),
        ({"current": 3, "hover": [7], "playing": {}}, [3]),
        ({"current": 3, "hover": [7], "drag": {"kind": "paint"}}, [3]),
        ({"current": 3, "drag": {"kind": "edge", "to": 9}}, [8, 9]),
    ],
)
def test_which_frames_are_seen_large(page, view, frames):
    assert run(page, "picture", "return m.large(a)", view) == frames


@pytest.mark.parametrize(
    ("own", "after", "words"),
    [
        ([0.2, 0.8], None, ["True class 0.20", "the answer is “b” (wrong)"]),
        ([0.2, 0.8], [0.4, 0.6], ["True class 0.20 → 0.40", "the answer stays “b” (wrong)"]),
        ([0.2, 0.8], [0.7, 0.3], ["True class 0.20 → 0.70", "the answer becomes “a” (right)"]),
        (None, [0.7, 0.3], ["True class 0.70", "the answer becomes “a” (right)"]),
    ],
)
def test_what_becomes_of_the_answer_in_one_line(page, own, after, words):
    video = {"truth": "a", "predicted": "b", "classes": ["a", "b"], "own": own}
    assert run(page, "scores", "return m.inWords(...a)", [video, after]) == words

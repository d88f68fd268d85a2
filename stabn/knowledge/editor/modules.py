"""ES modules in files of their own, as the one text that anywidget wants.

anywidget loads a widget's module from a blob, where `"./dom.js"` leads nowhere. So the page gets
all texts at once, and ``link.js``, which leads the imports to them. Nothing is built: the files are
what runs. (anywidget's hot reload watches a single file, and so does not watch these.)
"""

import json
import re
from graphlib import TopologicalSorter
from pathlib import Path

LINK = Path(__file__).with_name("link.js")
IMPORT = re.compile(r'from "\./(.+?)"')


def linked(entry: Path) -> str:
    """The text of one module that exports what `entry` does by default.

    Args:
        entry: A module; it and those it leads to import each other as ``from "./name.js"``, out of
            the same folder.

    Raises:
        FileNotFoundError: One imports a file that is not there.
        graphlib.CycleError: They import each other in a circle; the message names it.
    """
    texts: dict[str, str] = {}
    imports: dict[str, list[str]] = {}
    waiting = [entry.name]
    while waiting:
        if (name := waiting.pop()) not in texts:
            texts[name] = (entry.parent / name).read_text(encoding="utf-8")
            imports[name] = IMPORT.findall(texts[name])
            waiting += imports[name]
    modules = [(name, texts[name]) for name in TopologicalSorter(imports).static_order()]
    call = f"export default (await link({json.dumps(modules)})).default;"
    return f"{LINK.read_text(encoding='utf-8')}\n{call}\n"

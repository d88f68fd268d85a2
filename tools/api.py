"""The API pages: every module of the library, in the order in which data flow through it."""

from tools.closure import PACKAGE, graph

INTRODUCTIONS = {
    "commands": ("Commands and errors", "What a person calls, and what it says when it cannot."),
    "data": ("Data", "From a file to a batch."),
    "models": ("Models", "The 3-D ResNet, the attention branch, and the network made of both."),
    "training": ("Training", "A run, from its description to its record."),
    "knowledge": ("Human knowledge", "From weak classes to edits, from edits to a taught network."),
    "explaining": (
        "Losses, measures, explanations, figures",
        "What it is trained by, judged by, explained by, and shown by.",
    ),
}
# what lies beside the parts
COMMANDS = ("__main__", "explain", "export", "errors", "given", "words", "extras")


def pages() -> dict[str, str]:
    """MyST Markdown by file name, one page for each part of the library."""
    parts: dict[str, list[str]] = {name: [] for name in INTRODUCTIONS}
    packages = {name.rpartition(".")[0] for name in graph().modules if "." in name}
    for module in sorted(graph().modules, key=_depth):
        if module.split(".")[0] != PACKAGE or module in packages:
            continue
        part = module.split(".")[1]
        part = "commands" if part in COMMANDS else part
        parts[part if part in INTRODUCTIONS else "explaining"].append(module)
    return {f"book/api/{part}.md": _page(part, modules) for part, modules in parts.items()}


def _depth(module: str) -> tuple[int, str]:
    """Modules that stand on fewer others come first."""
    ours = [name for name in graph().find_upstream_modules(module) if name.startswith(PACKAGE)]
    return len(ours), module


def _page(part: str, modules: list[str]) -> str:
    title, line = INTRODUCTIONS[part]
    sections = [
        f"## `{module}`\n\n```{{eval-rst}}\n.. automodule:: {module}\n```\n" for module in modules
    ]
    return "\n".join([f"# {title}\n\n{line}\n", *sections])

"""The fields of a configuration as tables for its API page: a line each, under their groups."""

import inspect
import re

from pydantic.fields import FieldInfo

from stabn.training.config import Strict

COMMENT, FIELD = re.compile(r"    # (\w.*)"), re.compile(r"    (\w+): ")


def groups(cls: type[Strict]) -> dict[str, list[str]]:
    """Names of fields by group: the comment in the source that they stand under, "" without one."""
    found: dict[str, list[str]] = {}
    group = ""
    for line in inspect.getsource(cls).splitlines():
        if comment := COMMENT.fullmatch(line):
            group = comment[1]
        elif (field := FIELD.match(line)) and field[1] in cls.model_fields:
            found.setdefault(group, []).append(field[1])
    return found


def tables(cls: type[Strict]) -> list[str]:
    """Lines of reStructuredText: a table a group."""
    lines = []
    for group, names in groups(cls).items():
        lines += ["", f".. list-table:: {group.capitalize()}".rstrip(), "   :header-rows: 1"]
        lines += ["   :class: fields", ""]
        for row in [("Field", "Default", "What it is"), *(_row(cls, name) for name in names)]:
            lines += [f"   {mark} - {cell}" for mark, cell in zip("*  ", row, strict=True)]
    return [*lines, ""]


def _row(cls: type[Strict], name: str) -> tuple[str, str, str]:
    field = cls.model_fields[name]
    words = re.sub(r"`([^`]+)`", r"``\1``", field.description or "")  # Markdown's code
    return f"``{name}``", _default(field), re.sub(r"([*|])", r"\\\1", words)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.default
    return f"``{list(value) if isinstance(value, tuple) else value!r}``".replace("None", "null")

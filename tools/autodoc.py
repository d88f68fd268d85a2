"""Sphinx extension: what machines wrote for machines is left out, or told as a reader needs it."""

import importlib
import pkgutil
from types import MemberDescriptorType

import stabn
from stabn.training.config import Strict
from tools import fields


def skip(app, what, name, member, skip, options) -> bool | None:
    """Named tuples' and slots' accessors, settings of pydantic and matplotlib."""
    if type(member).__name__ == "_tuplegetter" or isinstance(member, MemberDescriptorType):
        return True
    if name == "set" and "matplotlib" in getattr(member, "__module__", ""):
        return True
    return name == "model_config" or None


def _is_configuration(obj: object) -> bool:
    return isinstance(obj, type) and issubclass(obj, Strict) and obj is not Strict


def shorten(app, what, name, obj, options, signature, returns) -> tuple[str, None] | None:
    """A configuration's fields are a table, and no signature of sixty parameters."""
    return ("", None) if _is_configuration(obj) else None


def tabulate(app, what, name, obj, options, lines) -> None:
    """Put that table under what the class says of itself."""
    if _is_configuration(obj):
        lines += fields.tables(obj)


def setup(app) -> dict[str, bool]:
    """Called by Sphinx."""
    # All at once, before autodoc writes into the annotations of pydantic's base classes.
    for module in pkgutil.walk_packages(stabn.__path__, "stabn."):
        importlib.import_module(module.name)
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-signature", shorten)
    app.connect("autodoc-process-docstring", tabulate)
    return {"parallel_read_safe": True}

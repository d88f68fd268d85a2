"""Sphinx extension: leave out members that were written by a machine, not for a reader."""

import importlib
import pkgutil
from types import MemberDescriptorType

import stabn


def skip(app, what, name, member, skip, options) -> bool | None:
    """Named tuples' and slots' accessors, and the setter that matplotlib gives every artist."""
    if type(member).__name__ == "_tuplegetter" or isinstance(member, MemberDescriptorType):
        return True
    if name == "set" and "matplotlib" in getattr(member, "__module__", ""):
        return True
    return None


def setup(app) -> dict[str, bool]:
    """Called by Sphinx."""
    # All at once, before autodoc writes into the annotations of pydantic's base classes.
    for module in pkgutil.walk_packages(stabn.__path__, "stabn."):
        importlib.import_module(module.name)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True}

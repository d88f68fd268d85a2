"""Packages that only an extra installs: one that is missing is named with what brings it."""

from importlib.util import find_spec

from stabn.errors import UserError


class MissingExtra(UserError, ModuleNotFoundError):
    """A package of an extra is not installed; the message names the extra."""


def needs(extra: str, *packages: str) -> None:
    """Make sure, without importing them, that packages which ``extra`` brings are installed.

    Args:
        extra: A name of pyproject.toml's optional dependencies.
        packages: Top-level names that are imported.

    Raises:
        MissingExtra: One of them is not.
    """
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtra(
                f"{package} is not installed: pip install 'stabn[{extra}]'", name=package
            )

"""What a person gives: a path, a JSON file."""

import json
import os
from pathlib import Path
from typing import Any

from stabn.errors import UserError


def expanded(text: str) -> str:
    """A path as it is meant: ``~`` at its beginning is a home folder, all else stays as it is.

    A shell reads ``~`` in some places only: not after ``--out=``, nor in a parameter file.

    Raises:
        UserError: ``~name``, and nobody on this machine is called so.
    """
    meant = os.path.expanduser(text)
    if meant.startswith("~"):
        raise UserError(f"{text}: nobody here has a home folder of that name; give the whole path")
    return meant


def path(text: str | Path) -> Path:
    """:func:`expanded`, as a path; one that is a path already was meant as it is.

    It serves as the type of an option of a command.
    """
    return text if isinstance(text, Path) else Path(expanded(text))


def read_json(file: Path) -> Any:
    """What a JSON file holds: in UTF-8, UTF-16 or UTF-32, with a byte-order mark or without.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON.
    """
    try:
        return json.loads(file.read_bytes())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error

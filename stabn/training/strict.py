"""Named values, validated: what descriptions of runs are made of."""

import difflib
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from stabn.errors import UserError


class ConfigError(UserError, ValueError):
    """A description of a run that cannot be run; the message names the field and the remedy."""


class Strict(BaseModel):
    """A frozen set of named values that refuses names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def belongs(cls, name: str) -> str | None:
        """Where a name belongs that is unknown here, in words; None if nowhere."""
        return None

    @field_validator("*", mode="before")
    @classmethod
    def _from_text(cls, value: Any, info: ValidationInfo) -> Any:
        """``papermill -p flag true`` and ``-p milestones "[2, 4]"`` pass text: read it as YAML.

        Text that is meant as text stays as it is: ``2024_01`` is no number then.
        """
        annotation = cls.model_fields[info.field_name].annotation
        kind = str(annotation)
        if isinstance(value, str):
            if value.lower() in ("null", "none") and NoneType in get_args(annotation):
                return None
            if "str" in kind and "tuple" not in kind:
                return value
            with suppress(yaml.YAMLError):
                value = yaml.safe_load(value)
        several = value if isinstance(value, list | tuple) else [value]
        if bool in map(type, several) and ("int" in kind or "float" in kind):
            raise ValueError("must be something else than true or false")  # yes would be 1
        return value


Config = TypeVar("Config", bound=Strict)


def parse(cls: type[Config], values: Mapping[str, Any], source: str | Path) -> Config:
    """Validate ``values`` as a ``cls``; ``source`` names where they come from.

    Raises:
        ConfigError: every unknown name (with the nearest valid one) and every impossible value.
    """
    try:
        return cls.model_validate(dict(values))
    except ValidationError as error:
        problems = [_explain(cls, e) for e in error.errors()]
        raise ConfigError(f"{source}: " + "; ".join(problems)) from None


def _explain(cls: type[Strict], error: Mapping[str, Any]) -> str:
    field = ".".join(str(part) for part in error["loc"][:1])
    if error["type"] == "extra_forbidden" and (where := cls.belongs(field)):
        return f"unknown name {field!r} ({where})"
    if error["type"] == "extra_forbidden":
        # "learning_rate" is near the description of "lr"
        names = {
            f.description.split(" (")[0].replace(" ", "_"): n for n, f in cls.model_fields.items()
        }
        names |= {n: n for n in cls.model_fields}
        near = difflib.get_close_matches(field, names, n=1)
        known = ", ".join(cls.model_fields)
        hint = f"did you mean {names[near[0]]!r}?" if near else f"known: {known}"
        return f"unknown name {field!r} ({hint})"
    empty = error["type"] == "string_too_short"
    if empty or (error["type"] == "missing" and len(error["loc"]) == 1):
        return f"{field}: is needed ({cls.model_fields[field].description})"
    if error["type"] == "string_type" and isinstance(error["input"], int | float | date):
        return (
            f"{field}: was read as {error['input']} ({type(error['input']).__name__}) where a text "
            f"is meant; put it in quotes (papermill: -r {field} value)"
        )
    message = error["msg"].removeprefix("Value error, ")
    if isinstance(error.get("ctx", {}).get("error"), ConfigError):
        return f"{field}: {message}"  # of a description within this one
    if error["type"] == "string_pattern_mismatch":
        message = "must be at most 80 letters, digits, _, - and ., with no . first"
    if error["type"] in ("tuple_type", "missing", "too_long"):
        default = cls.model_fields[field].default
        example = list(default) if isinstance(default, tuple) and default else "[a, b]"
        what = "a list" if error["type"] == "tuple_type" else f"{len(default or 'ab')} values"
        message = f"must be {what}, as in {example}"
    return f"{field}: {message}, not {error['input']!r}" if field else message

"""A path and a JSON file are taken as they are meant, however they were typed or saved."""

import json
from pathlib import Path

import click
import pytest

from stabn import __main__ as front
from stabn import given
from stabn.errors import UserError


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_the_home_folder(home):
    assert given.path("~/runs/a") == home / "runs" / "a"
    assert given.path("~") == home
    assert given.path(Path("~/runs")) == Path("~/runs")  # somebody has made a path of it already


@pytest.mark.parametrize("text", ["runs/~", "./~a", "a~", "/x/~b", "sqlite:///~/e", "imagenet", ""])
def test_any_other_path_stays_as_it_was_typed(text):
    assert given.expanded(text) == text


def test_the_home_of_nobody_is_refused():
    with pytest.raises(UserError, match=r"~nobody-here/x: .*give the whole path"):
        given.path("~nobody-here/x")


def every_command() -> list[click.Command]:
    doors = [front.door, front.door.get_command(None, "preflight")]
    rooms = [door.get_command(None, name) for door in doors for name in door.rooms]
    return [room for room in rooms if not isinstance(room, click.Group)]


def test_no_command_takes_a_path_past_the_home_folder():
    kinds = [parameter.type for command in every_command() for parameter in command.params]
    assert not [kind for kind in kinds if isinstance(kind, click.Path | click.File)]
    assert given.path in [getattr(kind, "func", None) for kind in kinds]


def test_every_whole_number_on_the_command_line_has_a_least_value():
    kinds = [parameter.type for command in every_command() for parameter in command.params]
    ranges = [kind for kind in kinds if isinstance(kind, click.IntRange)]
    assert click.INT not in kinds
    assert ranges
    assert all(kind.min is not None and kind.min >= 0 for kind in ranges)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_as_any_editor_saves_it(tmp_path, encoding):
    content = {"Pushing […] from left to right": ["0", 1, None, "é"]}
    file = tmp_path / "labels.json"
    file.write_bytes(json.dumps(content, ensure_ascii=False).encode(encoding))
    assert given.read_json(file) == content


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xff\xff", b"[" * 10**5, b"\xef\xbb\xbf"])
def test_what_is_no_json_is_a_value_error(tmp_path, content):
    file = tmp_path / "labels.json"
    file.write_bytes(content)
    with pytest.raises(ValueError):  # noqa: PT011 - the caller adds the words
        given.read_json(file)

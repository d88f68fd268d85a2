"""A package that is not installed is named with the extra that brings it."""

import sys

import pytest

from stabn.errors import UserError
from stabn.extras import MissingExtra, needs


def test_a_missing_package_is_named_with_its_extra():
    with pytest.raises(MissingExtra) as caught:
        needs("app", "json", "nowhere_to_be_found")
    assert str(caught.value) == "nowhere_to_be_found is not installed: pip install 'stabn[app]'"
    assert caught.value.name == "nowhere_to_be_found"
    assert isinstance(caught.value, UserError)
    assert isinstance(caught.value, ImportError)


def test_a_package_that_is_there_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "a_costly_package.py").write_text("raise AssertionError('was imported')")
    monkeypatch.syspath_prepend(tmp_path)
    needs("app", "a_costly_package")
    assert "a_costly_package" not in sys.modules

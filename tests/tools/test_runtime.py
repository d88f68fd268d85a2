"""What runs networks in a page: the very archive that was tried, or none and a word why."""

import base64
import gzip
import tarfile

import pytest

from tools import runtime


def test_another_archive_than_the_one_tried_is_refused(tmp_path):
    archive = tmp_path / "onnxruntime-web-1.30.0.tgz"
    with tarfile.open(archive, "w:gz"):
        pass
    with pytest.raises(ValueError, match=r"SHA-512 is .* nothing was kept"):
        runtime.script(archive)


@pytest.mark.parametrize(("npm", "why"), [(None, "install Node.js"), ("fails", "npm ping")])
def test_without_npm_the_pages_keep_what_is_recorded_and_the_build_says_so(
    tmp_path, monkeypatch, capsys, npm, why
):
    if npm:
        program = tmp_path / "bin" / "npm"
        program.parent.mkdir()
        program.write_text("#!/bin/sh\necho no registry; exit 1\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin" if npm else str(tmp_path))
    target = tmp_path / "runtime.js"
    runtime.fetch(target)
    assert target.read_text() == ""
    assert not runtime.is_there(target)  # the next build tries again
    assert why in capsys.readouterr().out


def test_what_is_packed_is_what_was_given():
    assert gzip.decompress(base64.b64decode(runtime.packed(b"weights"))) == b"weights"

"""A file that is replaced is the old one or the new one, whole."""

import os
import resource

import pytest

from stabn.training.files import remove_leftovers, replacing


def test_it_appears_whole_with_its_folder(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with replacing(path, "w") as file:
        file.write("M_t")
        assert not path.exists()
    assert path.read_text() == "M_t"
    assert os.listdir(path.parent) == ["file.txt"]


def test_leftovers_are_files_and_a_folder_in_the_making_is_somebody_elses(tmp_path):
    (tmp_path / ".record.json.12.part").write_text("half")
    (tmp_path / ".queue.ab12.part").mkdir()
    (tmp_path / "record.json").write_text("whole")
    remove_leftovers(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".queue.ab12.part", "record.json"]


def test_what_was_there_stays_when_writing_stops_halfway(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path, "w") as file:
        file.write("ne" + str(1 // 0))
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_what_was_there_stays_when_the_disk_is_full(tmp_path, small_disk):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    said = "File too large"
    with small_disk(1000), pytest.raises(OSError, match=said), replacing(path) as file:
        file.write(bytes(5000))
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file.bin"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY

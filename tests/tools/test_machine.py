"""What the machine has left, limits of a container included."""

from types import SimpleNamespace

import pytest

from tools import machine

GIB = 2**30


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """A function that writes the files of a memory group, and says that we are in it."""
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "MOUNTED", tmp_path / "fs")
    monkeypatch.setattr(
        machine.psutil, "virtual_memory", lambda: SimpleNamespace(available=20 * GIB)
    )
    (tmp_path / "cgroup").write_text("")

    def write(line: str, place: str, **files: str) -> None:
        (tmp_path / "cgroup").write_text(f"{line}\n")
        folder = tmp_path / "fs" / place
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name.replace("__", ".")).write_text(f"{content}\n")

    return write


def test_without_a_limit_it_is_what_the_machine_has(groups):
    assert machine.memory_free() == 20 * GIB


def test_the_limit_of_a_group_above_ours_counts(groups):
    """4 GiB, of which 3 are taken, of which 1 is cached files that can be dropped: 2 are left."""
    groups(
        "0::/outer/inner",
        "outer",
        memory__max=str(4 * GIB),
        memory__current=str(3 * GIB),
        memory__stat=f"anon {2 * GIB}\ninactive_file {GIB}",
    )
    groups("0::/outer/inner", "outer/inner", memory__max="max")
    assert machine.memory_free() == 2 * GIB


def test_the_older_groups_count_as_well(groups):
    groups(
        "4:memory:/box",
        "memory/box",
        memory__limit_in_bytes=str(4 * GIB),
        memory__usage_in_bytes=str(3 * GIB),
        memory__stat="total_inactive_file 0",
    )
    assert machine.memory_free() == GIB


def test_cores_may_be_limited_by_hand(monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert machine.cores() == 1

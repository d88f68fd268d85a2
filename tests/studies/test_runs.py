"""What is made of a study: what has no record, and what it learns from where that is gone."""

import pytest

from studies.runs import Step, as_tasks


@pytest.fixture
def made(tmp_path):
    """The steps of a chain that are made: a network, its edits, and two that learn from them."""
    files = {name: tmp_path / name for name in ("network", "edits", "first", "second", "net.json")}
    edits = {"need": ["study:network"], "left": [files["network"], files["edits"]]}
    steps = [
        Step("network", ["data"], ["train"], [files["network"]], files["net.json"], ["keep"]),
        Step("edits", making=["edit"], **edits),
        *(
            Step(name, ["study:edits"], ["tune"], record=files[name], keeping=["keep"])
            for name in ("first", "second")
        ),
    ]

    def with_files(*there: str) -> dict[str, list[str]]:
        for name in files:
            files[name].unlink(missing_ok=True)
        for name in there:
            files[name].touch()
        tasks = {task["name"]: task for task in as_tasks(steps)}
        needed = {step.name: [*step.need] for step in steps}
        done = {name for name, task in tasks.items() if task["uptodate"] == [False]}
        for name, task in tasks.items():
            assert task["task_dep"] == (needed[name] if name in done else [])
        return {name: tasks[name]["actions"] for name in tasks if name in done}

    return with_files


def test_with_nothing_there_all_is_made(made):
    assert made() == {
        "network": ["train", "keep"],
        "edits": ["edit"],
        "first": ["tune", "keep"],
        "second": ["tune", "keep"],
    }


def test_with_all_records_nothing_is_made_though_every_folder_is_gone(made):
    assert made("net.json", "first", "second") == {}


def test_what_one_without_a_record_learns_from_is_made_again_and_its_record_stays(made):
    remade = {"network": ["train"], "edits": ["edit"], "second": ["tune", "keep"]}
    assert made("net.json", "first") == remade


def test_what_is_at_hand_is_not_made_again(made):
    assert made("net.json", "network", "edits", "first") == {"second": ["tune", "keep"]}
    assert made("net.json", "network") == {
        "edits": ["edit"],
        "first": ["tune", "keep"],
        "second": ["tune", "keep"],
    }


def test_edits_of_a_network_that_is_gone_are_made_with_it(made):
    assert [*made("net.json", "edits")] == ["network", "edits", "first", "second"]

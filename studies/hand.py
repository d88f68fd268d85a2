"""The truth of the videos that were edited by hand: what those hands could have known at most.

``python -m studies.hand book/results/editing/timed_edits.json data/mini_biased_chosen truth.json``
writes the same edits with the set's own levels, so that two fine-tunings differ in nothing else.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stabn.data.mini.truth import read_truth
from stabn.errors import UserError
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.edits.exchange import read_json, write_json
from stabn.knowledge.edits.standin import ANNOTATOR


def truths(edits: Sequence[Edit], root: Path) -> list[Edit]:
    """The truth as an edit of each edited video; ``root`` is a synthetic set.

    Raises:
        FileNotFoundError: a video whose truth is not there.
    """
    return [
        replace(
            edit,
            levels=tuple(map(float, read_truth(root, edit.video_id).levels)),
            annotator=ANNOTATOR,
            seconds=0.0,
        )
        for edit in edits
        if edit.verdict == "edited"
    ]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m studies.hand", description=__doc__.split("\n")[0]
    )
    parser.add_argument("edits", type=Path, help="a JSON file of edits that people made")
    parser.add_argument("root", type=Path, help="the synthetic set of their videos")
    parser.add_argument("out", type=Path, help="where the truth is written")
    given = parser.parse_args()
    try:
        write_json(truths(read_json(given.edits), given.root), given.out)
    except (UserError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

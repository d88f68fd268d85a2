"""What the three scripts share: options, shards, reports, exit statuses."""

import argparse
import math
import os
import re
import sys
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from tqdm import tqdm

from stabn import given
from stabn.errors import UserError

ALL_WELL, FINDINGS, FAILED = 0, 1, 2  # exit statuses

progress = partial(tqdm, mininterval=1.0 if sys.stderr.isatty() else 30.0)  # short logs in batch


class DataError(UserError):
    """A step that cannot be done; the message names the file and the remedy."""


@dataclass(frozen=True)
class Shard:
    """The ``index``-th of ``count`` shares of the videos, from 1.

    A video's share depends on its id alone, so that shards agree whatever else is in the folder.
    """

    index: int
    count: int

    def __contains__(self, video_id: str) -> bool:
        return zlib.crc32(video_id.encode()) % self.count == self.index - 1


def shard(text: str) -> Shard:
    """``"3/16"`` → ``Shard(3, 16)``, for argparse."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} must be i/n with i from 1 to n, such as 3/16")
    return Shard(int(match[1]), int(match[2]))


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with the option that all scripts have."""
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit status: 0 all is well · 1 done, but something was found wrong (it is listed) "
        "· 2 could not be done.\nKilled at any moment and started again, it goes on from there.",
    )
    jobs = "how much is done at a time (default: one a core, here %(default)s)"
    parser.add_argument("--jobs", type=_at_least_one, default=_cores(), help=jobs)
    return parser


def sharded_arguments(description: str, root: str, limit: float) -> argparse.ArgumentParser:
    """The same with the options of a script that goes through a data set video by video.

    Args:
        description: of the script.
        root: what ``--root`` has to be.
        limit: seconds a video may take by default.
    """
    parser = arguments(description)
    parser.add_argument("--root", type=given.path, required=True, help=root)
    seconds = "seconds a video may take before its worker is ended (default: %(default)s)"
    parser.add_argument("--time-limit", type=_seconds, default=limit, metavar="S", help=seconds)
    group = parser.add_mutually_exclusive_group()
    only = "do only the i-th of n shares, i from 1: one task of a cluster's array"
    group.add_argument("--shard", type=shard, metavar="i/n", help=only)
    group.add_argument("--merge", action="store_true", help="join what all shards wrote")
    return parser


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # what a job was given, not what the machine has
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _at_least_one(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1")
    return int(text)


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 < (seconds := float(text)) < math.inf:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} must be a number of seconds above 0")


def run(main: Callable[[Sequence[str] | None], int]) -> None:
    """Exit with what ``main`` returns; an error a user can mend is a message, not a traceback."""
    try:
        sys.exit(main(None))
    except UserError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}; mend that and go on with the same command",
              file=sys.stderr)  # fmt: skip
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
    sys.exit(FAILED)


def report(title: str, lines: Sequence[str], most: int = 200) -> int:
    """Print a list of findings under its title; returns how many there are."""
    if lines:
        print(f"\n{title}: {len(lines)}")
        print("\n".join(f"  {line}" for line in lines[:most]))
        if len(lines) > most:
            print(f"  … and {len(lines) - most} more")
    return len(lines)


def verdict(found: int) -> int:
    """Say whether anything was found wrong; returns the exit status."""
    print(f"found wrong: {found}" if found else "all is well")
    return FINDINGS if found else ALL_WELL

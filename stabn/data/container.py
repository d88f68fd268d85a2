"""What a file's first bytes say: which container, whether its end is lost, or what else it is."""

from pathlib import Path

_EBML = b"\x1a\x45\xdf\xa3"  # Matroska and webm
_SEGMENT = b"\x18\x53\x80\x67"  # the one element that holds everything after the header
_SIGNATURES = {
    b"GIF8": "a GIF image",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"\x80\x02": "a pickle",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself",
}


def container(path: Path) -> str:
    """``"webm"``, ``"mp4"`` (mp4, m4v, mov) or ``"other"``, by signature and not by suffix."""
    head = _head(path)
    if head.startswith(_EBML) and b"webm" in head:
        return "webm"
    return "mp4" if head[4:8] == b"ftyp" else "other"


def missing_bytes(path: Path) -> int:
    """How many bytes a webm or Matroska file lacks of what its header promises; 0 if unknown.

    A webm that lost its end opens without complaint and simply has fewer frames. Its segment
    element says how long the file should be, so the loss shows without decoding anything.
    """
    head = _head(path)
    start = head.find(_SEGMENT)
    if not head.startswith(_EBML) or start < 0:
        return 0
    first = head[start + 4]
    width = 9 - first.bit_length()  # an EBML number's leading zeros give its length in bytes
    size = int.from_bytes(head[start + 4 : start + 4 + width]) & ((1 << 7 * width) - 1)
    if size == (1 << 7 * width) - 1:  # all ones: written as a stream, length unknown
        return 0
    return max(0, start + 4 + width + size - path.stat().st_size)


def not_a_video(path: Path) -> str | None:
    """What a file is, in words, if its first bytes show that it is no video; else None."""
    head = _head(path)
    if not head:
        return "an empty file (0 bytes)"
    for signature, words in _SIGNATURES.items():
        if head.startswith(signature):
            return words
    try:
        text = head.decode("utf-8", errors="strict" if len(head) < 512 else "ignore")
    except UnicodeDecodeError:
        return None
    if all(c.isprintable() or c in "\r\n\t" for c in text):
        return f"a text file that begins {text[:30]!r}"
    return None


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(512)

"""What a file's own bytes say: whether its end is lost, or that it is no video at all."""

import os
from codecs import getincrementaldecoder
from typing import BinaryIO

_EBML = b"\x1a\x45\xdf\xa3"  # Matroska and webm
_SEGMENT = b"\x18\x53\x80\x67"  # the one element that holds everything after the header
_BOXES = (b"ftyp", b"moov", b"moof", b"mdat")  # of mp4 and mov, those that frames need
_PADDING = (b"free", b"skip", b"wide")
_SIGNATURES = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"\x80\x02": "a pickle",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself",
}


def missing_bytes(file: BinaryIO) -> int:
    """How many bytes a file lacks of what its own sizes promise; 0 if it promises nothing.

    A video that lost its end may open without complaint and simply have fewer frames. Matroska's
    segment, the boxes of an mp4 and the RIFF chunks of an avi say how long they are, so the loss
    shows without decoding anything. Transport streams say nothing.
    """
    head, size = _head(file), file.seek(0, os.SEEK_END)
    if head.startswith(_EBML):
        promised = _end_of_segment(head)
    elif head[4:8] in (*_BOXES, *_PADDING):
        promised = _end_of_boxes(file, size)
    elif head.startswith(b"RIFF"):
        promised = _end_of_chunks(file, size)
    else:
        promised = 0
    return max(0, promised - size)


def _end_of_segment(head: bytes) -> int:
    start = head.find(_SEGMENT)
    if start < 0:
        return 0
    first = head[start + 4]
    width = 9 - first.bit_length()  # an EBML number's leading zeros give its length in bytes
    size = int.from_bytes(head[start + 4 : start + 4 + width]) & ((1 << 7 * width) - 1)
    if size == (1 << 7 * width) - 1:  # all ones: written as a stream, length unknown
        return 0
    return start + 4 + width + size


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    at = end = 0
    while at < size:
        file.seek(at)
        header = file.read(16)
        length, kind = int.from_bytes(header[:4]), header[4:8]
        if length == 1:  # too long for four bytes: eight follow
            length = int.from_bytes(header[8:])
        if length < 8:  # 0: up to the end of the file; else no box
            break
        at += length
        if kind in _BOXES:  # what else stands at the end may be anything
            end = at
    return end


def _end_of_chunks(file: BinaryIO, size: int) -> int:
    at = end = 0
    while at < size:
        file.seek(at)
        header = file.read(8)
        length = int.from_bytes(header[4:], "little")
        if header[:4] != b"RIFF" or length in (0, 0xFFFFFFFF):  # written as a stream
            break
        at = end = at + 8 + length
    return end


def not_a_video(file: BinaryIO) -> str | None:
    """What a file is, in words, if its first bytes show that it is no video; else None."""
    head = _head(file)
    if not head:
        return "an empty file (0 bytes)"
    for signature, words in _SIGNATURES.items():
        if head.startswith(signature):
            return words
    if head[8:12] == b"WEBP":
        return "a WebP image"
    try:  # a letter of several bytes may be cut where the head ends
        text = getincrementaldecoder("utf-8")().decode(head, final=len(head) < 512)
    except UnicodeDecodeError:
        return None
    if all(c.isprintable() or c in "\r\n\t" for c in text):
        return f"a text file that begins {text[:30]!r}"
    return None


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(512)

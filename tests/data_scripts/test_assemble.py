"""Parts in any order give the archive's videos, whole and once; what is wrong is named."""

import gzip
import hashlib
import io
import os
import resource
import shutil
import tarfile
from collections import namedtuple

import pytest
from assemble import find_parts, main
from common import DataError
from lookalike import FOLDER, MTIME, archive_of, kill_when, run_script, split, tree

pytestmark = pytest.mark.slow(10)


def names(numbers) -> set[str]:
    return {f"videos/{n}.webm" for n in numbers}


def videos_of(packed: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        return {
            f"videos/{os.path.basename(m.name)}": tar.extractfile(m).read()
            for m in tar.getmembers()
            if m.isfile()
        }


@pytest.fixture
def parts(packed, tmp_path):
    return split(packed, tmp_path / "parts")


def test_the_archives_videos_and_nothing_else(packed, parts, tmp_path):
    status, said = run_script("assemble", parts, "--out", tmp_path / "set", "--jobs", 2)
    assert status == 0
    assert "208 videos" in said
    assert "208 written, 0 were there" in said
    expected = {name: (content, MTIME) for name, content in videos_of(packed).items()}
    assert tree(tmp_path / "set") == expected
    status, said = run_script("assemble", parts, "--out", tmp_path / "set")
    assert status == 0
    assert "0 written, 208 were there" in said
    assert tree(tmp_path / "set") == expected


@pytest.mark.parametrize(
    "name", ["20bn-something-something-v2-{}", "20BN-Something-Something-V2-{:03}"]
)
def test_numeric_order_whatever_the_order_and_spelling(packed, parts, tmp_path, name):
    """Unpadded names sort as 1, 10, 11, …, 19, 2: in a shell's order they are no archive."""
    for n in range(20):
        (parts / f"{FOLDER}-{n:02}").rename(parts / name.format(n))
    given = sorted(parts.iterdir())[::-1]
    assert main([*map(str, given), "--out", str(tmp_path / "set")]) == 0
    assert {k: v for k, (v, _) in tree(tmp_path / "set").items()} == videos_of(packed)


def test_other_files_are_ignored_and_named(parts, capsys):
    for name in ("labels.zip", f"{FOLDER}-03 (1)", f"{FOLDER}-04.crdownload", "notes.txt"):
        (parts / name).write_text("something else")
    (parts / f"{FOLDER}-99x").mkdir()
    assert [p.name for p in find_parts([parts])] == [f"{FOLDER}-{n:02}" for n in range(20)]
    said = capsys.readouterr().out
    assert said.count(": ignored, ") == 5
    assert f"{FOLDER}-03 (1): ignored" in said


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda p: (p / f"{FOLDER}-07").unlink(), "part 07 of 20 missing; download it"),
        (lambda p: [(p / f"{FOLDER}-{n}").unlink() for n in (12, 10)], "part 10, 12 of 20 missing"),
        (lambda p: shutil.copy(p / f"{FOLDER}-03", p / f"{FOLDER}-3"), "03 is there twice.*keep"),
        (lambda p: (p / f"{FOLDER}-05").write_bytes(b""), "-05: is empty; download it again"),
        (lambda p: (p / f"{FOLDER}-20").write_bytes(b"x"), "-20: the archive has parts 00 to 19"),
        (lambda p: (p / f"{FOLDER}-00").write_bytes(b"PK\3\4" * 9), "-00: is a zip archive"),
        (lambda p: (p / f"{FOLDER}-00").write_text("<html>login"), "-00: is a text file"),
    ],
)  # fmt: skip
def test_parts_that_do_not_make_the_archive(parts, tmp_path, spoil, says):
    spoil(parts)
    with pytest.raises(DataError, match=says):
        main([str(parts), "--out", str(tmp_path / "set")])
    assert not (tmp_path / "set").exists()


def test_no_such_folder(tmp_path):
    with pytest.raises(DataError, match="nowhere: no such file or folder"):
        main([str(tmp_path / "nowhere"), "--out", str(tmp_path / "set")])


class TestChecksums:
    """Every part is compared with the list before anything is unpacked."""

    @staticmethod
    def listed(parts, kind: str, form: str = "{}  {}\n") -> str:
        return "".join(
            form.format(hashlib.new(kind, p.read_bytes()).hexdigest(), p.name)
            for p in sorted(parts.iterdir())
        )

    @pytest.mark.parametrize("kind", ["md5", "sha1", "sha256"])
    @pytest.mark.parametrize("form", ["{}  {}\n", "{} *downloads/{}\r\n"])
    def test_right(self, parts, tmp_path, kind, form):
        (tmp_path / "sums").write_text("# made elsewhere\n" + self.listed(parts, kind, form))
        sums = ["--checksums", str(tmp_path / "sums")]
        assert main([str(parts), "--out", str(tmp_path / "set"), *sums]) == 0

    def test_wrong(self, parts, tmp_path):
        (tmp_path / "sums").write_text(self.listed(parts, "md5"))
        for n in (4, 17):
            part = parts / f"{FOLDER}-{n:02}"
            part.write_bytes(part.read_bytes()[:-1] + b"?")
        sums = ["--checksums", tmp_path / "sums"]
        status, said = run_script("assemble", parts, "--out", tmp_path / "set", *sums)
        assert status == 2
        assert f"{FOLDER}-04, " in said
        assert f"{FOLDER}-17: not what" in said
        assert "-05" not in said
        assert not (tmp_path / "set").exists()

    def test_a_list_without_every_part(self, parts, tmp_path):
        (tmp_path / "sums").write_text(self.listed(parts, "md5").replace("v2-11", "v2-xx"))
        with pytest.raises(DataError, match=r"sums: has no checksum of .*-11; is it the right"):
            main(
                [str(parts), "--out", str(tmp_path / "set"), "--checksums", str(tmp_path / "sums")]
            )


def test_too_little_room_is_said_before_anything_is_written(parts, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(DataError, match=r"need .* GB more, the disk has .* GB; make room"):
        main([str(parts), "--out", str(tmp_path / "set")])
    assert not (tmp_path / "set").exists()


def test_videos_that_are_there_need_no_more_room(parts, packed, tmp_path, monkeypatch):
    assert main([str(parts), "--out", str(tmp_path / "set")]) == 0
    usage = namedtuple("usage", "total used free")
    room = 0.1 * len(packed)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage(10**9, 10**9, room))
    assert main([str(parts), "--out", str(tmp_path / "set")]) == 0


def test_a_disk_that_fills_up_leaves_nothing_half_written(packed, parts, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max(map(len, videos_of(packed).values()))
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest - 1, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            main([str(parts), "--out", str(tmp_path / "set")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    content = videos_of(packed)
    assert all(content[name] == data for name, (data, _) in tree(tmp_path / "set").items())


def test_killed_and_started_again(tmp_path):
    """An uninterrupted run's tree, byte for byte; what is complete is not written again."""
    content = {f"{FOLDER}/{n}.webm": os.urandom(2000 + n) for n in range(600)}
    parts, out = split(archive_of(content), tmp_path / "parts"), tmp_path / "set"
    (out / "videos").mkdir(parents=True)
    for enough in (50, 250):
        kill_when(lambda n=enough: len(list((out / "videos").iterdir())) > n,
                  "assemble", parts, "--out", out, "--jobs", 1)  # fmt: skip
        assert {p.name for p in (out / "videos").glob("*.webm")} < {f"{n}.webm" for n in range(600)}
        (out / "videos" / ".599.webm.1.part").write_bytes(b"half")  # as if killed while writing
    before = {p.name: p.stat().st_ino for p in (out / "videos").glob("*.webm")}
    status, said = run_script("assemble", parts, "--out", out)
    assert status == 0
    assert f"{600 - len(before)} written, {len(before)} were there" in said
    assert all((out / "videos" / name).stat().st_ino == inode for name, inode in before.items())
    assert tree(out) == {f"videos/{k.split('/')[1]}": (v, MTIME) for k, v in content.items()}


def test_a_file_of_another_size_is_replaced_and_a_stranger_left(packed, parts, tmp_path, capsys):
    videos = tmp_path / "set" / "videos"
    videos.mkdir(parents=True)
    (videos / "7.webm").write_bytes(b"an older attempt")
    (videos / "9999.webm").write_bytes(b"of another set")
    assert main([str(parts), "--out", str(tmp_path / "set")]) == 0
    assert "not of the archive, left alone: 1, such as 9999.webm" in capsys.readouterr().out
    assert (videos / "7.webm").read_bytes() == videos_of(packed)["videos/7.webm"]
    assert (videos / "9999.webm").read_bytes() == b"of another set"


class TestDamagedArchive:
    """Never taken for a shorter one: what comes before the damage is kept, whole."""

    @staticmethod
    def fails(packed: bytes, whole: bytes, tmp_path) -> str:
        shutil.rmtree(tmp_path / "parts", ignore_errors=True)
        shutil.rmtree(tmp_path / "set", ignore_errors=True)
        parts, out = split(packed, tmp_path / "parts"), tmp_path / "set"
        with pytest.raises(DataError, match="ends early or is damaged after") as caught:
            main([str(parts), "--out", str(out)])
        content = videos_of(whole)
        got = tree(out)
        assert all(content[name] == data for name, (data, _) in got.items())
        last = str(caught.value).split(" after ")[1].split(" (")[0]
        order = ["the beginning", *(f"video {name[7:-5]}" for name in content)]
        assert len(got) == order.index(last)
        return str(caught.value)

    @pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.999])
    def test_cut(self, packed, tmp_path, share):
        said = self.fails(packed[: int(share * len(packed))], packed, tmp_path)
        assert f"{FOLDER}-19: " in said

    def test_a_part_that_lost_its_end(self, packed, tmp_path):
        """What is unpacked after the gap may be wrong at the right size; the next run mends it."""
        parts, out = split(packed, tmp_path / "parts"), tmp_path / "set"
        part = parts / f"{FOLDER}-07"
        whole = part.read_bytes()
        part.write_bytes(whole[:-500])
        with pytest.raises(DataError, match="download this part and the one before it again"):
            main([str(parts), "--out", str(out)])
        part.write_bytes(whole)
        assert main([str(parts), "--out", str(out)]) == 0
        assert {name: data for name, (data, _) in tree(out).items()} == videos_of(packed)

    @pytest.mark.parametrize("at", [0.2, 0.6, 0.95])
    def test_a_byte_that_flipped(self, packed, tmp_path, at):
        """Where the decompressor does not notice, the archive's own checksum does, at its end."""
        spoilt = bytearray(packed)
        spoilt[int(at * len(packed))] ^= 0xFF
        shutil.rmtree(tmp_path / "set", ignore_errors=True)
        with pytest.raises(DataError, match=r"damaged|where only videos"):
            main([str(split(bytes(spoilt), tmp_path / "parts")), "--out", str(tmp_path / "set")])

    def test_an_archive_made_from_a_cut_one(self, packed, tmp_path):
        """A whole gzip file around a tar that ends early, wherever it ends."""
        plain = gzip.decompress(packed)
        with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
            found = tar.getmembers()
        middle, end = found[100], found[-1].offset_data + -(-found[-1].size // 512) * 512
        for cut in (middle.offset, middle.offset + 99, middle.offset_data, middle.offset_data + 9,
                    end - 1, end):  # fmt: skip
            self.fails(gzip.compress(plain[:cut], 1), packed, tmp_path)

    def test_a_header_that_is_none(self, packed, tmp_path):
        plain = bytearray(gzip.decompress(packed))
        with tarfile.open(fileobj=io.BytesIO(bytes(plain))) as tar:
            middle = tar.getmembers()[100]
        plain[middle.offset : middle.offset + 512] = os.urandom(512)
        self.fails(gzip.compress(bytes(plain), 1), packed, tmp_path)


def member(name: str, **facts) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in facts.items():
        setattr(info, key, value)
    return info


@pytest.mark.parametrize(
    "bad",
    [
        member(f"{FOLDER}/../../evil.webm"),
        member(f"/{FOLDER}/5.webm"),
        member("../5.webm"),
        member("5.webm"),
        member(f"{FOLDER}/deeper/5.webm"),
        member(f"{FOLDER}/evil.sh"),
        member(f"{FOLDER}/._5.webm"),
        member(f"{FOLDER}/x5.webm"),
        member(f"{FOLDER}/5.webm", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member(f"{FOLDER}/5.webm", type=tarfile.LNKTYPE, linkname=f"{FOLDER}/1.webm"),
        member(f"{FOLDER}/5.webm", type=tarfile.FIFOTYPE),
        member(f"{FOLDER}/5.webm", type=tarfile.CHRTYPE),
        member(f"{FOLDER}/deeper/still", type=tarfile.DIRTYPE),
        member(f"{FOLDER}/1.webm"),
    ],
    ids=lambda info: f"{info.name}-{info.type.decode()}",
)
def test_a_member_that_is_no_video(tmp_path, bad):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=0) as tar:
        for info in (member(f"{FOLDER}/1.webm", size=9), bad, member(f"{FOLDER}/2.webm", size=9)):
            tar.addfile(info, io.BytesIO(bytes(9)))
    parts = split(packed.getvalue(), tmp_path / "parts")
    with pytest.raises(DataError, match=r"holds '.*' after video 1, where only videos"):
        main([str(parts), "--out", str(tmp_path / "set")])
    assert tree(tmp_path / "set").keys() == names([1])
    assert {p.name for p in tmp_path.iterdir()} == {"parts", "set"}

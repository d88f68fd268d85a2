"""Frame k is the k-th that plays, in whatever codec, container, GOP, rate and order of reading.

The truth is in the pictures: each shows its own number.
"""

from pathlib import Path

import decord
import numpy as np
import pytest
from skimage import data

from stabn.data import video
from stabn.data.video import VideoError, frame_count, probe, read_frames
from tests.data.films import (
    HEIGHT,
    STUB,
    WIDTH,
    as_avi,
    barcodes,
    decoded_by_ffmpeg,
    encode,
    ffmpeg,
    numbers,
    packed,
    packets,
)

N = 50
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")
CLOSED = (*X264, "-g", "12", "-bf", "3", "-x264-params", "open-gop=0:scenecut=0")
OPEN = (*X264, "-g", "12", "-bf", "3", "-x264-params", "open-gop=1:scenecut=0")
ONE = (*X264, "-g", "999", "-bf", "3", "-x264-params", "scenecut=0:b-pyramid=2")
NO_B = (*X264, "-g", "12", "-bf", "0")
REFRESH = (*X264, "-x264-params", "intra-refresh=1:keyint=12")
X265 = (
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-x265-params",
    "keyint=12:bframes=3:log-level=0",
)
PART_2 = ("-c:v", "mpeg4", "-q:v", "3", "-bf", "2", "-g", "12")
HMDB = (*PART_2, "-vtag", "XVID")
VP8 = ("-c:v", "libvpx", "-deadline", "good", "-cpu-used", "5", "-b:v", "1M", "-g", "20")
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "good", "-cpu-used", "8", "-b:v", "1M", "-g", "20")
ALT_REF = ("-auto-alt-ref", "1", "-lag-in-frames", "25")
KINDS = {
    "h264 closed": (CLOSED, "mp4 mov mkv ts flv avi"),
    "h264 open": (OPEN, "mp4 mkv ts"),
    "h264 one GOP": (ONE, "mp4 ts"),
    "h264 no B": (NO_B, "mp4 avi"),
    "h264 intra refresh": (REFRESH, "mp4 ts"),
    "hevc": (X265, "mp4 mkv ts"),
    "mpeg4": (PART_2, "mp4 mov avi mkv ts"),
    "hmdb": (HMDB, "avi"),
    "mpeg2": (("-c:v", "mpeg2video", "-q:v", "3", "-bf", "2", "-g", "12"), "mpg ts mkv"),
    "mpeg1": (("-c:v", "mpeg1video", "-q:v", "3", "-bf", "2"), "mpg"),
    "vp8": (VP8, "webm mkv"),
    "vp8 alt-ref": ((*VP8, *ALT_REF), "webm mkv"),
    "vp9": (VP9, "webm mkv mp4"),
    "vp9 alt-ref": ((*VP9, *ALT_REF), "webm mkv mp4"),
    "av1": (("-c:v", "libaom-av1", "-cpu-used", "8", "-lag-in-frames", "8"), "mp4 webm"),
    "theora": (("-c:v", "libtheora", "-q:v", "9"), "ogv mkv"),
    "gif": ((), "gif"),
    "mjpeg": (("-c:v", "mjpeg", "-q:v", "3"), "avi mov"),
    "ffv1": (("-c:v", "ffv1"), "mkv avi"),
    "prores": (("-c:v", "prores"), "mov"),
    "wmv": (("-c:v", "wmv2", "-q:v", "3"), "asf"),
}
FILMS = [(kind, suffix) for kind, (_, suffixes) in KINDS.items() for suffix in suffixes.split()]


def encoded(kind: str, path: Path, *more: str) -> Path:
    """A film of N frames; alternate reference frames take two passes."""
    return encode(barcodes(N), path, *KINDS[kind][0], *more, two_pass="alt-ref" in kind)


def plays(path: Path, truth: list[int]) -> None:
    """Count and frames are the truth in every order of reading."""
    n = len(truth)
    assert frame_count(path) == n
    assert probe(path).frames == n
    rng = np.random.default_rng(0)
    orders = [range(n), range(n)[::-1], rng.integers(0, n, 20), [n // 2], [n - 1]]
    for order in orders:
        assert numbers(read_frames(path, order)) == [truth[k] for k in order]
    with pytest.raises(VideoError, match=f"has no frame {n}, only 0 to {n - 1}"):
        read_frames(path, [0, n])


@pytest.mark.parametrize(("kind", "suffix"), FILMS)
def test_every_frame_in_any_codec_and_container(tmp_path, kind, suffix):
    plays(encoded(kind, tmp_path / f"film.{suffix}"), list(range(N)))


def test_xvid_as_its_encoder_writes_it(tmp_path):
    """The last two frames given are not in the file; ffmpeg shows the others, and so do we."""
    path = encode(barcodes(N), tmp_path / "film.avi", "-c:v", "libxvid", "-q:v", "3", "-bf", "2")
    truth = numbers(decoded_by_ffmpeg(path, HEIGHT, WIDTH))
    assert truth == list(range(N - 2))
    plays(path, truth)


@pytest.mark.parametrize("b_frames", ["1", "2", "3"])
def test_packed_xvid(tmp_path, b_frames):
    """As HMDB-51 and UCF-101 have it: a packet holds two frames, another one none."""
    how = (*PART_2[:-4], "-bf", b_frames, "-g", "12")
    source = encode(barcodes(N), tmp_path / "film.avi", *how)
    plays(packed(source, tmp_path / "packed.avi"), list(range(N)))


@pytest.mark.parametrize("codec", ["libxvid", "mpeg4"])
@pytest.mark.parametrize("places", [[0], [20], [N], [0, 0, 20, N]])
def test_xvid_with_packets_that_hold_no_frame(tmp_path, codec, places):
    """Its index counts a frame for each: so does decord, in files of HMDB-51 as well."""
    how = ("-c:v", codec, "-q:v", "3", "-bf", "2", "-g", "12")
    chunks = packets(encode(barcodes(N), tmp_path / "film.avi", *how))
    truth = list(range(len(chunks)))  # libxvid keeps the last two to itself
    for place in reversed(places):
        chunks.insert(place, STUB)
    path = as_avi(chunks, tmp_path / "film.avi", tmp_path / "stubs.avi")
    assert len(decord.VideoReader(str(path), num_threads=1)) == len(truth) + len(places)
    plays(path, truth)


VARIABLE = ("-vf", "settb=1/1000,setpts=N*33+gt(N\\,25)*(N-25)*34", "-fps_mode", "vfr")
LATE = ("-output_ts_offset", "5")


@pytest.mark.parametrize("time", [VARIABLE, LATE], ids=["variable rate", "late start"])
@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        ("h264 open", "mp4"),
        ("h264 open", "ts"),
        ("hevc", "mkv"),
        ("mpeg4", "mov"),
        ("vp8 alt-ref", "webm"),
        ("vp9 alt-ref", "webm"),
        ("av1", "webm"),
    ],
)
def test_time_is_no_matter(tmp_path, kind, suffix, time):
    path = encoded(kind, tmp_path / f"film.{suffix}", *time)
    if time is VARIABLE and suffix in ("mp4", "mov"):  # its edit list ends where the last begins
        assert numbers(decoded_by_ffmpeg(path, HEIGHT, WIDTH)) == list(range(N - 1))
        plays(path, list(range(N - 1)))
    else:
        plays(path, list(range(N)))


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """A film of a kind, encoded once."""
    made, folder = {}, tmp_path_factory.mktemp("films")

    def film(kind: str, suffix: str) -> Path:
        path = folder / f"{kind}.{suffix}"
        if path not in made:
            made[path] = encoded(kind, path)
        return path

    return film


TRIMMED = ["h264 closed", "h264 open", "h264 one GOP", "h264 no B", "hevc", "mpeg4", "av1"]


@pytest.mark.parametrize("kind", TRIMMED)
@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_a_lossless_trim_plays_from_where_it_was_trimmed(tmp_path, films, kind, suffix):
    """Packets from the key frame before on are in the file; its edit list says what plays."""
    path = tmp_path / f"trim.{suffix}"
    ffmpeg("-ss", "0.8", "-i", films(kind, "mp4"), "-c", "copy", "-f", "mp4", path)
    plays(path, list(range(24, N)))


@pytest.mark.parametrize("kind", ["h264 closed", "h264 open", "hevc", "mpeg4"])
def test_what_lies_before_time_zero_does_not_play(tmp_path, films, kind):
    path = tmp_path / "early.mp4"
    early = ("-output_ts_offset", "-0.2", "-avoid_negative_ts", "disabled")
    ffmpeg("-i", films(kind, "mp4"), "-c", "copy", *early, path)
    plays(path, list(range(6, N)))


@pytest.mark.parametrize("kind", ["h264 closed", "h264 open", "hevc", "mpeg2"])
def test_transport_streams_joined_and_cut(tmp_path, films, kind):
    whole = films(kind, "ts").read_bytes()
    (tmp_path / "joined.ts").write_bytes(whole + whole)
    plays(tmp_path / "joined.ts", [*range(N), *range(N)])
    cut = tmp_path / "cut.ts"
    cut.write_bytes(whole[len(whole) // 188 * 3 // 7 * 188 :])
    first = N - frame_count(cut)  # the first that can be decoded without what was cut off
    assert 12 <= first <= 36
    plays(cut, list(range(first, N)))


@pytest.mark.parametrize("codec", ["vp8", "vp9"])
def test_webm_cut_between_key_frames_plays_from_the_next(tmp_path, films, codec):
    path, begun_at_10 = tmp_path / "cut.webm", ("-copyinkf", "-bsf:v", "noise=drop='lt(n,10)'")
    ffmpeg("-i", films(f"{codec} alt-ref", "webm"), "-c", "copy", *begun_at_10, path)
    plays(path, list(range(20, N)))


@pytest.mark.parametrize("codec", ["vp8", "vp9"])
def test_webm_is_counted_without_decoding(films, codec, monkeypatch):
    """And frames that are decoded but never shown do not count."""
    path = films(f"{codec} alt-ref", "webm")
    if codec == "vp8":
        assert len(packets(path)) > N
    else:  # packed together, and an index at the end of the packet says so
        assert any(packet[-1] & 0xE0 == 0xC0 for packet in packets(path))
    monkeypatch.setattr(video, "playing", None)
    assert frame_count(path) == N


def test_only_frames_that_are_wanted_are_converted_and_none_after_them_decoded(films, monkeypatch):
    converted, decoded = [], []
    rgb, playing = video.rgb, video.playing
    monkeypatch.setattr(video, "rgb", lambda *given: converted.append(0) or rgb(*given))
    monkeypatch.setattr(
        video, "playing", lambda *given: (decoded.append(0) or frame for frame in playing(*given))
    )
    assert numbers(read_frames(films("h264 open", "mp4"), [20, 3, 20])) == [20, 3, 20]
    assert (len(converted), len(decoded)) == (2, 21)


# -- pictures ----------------------------------------------------------------------------------

TURNS = [(turn, flip) for turn in (0, 90, 180, 270) for flip in ((), ("-display_hflip",))]


@pytest.mark.parametrize(("turn", "flip"), TURNS)
def test_frames_are_upright(tmp_path, films, turn, flip):
    path, source = tmp_path / "turned.mp4", films("h264 closed", "mp4")
    ffmpeg("-display_rotation", turn, *flip, "-i", source, "-c", "copy", path)
    height, width = (HEIGHT, WIDTH) if turn % 180 == 0 else (WIDTH, HEIGHT)
    truth = decoded_by_ffmpeg(path, height, width)
    info = probe(path)
    assert (info.height, info.width) == (height, width)
    np.testing.assert_array_equal(read_frames(path, range(N)), truth)
    if not flip:  # the number is degrees counterclockwise
        plain = read_frames(source, range(N))
        np.testing.assert_array_equal(truth, np.rot90(plain, turn // 90, axes=(1, 2)))


@pytest.mark.parametrize(
    "how",
    [
        (*X264[:-1], "yuv420p"),
        (*X264[:-1], "yuv422p"),
        (*X264[:-1], "yuv444p"),
        (*X264[:-1], "yuvj420p"),
        (*X264[:-1], "yuv444p10"),
        (*X264, "-vf", "scale=out_color_matrix=bt709", "-colorspace", "bt709"),
        (*VP9, "-pix_fmt", "yuv420p"),
        (*VP9, "-pix_fmt", "yuv420p10"),
        ("-c:v", "libx264rgb", "-qp", "0"),
        ("-c:v", "ffv1", "-pix_fmt", "gray"),
    ],
    ids=lambda how: " ".join(how[-5:]),
)
def test_colours_are_those_of_ffmpeg(tmp_path, how):
    photo = data.astronaut()[100:148, 100:164]
    path = encode(photo[None].repeat(3, axis=0), tmp_path / "photo.mkv", *how)
    frames = read_frames(path, range(3))
    np.testing.assert_array_equal(frames, decoded_by_ffmpeg(path, HEIGHT, WIDTH))
    if "gray" not in how:
        assert np.abs(frames.astype(int) - photo).mean() < 4


def test_ten_bits_with_half_the_colour_come_near(tmp_path):
    """Versions of ffmpeg place the colours of such H.264 differently, by half a pixel."""
    photo = data.astronaut()[100:148, 100:164]
    how = (*X264[:-1], "yuv420p10", "-qp", "1")
    path = encode(photo[None].repeat(3, axis=0), tmp_path / "photo.mp4", *how)
    assert np.abs(read_frames(path, [2])[0].astype(int) - photo).mean() < 4


def test_a_cover_picture_is_not_the_video(tmp_path, films):
    cover, path = tmp_path / "cover.png", tmp_path / "film.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240", "-frames:v", "1", cover)
    both = ("-i", cover, "-i", films("h264 open", "mp4"), "-map", "0", "-map", "1")
    ffmpeg(*both, "-c", "copy", "-disposition:v:0", "attached_pic", path)
    plays(path, list(range(N)))


# -- what cannot be read -----------------------------------------------------------------------


def test_frames_that_change_their_size(tmp_path, films):
    other = encode(barcodes(N)[:, :32, :48], tmp_path / "other.ts", *CLOSED)
    path = tmp_path / "both.ts"
    path.write_bytes(films("h264 closed", "ts").read_bytes() + other.read_bytes())
    says = "changes its size at frame 50, from 64×48 to 48×32: re-encode it"
    for read in (frame_count, probe, lambda path: read_frames(path, [50])):
        with pytest.raises(VideoError, match=says):
            read(path)


def test_sound_with_a_cover_picture(tmp_path):
    picture = ("-f", "lavfi", "-i", "testsrc2=s=32x24", "-frames:v", "1")
    ffmpeg(*picture, tmp_path / "cover.png")
    sound = (
        "-f",
        "lavfi",
        "-i",
        "sine=d=1",
        "-i",
        tmp_path / "cover.png",
        "-map",
        "0",
        "-map",
        "1",
    )
    path = tmp_path / "song.mp4"
    ffmpeg(*sound, "-c:v", "copy", "-disposition:v:0", "attached_pic", path)
    with pytest.raises(VideoError, match="holds sound and a cover picture only, no video"):
        frame_count(path)


def test_a_video_damaged_inside(tmp_path, films):
    whole = films("vp9", "webm").read_bytes()
    at = len(whole) // 2
    at = whole.index(b"\xa3", at)  # a SimpleBlock: size, track, time, flags, then the frame
    path = tmp_path / "spoilt.webm"
    path.write_bytes(whole[: at + 6] + bytes(40) + whole[at + 46 :])
    with pytest.raises(VideoError, match=r"is damaged after frame \d+ \(.+\): copy it again"):
        read_frames(path, [N - 1])


@pytest.mark.parametrize("suffix", ["mp4", "avi", "mkv"])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_a_video_that_lost_its_end_is_not_a_shorter_one(tmp_path, films, suffix, share):
    whole = films("mpeg4", suffix)
    if suffix == "mp4":  # with its index in front, it opens
        ffmpeg("-i", whole, "-c", "copy", "-movflags", "faststart", tmp_path / "fast.mp4")
        whole = tmp_path / "fast.mp4"
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    with pytest.raises(VideoError, match=r"was cut short, \d+ bytes are missing: copy it again"):
        read_frames(path, [0])


@pytest.mark.parametrize("name", ["take:1.mp4", "http:film.mp4", "50%03d.mp4", " Åbo'\".mp4"])
def test_any_name(tmp_path, films, name, monkeypatch):
    (tmp_path / name).write_bytes(films("h264 open", "mp4").read_bytes())
    monkeypatch.chdir(tmp_path)
    assert numbers(read_frames(name, [30, 2])) == [30, 2]


@pytest.mark.parametrize("kind", ["vp9", "vp9 alt-ref"])
def test_decord_reads_the_same_pixels_of_files_as_the_data_set_has_them(films, kind):
    path = films(kind, "webm")
    theirs = decord.VideoReader(str(path), num_threads=1)
    assert frame_count(path) == len(theirs)
    wanted = [7, 0, N - 1, 7]
    assert np.array_equal(read_frames(path, wanted), theirs.get_batch(wanted).asnumpy())

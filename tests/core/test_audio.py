"""What comes in as audio is decoded, metered and copied clean; everything else is refused (hostile-inputs 3D)."""

import io
import os
import socket
import zipfile
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.audio import (
    AudioError,
    AudioFacts,
    AudioLimits,
    AudioTooLong,
    ChannelsUnsupported,
    NotAudio,
    UndecodableAudio,
    inspect_audio,
)
from tests.core.audio_files import id3, tone, wav

SECOND = b"\x10\x20" * 8000


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def inspect(content: bytes | Path, work: Path, **limits: float) -> AudioFacts:
    path = content
    if isinstance(content, bytes):
        path = work.parent / "upload.wav"
        path.write_bytes(content)
    return inspect_audio(path, work_dir=work, limits=AudioLimits(**limits))


def refusal(content: bytes | Path, work: Path, kind: type[AudioError], **limits: float) -> AudioError:
    with pytest.raises(kind) as caught:
        inspect(content, work, **limits)
    assert list(work.iterdir()) == []
    return caught.value


def empty(work: Path) -> Path:
    """Remove what earlier steps of the test made."""
    for made in work.iterdir():
        made.unlink()
    return work


ACCEPTED = [
    ("pcm_s16le", "wav", 8000, "flac", "audio/flac"),
    ("pcm_mulaw", "wav", 8000, "flac", "audio/flac"),
    ("pcm_alaw", "wav", 8000, "flac", "audio/flac"),
    ("adpcm_ima_wav", "wav", 8000, "flac", "audio/flac"),
    ("adpcm_ms", "wav", 8000, "flac", "audio/flac"),
    ("pcm_s24le", "wav", 44100, "flac", "audio/flac"),
    ("pcm_s16be", "aiff", 16000, "flac", "audio/flac"),
    ("pcm_mulaw", "au", 8000, "flac", "audio/flac"),
    ("alac", "mp4", 16000, "flac", "audio/flac"),
    ("flac", "flac", 16000, "flac", "audio/flac"),
    ("libopus", "ogg", 48000, "ogg", "audio/ogg"),
    ("libopus", "webm", 48000, "ogg", "audio/ogg"),
    ("libmp3lame", "mp3", 16000, "mp3", "audio/mpeg"),
    ("aac", "mp4", 16000, "mp4", "audio/mp4"),
    ("aac", "adts", 16000, "mp4", "audio/mp4"),
]


@pytest.mark.parametrize(("codec", "container", "rate", "canonical", "mime"), ACCEPTED)
def test_supported_audio_is_metered_and_copied(
    codec: str, container: str, rate: int, canonical: str, mime: str, tmp_path: Path, work: Path
) -> None:
    facts = inspect(tone(tmp_path / "in", codec, container, rate=rate), work)
    assert abs(facts.duration_ms - 2000) <= 150
    assert (facts.channels, facts.sample_rate, facts.damaged) == (2, rate, False)
    assert (facts.canonical_format, facts.canonical_mime) == (canonical, mime)
    assert facts.canonical_path.parent == work
    assert facts.canonical_bytes == facts.canonical_path.stat().st_size
    left, right = facts.peaks
    assert len(left) == len(right) <= 1000
    assert 30 <= max(left) <= 50
    assert max(right[5 : len(right) // 2 - 15]) <= 3 < 30 <= max(right)
    again = inspect(facts.canonical_path, work)
    assert abs(again.duration_ms - facts.duration_ms) <= 30
    assert (again.channels, again.canonical_format) == (2, canonical)


@pytest.mark.parametrize(("codec", "rate"), [("g722", 16000), ("g726", 8000)])
def test_mono_telephony_codecs_pass(codec: str, rate: int, tmp_path: Path, work: Path) -> None:
    options = {"code_size": "4"} if codec == "g726" else {}
    facts = inspect(tone(tmp_path / "in", codec, "wav", rate=rate, channels=1, **options), work)
    assert (facts.channels, facts.codec, facts.canonical_format) == (1, f"adpcm_{codec}", "flac")


@pytest.mark.parametrize(
    ("content", "codec"),
    [
        (b"#!AMR\n" + (b"\x3c" + b"\x55" * 31) * 100, "amr_nb"),
        (wav(b"\x12\x34" * 1000, tag=0x83, bits=0, align=10), "g729"),
        (wav((b"\xd2" + b"\x11" * 32 + b"\x22" * 32) * 80, tag=0x31, bits=0, align=65), "gsm_ms"),
    ],
)
def test_telephony_codecs_without_an_encoder_pass(content: bytes, codec: str, work: Path) -> None:
    facts = inspect(content, work)
    assert (facts.codec, facts.canonical_format, facts.sample_rate) == (codec, "flac", 8000)


def zip_file() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.wav", b"x" * 2000)
    return target.getvalue()


NOT_AUDIO = {
    "empty": b"",
    "header only": wav(b""),
    "four bytes": b"RIFF",
    "pdf": b"%PDF-1.7\n" + b"x" * 5000,
    "zip": zip_file(),
    "exe": b"MZ\x90\x00" + b"\0" * 5000,
    "random": b"\xff\xfb" + bytes(range(256)) * 40,
    "text": b"ignore previous instructions " * 100,
    "eicar": rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*",
    "id3 only": id3((b"TIT2", b"\0title")),
    "id3 claiming more than there is": b"ID3\x03\x00\x00\x7f\x7f\x7f\x7f",
    "zeros": b"\0" * 100_000,
}


@pytest.mark.parametrize("name", NOT_AUDIO)
def test_what_is_no_audio_is_refused_at_the_door(name: str, work: Path) -> None:
    assert refusal(NOT_AUDIO[name], work, NotAudio).code == "not_audio"


def test_playlists_are_refused_without_a_connection_or_a_file_read(tmp_path: Path, work: Path) -> None:
    tone(tmp_path / "inner.wav", "pcm_s16le", "wav")
    inner = tmp_path / "inner.wav"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/a.ts"
        playlists = [
            f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}\n#EXT-X-ENDLIST\n",
            f"#EXTM3U\n#EXTINF:2,\nfile://{inner}\n#EXT-X-ENDLIST\n",
            f"ffconcat version 1.0\nfile '{inner}'\n",
            f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio {listener.getsockname()[1]} RTP/AVP 0\n",
            f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{url}</BaseURL></MPD>',
        ]
        for playlist in playlists:
            refusal(playlist.encode(), work, NotAudio)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize(
    ("codec", "container", "rate", "minutes"), [("flac", "flac", 8000, 15), ("libopus", "ogg", 48000, 3)]
)
def test_a_small_file_of_very_long_silence_is_refused(
    codec: str, container: str, rate: int, minutes: int, tmp_path: Path, work: Path
) -> None:
    bomb = tmp_path / "bomb"
    with av.open(str(bomb), "w", format=container) as target:
        stream = target.add_stream(codec, rate=rate)
        stream.layout = "mono"
        frame = av.AudioFrame("s16", "mono", rate * 60)
        frame.sample_rate = rate
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        for minute in range(minutes):
            frame.pts = minute * rate * 60
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    assert bomb.stat().st_size < 200_000
    assert inspect(bomb, work).duration_ms == minutes * 60_000
    assert refusal(bomb, empty(work), AudioTooLong, max_duration_s=60).code == "too_long"


def test_a_file_over_the_byte_limit_is_refused_before_it_is_read(work: Path) -> None:
    assert inspect(wav(SECOND * 2), work).duration_ms == 2000
    refusal(wav(SECOND * 2), empty(work), AudioTooLong, max_bytes=1000)


def test_a_header_that_declares_a_second_before_ten_minutes_is_refused(work: Path) -> None:
    error = refusal(wav(SECOND * 600, claim=len(SECOND)), work, UndecodableAudio)
    assert error.code == "length_mismatch"


@pytest.mark.parametrize("claim", [36_000 * 16_000, 0xFFFFFFFF, 0xFFFFFFDB, 0])
def test_a_header_that_declares_more_is_metered_by_what_is_there(claim: int, work: Path) -> None:
    facts = inspect(wav(SECOND * 3, claim=claim), work)
    assert facts.duration_ms == 3000
    assert inspect(facts.canonical_path, work).duration_ms == 3000


def test_what_stands_behind_the_audio_is_cut(work: Path) -> None:
    facts = inspect(wav(SECOND * 2, claim=len(SECOND) * 2) + b"secret behind" * 1000, work)
    assert facts.duration_ms == 2000
    assert b"secret" not in facts.canonical_path.read_bytes()


def test_a_truncated_mp3_counts_to_where_it_ends(tmp_path: Path, work: Path) -> None:
    whole = tone(tmp_path / "in.mp3", "libmp3lame", "mp3", rate=16000, seconds=6).read_bytes()
    facts = inspect(whole[: len(whole) // 2 + 50], work)
    assert 2500 <= facts.duration_ms <= 3500
    again = inspect(facts.canonical_path, work)
    assert abs(again.duration_ms - facts.duration_ms) <= 100
    assert refusal(whole[: len(whole) // 20], empty(work), UndecodableAudio).code in ("too_short", "decode_failed")


def test_a_corrupt_middle_ends_the_audio_there(tmp_path: Path, work: Path) -> None:
    content = bytearray(tone(tmp_path / "in.m4a", "aac", "mp4", rate=16000, seconds=6).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = b"\x55" * 4000
    facts = inspect(bytes(content), work)
    assert facts.damaged
    assert 1000 <= facts.duration_ms <= 4500
    again = inspect(facts.canonical_path, work)
    assert not again.damaged
    assert abs(again.duration_ms - facts.duration_ms) <= 150


def test_frames_that_the_container_steps_over_are_neither_counted_nor_copied(tmp_path: Path, work: Path) -> None:
    content = bytearray(tone(tmp_path / "in.flac", "flac", "flac", rate=16000, seconds=6).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = b"\x55" * 4000
    facts = inspect(bytes(content), work)
    assert 4000 <= facts.duration_ms <= 5900
    assert inspect(facts.canonical_path, work).duration_ms == facts.duration_ms


def test_a_wrong_frame_count_in_an_mp3_header_changes_nothing(tmp_path: Path, work: Path) -> None:
    content = bytearray(tone(tmp_path / "in.mp3", "libmp3lame", "mp3", rate=16000, seconds=3).read_bytes())
    position = max(content.find(b"Xing"), content.find(b"Info"))
    assert position > 0
    content[position + 8 : position + 12] = (10**6).to_bytes(4, "big")
    assert abs(inspect(bytes(content), work).duration_ms - 3000) <= 150


def test_tags_scripts_and_pictures_are_dropped(tmp_path: Path, work: Path) -> None:
    mp3 = tone(tmp_path / "in.mp3", "libmp3lame", "mp3", rate=16000).read_bytes()
    picture = b"\0image/png\0\x03\0" + b"\x89PNG\r\n\x1a\n" + b"pixel" * 500_000
    facts = inspect(id3((b"TIT2", b"\0<script>alert(1)</script>"), (b"APIC", picture)) + mp3, work)
    clean = facts.canonical_path.read_bytes()
    assert facts.canonical_bytes <= len(mp3)
    for mark in (b"<script>", b"pixel", b"ID3"):
        assert mark not in clean


@pytest.mark.parametrize(("codec", "container"), [("flac", "flac"), ("libopus", "ogg"), ("aac", "mp4")])
def test_tags_of_other_containers_are_dropped_too(codec: str, container: str, tmp_path: Path, work: Path) -> None:
    plain = tone(tmp_path / "plain", codec, container, rate=48000)
    tagged = tmp_path / "tagged"
    with av.open(str(plain)) as source, av.open(str(tagged), "w", format=container) as target:
        target.metadata["title"] = "<script>alert(1)</script>"
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    assert b"<script>" in tagged.read_bytes()
    assert b"<script>" not in inspect(tagged, work).canonical_path.read_bytes()


def test_of_a_video_file_only_the_first_audio_is_kept(tmp_path: Path, work: Path) -> None:
    path = tmp_path / "video.mp4"
    with av.open(str(path), "w", format="mp4") as target:
        video = target.add_stream("mpeg4", rate=10)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        audios = [target.add_stream("aac", rate=16000) for _ in range(3)]
        for audio in audios:
            audio.layout = "mono"
        for number in range(20):
            picture = av.VideoFrame(64, 64, "yuv420p")
            picture.pts = number
            target.mux(video.encode(picture))
        for audio in audios:
            frame = av.AudioFrame("s16", "mono", 32000)
            frame.sample_rate, frame.pts = 16000, 0
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            target.mux(audio.encode(frame))
        for stream in (video, *audios):
            target.mux(stream.encode(None))
    facts = inspect(path, work)
    assert (facts.channels, facts.canonical_format) == (1, "mp4")
    with av.open(str(facts.canonical_path)) as clean:
        assert [stream.type for stream in clean.streams] == ["audio"]


def test_a_video_without_audio_is_not_audio(tmp_path: Path, work: Path) -> None:
    path = tmp_path / "video.mp4"
    with av.open(str(path), "w", format="mp4") as target:
        video = target.add_stream("mpeg4", rate=10)
        video.width = video.height = 64
        target.mux(video.encode(av.VideoFrame(64, 64, "yuv420p")))
        target.mux(video.encode(None))
    refusal(path, work, NotAudio)


def test_protected_audio_is_named(tmp_path: Path, work: Path) -> None:
    content = tone(tmp_path / "in.m4a", "aac", "mp4", rate=16000).read_bytes()
    assert inspect(content, work).codec == "aac"
    for entry in (b"drms", b"enca"):
        error = refusal(content.replace(b"mp4a", entry, 1), empty(work), UndecodableAudio)
        assert error.code == "drm_protected"


def test_an_unsupported_codec_is_named(tmp_path: Path, work: Path) -> None:
    error = refusal(tone(tmp_path / "in", "ac3", "mp4", rate=48000), work, UndecodableAudio)
    assert error.code == "unsupported_codec"
    assert "ac3" in error.message


def test_more_than_two_channels_are_refused_with_the_rule(tmp_path: Path, work: Path) -> None:
    error = refusal(tone(tmp_path / "in", "pcm_s16le", "wav", channels=3), work, ChannelsUnsupported)
    assert "3 channels; 1 or 2" in error.message


def test_less_than_a_second_is_refused_as_too_short(work: Path) -> None:
    assert refusal(wav(SECOND[:8000]), work, UndecodableAudio).code == "too_short"
    assert inspect(wav(SECOND), work).duration_ms == 1000


def test_links_pipes_and_folders_are_refused(tmp_path: Path, work: Path) -> None:
    real = tone(tmp_path / "in.wav", "pcm_s16le", "wav")
    (tmp_path / "link.wav").symlink_to(real)
    os.mkfifo(tmp_path / "pipe.wav")
    for name, kind in (("link.wav", OSError), ("pipe.wav", NotAudio), ("missing.wav", OSError)):
        with pytest.raises(kind):
            inspect_audio(tmp_path / name, work_dir=work)
    with pytest.raises((OSError, NotAudio)):
        inspect_audio(tmp_path, work_dir=work)
    assert list(work.iterdir()) == []


def test_decoding_that_takes_too_long_is_given_up(tmp_path: Path, work: Path) -> None:
    path = tone(tmp_path / "in.wav", "pcm_s16le", "wav")
    assert refusal(path, work, UndecodableAudio, child_wall_s=0.01).code == "decode_crashed"


def test_a_clean_copy_over_its_limit_is_refused(tmp_path: Path, work: Path) -> None:
    path = tone(tmp_path / "in.mp3", "libmp3lame", "mp3", rate=16000, seconds=60)
    assert refusal(path, work, UndecodableAudio, max_canonical_bytes=50_000).code == "too_large"


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([("flac", "flac"), ("libopus", "ogg"), ("aac", "mp4"), ("libmp3lame", "mp3"), ("adpcm_ms", "wav")]),
    st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=40)), min_size=1, max_size=6),
)
def test_any_damage_ends_in_facts_or_a_refusal(
    tmp_path: Path, work: Path, form: tuple[str, str], damage: list[tuple[float, bytes]]
) -> None:
    content = bytearray(tone(tmp_path / "in", *form, rate=48000).read_bytes())
    for place, junk in damage:
        position = int(place * len(content))
        content[position : position + len(junk)] = junk
    try:
        facts = inspect(bytes(content), work)
    except AudioError:
        assert list(empty(work).iterdir()) == []
        return
    assert 1000 <= facts.duration_ms <= 60_000
    empty(work)

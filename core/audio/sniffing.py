"""Which container a file is, told from its first bytes alone: a short allow-list, never a guess by ffmpeg.

Playlists and scripts that make ffmpeg open other files or addresses (HLS, ffconcat, SDP, DASH) have no entry here, so
they are not audio (hostile-inputs 3D2, security M11).
"""

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

HEAD_BYTES = 64 * 1024
_MAX_TAGS = 4
_MAX_MOOV_BYTES = 32 * 1024 * 1024
_PROTECTED_ENTRIES = (b"drms", b"drmi", b"enca", b"aavd")

_BITRATES_V1 = {
    1: (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_BITRATES_V2 = {
    1: (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    3: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44100, 48000, 32000)


@dataclass(frozen=True)
class Container:
    """A container of the allow-list: our name, ffmpeg's demuxer, and where the audio starts in the file (bytes)."""

    name: str
    demuxer: str
    offset: int = 0


def sniff(source: BinaryIO) -> Container | None:
    """Tell the container, or None when it is not one of ours. ID3v2 tags in front are stepped over, never read."""
    offset = 0
    for _ in range(_MAX_TAGS):
        source.seek(offset)
        head = source.read(HEAD_BYTES)
        if head[:3] != b"ID3" or len(head) < 10:
            break
        offset += 10 + _id3_length(head[6:10]) + (10 if head[5] & 0x10 else 0)
    found = _by_magic(head) if offset == 0 else None
    return found or _by_stream_start(head, offset)


def is_protected(source: BinaryIO) -> bool:
    """Say whether an MP4 file's sample description names an encrypted audio entry (hostile-inputs 3D9)."""
    end = source.seek(0, io.SEEK_END)
    position = 0
    while position + 8 <= end:
        source.seek(position)
        size, kind = struct.unpack(">I4s", source.read(8))
        if size == 1:
            size = int.from_bytes(source.read(8), "big")
        if kind == b"moov":
            source.seek(position)
            return _names_protected_entry(source.read(min(size or end, _MAX_MOOV_BYTES)))
        if size < 8:
            return False
        position += size
    return False


def _by_magic(head: bytes) -> Container | None:
    kind = head[:4]
    if kind in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return Container("wav", "wav")
    if kind == b"OggS":
        return Container("ogg", "ogg")
    if head[4:8] == b"ftyp":
        return Container("mp4", "mp4")
    if kind == b"\x1a\x45\xdf\xa3":
        return Container("webm", "matroska")
    if head.startswith((b"#!AMR\n", b"#!AMR-WB\n")):
        return Container("amr", "amr")
    if kind == b".snd":
        return Container("au", "au")
    if kind == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return Container("aiff", "aiff")
    return None


def _by_stream_start(head: bytes, offset: int) -> Container | None:
    """Containers that may follow an ID3 tag. Bare frames have a weak mark, so two in a row are asked for."""
    if head[:4] == b"fLaC":
        return Container("flac", "flac", offset)
    padding = len(head) - len(head.lstrip(b"\0"))
    head = head[padding:]
    offset += padding
    for name, demuxer, frame_bytes in (("mp3", "mp3", _mpeg_frame_bytes), ("aac", "aac", _adts_frame_bytes)):
        first = frame_bytes(head)
        if first and frame_bytes(head[first:]):
            return Container(name, demuxer, offset)
    return None


def _id3_length(field: bytes) -> int:
    return (field[0] & 127) << 21 | (field[1] & 127) << 14 | (field[2] & 127) << 7 | (field[3] & 127)


def _mpeg_frame_bytes(data: bytes) -> int:
    """Length of the MPEG audio frame (layer 1-3) at the start of ``data``, 0 when there is none."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
        return 0
    version, layer = data[1] >> 3 & 3, 4 - (data[1] >> 1 & 3)
    rate_index = data[2] >> 2 & 3
    bitrate_index = data[2] >> 4
    if version == 1 or layer == 4 or rate_index == 3 or bitrate_index in (0, 15):
        return 0
    table = _BITRATES_V1 if version == 3 else _BITRATES_V2
    rate = _RATES[rate_index] // {3: 1, 2: 2, 0: 4}[version]
    padding = data[2] >> 1 & 1
    bits = table[layer][bitrate_index] * 1000
    if layer == 1:
        return (12 * bits // rate + padding) * 4
    samples = 576 if layer == 3 and version != 3 else 1152
    return samples // 8 * bits // rate + padding


def _adts_frame_bytes(data: bytes) -> int:
    """Length of the AAC-ADTS frame at the start of ``data``, 0 when there is none."""
    if len(data) < 7 or data[0] != 0xFF or data[1] & 0xF6 != 0xF0 or data[2] >> 2 & 15 > 12:
        return 0
    length = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
    return length if length > 7 else 0


def _names_protected_entry(moov: bytes) -> bool:
    position = moov.find(b"stsd")
    while position >= 0:
        entry = moov[position + 16 : position + 20]
        if entry in _PROTECTED_ENTRIES:
            return True
        position = moov.find(b"stsd", position + 4)
    return False

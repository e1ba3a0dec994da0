"""What the confined child does: decode the first audio stream to its end and write a clean copy of just that.

What is metered is what was decoded, and only packets that were decoded go into the copy, so a provider never gets audio
that was not counted (security M11). Runs by :mod:`core.audio.sandbox` only.
"""

from __future__ import annotations

import errno
import io
import os
from fractions import Fraction
from typing import BinaryIO, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from core.audio.peaks import PeakMeter
from core.audio.sniffing import Container, is_protected, sniff

# Browsers play these as they are, so they are copied by packet: codec -> (our format, muxer, MIME type, options).
_COPIED: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "opus": ("ogg", "ogg", "audio/ogg", {}),
    "vorbis": ("ogg", "ogg", "audio/ogg", {}),
    "mp3": ("mp3", "mp3", "audio/mpeg", {"id3v2_version": "0", "write_id3v1": "0"}),
    "aac": ("mp4", "mp4", "audio/mp4", {"movflags": "+faststart"}),
    "flac": ("flac", "flac", "audio/flac", {}),
}
_ENCODED = ("flac", "flac", "audio/flac", dict[str, str]())

# Decoders ffmpeg may open at all, by its names; everything else in the file stays shut (video, pictures, subtitles).
_WHITELIST = (
    "opus,libopus,vorbis,mp1,mp1float,mp2,mp2float,mp3,mp3float,aac,flac,alac,"
    "pcm_u8,pcm_s8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,"
    "pcm_alaw,pcm_mulaw,adpcm_ms,adpcm_ima_wav,adpcm_ima_qt,adpcm_yamaha,g722,g723_1,g726,g726le,g729,gsm,gsm_ms,"
    "amrnb,amrwb,libopencore_amrnb,libopencore_amrwb,speex,ilbc,truespeech"
)
_DECODERS = frozenset(_WHITELIST.split(","))
_CONSTANT_RATE = ("wav", "au", "aiff")
_RATES = range(4000, 192_001)
_BLOCK_SAMPLES = 8192
_MAX_LEADING_ERRORS = 16
# Tags and cue points may follow the audio of a WAV file; another recording may not.
_TRAILING_SHARE, _TRAILING_BYTES = 0.5, 1024 * 1024


class Refused(Exception):
    """Ends the work with a refusal: kind (of ``core.audio.facts``), code, message."""

    def __init__(self, kind: str, code: str, message: str) -> None:
        super().__init__(kind)
        self.answer: dict[str, object] = {"refused": kind, "code": code, "message": message}


class _StreamChanged(Exception):
    """The stream changed its rate, channels or sample form on the way; what came before counts."""


class _Tail(io.RawIOBase):
    """The file from an offset on: what stands in front (tags, pictures) is never seen by ffmpeg."""

    def __init__(self, source: BinaryIO, offset: int) -> None:
        super().__init__()
        self._source, self._offset = source, offset
        source.seek(offset)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return self._source.read(size)

    def tell(self) -> int:
        return self._source.tell() - self._offset

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._source.seek(offset + self._offset if whence == os.SEEK_SET else offset, whence) - self._offset


class _Copy:
    """The clean copy being written: packets as they are, or frames encoded to FLAC."""

    def __init__(self, stream: AudioStream, codec: str) -> None:
        self.format, muxer, self.mime, options = _COPIED.get(codec, _ENCODED)
        self.remuxes = codec in _COPIED
        self.name = f"clean.{self.format}"
        # bitexact keeps even the name of the writing library out.
        self._container: OutputContainer = av.open(
            self.name, "w", format=muxer, options={**options, "fflags": "+bitexact"}
        )
        self._target: AudioStream | None = None
        if self.remuxes:
            self._target = self._container.add_stream_from_template(stream)

    def packet(self, packet: Packet[AudioStream]) -> None:
        """Copy one packet that was decoded."""
        if self.remuxes and self._target is not None and packet.size:
            packet.stream = self._target
            self._container.mux(packet)

    def block(self, block: AudioFrame) -> None:
        """Encode one block of decoded samples, unless packets are copied."""
        if self.remuxes:
            return
        if self._target is None:
            self._target = self._container.add_stream("flac", rate=block.sample_rate)
            self._target.layout = block.layout
            self._target.format = "s16"
        self._container.mux(self._target.encode(block))

    def close(self) -> None:
        """Finish the file."""
        if not self.remuxes and self._target is not None:
            self._container.mux(self._target.encode(None))
        self._container.close()


class _Meter:
    """Counts what is decoded and holds it to the limits."""

    def __init__(self, request: dict[str, object]) -> None:
        self._max_s = cast(float, request["max_duration_s"])
        self._max_channels = cast(int, request["max_channels"])
        self.samples = self.sample_rate = self.channels = 0
        self.packet_bytes = 0
        self.peaks: PeakMeter | None = None
        self._form: tuple[int, int, str] | None = None

    @property
    def seconds(self) -> float:
        """Decoded so far."""
        return self.samples / self.sample_rate if self.sample_rate else 0.0

    def add(self, frame: AudioFrame) -> None:
        """Count one decoded frame. Refuses too many channels, an odd rate, and too much as soon as it is too much."""
        form = (frame.sample_rate, frame.layout.nb_channels, frame.format.name)
        if self._form not in (None, form):
            raise _StreamChanged
        if self._form is None:
            self._form = form
            self.sample_rate, self.channels, _ = form
            if self.channels > self._max_channels or self.channels < 1:
                message = f"The audio has {self.channels} channels; 1 or 2 are supported."
                raise Refused("channels", "channels_unsupported", message)
            if self.sample_rate not in _RATES:
                raise Refused("undecodable", "sample_rate", f"The sample rate {self.sample_rate} Hz is not supported.")
            self.peaks = PeakMeter(self.channels, self.sample_rate)
        self.samples += frame.samples
        if self.seconds > self._max_s:
            raise Refused("too_long", "too_long", f"The audio is longer than {self._max_s:g} seconds.")


def inspect(request: dict[str, object]) -> dict[str, object]:
    """Entry point: judge standard input, write the clean copy into the current folder, return facts or a refusal."""
    try:
        with open(0, "rb", closefd=False) as source:
            return _inspect(source, request)
    except Refused as refused:
        return refused.answer
    except OSError as exc:
        # Reading is over standard input and never fails so; this is the clean copy meeting a limit or a full disk.
        if exc.errno == errno.EFBIG:
            message = "The decoded audio is larger than allowed."
            return Refused("undecodable", "too_large", message).answer
        return {"storage_errno": exc.errno}


def _inspect(source: BinaryIO, request: dict[str, object]) -> dict[str, object]:
    container = sniff(source)
    if container is None:
        raise Refused("not_audio", "not_audio", "This is not a supported audio file.")
    if container.name == "mp4" and is_protected(source):
        raise Refused("undecodable", "drm_protected", "The audio is copy-protected (DRM) and cannot be decoded.")
    try:
        opened = av.open(
            cast(BinaryIO, _Tail(source, container.offset)),
            "r",
            format=container.demuxer,
            options={"codec_whitelist": _WHITELIST, "protocol_whitelist": "none"},
        )
    except av.FFmpegError:
        message = f"The {container.name} file is damaged and cannot be read."
        raise Refused("undecodable", "decode_failed", message) from None
    with opened as media:
        return _decode(media, container, request)


def _decode(media: InputContainer, container: Container, request: dict[str, object]) -> dict[str, object]:
    if not media.streams.audio:
        raise Refused("not_audio", "not_audio", "There is no audio in this file.")
    stream = media.streams.audio[0]
    codec = stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"
    if stream.codec_context is None or stream.codec_context.name not in _DECODERS:
        raise Refused("undecodable", "unsupported_codec", f"The audio codec {codec} is not supported.")
    for other in media.streams:
        if other is not stream:
            other.discard = av.stream.Discard.all
    stream.codec_context.thread_count = 1
    meter, copy = _Meter(request), _Copy(stream, codec)
    damaged = _run(media, stream, meter, copy)
    _judge(meter, damaged, request)
    if container.name in _CONSTANT_RATE and not damaged:
        _judge_length(meter, cast(int, request["bytes_in"]))
    copy.close()
    assert meter.peaks is not None
    return {
        "duration_ms": round(meter.seconds * 1000),
        "channels": meter.channels,
        "sample_rate": meter.sample_rate,
        "codec": codec,
        "container": container.name,
        "canonical_name": copy.name,
        "canonical_format": copy.format,
        "canonical_mime": copy.mime,
        "peaks": meter.peaks.result(),
        "damaged": damaged,
    }


def _run(media: InputContainer, stream: AudioStream, meter: _Meter, copy: _Copy) -> bool:
    """Decode to the end or to the first error after audio has begun; say whether an error ended it."""
    blocks = _Blocks(meter, copy)
    packets = media.demux(stream)
    errors = 0
    while True:
        try:
            packet = next(packets)
            frames = packet.decode()
        except StopIteration:
            blocks.flush()
            return errors > 0 and meter.samples == 0
        except av.FFmpegError:
            errors += 1
            # The first packets of a cut recording may lean on ones that are gone.
            if meter.samples == 0 and errors <= _MAX_LEADING_ERRORS:
                continue
            blocks.flush()
            return True
        try:
            for frame in frames:
                blocks.push(frame)
        except _StreamChanged:
            blocks.flush()
            return True
        meter.packet_bytes += packet.size
        copy.packet(packet)


class _Blocks:
    """Turns decoded frames into 16-bit blocks of equal size for the peaks and the encoder."""

    def __init__(self, meter: _Meter, copy: _Copy) -> None:
        self._meter, self._copy = meter, copy
        self._resampler: AudioResampler | None = None
        self._written = 0

    def push(self, frame: AudioFrame) -> None:
        """Take one decoded frame."""
        self._meter.add(frame)
        if self._resampler is None:
            layout = "mono" if self._meter.channels == 1 else "stereo"
            self._resampler = AudioResampler("s16", layout, frame.sample_rate, _BLOCK_SAMPLES)
        # Timestamps of damaged files jump; blocks are counted instead.
        frame.pts = None
        self._use(self._resampler.resample(frame))

    def flush(self) -> None:
        """Hand on what is still held."""
        if self._resampler is not None:
            self._use(self._resampler.resample(None))

    def _use(self, blocks: list[AudioFrame]) -> None:
        for block in blocks:
            samples = block.to_ndarray().reshape(-1, self._meter.channels).T
            if self._meter.peaks is not None:
                self._meter.peaks.add(samples.astype(np.int16, copy=False))
            block.pts, block.time_base = self._written, Fraction(1, self._meter.sample_rate)
            self._written += block.samples
            self._copy.block(block)


def _judge(meter: _Meter, damaged: bool, request: dict[str, object]) -> None:
    """The rules that need the whole decoded length (hostile-inputs 3D1, 3D6)."""
    if meter.samples == 0 and not damaged:
        raise Refused("not_audio", "not_audio", "There is no audio in this file.")
    if meter.seconds < cast(float, request["min_duration_s"]):
        limit = f"{request['min_duration_s']:g} s"
        if damaged:
            raise Refused("undecodable", "decode_failed", f"The audio is damaged: less than {limit} could be decoded.")
        raise Refused("undecodable", "too_short", f"The audio is shorter than {limit}.")


def _judge_length(meter: _Meter, bytes_in: int) -> None:
    """A header that declares a second in front of ten minutes is refused (hostile-inputs 3D4)."""
    if bytes_in - meter.packet_bytes > _TRAILING_BYTES + _TRAILING_SHARE * meter.packet_bytes:
        message = "The file is much longer than the audio its header declares."
        raise Refused("undecodable", "length_mismatch", message)

"""Audio on its way in: hashed, judged and cleaned in a private folder that is gone afterwards (hostile 3D)."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from core.audio import (
    AudioFacts,
    AudioLimits,
    AudioTooLong,
    ChannelsUnsupported,
    NotAudio,
    UndecodableAudio,
    inspect_audio,
)
from core.errors import InvalidInput
from core.outcomes import Reason


@dataclass(frozen=True, slots=True)
class Prepared:
    """Audio that may be stored: ``path`` is the clean copy, or the original when it cannot be decoded.

    ``sha256`` is of the file as it came in. ``facts`` is None and ``problem`` a reason code when decoding failed;
    ``problem_detail`` says what was found (for example the codec).
    """

    path: Path
    sha256: str
    facts: AudioFacts | None
    problem: str = ""
    problem_detail: str = ""


@contextmanager
def preparing_anything(audio_path: Path, sha256: str) -> Iterator[Prepared]:
    """As ``preparing``, for senders who are told later: what cannot be decoded is kept as it came, with its problem.

    ``sha256`` is of the file, in hexadecimal. Raises OSError.
    """
    with tempfile.TemporaryDirectory(prefix="parlance-audio-") as work_dir:
        try:
            facts = inspect_audio(audio_path, work_dir=Path(work_dir), limits=_limits())
        except AudioTooLong as error:
            yield Prepared(audio_path, sha256, None, Reason.TOO_LONG.value, error.message)
        except (NotAudio, ChannelsUnsupported, UndecodableAudio) as error:
            yield Prepared(audio_path, sha256, None, Reason.UNSUPPORTED_AUDIO.value, error.message)
        else:
            yield Prepared(facts.canonical_path, sha256, facts)


@contextmanager
def preparing(audio_path: Path | None) -> Iterator[Prepared | None]:
    """Judge the file; the result is good inside the block. None when there is no file.

    Raises InvalidInput for ``audio`` when it is no audio, too long, too large or has more than two channels; OSError
    when it cannot be read or the disk is full.
    """
    if audio_path is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="parlance-audio-") as work_dir:
        yield _prepare(audio_path, Path(work_dir))


def _prepare(path: Path, work_dir: Path) -> Prepared:
    limits = _limits()
    try:
        facts = inspect_audio(path, work_dir=work_dir, limits=limits)
    except NotAudio as error:
        raise InvalidInput("audio", _("This is not a supported audio file.")) from error
    except AudioTooLong as error:
        message = _("The audio is too long: at most %(hours)g hours and %(size)d MB.")
        values = {"hours": limits.max_duration_s / 3600, "size": limits.max_bytes // 1024**2}
        raise InvalidInput("audio", message % values) from error
    except ChannelsUnsupported as error:
        raise InvalidInput("audio", _("A call has one or two audio channels; this file has more.")) from error
    except UndecodableAudio as error:
        return Prepared(path, digest(path), None, Reason.UNSUPPORTED_AUDIO.value, error.message)
    return Prepared(facts.canonical_path, digest(path), facts)


def _limits() -> AudioLimits:
    return AudioLimits(max_bytes=settings.MAX_AUDIO_BYTES, max_duration_s=settings.MAX_AUDIO_SECONDS)


def digest(path: Path) -> str:
    """SHA-256 of the file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

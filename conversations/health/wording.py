"""The health of a transcript in the words of supervisors."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from conversations.health.judging import (
    FEW_WORDS,
    FLAGS,
    LOW_CONFIDENCE,
    LOW_COVERAGE,
    ONE_SIDED,
    OTHER_LANGUAGE,
    OVER_SILENCE,
    REPETITION,
)
from conversations.models import Transcript

# From here on a transcript is good, or only to be read with care; below it is poor.
GOOD, FAIR = 80, 50

LABELS: dict[str, str | Promise] = {
    LOW_CONFIDENCE: gettext_lazy("The engine was unsure"),
    REPETITION: gettext_lazy("Repeats itself"),
    OVER_SILENCE: gettext_lazy("Words over silence"),
    LOW_COVERAGE: gettext_lazy("Speech without words"),
    OTHER_LANGUAGE: gettext_lazy("Another language"),
    ONE_SIDED: gettext_lazy("Only one side"),
    FEW_WORDS: gettext_lazy("Very few words"),
}
_WHY: dict[str, str | Promise] = {
    LOW_CONFIDENCE: gettext_lazy("On average it was %(n)s%% sure of its words."),
    REPETITION: gettext_lazy("A phrase stands there %(n)s times in a row."),
    OVER_SILENCE: gettext_lazy("For %(n)s%% of the words nothing is heard in the recording."),
    LOW_COVERAGE: gettext_lazy("Only %(n)s%% of what is heard has words."),
    OTHER_LANGUAGE: gettext_lazy("The text reads like the language “%(n)s”, not like the language of the call."),
    ONE_SIDED: gettext_lazy("The other side has no words, in %(n)s seconds of sound."),
    FEW_WORDS: gettext_lazy("%(n)s words a minute of sound; people speak more than 100."),
}
CHOICES = [(flag, LABELS[flag]) for flag in FLAGS]


@dataclass(frozen=True, slots=True)
class Panel:
    """What the page of a call shows: the score, its word and colour, and (label, why) of each flag."""

    score: int
    label: str
    tone: str
    flags: list[tuple[str, str]]


def panel(transcript: Transcript | None) -> Panel | None:
    """None without a transcript, and for one that was stored before transcripts were judged."""
    if transcript is None or transcript.health_score is None:
        return None
    score = transcript.health_score
    label, tone = band_of(score)
    known = [flag for flag in transcript.health_flags if flag in LABELS]
    figures = transcript.health_figures
    flags = [(str(LABELS[flag]), str(_WHY[flag]) % {"n": figures.get(flag, "–")}) for flag in known]
    return Panel(score, label, tone, flags)


def band_of(score: int) -> tuple[str, str]:
    """The word and the colour of a score."""
    if score >= GOOD:
        return _("Good"), "success"
    return (_("Read with care"), "warning") if score >= FAIR else (_("Poor"), "danger")


def in_words(flags: list[str]) -> str:
    """The labels of flags in one text."""
    return "; ".join(str(LABELS.get(flag, flag)) for flag in flags)

"""Further engines of a job, as its form asks for them and as they are judged when it is saved (ADR 0022)."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from core.errors import InvalidInput
from jobs.kinds import SettingField
from transcription.chain import MOST_FALLBACKS, Chain, StandIn
from transcription.language_strategy import clean_languages
from transcription.models import SpeechEngine


def fallback_fields(engines: Sequence[tuple[str, str]]) -> list[SettingField]:
    """Which engine comes next, and whether it stands in for one that cannot be used."""
    choices = [(choice.value, str(choice.label)) for choice in StandIn if choice != StandIn.NEVER]
    return [
        SettingField(
            "fallbacks",
            _("Next engines"),
            engines,
            help_text=_(
                "A recording that one engine fails for good goes on to the next, and is charged once. An engine that the "
                "tenant may not use is passed over."
            ),
            several=True,
            ordered=MOST_FALLBACKS,
        ),
        SettingField(
            "stand_in",
            _("When an engine cannot be used"),
            choices,
            help_text=_("What an engine has taken already is waited for, because it is paid for."),
            blank=str(StandIn.NEVER.label),
            names_job=False,
        ),
    ]


def clean_fallbacks(values: Mapping[str, Any], first: SpeechEngine) -> dict[str, Any]:
    """The settings as they are stored; nothing where the job has no further engine.

    Raises InvalidInput for what is no list of other engines, and for an engine that cannot do what is said about languages.
    """
    keys = _keys(values.get("fallbacks") or ())
    try:
        stand_in = StandIn(values.get("stand_in") or "")
    except ValueError:
        raise InvalidInput("stand_in", _("There is no such choice.")) from None
    if not keys:
        return {}
    if len(keys) > MOST_FALLBACKS:
        raise InvalidInput("fallbacks", _("At most %(n)s further engines.") % {"n": MOST_FALLBACKS})
    if len({first.pk, *keys}) <= len(keys):
        raise InvalidInput("fallbacks", _("Each engine once: the one that failed would only fail again."))
    engines = SpeechEngine.objects.in_bulk(keys)
    for key in keys:
        if key not in engines:
            raise InvalidInput("fallbacks", _("There is no such engine any more."))
        try:
            clean_languages(values, engines[key])
        except InvalidInput as error:
            raise InvalidInput("fallbacks", f"{engines[key].name}: {error.message}") from error
    return {"fallbacks": keys, "stand_in": stand_in.value}


def _keys(given: Any) -> list[int]:
    """In their order, without the choices that were left open."""
    try:
        return [int(key) for key in given if key not in ("", None)]
    except (TypeError, ValueError):
        raise InvalidInput("fallbacks", _("There is no such engine any more.")) from None


def described_fallbacks(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """For the job's page; nothing where there is no further engine."""
    if not values.get("fallbacks"):
        return []
    chain = Chain.of(values)
    return [
        (_("Next engines"), " → ".join(chain.names()[1:])),
        (_("When an engine cannot be used"), str(chain.stand_in.label)),
    ]

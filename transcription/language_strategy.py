"""In which language a job has its conversations recognised (domain P3): its settings, judged when they are saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from conversations.metadata import DEFAULT_LANGUAGE
from core.engines import EngineOptions
from core.errors import Conflict, InvalidInput
from engines.selectors import jobs_using
from jobs.kinds import SettingField
from tenants.models import Tenant
from transcription.engines.base import SpeechEngine as Adapter
from transcription.engines.tags import Detection, Wanted, canonical, recognises
from transcription.family import SPEECH
from transcription.languages.models import Language
from transcription.models import SpeechEngine
from transcription.registry import engine_types
from transcription.selectors import EngineUnusable, adapter_for


class Strategy(models.TextChoices):
    """Where the language comes from. Jobs without such a setting go by the conversation."""

    CALL = "", gettext_lazy("The conversation's")
    FIXED = "fixed", gettext_lazy("The same for all")
    TENANT = "tenant", gettext_lazy("The tenant's")
    DETECT = "detect", gettext_lazy("Detected by the engine")


@dataclass(frozen=True, slots=True)
class LanguageRule:
    """The strategy of a job. ``language`` is that of all, or of conversations whose own is not known; empty: en-US."""

    strategy: Strategy = Strategy.CALL
    language: str = ""
    candidates: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "LanguageRule":
        """As the settings of a job say."""
        strategy = Strategy(settings.get("language_strategy") or "")
        return cls(strategy, settings.get("language") or "", tuple(settings.get("language_candidates") or ()))

    @property
    def detects(self) -> bool:
        """Whether the engine says which language it was."""
        return self.strategy == Strategy.DETECT

    def wanted(self, tenant: Tenant, of_call: str) -> Wanted:
        """What to ask the engine for, of a conversation of the tenant with this language or none."""
        if self.detects:
            return Wanted("", self.candidates)
        if self.strategy == Strategy.TENANT:
            return Wanted(canonical(tenant.language) or DEFAULT_LANGUAGE)
        if self.strategy == Strategy.FIXED:
            return Wanted(self.language)
        return Wanted(of_call or self.language or DEFAULT_LANGUAGE)

    def words(self) -> str:
        """For people, in a few words."""
        if self.detects:
            among = ", ".join(self.candidates)
            return _("Detected among %(tags)s") % {"tags": among} if among else str(self.strategy.label)
        if self.strategy == Strategy.FIXED:
            return _("%(tag)s for all") % {"tag": self.language}
        if self.strategy == Strategy.CALL:
            return _("The conversation's, else %(tag)s") % {"tag": self.language or DEFAULT_LANGUAGE}
        return str(self.strategy.label)


def language_fields() -> list[SettingField]:
    """What the form of a job asks about languages."""
    # Asked for by forms alone: lists of jobs go through these fields, too.
    known: Any = SimpleLazyObject(lambda: [(code, f"{name} ({code})") for name, code in _known()])
    strategies = [(choice.value, str(choice.label)) for choice in Strategy if choice != Strategy.CALL]
    return [
        SettingField("language_strategy", _("Language"), strategies, blank=str(Strategy.CALL.label), names_job=False),
        SettingField(
            "language",
            _("Which language"),
            known,
            help_text=_("Of all conversations, or of those whose own is not known."),
            blank=DEFAULT_LANGUAGE,
            names_job=False,
        ),
        SettingField(
            "language_candidates",
            _("Languages to detect"),
            known,
            help_text=_("For detection: the engine chooses among these. Without a choice among all that it knows."),
            several=True,
        ),
    ]


def clean_languages(values: Mapping[str, Any], engine: SpeechEngine) -> dict[str, Any]:
    """The settings as they are stored: what the strategy does not use is left out.

    Raises InvalidInput for what is missing, and for what the engine cannot do.
    """
    try:
        strategy = Strategy(values.get("language_strategy") or "")
    except ValueError:
        raise InvalidInput("language_strategy", _("There is no such way to choose the language.")) from None
    tags = {code for _name, code in _known()}
    stored: dict[str, Any] = {"language_strategy": strategy.value}
    if strategy == Strategy.DETECT:
        candidates = list(values.get("language_candidates") or ())
        _check_known(candidates, tags, "language_candidates")
        adapter = _adapter(engine)
        problem = cannot_detect(engine.name, adapter.detection(adapter.options), len(candidates))
        if problem is not None:
            raise InvalidInput(*problem)
        for tag in candidates:
            _check_recognised(engine, adapter, tag, "language_candidates")
        return {**stored, "language_candidates": candidates}
    language = values.get("language") or ""
    if strategy == Strategy.FIXED and not language:
        raise InvalidInput("language", _("Choose the language of all conversations."))
    if language and strategy in {Strategy.FIXED, Strategy.CALL}:
        _check_known([language], tags, "language")
        _check_recognised(engine, _adapter(engine), language, "language")
        return {**stored, "language": language}
    return stored


def cannot_detect(name: str, found: Detection | None, candidates: int) -> tuple[str, str] | None:
    """Why the engine of that name cannot choose among so many languages (0: among all): field and rule."""
    if found is None:
        text = _("The engine “%(engine)s” cannot detect languages with its present settings.")
        return "language_strategy", text % {"engine": name}
    if candidates == 0 and not found.openly:
        text = _("The engine “%(engine)s” detects among languages that are named: choose two to %(most)s.")
        return "language_candidates", text % {"engine": name, "most": found.most}
    if candidates and not found.most:
        text = _("The engine “%(engine)s” takes no list of languages: it detects among all that it knows.")
        return "language_candidates", text % {"engine": name}
    if candidates == 1:
        return "language_candidates", _("One language is no choice: choose two, or the same for all.")
    if candidates > found.most:
        text = _("The engine “%(engine)s” detects among at most %(most)s languages.")
        return "language_candidates", text % {"engine": name, "most": found.most}
    return None


def check_jobs_of(engine: SpeechEngine, options: EngineOptions) -> None:
    """Raises Conflict naming a job whose languages the engine detects and could not any more with these settings."""
    detection = engine_types()[engine.engine_type].detection(options)
    jobs = jobs_using(SPEECH, engine.pk).filter(settings__language_strategy=Strategy.DETECT.value)
    for job in jobs:
        problem = cannot_detect(engine.name, detection, len(LanguageRule.of(job.settings).candidates))
        if problem is not None:
            text = _("The job “%(job)s” has its languages detected. %(why)s")
            raise Conflict(text % {"job": job.name, "why": problem[1]})


def _known() -> list[tuple[str, str]]:
    return list(Language.objects.filter(enabled=True).order_by("name").values_list("name", "code"))


def _check_known(tags: list[str], known: set[str], field: str) -> None:
    for tag in tags:
        if tag not in known:
            text = _("“%(tag)s” is not in the table of languages, or disabled there.")
            raise InvalidInput(field, text % {"tag": str(tag)[:40]})
    if len(set(tags)) < len(tags):
        raise InvalidInput(field, _("Each language once."))


def _check_recognised(engine: SpeechEngine, adapter: Adapter, tag: str, field: str) -> None:
    """Where the type of the engine tells beforehand which languages it has; by our tag or by the engine's name."""
    names = {tag, adapter.request(Wanted(tag), "").language}
    if adapter.languages is None or any(recognises(adapter.languages, name) for name in names):
        return
    text = _("The engine “%(engine)s” does not recognise %(tag)s.")
    raise InvalidInput(field, text % {"engine": engine.name, "tag": tag})


def _adapter(engine: SpeechEngine) -> Adapter:
    try:
        return adapter_for(engine)
    except EngineUnusable as error:
        raise InvalidInput("engine", str(error)) from error

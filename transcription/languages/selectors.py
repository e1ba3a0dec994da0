"""Which languages a tenant may name: those of the table that its speech engine recognises, as far as that is known."""

from collections.abc import Mapping

from tenants.models import Tenant
from transcription.chain import engine_keys
from transcription.engines.tags import recognises
from transcription.job_engine import open_to
from transcription.kind import jobs_for
from transcription.languages.models import Language
from transcription.models import SpeechEngine
from transcription.registry import engine_types


def languages_for(tenant: Tenant) -> Mapping[str, str]:
    """The tags of the languages that ``tenant`` may name, by their names, in the order of the names (section 7).

    Left out are only those that none of the engines of its transcription jobs recognises; an engine that does not tell
    beforehand recognises all.
    """
    known = _recognised(tenant)
    rows = Language.objects.filter(enabled=True).order_by("name").values_list("name", "code")
    return {name: code for name, code in rows if known is None or recognises(known, code)}


def usual_language(tenant: Tenant, languages: Mapping[str, str]) -> str:
    """The name, of ``languages_for``, of the language that the tenant speaks; else the first one; empty without any."""
    spoken = [name for name, code in languages.items() if recognises([tenant.language.partition("-")[0]], code)]
    return (spoken or list(languages) or [""])[0]


def engines_by_language() -> dict[int, list[tuple[str, bool]]]:
    """The enabled engines that recognise each language, by its key: names in order, and whether the engine tells.

    An engine that does not tell beforehand stands at every language. Two queries.
    """
    types = engine_types()
    engines = [
        (name, types[kind].languages)
        for name, kind in SpeechEngine.objects.filter(enabled=True).order_by("name").values_list("name", "engine_type")
        if kind in types
    ]
    return {
        pk: [(name, known is not None) for name, known in engines if known is None or recognises(known, code)]
        for pk, code in Language.objects.values_list("pk", "code")
    }


def speaker_words() -> Mapping[str, str]:
    """How each language calls a speaker, by its tag and by what stands before the first hyphen of that."""
    rows = list(Language.objects.order_by("-name").values_list("code", "speaker_word"))
    return {code.partition("-")[0]: word for code, word in rows} | dict(rows)


def _recognised(tenant: Tenant) -> frozenset[str] | None:
    """What the engines of the tenant's jobs recognise together; None when one of them does not tell, or there is none."""
    wanted = {key for job in jobs_for(tenant) for key in engine_keys(job.settings)}
    engines = [engine for engine in SpeechEngine.objects.filter(pk__in=wanted, enabled=True) if open_to(engine, tenant)]
    types = engine_types()
    told = [types[engine.engine_type].languages for engine in engines if engine.engine_type in types]
    if not told or any(each is None for each in told):
        return None
    return frozenset(tag for each in told if each is not None for tag in each)

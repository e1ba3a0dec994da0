"""Changing the table of languages. Every change is guarded by what was seen, and has its audit row in its transaction."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import append, changes
from core.moves import move, switch
from core.names import demand_name
from core.validation import cleaned
from transcription.languages.models import Language

FIELDS = ("name", "code", "speaker_word", "enabled")


@transaction.atomic
def save_language(*, language: Language | None, values: Mapping[str, Any], version: int, editor: User) -> Language:
    """Add a language, or change the version of one that was seen; tasks that were submitted keep the name they had.

    ``values`` has ``FIELDS``. Raises InvalidInput naming the field, also for a name that is taken; Conflict when somebody
    saved it in the meantime.
    """
    new = Language() if language is None else copy(language)
    for name in FIELDS:
        setattr(new, name, values[name])
    for name in ("name", "speaker_word"):
        demand_name(name, values[name])
    cleaned(new, clash_field="name")
    if language is None:
        new.save(force_insert=True)
        _append(new, editor, "language.created", after=_described(new))
        return new
    before, after = changes(_described(language), _described(new))
    text = _("Somebody else saved this language in the meantime. Reload and try again.")
    move(
        Language.objects.filter(pk=language.pk, version=version),
        conflict=text,
        **{name: getattr(new, name) for name in FIELDS},
        version=version + 1,
    )
    _append(language, editor, "language.changed", before=before, after=after)
    return Language.objects.get(pk=language.pk)


@transaction.atomic
def set_languages_enabled(*, languages: Sequence[Language], enabled: bool, editor: User) -> int:
    """Let senders name the languages, or not any more; return how many were not so before. One audit row for all."""
    found = switch(languages, "enabled", enabled)
    if found:
        append(
            tenant_id=editor.tenant_id,
            actor=editor.actor,
            action="language.enabled" if enabled else "language.disabled",
            target_type="language",
            target_id=",".join(str(language.pk) for language in found)[:64],
            details={"names": ", ".join(sorted(language.name for language in found))[:1000], "count": len(found)},
        )
    return len(found)


def _described(language: Language) -> dict[str, Any]:
    return {name: getattr(language, name) for name in FIELDS}


def _append(language: Language, editor: User, action: str, **details: Any) -> None:
    append(
        tenant_id=editor.tenant_id,
        actor=editor.actor,
        action=action,
        target_type="language",
        target_id=str(language.pk),
        details={"name": language.name, **details},
    )

"""The table of languages."""

from tests.audit.changes.world import Change, World, row
from transcription.languages.models import Language

GAELIC = {"name": "Irish", "code": "ga-IE", "speaker_word": "Cainteoir", "enabled": "on"}


@row("transcription:language_add")
def _(world: World) -> Change:
    return Change(world.root, GAELIC, {**GAELIC, "code": "not a tag"})


@row("transcription:language")
def _(world: World) -> Change:
    language = Language.objects.get(name="English")
    return Change(world.root, {**GAELIC, "version": 1}, {**GAELIC, "version": 7}, (language.pk,))


@row("transcription:languages_bulk")
def _(world: World) -> Change:
    good = {"action": "disable", "selection": [Language.objects.get(name="Korean").pk], "confirmed": "1"}
    return Change(world.root, good, {**good, "action": "nonsense"})

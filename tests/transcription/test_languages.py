"""The table of languages: who changes it, what it lets in, and what the tenants may name afterwards."""

import pytest

from audit.models import AuditEntry
from transcription.engines.native import NativeSpeechEngine
from transcription.languages.models import Language
from transcription.languages.selectors import engines_by_language, languages_for
from transcription.models import SpeechEngine

pytestmark = pytest.mark.django_db

LIST = "/administration/speech-analytics/transcription/languages/"
IRISH = {"name": "Irish", "code": "ga-IE", "speaker_word": "Cainteoir", "enabled": "on"}


@pytest.fixture
def admin(client_for, people):
    return client_for(people.platform_admin)


def test_an_added_language_can_be_named_at_once_and_a_disabled_one_no_more(admin, acme):
    assert admin.post(f"{LIST}add/", IRISH).status_code == 302
    assert languages_for(acme)["Irish"] == "ga-IE"
    irish = Language.objects.get(name="Irish")
    asked = admin.post(f"{LIST}bulk/", {"action": "disable", "selection": [irish.pk]})
    assert asked.status_code == 200
    assert "Irish" in languages_for(acme)
    done = admin.post(f"{LIST}bulk/", {"action": "disable", "selection": [irish.pk], "confirmed": "1"})
    assert done.status_code == 302
    assert "Irish" not in languages_for(acme)
    assert AuditEntry.objects.filter(action="language.disabled", details__names="Irish").count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"code": "Hebrew"}, "code"),
        ({"code": "he_IL"}, "code"),
        ({"name": ""}, "name"),
        ({"name": "English"}, "name"),
        ({"name": "Iri\nsh"}, "name"),
        ({"speaker_word": ""}, "speaker_word"),
    ],
)
def test_what_breaks_a_rule_is_named_at_its_field_and_stores_nothing(admin, changes, field):
    before = Language.objects.count()
    page = admin.post(f"{LIST}add/", {**IRISH, **changes})
    assert page.status_code == 422
    assert page.context["form"].errors[field]
    assert Language.objects.count() == before


def test_the_second_of_two_who_saved_the_same_language_is_told(admin):
    english = Language.objects.get(name="English")
    form = {"name": "English", "code": "en-GB", "speaker_word": "Speaker", "enabled": "on", "version": english.version}
    assert admin.post(f"{LIST}{english.pk}/", form).status_code == 302
    assert admin.post(f"{LIST}{english.pk}/", {**form, "code": "en-AU"}).status_code == 409
    assert Language.objects.get(name="English").code == "en-GB"


def test_the_list_says_which_engines_recognise_a_language_and_which_do_not_tell(admin, monkeypatch):
    SpeechEngine.objects.create(name="Quiet", engine_type="miaop", settings={})
    SpeechEngine.objects.create(name="Off", engine_type="miaop", settings={}, enabled=False)
    SpeechEngine.objects.create(name="Told", engine_type="native_v2", settings={})
    monkeypatch.setattr(NativeSpeechEngine, "languages", frozenset({"en"}))
    found = engines_by_language()
    names = dict(Language.objects.values_list("name", "pk"))
    assert found[names["English"]] == [("Quiet", False), ("Told", True)]
    assert found[names["Hebrew"]] == [("Quiet", False)]
    export = b"".join(admin.get(LIST, {"q": "English", "format": "csv"}).streaming_content).decode()
    assert "Quiet?; Told" in export
    assert "does not tell" in admin.get(LIST).content.decode()


def test_filters_narrow_by_name_tag_and_status(admin):
    Language.objects.filter(name="Korean").update(enabled=False)

    def shown(**query):
        return {row.record.name for row in admin.get(LIST, query).context["table"].rows}

    assert shown(q="he-") == {"Hebrew"}
    assert shown(q="kor") == {"Korean"}
    assert shown(status="disabled") == {"Korean"}
    assert admin.get(LIST, {"status": "nonsense"}).status_code == 400

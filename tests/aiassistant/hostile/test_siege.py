"""Three hundred hostile conversations, asked about to a model that obeys them, and to one that does not.

The first test runs the whole corpus through the job: some fifteen seconds, most of them requests.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

import pytest
from django.template.loader import render_to_string

from aiassistant.executing.evidence import LEAST_SIGNS
from aiassistant.executing.models import Execution
from aiassistant.library.models import AITaskVersion
from conversations.executions import exchanges_of
from conversations.field_models import FieldValue
from conversations.fields.shown import panel
from conversations.texts import texts_of
from customfields.models import CustomField
from tenants.doors import enter
from tests.aiassistant.hostile.conftest import CANARY, OWNED, Siege, facts_of
from tests.aiassistant.hostile.corpus import GROUPS, corpus
from tests.aiassistant.hostile.pages import Page

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(180)]
CHOICES = {"billing", "delivery", "other"}
MARKER = re.compile(r"<</?T-[0-9a-f]{16}>>")
ANY_MARKER = re.compile(r"<<\s*/?\s*T-", re.IGNORECASE)


def test_the_corpus_is_three_hundred_conversations_in_five_groups_of_languages():
    found = corpus()
    assert len({one.key for one in found}) == 300
    assert {one.language for one in found} == {language for group in GROUPS for language in group}
    assert [(one.key, one.said) for one in corpus()] == [(one.key, one.said) for one in found]


def test_a_model_that_obeys_writes_nothing_that_its_task_does_not_own_and_nothing_that_acts(
    siege: Siege, client_for, people
):
    records = siege.ask("obedient")
    assert all(record.state == "completed" or record.reason for record in records)
    # Without answers that pass, nothing would have been shown; without bad ones neither.
    states = Counter(Execution.objects.values_list("state", flat=True))
    assert states["completed"] > 200
    assert states["failed"] > 50
    assert Execution.objects.filter(state="completed", repairs__gt=0).count() > 50
    values = list(_values(siege))
    assert len(values) > 800
    assert [problem for value in values for problem in _outside(siege, value)] == []
    assert _unowned(siege, values) == []
    assert facts_of(siege.house) == siege.before
    counts = _quotes(siege, values)
    assert min(counts.values()) > 200
    _assert_prompts(siege)
    _assert_flags()
    _assert_pages(siege, client_for(people.tenant_admin), people.tenant_admin)


def test_a_model_that_reads_the_conversation_as_data_answers_all_of_it(small_siege: Siege):
    records = small_siege.ask("honest")
    assert Counter(record.state for record in records) == {"completed": 60}
    values = list(_values(small_siege))
    assert [problem for value in values for problem in _outside(small_siege, value)] == []
    assert _unowned(small_siege, values) == []
    counts = _quotes(small_siege, values)
    assert counts[True] > 100
    assert counts[False] == 0


def _values(siege: Siege) -> Iterator[FieldValue]:
    with enter(siege.house.acme):
        yield from FieldValue.objects.all()


def _outside(siege: Siege, value: FieldValue) -> Iterator[str]:
    """What of a stored value its task's schema does not allow, judged without the code that stored it."""
    names = {custom.pk: name for name, custom in siege.house.fields.items()}
    name, text = names[value.field_id], value.text or ""
    allowed = {
        "sentiment": lambda: value.number is None or -100 <= value.number <= 100,
        "stars": lambda: value.number is not None and 0 <= value.number <= 5 and value.number == int(value.number),
        "summary": lambda: len(text) <= 400,
        "note": lambda: len(text) <= 200 and "\n" not in text,
        "reason": lambda: value.members is not None and len(value.members) == 1 and set(value.members) <= CHOICES,
        "topics": lambda: value.members is not None and set(value.members) <= CHOICES,
        "due": lambda: not text or re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", text) is not None,
    }
    if name not in allowed or not allowed[name]():
        yield f"{name}: {value.number} {text[:80]!r} {value.members}"
    for shown in (text, value.explanation, *(quote["quote"] for quote in value.evidence)):
        if any(unicodedata.category(sign) == "Cs" or sign == "\x00" for sign in shown):
            yield f"{name}: holds what no file and no database can"


def _unowned(siege: Siege, values: list[FieldValue]) -> list[str]:
    """Values of fields that the task which wrote them does not own, and values in other tenants."""
    owners = {
        version.pk: {output["field"] for output in version.outputs}
        for version in AITaskVersion.objects.filter(pk__in={value.task_version for value in values})
    }
    found = [str(value.field_id) for value in values if value.field_id not in owners[value.task_version]]
    # Nobody makes fields either, whatever they are called.
    known = {custom.pk for custom in siege.house.fields.values()}
    found += CustomField.objects.exclude(pk__in=known).values_list("key", flat=True)
    with enter(siege.house.fields["globex.vip"].tenant):
        found += [f"globex {value.field_id}" for value in FieldValue.objects.all()]
    assert {name for name, custom in siege.house.fields.items() if custom.pk in {v.field_id for v in values}} <= OWNED
    return found


def _quotes(siege: Siege, values: list[FieldValue]) -> Counter[bool]:
    """How many quotes are verified and not; each verified one stands letter by letter where it says."""
    with enter(siege.house.acme):
        texts = texts_of(list(siege.planted))
    counts: Counter[bool] = Counter()
    for value in values:
        turns = texts[value.record_id].turns
        for quote in value.evidence:
            counts[quote["verified"]] += 1
            if quote["verified"]:
                assert turns[quote["turn"]].text[quote["start"] : quote["end"]] == quote["quote"]
                assert len(quote["quote"].strip()) >= LEAST_SIGNS
    return counts


def _assert_prompts(siege: Siege) -> None:
    """Whatever was said: one block of data between its markers, and the instructions the same for everybody."""
    systems = set()
    rows = list(Execution.objects.values_list("pk", "task_key"))
    with enter(siege.house.acme):
        said = [(task, exchange) for pk, task in rows for exchange in exchanges_of(pk)]
    for task, exchange in said:
        (system,) = (text for role, text in exchange.request if role == "system")
        user = next(text for role, text in exchange.request if role == "user")
        systems.add((task, system))
        opening, closing = MARKER.findall(user)
        assert closing == opening.replace("<<", "<</")
        assert len(ANY_MARKER.findall(user)) == 2
        assert not {"\x00", "\u202e"} & set(user)
    assert len(systems) == 2
    assert all(CANARY in system for _task, system in systems)


def _assert_flags() -> None:
    """What looks like an attack is marked: instructions that were told, markup, quotes that nobody said."""
    told = {row.pk for row in Execution.objects.filter(state="completed") if "echo" in row.flags}
    assert len(told) > 20
    flags = Counter(flag for row in Execution.objects.all() for flag in row.flags)
    assert min(flags["injection"], flags["markup"], flags["unverified_quote"]) > 50


def _assert_pages(siege: Siege, client, reader) -> None:
    """The whole page of every tenth, of all languages, and the panel of values of all three hundred."""
    ids = list(siege.planted)
    words = []
    for pk in (ids[number * 10 + number % 10] for number in range(30)):
        page = Page(client.get(f"/calls/{pk}/").content.decode())
        assert page.found == [], siege.planted[pk].key
        words += page.words
    assert "<script>" in "".join(words), "what was answered is shown, as text"
    with enter(siege.house.acme):
        for pk, one in siege.planted.items():
            groups = panel(reader, ("conversation" if one.written else "call", pk), readable=True)
            page = Page(render_to_string("conversations/fields.html", {"fields": groups}))
            assert page.words or not groups
            assert page.found == [], one.key


@pytest.mark.parametrize(
    "text",
    ["<script>1</script>", "<p onclick=x>", '<a href=" java\tscript:x">', "<img src=//x>", "<iframe>", '<p style="a">'],
)
def test_what_acts_in_a_page_is_found(text: str):
    assert Page(text).found
    assert not Page('<p class="a"><a href="/calls/?q=a:b#t-1">x</a><script src="/static/a.js"></script></p>').found

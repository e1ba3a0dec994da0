"""Texts of other systems: HTML to text, history and signatures apart, characters in order, in linear time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.threads.codec import CorruptThread, pack_thread, unpack_thread
from conversations.threads.normalising import RawMessage, normalise_thread
from conversations.threads.splitting import split_message
from conversations.threads.texts import clean_text, text_of_html
from core.threads import Participant, Role
from tests.conversations.calls import START

PEOPLE = [Participant("c", Role.CUSTOMER, "Rita"), Participant("a", Role.AGENT, "Alan")]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>Hello<br>there &amp; <b>you</b></p><p>bye</p>", "Hello\nthere & you\n\nbye"),
        ("<style>p{}</style><script>alert('<p>')</script>seen<!-- <p>not</p> -->", "seen"),
        ("<ul><li>one<li>two</ul>", "- one\n- two"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "a b\nc"),
        ('<a title="x > y" href="https://e.example">link</a> 3 < 4', "link 3 < 4"),
        ("<div>new</div><blockquote>old<p>older</blockquote>", "new\n\n> old\n>\n> older"),
        ("&#99999999999999999999; &bogus; &lt;script&gt;", "&bogus; <script>"),
        ("text <!-- never closed", "text"),
        ("plain", "plain"),
    ],
)
def test_html_becomes_the_text_that_a_reader_sees(source, text):
    assert clean_text(text_of_html(source)) == text


@pytest.mark.parametrize(
    ("written", "own", "quoted", "signature"),
    [
        ("Thanks!\n\nOn Fri, 20 Nov 2026 at 9:30, Alan <a@x> wrote:\n> old\n>> older", "Thanks!", "On Fri", ""),
        (
            "Danke\n\nAm 20.11.2026 um 9:30 schrieb Alan\n<a@x>:\n> alt\n\n-- \nRita\nHamburg",
            "Danke",
            "Am 20",
            "Rita\nH",
        ),
        ("Merci\n\nLe ven. 20 nov. 2026 à 9:30, Alan <a@x> a écrit :\n> vieux", "Merci", "Le ven", ""),
        ("Gracias\n\nEl vie, 20 nov 2026 a las 9:30, Alan (<a@x>) escribió:\n> viejo", "Gracias", "El vie", ""),
        ("תודה\n\nבתאריך יום ו׳, 20 בנוב׳ 2026 ב-9:30 מאת דנה <a@x>:\n> ישן", "תודה", "בתאריך", ""),
        ("See below\n\n-----Original Message-----\nFrom: Alan\nold", "See below", "-----Original", ""),
        (
            "Siehe unten\n\n________________\nVon: Alan <a@x>\nGesendet: Freitag\nAn: Rita\n\nalt",
            "Siehe unten",
            "____",
            "",
        ),
        ("> what is your number?\n4711\n> and your name?\nRita", "4711\nRita", "> what", ""),
        ("On my way\nSent from my iPhone", "On my way", "", "Sent from my iPhone"),
        ("From: here we start\nno head follows", "From: here we start\nno head follows", "", ""),
        ("a -- b\n--no signature", "a -- b\n--no signature", "", ""),
    ],
)
def test_history_and_signature_are_split_off_and_kept(written, own, quoted, signature):
    parts = split_message(clean_text(written))
    assert parts.text == own
    assert parts.quoted.startswith(quoted)
    assert bool(parts.quoted) == bool(quoted)
    assert parts.signature.startswith(signature)
    assert bool(parts.signature) == bool(signature)


def test_characters_are_composed_and_controls_are_gone():
    assert clean_text("Cafe\u0301\x00\x1b[31m\u202e a\u00a0 b\r\n\t\rc\u2028d\ud800") == "Café[31m a b\n\nc\nd"
    assert len(clean_text("a" + "\u0316\u0301" * 5_000)) <= 31


@pytest.mark.parametrize(
    "source",
    ["<!--" * 50_000, "<" * 200_000, ('<a "' + ">" * 4090) * 40, "<b>x</b>" * 30_000, "<blockquote>x" * 20_000],
)
def test_hostile_html_costs_no_more_than_its_length(source):
    # With quadratic time, one of these would run into the time limit of a test.
    split_message(clean_text(text_of_html(source)))


@given(st.text(max_size=300))
def test_cleaning_twice_is_cleaning_once_and_nothing_is_lost_in_splitting(text):
    clean = clean_text(text)
    assert clean_text(clean) == clean
    parts = split_message(clean)
    kept = "".join(parts.text + parts.quoted + parts.signature)
    assert sorted(kept.replace("\n", "").replace("-", "")) == sorted(clean.replace("\n", "").replace("-", ""))
    assert clean_text(text_of_html(text)) is not None


def messages(*texts: str) -> list[RawMessage]:
    return [RawMessage("ca"[n % 2], START, id=f"m{n}", text=text) for n, text in enumerate(texts)]


@given(st.lists(st.text(max_size=80), min_size=1, max_size=8), st.booleans())
def test_what_is_packed_comes_back_exactly(texts, splits):
    texts.append("words")
    data = normalise_thread(subject=texts[0], participants=PEOPLE, messages=messages(*texts), splits=splits)
    packed = pack_thread(data)
    assert unpack_thread(packed.body, packed.text) == data
    assert packed.message_count == len(data.messages)
    with pytest.raises(CorruptThread):
        unpack_thread(packed.body, packed.text + "x")
    with pytest.raises(CorruptThread):
        unpack_thread(packed.body[:-3], packed.text)

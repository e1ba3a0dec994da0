"""Signed requests and answers: what is altered, sent elsewhere, too old or signed by somebody else is refused."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core import signed_http as http

NOW = 1_800_000_000
# The same in every process: ids of the installations name tests.
OURS, THEIRS, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(3))


def public(key):
    return key.public_key().public_bytes_raw()


PARTIES = http.Parties(http.installation_id(public(THEIRS)), http.installation_id(public(OURS)))
QUESTION = http.Question("POST", "/pairing/v1/queues", b'{"a":1}')


def request_headers(key=THEIRS, question=QUESTION, parties=PARTIES, now=NOW):
    return http.sign_request(key, question, parties, now=now, nonce=http.new_nonce())


def refusal(headers, question=QUESTION, now=NOW):
    with pytest.raises(http.SignatureRefused) as refused:
        http.verify_request(headers, question, PARTIES, public(THEIRS), now=now)
    return refused.value.code


def test_a_signed_request_is_accepted_within_five_minutes_and_gives_its_nonce():
    headers = request_headers()
    for now in (NOW - 300, NOW, NOW + 300):
        nonce = http.verify_request(headers, QUESTION, PARTIES, public(THEIRS), now=now)
        assert nonce == headers[http.NONCE]
    assert http.new_nonce() != http.new_nonce()


@pytest.mark.parametrize("now", [NOW - 301, NOW + 301])
def test_a_request_of_another_time_is_refused(now):
    assert refusal(request_headers(), now=now) == "clock"


@pytest.mark.parametrize(
    "changes", [{"method": "PUT"}, {"path": "/pairing/v1/ping"}, {"body": b'{"a":2}'}, {"body": b""}]
)
def test_an_altered_request_is_refused(changes):
    assert refusal(request_headers(), replace(QUESTION, **changes)) == "signature"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        (http.NONCE, "0" * 32, "signature"),
        (http.TIME, str(NOW + 1), "signature"),
        (http.TIME, f"0{NOW}", "unsigned"),
        (http.SIGNATURE, "AAAA", "signature"),
        (http.SIGNATURE, "no base64!", "signature"),
        (http.NONCE, "short", "unsigned"),
        (http.TIME, "-5", "unsigned"),
        (http.TIME, "١٢٣", "unsigned"),
        (http.SIGNATURE, "", "unsigned"),
        (http.FROM, str(PARTIES.receiver), "unknown_sender"),
        (http.TO, str(PARTIES.sender), "wrong_recipient"),
    ],
)
def test_an_altered_header_is_refused(name, value, code):
    assert refusal({**request_headers(), name: value}) == code


def test_the_key_of_a_stranger_is_refused_whoever_he_says_he_is():
    assert refusal(request_headers(key=STRANGER)) == "signature"
    honest = replace(PARTIES, sender=http.installation_id(public(STRANGER)))
    assert refusal(request_headers(key=STRANGER, parties=honest)) == "unknown_sender"


def test_an_answer_fits_its_own_question_status_and_body_only():
    nonce, turned = http.new_nonce(), PARTIES.turned()
    headers = http.sign_answer(OURS, QUESTION, 200, b"{}", turned, now=NOW, nonce=nonce)

    def judge(*, question=QUESTION, status=200, body=b"{}", key=OURS, now=NOW, asked=nonce):
        http.verify_answer(headers, question, status, body, turned, public(key), now=now, nonce=asked)

    judge()
    for changes, code in [
        ({"status": 422}, "signature"),
        ({"body": b"[]"}, "signature"),
        ({"question": replace(QUESTION, body=b"")}, "signature"),
        ({"key": STRANGER}, "signature"),
        ({"asked": http.new_nonce()}, "signature"),
        ({"now": NOW + 301}, "clock"),
    ]:
        with pytest.raises(http.SignatureRefused) as refused:
            judge(**changes)
        assert refused.value.code == code, changes


def test_a_request_is_no_answer():
    headers = request_headers(key=THEIRS)
    nonce = headers[http.NONCE]
    with pytest.raises(http.SignatureRefused):
        http.verify_answer(headers, QUESTION, 200, b"", PARTIES, public(THEIRS), now=NOW, nonce=nonce)


def test_a_key_survives_copying_and_what_is_no_key_is_refused():
    text = http.key_text(public(OURS))
    assert http.read_key(f" {text[:30]}\n{text[30:]} ") == public(OURS)
    bad = ["", "ed25519:", text[:-5], text.removeprefix("ed25519:"), "ed25519:" + "A" * 44, f"{text}A", "ed25519:é"]
    for wrong in bad:
        with pytest.raises(http.KeyMalformed):
            http.read_key(wrong)


def test_keys_under_which_everybody_could_sign_are_refused():
    prime = 2**255 - 19
    for y in (0, 1, prime - 1, prime, prime + 1):
        for sign in (0, 1 << 255):
            with pytest.raises(http.KeyMalformed):
                http.read_key(http.key_text((y | sign).to_bytes(32, "little")))


def test_the_fingerprint_is_the_digest_in_groups_and_the_id_follows_from_the_key():
    shown = http.fingerprint(public(OURS))
    assert len(shown.split()) == 16
    assert http.installation_id(public(OURS)).hex == shown.replace(" ", "")[:32]

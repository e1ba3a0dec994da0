"""Lock-out: ten failures an account, a hundred an address, an own budget for a browser that is known (hostile 3B9)."""

import time
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db.models import F
from django.test import Client

from accounts import lockout
from accounts.lockout import TooManyAttempts, forget_old, guard
from accounts.security_models import SignInThrottle
from accounts.signin.services import check_password
from audit.models import AuditEntry
from tenants.models import Tenant
from tests.accounts.signing_in import sign_in, signed_in
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def compared(monkeypatch):
    """Counts how often a password was compared with a stored one, and how often one was hashed at all."""
    counted = {"compared": 0, "hashed": 0}
    verify, encode = Argon2PasswordHasher.verify, Argon2PasswordHasher.encode

    def counting_verify(self, *arguments):
        counted["compared"] += 1
        return verify(self, *arguments)

    def counting_encode(self, *arguments):
        counted["hashed"] += 1
        return encode(self, *arguments)

    monkeypatch.setattr(Argon2PasswordHasher, "verify", counting_verify)
    monkeypatch.setattr(Argon2PasswordHasher, "encode", counting_encode)
    return counted


def later(minutes: float) -> None:
    """Let time pass for all counters."""
    by = timedelta(minutes=minutes)
    SignInThrottle.objects.update(window_started_at=F("window_started_at") - by, locked_until=F("locked_until") - by)


def from_address(number: int) -> Client:
    return Client(REMOTE_ADDR=f"198.51.{number // 250}.{number % 250 + 1}")


def test_after_ten_failures_the_right_password_is_refused_like_a_wrong_one_and_accepted_15_minutes_later(acme):
    for number in range(10):
        assert sign_in(from_address(number), password="wrong").status_code == 422
    locked = sign_in(from_address(11))
    wrong = sign_in(from_address(12), username="nobody")
    assert locked.status_code == wrong.status_code == 422
    assert locked.context["form"].non_field_errors() == wrong.context["form"].non_field_errors()
    later(15.1)
    assert sign_in(from_address(13)).status_code == 302


def test_nine_failures_and_a_success_leave_room_for_the_tenth(acme):
    for number in range(9):
        sign_in(from_address(number), password="wrong")
    assert sign_in(from_address(10)).status_code == 302
    assert sign_in(from_address(11), password="wrong").status_code == 422
    assert sign_in(from_address(12)).status_code == 422
    later(15.1)
    assert sign_in(from_address(12)).status_code == 302


def test_ten_thousand_guesses_from_a_thousand_addresses_cost_at_most_50_comparisons_an_hour(acme, compared):
    # A guess each 0.36 s for an hour: the counters are moved once a minute.
    for minute in range(60):
        for guess in range(17):
            number = (minute * 17 + guess) % 1000
            check = {"organisation": "acme", "username": "ada", "password": "guess"}
            lockout.client_ip.set(f"2001:db8:{number:x}::1")
            assert check_password(**check) is None
        later(1)
    lockout.client_ip.set(None)
    assert 10 <= compared["compared"] <= 50
    assert compared["hashed"] >= 60 * 17 - 50

    def __exit__(self, *error):
        return False


def test_a_browser_that_signed_in_before_gets_in_while_the_account_is_under_attack_from_elsewhere(acme):
    known = signed_in(REMOTE_ADDR="203.0.113.9")
    known.post("/sign-out/")
    for number in range(30):
        sign_in(from_address(number), password="wrong")
    assert sign_in(from_address(99)).status_code == 422
    assert sign_in(known).status_code == 302
    known.post("/sign-out/")
    # Its own budget is ten as well, and its cookie is of no use for another account.
    for _number in range(10):
        sign_in(known, password="wrong")
    assert sign_in(known).status_code == 422
    for number in range(11):
        sign_in(from_address(number), username="sue", password="wrong")
    assert sign_in(known, username="sue").status_code == 422


@pytest.mark.parametrize("forged", ["x", "", "a:b:c", "WyJhIiwiYiJd:1abc:xyz"])
def test_a_forged_device_cookie_is_no_known_device(acme, people, forged):
    from accounts.devices import _cookie
    from accounts.passwords import account_of

    for number in range(11):
        sign_in(from_address(number), password="wrong")
    client = Client(REMOTE_ADDR="203.0.113.9")
    client.cookies[_cookie(account_of(people.tenant_admin))] = forged
    assert sign_in(client).status_code == 422


def test_one_address_guessing_many_accounts_gets_429_with_retry_after_and_others_do_not(acme):
    attacker = Client(REMOTE_ADDR="198.51.100.7")
    answers = [sign_in(attacker, username=f"user{number}", password="x").status_code for number in range(102)]
    assert answers[:100] == [422] * 100
    assert answers[100:] == [429, 429]
    refused = sign_in(attacker)
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 900
    assert sign_in(Client(REMOTE_ADDR="198.51.100.8")).status_code == 302


def test_an_ipv6_network_of_64_bits_counts_as_one_address(acme):
    for number in range(100):
        assert not guard(account=f"a{number}", address=f"2001:db8:1:2::{number:x}").locked
    with pytest.raises(TooManyAttempts):
        guard(account="b", address="2001:db8:1:2:ffff::1")
    assert not guard(account="b", address="2001:db8:1:3::1").locked


def test_every_reason_does_the_same_work_and_takes_the_same_time(acme, people, compared):
    people.other_agent.is_active = False
    people.other_agent.save()
    Tenant.objects.filter(slug="globex").update(state="suspended")
    cases = {
        "wrong": ("acme", "ada"),
        "unknown user": ("acme", "nobody"),
        "unknown organisation": ("nowhere", "ada"),
        "disabled": ("acme", "olga"),
        "suspended": ("globex", "stan"),
    }
    cases["locked"] = ("acme", "sue")
    for _number in range(11):
        guard(account=f"{acme.pk}/sue")
    spread = 1.0
    # A refusal that does less is quicker in each series; one that only met a busy machine is not.
    for _series in range(3):
        took = {name: [] for name in cases}
        for _round in range(3):
            for name, (organisation, username) in cases.items():
                before, started = dict(compared), time.perf_counter()
                assert check_password(organisation=organisation, username=username, password="wrong") is None
                took[name].append(time.perf_counter() - started)
                # Comparing is hashing once more; where nothing is compared, one hash is made.
                done = sum(compared.values()) - sum(before.values())
                assert done == 1, name
        quickest = [min(times) for times in took.values()]
        spread = min(spread, max(quickest) - min(quickest))
    assert spread < 0.02


def test_a_refusal_in_an_unknown_organisation_stands_in_the_trail_of_system(system, acme):
    before = AuditEntry.objects.filter(tenant_id=acme.pk).count()
    sign_in(Client(), organisation="nowhere", password="canary")
    row = AuditEntry.objects.filter(tenant_id=system.pk).order_by("position").last()
    assert row.details == {"organisation": "nowhere", "username": "ada", "reason": "unknown_organisation"}
    assert AuditEntry.objects.filter(tenant_id=acme.pk).count() == before


def test_the_trail_tells_each_refusal_with_its_reason_and_a_locked_account_once(acme):
    for number in range(40):
        sign_in(from_address(number), password="wrong-canary")
    sign_in(Client(), username="nobody")
    rows = AuditEntry.objects.filter(tenant_id=acme.pk, action="user.sign_in_refused").order_by("position")
    reasons = [row.details["reason"] for row in rows]
    assert reasons == ["wrong_password"] * 10 + ["locked"] + ["unknown_user"]
    assert "canary" not in str([row.details for row in rows])


def test_old_counters_are_removed(acme):
    sign_in(Client(), password="wrong")
    assert forget_old() == 0
    later(25 * 60)
    assert forget_old() == 2


def test_a_password_given_again_is_guarded_by_the_same_budget_and_says_429(acme):
    client = signed_in()
    for _number in range(10):
        assert client.post("/profile/confirm/", {"current": "wrong"}).status_code == 422
    refused = client.post("/profile/confirm/", {"current": PASSWORD})
    assert refused.status_code == 429
    assert refused["Retry-After"]

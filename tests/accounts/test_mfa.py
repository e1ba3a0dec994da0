"""Second factors: authenticator app, recovery codes, passkeys; required by a tenant; reset by an administrator."""

import re
from datetime import timedelta

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone

from accounts.factors import services
from accounts.passwords import set_by_admin
from accounts.security_models import RecoveryCode, SecondFactor, SignInThrottle, TenantSignIn
from audit.models import AuditEntry
from tests.accounts.authenticator import SoftAuthenticator
from tests.accounts.signing_in import SECOND, code_of, confirmed, sign_in, signed_in, with_authenticator
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
AUTHENTICATOR, PASSKEY, CODES = "/profile/authenticator/", "/profile/passkeys/add/", "/profile/recovery-codes/"


def half_signed_in(**more) -> Client:
    client = Client(**more)
    response = sign_in(client)
    assert response["Location"] == SECOND
    return client


def actions(tenant) -> list[str]:
    return list(AuditEntry.objects.filter(tenant_id=tenant.pk).order_by("position").values_list("action", flat=True))


def test_an_authenticator_app_is_added_on_the_profile_with_its_first_code_and_brings_recovery_codes(people, acme):
    client = signed_in()
    page = client.get(AUTHENTICATOR).content.decode()
    secret = re.search(r'<code dir="ltr">([A-Z2-7 ]+)</code>', page).group(1).replace(" ", "")
    assert "data:image/svg+xml" in page
    assert client.post(AUTHENTICATOR, {"code": "000000"}).status_code == 422
    assert not services.of(people.tenant_admin).exists()
    shown = client.post(AUTHENTICATOR, {"code": code_of(secret)})
    assert shown.status_code == 200
    codes = re.findall(r"<li><code>([a-z0-9-]+)</code></li>", shown.content.decode())
    assert len(codes) == len(set(codes)) == 10
    assert shown["Cache-Control"] == "private, no-store"
    assert services.of(people.tenant_admin).count() == 1
    assert codes[0] not in client.get("/profile/").content.decode()
    assert client.get(AUTHENTICATOR).status_code == 409
    stored = SecondFactor.objects.get(user=people.tenant_admin)
    assert secret.encode() not in bytes(stored.secret)
    assert "user.second_factor_added" in actions(acme)
    assert not [row for row in AuditEntry.objects.all() if secret in str(row.details) or codes[0] in str(row.details)]


def test_the_password_alone_opens_nothing_and_the_code_opens_it_once(people, acme):
    secret, _codes = with_authenticator(people.tenant_admin)
    client = half_signed_in()
    assert client.get("/")["Location"].startswith("/sign-in/")
    assert client.get("/profile/")["Location"].startswith("/sign-in/")
    code = code_of(secret)
    assert client.post(SECOND, {"code": f" {code[:3]} {code[3:]} "}).status_code == 302
    assert client.get("/").status_code == 200
    # The same code again, and the one of the step before, are refused (hostile 3B17).
    again = half_signed_in()
    assert again.post(SECOND, {"code": code}).status_code == 422
    assert again.post(SECOND, {"code": code_of(secret, -1)}).status_code == 422
    assert again.get("/").status_code == 302
    assert again.post(SECOND, {"code": code_of(secret, 1)}).status_code == 302
    row = AuditEntry.objects.filter(tenant_id=acme.pk, action="user.signed_in").last()
    assert row.details["method"] == "password+totp"


def test_after_five_wrong_codes_the_right_one_gets_429_for_15_minutes(people):
    secret, _codes = with_authenticator(people.tenant_admin)
    client = half_signed_in()
    assert [client.post(SECOND, {"code": f"00000{n}"}).status_code for n in range(5)] == [422] * 5
    refused = client.post(SECOND, {"code": code_of(secret)})
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 900
    # A new sign-in, from another address, does not bring new guesses.
    assert half_signed_in(REMOTE_ADDR="203.0.113.5").post(SECOND, {"code": code_of(secret)}).status_code == 429
    by = timedelta(minutes=15.1)
    SignInThrottle.objects.update(window_started_at=F("window_started_at") - by, locked_until=F("locked_until") - by)
    assert client.post(SECOND, {"code": code_of(secret)}).status_code == 302


def test_a_recovery_code_works_once_whatever_its_case_and_dashes(people, acme):
    _secret, codes = with_authenticator(people.tenant_admin)
    assert half_signed_in().post(SECOND, {"code": codes[0].upper().replace("-", " ")}).status_code == 302
    assert half_signed_in().post(SECOND, {"code": codes[0]}).status_code == 422
    assert half_signed_in().post(SECOND, {"code": codes[1]}).status_code == 302
    assert actions(acme).count("user.recovery_code_used") == 2
    assert RecoveryCode.objects.filter(user=people.tenant_admin, used_at=None).count() == 8
    # Codes are bound to their owner.
    with_authenticator(people.supervisor)
    client = Client()
    sign_in(client, username="sue")
    assert client.post(SECOND, {"code": codes[2]}).status_code == 422


def test_a_password_that_an_administrator_sets_does_not_take_the_second_factor_away(people):
    secret, _codes = with_authenticator(people.tenant_admin)
    set_by_admin(user=people.tenant_admin, password="another long pass phrase", actor="root@system")
    client = Client()
    assert sign_in(client, password="another long pass phrase")["Location"] == SECOND
    assert client.post(SECOND, {"code": code_of(secret)}).status_code == 302
    assert client.get("/")["Location"] == "/profile/password/"


def test_an_administrator_resets_the_second_factor_of_his_people_only_and_not_of_somebody_mightier(
    people, acme, client_for
):
    with_authenticator(people.supervisor)
    path = f"/administration/user-management/users/{people.supervisor.pk}/reset-second-factor/"
    assert client_for(people.agent).post(path).status_code == 403
    assert client_for(people.stranger).post(path).status_code == 404
    ada = confirmed(client_for(people.tenant_admin))
    assert ada.get(path).status_code == 200
    assert services.of(people.supervisor).exists()
    assert ada.post(path).status_code == 302
    assert not SecondFactor.objects.filter(user=people.supervisor).exists()
    assert not RecoveryCode.objects.filter(user=people.supervisor).exists()
    assert actions(acme)[-1] == "user.second_factor_reset"
    foreign = f"/administration/user-management/users/{people.platform_admin.pk}/reset-second-factor/"
    assert client_for(people.tenant_admin).post(foreign).status_code == 404


@pytest.mark.parametrize("what", ["reset-second-factor", "end-sessions"])
def test_an_administrator_does_to_himself_in_his_profile_only_what_he_may_do_to_others(people, client_for, what):
    for user in (people.tenant_admin, people.supervisor):
        with_authenticator(user)
    client = confirmed(client_for(people.tenant_admin))
    base = "/administration/user-management/users"
    assert client.get(f"{base}/{people.tenant_admin.pk}/{what}/").status_code == 403
    assert client.post(f"{base}/{people.tenant_admin.pk}/{what}/").status_code == 403
    assert services.of(people.tenant_admin).exists()
    assert client.get("/profile/").status_code == 200
    assert client.post(f"{base}/{people.supervisor.pk}/{what}/").status_code == 302


@pytest.mark.parametrize("what", ["reset-second-factor", "end-sessions", "password"])
def test_weakening_the_sign_in_of_somebody_else_takes_a_recent_password(people, client_for, what):
    with_authenticator(people.supervisor)
    hashed = people.supervisor.password
    client = confirmed(client_for(people.tenant_admin), minutes_ago=16)
    path = f"/administration/user-management/users/{people.supervisor.pk}/{what}/"
    question = f"/profile/confirm/?next={path.replace('/', '%2F')}"
    assert client.get(path)["Location"] == question
    assert client.post(path, {"password": "given by somebody else"})["Location"] == question
    assert services.of(people.supervisor).exists()
    people.supervisor.refresh_from_db()
    assert people.supervisor.password == hashed
    assert client.post("/profile/confirm/", {"current": PASSWORD, "next": path})["Location"] == path
    assert client.post(path, {"password": "given by somebody else"}).status_code == 302
    people.supervisor.refresh_from_db()
    assert (people.supervisor.password == hashed) == (what != "password")
    assert services.of(people.supervisor).exists() == (what != "reset-second-factor")


def test_where_the_tenant_requires_it_who_has_no_second_factor_can_do_nothing_before_adding_one(people, acme):
    TenantSignIn.objects.create(tenant=acme, require_second_factor=True)
    client = signed_in()
    for path in ("/", "/calls/", "/profile/", "/profile/sessions/end-others/"):
        assert client.get(path)["Location"] == AUTHENTICATOR, path
    assert client.get("/calls/", headers={"accept": "application/json"}).status_code == 403
    assert client.get("/healthz").status_code == 200
    assert client.get(AUTHENTICATOR).status_code == 200
    secret = services.begin_totp(user=people.tenant_admin)
    assert client.post(AUTHENTICATOR, {"code": code_of(secret)}).status_code == 200
    assert client.get("/").status_code == 200
    factor = services.of(people.tenant_admin).get()
    refused = client.post(f"/profile/second-factors/{factor.pk}/remove/")
    assert refused.status_code == 409
    assert services.of(people.tenant_admin).exists()


def test_what_is_asked_after_single_sign_on_is_not_demanded_of_those_with_a_password(people, acme):
    setting = TenantSignIn.objects.create(tenant=acme, oidc_second_factor=True)
    assert signed_in().get("/calls/").status_code == 200
    TenantSignIn.objects.filter(pk=setting.pk).update(require_second_factor=True)
    assert signed_in().get("/calls/")["Location"] == AUTHENTICATOR


def test_the_last_factor_goes_with_its_recovery_codes_where_none_is_required(people, acme):
    secret, _codes = with_authenticator(people.tenant_admin)
    client = half_signed_in()
    client.post(SECOND, {"code": code_of(secret)})
    factor = services.of(people.tenant_admin).get()
    with_authenticator(people.supervisor)
    foreign = services.of(people.supervisor).get()
    assert client.post(f"/profile/second-factors/{foreign.pk}/remove/").status_code == 404
    assert client.post(f"/profile/second-factors/{factor.pk}/remove/").status_code == 302
    assert not RecoveryCode.objects.filter(user=people.tenant_admin).exists()
    assert sign_in(Client())["Location"] == "/"
    assert client.post(CODES).status_code == 409


def test_new_recovery_codes_replace_the_old_ones(people):
    secret, codes = with_authenticator(people.tenant_admin)
    client = half_signed_in()
    client.post(SECOND, {"code": code_of(secret)})
    assert client.get(CODES).status_code == 200
    shown = client.post(CODES).content.decode()
    fresh = re.findall(r"<li><code>([a-z0-9-]+)</code></li>", shown)
    assert len(fresh) == 10
    assert half_signed_in().post(SECOND, {"code": codes[0]}).status_code == 422
    assert half_signed_in().post(SECOND, {"code": fresh[0]}).status_code == 302


def test_pages_that_change_how_one_signs_in_ask_the_password_again_after_15_minutes(people):
    client = signed_in()
    assert client.get(AUTHENTICATOR).status_code == 200
    confirmed(client, minutes_ago=16)
    for path in (AUTHENTICATOR, PASSKEY, CODES):
        assert client.get(path)["Location"] == f"/profile/confirm/?next={path.replace('/', '%2F')}"
        assert client.post(path, {"code": "1"})["Location"].startswith("/profile/confirm/")
    assert client.post("/profile/confirm/", {"current": "wrong"}).status_code == 422
    assert client.post("/profile/confirm/", {"current": PASSWORD, "next": "//evil.example"})["Location"] == "/"
    assert client.get(AUTHENTICATOR).status_code == 200


def test_a_half_finished_sign_in_ends_after_ten_minutes_and_with_the_account(people):
    secret, _codes = with_authenticator(people.tenant_admin)
    client = half_signed_in()
    session = client.session
    session["sign_in_pending"] = session["sign_in_pending"] | {"at": timezone.now().timestamp() - 601}
    session.save()
    assert client.post(SECOND, {"code": code_of(secret)})["Location"] == "/sign-in/"
    client = half_signed_in()
    people.tenant_admin.is_active = False
    people.tenant_admin.save()
    assert client.post(SECOND, {"code": code_of(secret)})["Location"] == "/sign-in/"
    assert Client().get(SECOND)["Location"] == "/sign-in/"


@pytest.mark.parametrize("code", ["", "x" * 41, "٣٣٣٣٣٣", "\x00", "💥" * 6, "-1", "0"])
def test_hostile_codes_are_refused_without_an_error(people, code):
    with_authenticator(people.tenant_admin)
    assert half_signed_in().post(SECOND, {"code": code}).status_code == 422


def test_a_passkey_is_added_and_signs_in_once_for_each_challenge(people, acme):
    passkey = SoftAuthenticator("http://testserver", "testserver")
    client = signed_in()
    options = client.get(PASSKEY).context["passkey_options"]
    answer = passkey.create(options)
    shown = client.post(PASSKEY, {"name": "Laptop", "credential": answer})
    assert shown.status_code == 200
    assert "recovery codes" in shown.content.decode()
    # The same answer again: its challenge is used up.
    assert client.post(PASSKEY, {"name": "Again", "credential": answer}).status_code == 422
    factor = services.of(people.tenant_admin).get()
    assert (factor.kind, factor.name) == ("passkey", "Laptop")

    client = half_signed_in()
    signed = passkey.get(client.get(SECOND).context["passkey_options"])
    assert client.post(SECOND, {"credential": signed}).status_code == 302
    assert client.get("/").status_code == 200
    client = half_signed_in()
    client.get(SECOND)
    assert client.post(SECOND, {"credential": signed}).status_code == 422
    assert client.get("/").status_code == 302
    row = AuditEntry.objects.filter(tenant_id=acme.pk, action="user.signed_in").last()
    assert row.details["method"] == "password+passkey"


@pytest.mark.parametrize("wrong", ["origin", "challenge", "key", "type", "counter"])
def test_a_passkey_answer_that_is_wrong_in_one_way_is_refused(people, wrong):
    passkey = SoftAuthenticator("http://testserver", "testserver")
    client = signed_in()
    client.post(
        PASSKEY, {"name": "Laptop", "credential": passkey.create(client.get(PASSKEY).context["passkey_options"])}
    )
    client = half_signed_in()
    assert (
        client.post(SECOND, {"credential": passkey.get(client.get(SECOND).context["passkey_options"])}).status_code
        == 302
    )
    client = half_signed_in()
    answer = passkey.get(client.get(SECOND).context["passkey_options"], wrong=wrong)
    refused = client.post(SECOND, {"credential": answer})
    assert refused.status_code == 422
    assert client.get("/").status_code == 302
    right = passkey.get(refused.context["passkey_options"])
    assert client.post(SECOND, {"credential": right}).status_code == 302


def test_a_copy_of_a_counting_passkey_that_says_0_is_refused_and_one_that_never_counts_gets_in(people):
    passkey = SoftAuthenticator("http://testserver", "testserver")
    client = signed_in()
    client.post(
        PASSKEY, {"name": "Laptop", "credential": passkey.create(client.get(PASSKEY).context["passkey_options"])}
    )

    def signs_in_with(counter: int) -> bool:
        visitor = half_signed_in()
        passkey.counter = counter - 1
        signed = passkey.get(visitor.get(SECOND).context["passkey_options"])
        return visitor.post(SECOND, {"credential": signed}).status_code == 302

    assert signs_in_with(0)
    assert signs_in_with(0)
    assert signs_in_with(7)
    assert not signs_in_with(0)
    assert not signs_in_with(7)
    assert signs_in_with(8)


@pytest.mark.parametrize("answer", ["", "x", "[]", "{}", '{"id": 1}', '{"rawId": "a", "response": {}}', "[" * 5000])
def test_garbage_instead_of_a_passkey_is_refused(people, answer):
    client = signed_in()
    client.get(PASSKEY)
    assert client.post(PASSKEY, {"name": "x", "credential": answer}).status_code == 422
    with_authenticator(people.tenant_admin)
    client = half_signed_in()
    client.get(SECOND)
    assert client.post(SECOND, {"credential": answer}).status_code == 422
    assert not SecondFactor.objects.filter(kind="passkey").exists()

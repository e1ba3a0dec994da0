"""Single sign-on against a provider on this machine: who gets in, and every answer that must not let anybody in."""

import base64
import json
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

from accounts.factors.services import of
from accounts.lockout import ADDRESS_LIMIT
from accounts.models import Role, User
from accounts.oidc import provider
from accounts.oidc.services import save_setting, setting_of
from accounts.security_models import LinkedIdentity, SignInThrottle, TenantSignIn
from accounts.services import create_user
from audit.models import AuditEntry
from core.errors import Conflict, InvalidInput, NotAllowed
from tenants.models import AllowedAddress, Tenant
from tests.accounts.issuer import CLIENT_ID, CLIENT_SECRET, Issuer
from tests.accounts.signing_in import SECOND, code_of, confirmed, with_authenticator
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
START, CALLBACK = "/sign-in/single-sign-on/", "/sign-in/single-sign-on/callback/"


@pytest.fixture
def issuer(db):
    """A provider that engines' guard lets us reach."""
    found = Issuer()
    AllowedAddress.objects.create(cidr="127.0.0.1", prefix_length=32, port=found.port)
    provider.forget()
    yield found
    found.close()


def values_of(issuer, **changes) -> dict:
    return {
        "require_second_factor": False,
        "oidc_enabled": True,
        "oidc_label": "Sign in with Acme",
        "oidc_issuer": issuer.url,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "oidc_match": "preferred_username",
        "oidc_create_users": False,
        "oidc_default_role": None,
        "oidc_second_factor": False,
        **changes,
    }


@pytest.fixture
def setting(issuer, acme, people) -> TenantSignIn:
    """Acme with single sign-on."""
    return save_setting(tenant=acme, values=values_of(issuer), version=0, editor=people.tenant_admin)


def go(client: Client, organisation="acme", target="/calls/") -> str:
    """Start; return the address at the provider."""
    page = client.post(START, {"organisation": organisation, "next": target})
    assert page.status_code == 200, page.content
    assert page.context["address"] in page.content.decode().replace("&amp;", "&")
    return page.context["address"]


def come_back(client: Client, issuer: Issuer, **changes):
    return client.get(CALLBACK, issuer.authorize(go(client), **changes))


def reasons(tenant) -> list[str]:
    rows = AuditEntry.objects.filter(tenant_id=tenant.pk, action="user.sign_in_refused").order_by("position")
    return [row.details["reason"] for row in rows]


def test_a_person_known_to_the_provider_gets_in_and_is_linked(setting, issuer, acme, people):
    client = Client()
    back = come_back(client, issuer)
    assert back.status_code == 302
    assert back["Location"] == "/calls/"
    assert client.get("/calls/").status_code == 200
    identity = LinkedIdentity.objects.get()
    assert (identity.user, identity.subject) == (people.tenant_admin, "subject-1")
    actions = list(AuditEntry.objects.filter(tenant_id=acme.pk).order_by("position").values_list("action", flat=True))
    assert actions[-2:] == ["user.identity_linked", "user.signed_in"]
    # From now on the subject decides, not the name.
    issuer.claims["preferred_username"] = "somebody else"
    assert come_back(Client(), issuer).status_code == 302
    assert LinkedIdentity.objects.count() == 1
    # Discovery and keys are kept.
    assert issuer.asked.count("/realm/keys") == 1


def test_the_request_carries_state_nonce_and_a_hashed_verifier_and_none_of_them_twice(setting, issuer):
    first, second = (parse_qs(urlsplit(go(Client())).query) for _number in range(2))
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name][0]) >= 32
        assert first[name] != second[name]
    assert first["redirect_uri"] == [f"http://testserver{CALLBACK}"]
    assert CLIENT_SECRET not in str(first)


OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ({"claims": {"nonce": "other"}}, "wrong_nonce"),
        ({"claims": {"nonce": None}}, "token_refused"),
        ({"claims": {"aud": "somebody-else"}}, "wrong_audience"),
        ({"claims": {"aud": [CLIENT_ID, "other"]}}, "wrong_authorised_party"),
        ({"claims": {"azp": "other"}}, "wrong_authorised_party"),
        ({"claims": {"iss": "https://evil.example"}}, "wrong_issuer"),
        ({"claims": {"exp": int(time.time()) - 60}}, "token_expired"),
        ({"claims": {"exp": "soon"}}, "token_refused"),
        ({"claims": {"exp": 10**30}}, ""),
        ({"claims": {"iat": int(time.time()) + 3600}}, "token_refused"),
        ({"claims": {"nbf": int(time.time()) + 3600}}, "token_refused"),
        ({"claims": {"sub": ""}}, "wrong_subject"),
        ({"claims": {"sub": None}}, "token_refused"),
        ({"claims": {"preferred_username": None}}, "claim_missing"),
        ({"claims": {"preferred_username": ["ada"]}}, "claim_missing"),
        ({"claims": {"preferred_username": "nobody"}}, "unknown_user"),
        ({"algorithm": "none"}, "algorithm_refused"),
        ({"algorithm": "HS256", "key": "x" * 64}, "algorithm_refused"),
        ({"algorithm": "PS256"}, "algorithm_refused"),
        ({"key": OTHER_KEY}, "token_refused"),
        ({"kid": "../../x"}, "unknown_key"),
    ],
)
def test_a_token_that_is_wrong_in_one_way_lets_nobody_in(setting, issuer, acme, spoil, reason):
    client = Client()
    issuer.spoil = spoil
    back = come_back(client, issuer)
    if not reason:
        assert back.status_code in {302, 422}
        return
    assert back.status_code == 422
    assert client.get("/calls/").status_code == 302
    assert reasons(acme) == [reason]
    assert not LinkedIdentity.objects.exists()
    issuer.spoil = {}
    assert come_back(client, issuer).status_code == 302


def test_an_answer_works_once_and_in_the_browser_that_asked_only(setting, issuer, acme):
    client, other = Client(), Client()
    answer = issuer.authorize(go(client))
    go(other)
    assert other.get(CALLBACK, answer).status_code == 422
    assert Client().get(CALLBACK, answer).status_code == 422
    assert client.get(CALLBACK, answer).status_code == 302
    client.post("/sign-out/")
    assert client.get(CALLBACK, answer).status_code == 422
    assert reasons(acme) == ["wrong_state"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"state": ""}, "wrong_state"),
        ({"state": "é"}, "wrong_state"),
        ({"code": "invented"}, "provider_refused"),
        ({"error": "access_denied"}, "refused_by_provider"),
        ({"iss": "https://evil.example"}, "wrong_issuer"),
    ],
)
def test_an_answer_that_is_wrong_in_one_way_lets_nobody_in(setting, issuer, acme, changes, reason):
    client = Client()
    assert come_back(client, issuer, **changes).status_code == 422
    assert client.get("/calls/").status_code == 302
    assert reasons(acme) == [reason]


def test_an_answer_after_ten_minutes_is_too_late(setting, issuer, acme):
    client = Client()
    answer = issuer.authorize(go(client))
    session = client.session
    session["oidc_trip"] = session["oidc_trip"] | {"at": time.time() - 601}
    session.save()
    assert client.get(CALLBACK, answer).status_code == 422
    assert reasons(acme) == ["too_late"]


def test_unknown_people_are_created_with_the_chosen_role_where_the_tenant_wants_it(setting, issuer, acme, people):
    agent = Role.objects.get(key="agent")
    values = values_of(issuer, oidc_create_users=True, oidc_default_role=agent)
    save_setting(tenant=acme, values=values, version=1, editor=people.tenant_admin)
    issuer.claims = {"sub": "s2", "preferred_username": "Nina", "name": "Nina N.", "email": "n@acme.example"}
    client = Client()
    assert come_back(client, issuer).status_code == 302
    nina = User.objects.get(username_key="nina", tenant=acme)
    assert (nina.role, nina.full_name, nina.email) == (agent, "Nina N.", "")
    issuer.claims = {"sub": "s3", "preferred_username": "not a user name!"}
    assert come_back(Client(), issuer).status_code == 422
    assert reasons(acme) == ["user_not_creatable"]


def test_by_email_only_a_verified_address_of_exactly_one_user_counts(setting, issuer, acme, people):
    save_setting(tenant=acme, values=values_of(issuer, oidc_match="email"), version=1, editor=people.tenant_admin)
    User.objects.filter(username="ada").update(email="ada@acme.example")
    issuer.claims = {"sub": "s1", "email": "ADA@acme.example", "email_verified": False}
    assert come_back(Client(), issuer).status_code == 422
    issuer.claims["email_verified"] = True
    User.objects.filter(username="sue").update(email="Ada@Acme.example")
    assert come_back(Client(), issuer).status_code == 422
    User.objects.filter(username="sue").update(email="")
    assert come_back(Client(), issuer).status_code == 302
    assert reasons(acme) == ["email_not_verified", "several_users"]


def test_a_name_that_was_given_to_somebody_else_at_the_provider_does_not_open_the_old_account(setting, issuer, acme):
    assert come_back(Client(), issuer).status_code == 302
    issuer.claims["sub"] = "subject-of-a-new-colleague"
    assert come_back(Client(), issuer).status_code == 422
    assert reasons(acme) == ["linked_to_another_identity"]


def test_a_disabled_user_and_a_suspended_tenant_are_refused(setting, issuer, acme, globex, people):
    User.objects.filter(pk=people.tenant_admin.pk).update(is_active=False)
    assert come_back(Client(), issuer).status_code == 422
    User.objects.filter(pk=people.tenant_admin.pk).update(is_active=True)
    client = Client()
    answer = issuer.authorize(go(client))
    Tenant.objects.filter(pk=acme.pk).update(state="suspended")
    assert client.get(CALLBACK, answer).status_code == 422
    assert Client().post(START, {"organisation": "acme"}).status_code == 422
    assert reasons(acme) == ["disabled", "tenant_not_ready"]


def test_a_tenant_without_single_sign_on_and_an_unknown_one_get_the_same_answer(setting, issuer):
    answers = [Client().post(START, {"organisation": name}) for name in ("globex", "nowhere", "", "x" * 500, "a\x00b")]
    assert {answer.status_code for answer in answers} == {422}
    assert len({answer.context["problem"] for answer in answers}) == 1


def test_people_of_another_tenant_are_not_found_by_their_names(setting, issuer, globex):
    issuer.claims["preferred_username"] = "stan"
    assert come_back(Client(), issuer).status_code == 422
    assert reasons(Tenant.objects.get(slug="acme")) == ["unknown_user"]


def test_our_second_factor_is_asked_too_only_where_the_tenant_wants_it(setting, issuer, acme, people):
    secret, _codes = with_authenticator(people.tenant_admin)
    assert of(people.tenant_admin).exists()
    assert come_back(Client(), issuer)["Location"] == "/calls/"
    save_setting(tenant=acme, values=values_of(issuer, oidc_second_factor=True), version=1, editor=people.tenant_admin)
    client = Client()
    assert come_back(client, issuer)["Location"] == SECOND
    assert client.get("/calls/").status_code == 302
    assert client.post(SECOND, {"code": code_of(secret)})["Location"] == "/calls/"


def test_a_provider_that_changed_its_keys_is_asked_once_more(setting, issuer, acme):
    assert come_back(Client(), issuer).status_code == 302
    issuer.key, issuer.kid = OTHER_KEY, "key-2"
    assert come_back(Client(), issuer).status_code == 302
    assert issuer.asked.count("/realm/keys") == 2


def test_a_provider_that_is_away_or_names_another_issuer_is_told_plainly(setting, issuer, acme):
    issuer.spoil = {"issuer": "https://evil.example"}
    assert Client().post(START, {"organisation": "acme"}).status_code == 422
    issuer.close()
    provider.forget()
    answer = Client().post(START, {"organisation": "acme"})
    assert answer.status_code == 422
    assert "cannot be reached" in answer.context["problem"]
    assert reasons(acme) == ["issuer_mismatch", "provider_unreachable"]
    issuer.server.server_close()


def test_an_address_that_the_guard_refuses_is_never_asked(setting, issuer, acme, people):
    AllowedAddress.objects.all().delete()
    asked = len(issuer.asked)
    assert Client().post(START, {"organisation": "acme"}).status_code == 422
    assert len(issuer.asked) == asked
    with pytest.raises(InvalidInput) as refused:
        save_setting(
            tenant=acme,
            values=values_of(issuer, oidc_issuer=f"{issuer.url}/other"),
            version=1,
            editor=people.tenant_admin,
        )
    assert refused.value.field == "oidc_issuer"


def test_the_settings_are_saved_on_the_version_seen_and_the_secret_is_never_shown(
    setting, issuer, acme, people, client_for
):
    path = f"/administration/user-management/tenants/{acme.pk}/sign-in/"
    client = confirmed(client_for(people.tenant_admin))
    page = client.get(path)
    assert page.status_code == 200
    assert CLIENT_SECRET not in page.content.decode()
    assert CLIENT_SECRET.encode() not in bytes(setting.oidc_client_secret)
    posted = {"version": 1, "oidc_match": "email", "oidc_issuer": issuer.url, "oidc_client_id": CLIENT_ID}
    assert client.post(path, posted | {"oidc_enabled": "on"}).status_code == 302
    assert client.post(path, posted).status_code == 409
    assert setting_of(acme).oidc_match == "email"
    assert setting_of(acme).oidc_client_secret is not None
    assert client.post(path, posted | {"version": 2, "oidc_enabled": "on", "oidc_client_id": ""}).status_code == 422
    assert client_for(people.agent).get(path).status_code == 403
    assert client_for(people.stranger).get(path).status_code == 404
    assert client_for(people.stranger).post(path, posted).status_code == 404
    assert CLIENT_SECRET not in str([row.details for row in AuditEntry.objects.all()])


def test_settings_that_break_a_rule_are_refused_and_nothing_is_stored(setting, issuer, acme, people):
    def save(**changes):
        version = changes.pop("version", 1)
        save_setting(tenant=acme, values=values_of(issuer, **changes), version=version, editor=people.tenant_admin)

    for changes, field in [
        ({"oidc_client_id": ""}, "oidc_client_id"),
        ({"oidc_issuer": ""}, "oidc_issuer"),
        ({"oidc_issuer": "file:///etc/passwd"}, "oidc_issuer"),
        ({"oidc_issuer": "http://169.254.169.254/"}, "oidc_issuer"),
        # A stored secret is not sent to another address.
        ({"oidc_issuer": f"http://localhost:{issuer.port}/realm", "oidc_client_secret": ""}, "oidc_client_secret"),
        ({"oidc_create_users": True}, "oidc_default_role"),
        ({"oidc_default_role": Role.objects.get(key="platform_admin")}, "oidc_default_role"),
    ]:
        AllowedAddress.objects.get_or_create(cidr="::1", prefix_length=128, port=issuer.port)
        with pytest.raises(InvalidInput) as refused:
            save(**changes)
        assert refused.value.field == field, changes
    with pytest.raises(Conflict):
        save(version=0)
    people.tenant_admin.role = Role.objects.get(key="agent")
    with pytest.raises(NotAllowed):
        save(oidc_default_role=Role.objects.get(key="tenant_admin"))
    assert setting_of(acme).version == 1


def test_who_names_the_provider_holds_every_right_that_people_of_the_tenant_hold(issuer, acme, system, people):
    clerk_role = Role.objects.create(
        tenant=acme, name="Clerk", scope="system", granted=["sign_in.view", "sign_in.edit"]
    )
    clerk = create_user(tenant=acme, username="carl", password=PASSWORD, role=clerk_role, actor="test")
    plain = values_of(issuer, oidc_enabled=False, oidc_label="", oidc_issuer="", oidc_client_id="")
    plain |= {"oidc_client_secret": "", "require_second_factor": True}
    assert save_setting(tenant=acme, values=plain, version=0, editor=clerk).require_second_factor
    for changes in (values_of(issuer), plain | {"oidc_match": "email"}, plain | {"oidc_client_secret": "x"}):
        with pytest.raises(NotAllowed, match="sign in as anybody"):
            save_setting(tenant=acme, values=changes, version=1, editor=clerk)
    assert setting_of(acme).oidc_issuer == ""
    # Somebody with a right more than the administrator; and in System nobody but who holds everything.
    cleared = Role.objects.create(tenant=acme, name="Cleared", scope="user", granted=["calls.confidential.view"])
    User.objects.filter(pk=people.agent.pk).update(role=cleared)
    with pytest.raises(NotAllowed, match="confidential"):
        save_setting(tenant=acme, values=values_of(issuer), version=1, editor=people.tenant_admin)
    User.objects.filter(pk=people.agent.pk).update(role=clerk_role)
    assert save_setting(tenant=acme, values=values_of(issuer), version=1, editor=people.tenant_admin).oidc_enabled
    some = sorted(people.platform_admin.rights - {"tenants.delete"})
    operator_role = Role.objects.create(tenant=system, name="Operator", platform=True, scope="system", granted=some)
    operator = create_user(tenant=system, username="otto", password=PASSWORD, role=operator_role, actor="test")
    User.objects.filter(pk=people.platform_admin.pk).update(role=operator_role)
    with pytest.raises(NotAllowed, match=r"tenants\.delete"):
        save_setting(tenant=system, values=values_of(issuer), version=0, editor=operator)
    assert save_setting(tenant=system, values=values_of(issuer), version=0, editor=people.platform_admin).oidc_enabled


def test_the_provider_is_named_by_somebody_whose_password_was_asked_recently(issuer, acme, people, client_for):
    path = f"/administration/user-management/tenants/{acme.pk}/sign-in/"
    posted = {"version": 0, "oidc_match": "email", "require_second_factor": "on"}
    client = confirmed(client_for(people.tenant_admin), minutes_ago=16)
    assert client.get(path)["Location"].startswith("/profile/confirm/")
    assert client.post(path, posted)["Location"] == f"/profile/confirm/?next={path.replace('/', '%2F')}"
    assert setting_of(acme).version == 0
    assert confirmed(client).post(path, posted)["Location"] == path
    assert setting_of(acme).version == 1


def test_bogus_answers_close_the_door_for_their_address_and_real_ones_count_for_nothing(setting, issuer, acme):
    for _number in range(3):
        assert come_back(Client(), issuer).status_code == 302
    assert not SignInThrottle.objects.filter(attempts__gt=0).exists()
    client = Client()
    for _number in range(3):
        assert come_back(client, issuer, code="invented").status_code == 422
    assert SignInThrottle.objects.get(kind="address").attempts == 3
    assert reasons(acme) == ["provider_refused"]
    SignInThrottle.objects.update(attempts=ADDRESS_LIMIT)
    asked = len(issuer.asked)
    assert client.get(CALLBACK, {"code": "x", "state": "y"}).status_code == 429
    assert client.post(START, {"organisation": "acme"}).status_code == 429
    assert len(issuer.asked) == asked
    assert come_back(Client(REMOTE_ADDR="203.0.113.9"), issuer).status_code == 302


@pytest.mark.parametrize(
    "discovery",
    [
        {"authorization_endpoint": "https://["},
        {"authorization_endpoint": "https://"},
        {"authorization_endpoint": "https://a.example/\ud800"},
        {"token_endpoint": 5},
        {"jwks_uri": None},
        {"token_endpoint_auth_methods_supported": 7},
        {"token_endpoint_auth_methods_supported": {"client_secret_post": 1}},
    ],
)
def test_a_provider_that_says_nonsense_of_itself_is_refused_without_an_error(setting, issuer, acme, discovery):
    issuer.spoil = {"discovery": discovery}
    assert Client().post(START, {"organisation": "acme"}).status_code == 422
    assert reasons(acme) == ["discovery_malformed"]
    issuer.spoil = {}
    provider.forget()
    assert come_back(Client(), issuer).status_code == 302


def segment(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (f"{segment({'alg': ['RS256'], 'kid': 'key-1'})}.{segment({})}.eA", "algorithm_refused"),
        (f"{segment({'alg': {}, 'kid': 'key-1'})}.{segment({})}.eA", "algorithm_refused"),
        (f"{segment([])}.{segment({})}.eA", "token_malformed"),
        ("\ud800.e30.eA", "token_malformed"),
    ],
)
def test_a_token_that_is_none_is_refused_without_an_error(setting, issuer, acme, raw, reason):
    issuer.spoil = {"raw": raw}
    assert come_back(Client(), issuer).status_code == 422
    assert reasons(acme) == [reason]


@pytest.mark.parametrize("claim", ["nonce", "sub", "preferred_username", "name"])
def test_half_a_character_in_a_claim_is_refused_without_an_error(setting, issuer, acme, claim):
    issuer.spoil = {"claims": {claim: "\ud800"}}
    assert come_back(Client(), issuer).status_code == 422
    assert reasons(acme) == ["token_refused"]


def test_the_sign_in_page_offers_the_button_of_the_organisation_named(setting):
    assert "Sign in with Acme" in Client().get("/sign-in/?organisation=acme").content.decode()
    page = Client().get("/sign-in/").content.decode()
    assert "Sign in with Acme" not in page
    assert "Single sign-on" in page

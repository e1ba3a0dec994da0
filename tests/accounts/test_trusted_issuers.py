"""Tokens of an issuer outside (R2.9, T07): who gets in as whom, every token that must not, and who may set it up."""

import time
from types import SimpleNamespace

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.test import Client

from accounts.models import Role, User
from accounts.oidc import provider
from accounts.realms import issuer_keys
from accounts.realms.access import BearerRefused, authenticate
from accounts.realms.models import RealmSession, RealmSetting, TrustedIssuer
from accounts.realms.selectors import setting_of
from accounts.realms.setup import remove_issuer, save_issuer, save_setting
from audit.models import AuditEntry
from core.errors import Conflict, InvalidInput, NotAllowed
from tenants.models import AllowedAddress
from tests.accounts.issuer import Issuer, signed, signed_with_the_public_key, unsigned
from tests.accounts.test_realms import GOOD, post

pytestmark = pytest.mark.django_db
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def issuer(acme, globex):
    """An issuer that the outbound guard lets us reach; acme and globex offer the API."""
    found = Issuer()
    AllowedAddress.objects.create(cidr="127.0.0.1", prefix_length=32, port=found.port)
    for tenant in (acme, globex):
        RealmSetting.objects.create(tenant=tenant, enabled=True)
    provider.forget()
    issuer_keys.forget()
    yield found
    found.close()


@pytest.fixture
def clock(monkeypatch):
    """The time by which keys are kept."""
    now = SimpleNamespace(at=1000.0)
    monkeypatch.setattr(issuer_keys, "time", SimpleNamespace(monotonic=lambda: now.at))
    return now


@pytest.fixture
def trusted(issuer, acme) -> TrustedIssuer:
    """Acme counts everybody of the issuer as its own."""
    return TrustedIssuer.objects.create(tenant=acme, issuer=issuer.url, mapping="fixed")


def who(token):
    try:
        return authenticate(f"Bearer {token}").user
    except BearerRefused:
        return None


def name_of(token):
    user = who(token)
    return user and user.actor


def test_a_token_of_a_trusted_issuer_is_good_at_every_door_of_the_api(trusted, issuer, people):
    token = signed(issuer)
    assert name_of(token) == "ada@acme"
    header = {"Authorization": f"Bearer {token}"}
    info = Client().get("/realms/acme/protocol/openid-connect/userinfo", headers=header)
    assert (info.status_code, info.json()["sub"]) == (200, str(people.tenant_admin.pk))
    assert Client().get("/realms/globex/protocol/openid-connect/userinfo", headers=header).status_code == 401
    assert Client().get("/calls/", headers=header).status_code == 302
    # Discovery and keys are asked for once.
    assert issuer.asked == ["/realm/.well-known/openid-configuration", "/realm/keys"]
    assert name_of(signed(issuer, exp=int(time.time()) - 20)) == "ada@acme"


def test_the_three_algorithms_are_accepted_with_keys_that_fit(trusted, issuer, monkeypatch):
    plain = {name: value for name, value in issuer.jwk().items() if name != "alg"}
    monkeypatch.setattr(issuer, "jwk", lambda: plain)
    assert name_of(signed(issuer, algorithm="PS256")) == "ada@acme"
    assert name_of(signed(issuer, algorithm="RS512")) is None
    for curve, wanted in ((ec.SECP256R1(), "ada@acme"), (ec.SECP384R1(), None)):
        key = ec.generate_private_key(curve)
        public = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "key-1", "use": "sig"}
        monkeypatch.setattr(issuer, "jwk", lambda public=public: public)
        issuer_keys.forget()
        algorithm = "ES256" if wanted else "ES384"
        assert name_of(signed(issuer, key=key, algorithm=algorithm)) == wanted


def test_tokens_that_prove_nothing_are_refused(trusted, issuer):
    now, good = int(time.time()), signed(issuer)
    assert name_of(good) == "ada@acme"
    bad = {
        "wrong issuer": signed(issuer, iss="https://elsewhere.example/realm"),
        "the issuer's realm spelt another way": signed(issuer, iss=issuer.url + "/"),
        "wrong client": signed(issuer, azp="other"),
        "no client": signed(issuer, azp=None),
        "a list as client": signed(issuer, azp=["browser_client"]),
        "no algorithm": unsigned(good),
        "the public key as secret": signed_with_the_public_key(issuer, good),
        "another key": signed(issuer, key=OTHER),
        "unknown key": signed(issuer, key=OTHER, kid="key-2"),
        "critical header": signed(issuer, header={"crit": ["x"], "x": 1}),
        "expired": signed(issuer, exp=now - 60),
        "no end": signed(issuer, exp=None),
        "not yet": signed(issuer, nbf=now + 300),
        "from the future": signed(issuer, iat=now + 300),
        "a refresh token": signed(issuer, typ="Refresh"),
        "no type": signed(issuer, typ=None),
        "nobody": signed(issuer, preferred_username="nobody"),
        "no name": signed(issuer, preferred_username=None),
        "a list as name": signed(issuer, preferred_username=["ada"]),
        "NUL": signed(issuer, preferred_username="ada\x00"),
        "changed": good[:-6] + ("AAAAAA" if good[-6:] != "AAAAAA" else "BBBBBB"),
    }
    assert {what: name_of(token) for what, token in bad.items() if name_of(token)} == {}


def test_an_unknown_key_is_asked_for_again_after_half_a_minute_and_not_before(trusted, issuer, clock):
    assert name_of(signed(issuer)) == "ada@acme"
    issuer.key, issuer.kid = OTHER, "key-2"
    for _number in range(3):
        assert name_of(signed(issuer, kid="key-2")) is None
    assert issuer.asked.count("/realm/keys") == 1
    clock.at += 31
    assert name_of(signed(issuer, kid="key-2")) == "ada@acme"
    assert issuer.asked.count("/realm/keys") == 2
    clock.at += 601
    assert name_of(signed(issuer, kid="key-2")) == "ada@acme"
    assert issuer.asked.count("/realm/keys") == 3


def test_an_issuer_that_cannot_be_reached_lets_nobody_in_beyond_what_is_kept(trusted, issuer, clock, monkeypatch):
    def down(*arguments):
        asked.append(arguments)
        raise provider.ProviderFailed("provider_unreachable")

    asked, answer = [], provider.keys_at
    monkeypatch.setattr(provider, "keys_at", down)
    assert [name_of(signed(issuer)) for _number in range(3)] == [None] * 3
    assert len(asked) == 1
    monkeypatch.setattr(provider, "keys_at", answer)
    clock.at += 11
    assert name_of(signed(issuer)) == "ada@acme"
    monkeypatch.setattr(provider, "keys_at", down)
    clock.at += 500
    assert name_of(signed(issuer)) == "ada@acme"
    assert name_of(signed(issuer, key=OTHER, kid="key-2")) is None
    assert name_of(signed(issuer)) == "ada@acme"
    clock.at += 200
    assert name_of(signed(issuer)) is None


def test_a_token_opens_the_tenant_that_its_realm_or_claim_names_and_no_other(issuer, acme, globex, people):
    address = f"{issuer.url[:-6]}/realms/acme"
    common = {"jwks_uri": f"{issuer.url}/keys"}
    TrustedIssuer.objects.create(tenant=acme, issuer=address, mapping="realm", **common)
    TrustedIssuer.objects.create(tenant=globex, issuer=address, mapping="realm", **common)
    assert name_of(signed(issuer, iss=address)) == "ada@acme"
    assert name_of(signed(issuer, iss=address, preferred_username="stan")) is None
    by_claim = {"mapping": "claim", "tenant_claim": "ext.tenant"}
    for tenant in (acme, globex):
        TrustedIssuer.objects.create(tenant=tenant, issuer=issuer.url, **by_claim)
    stan = {"preferred_username": "stan", "ext": {"tenant": "Globex"}}
    assert name_of(signed(issuer, **stan)) == "stan@globex"
    assert name_of(signed(issuer, **{**stan, "ext": {"tenant": "acme"}})) is None
    for odd in (None, {}, {"tenant": None}, {"tenant": ["globex"]}, "globex", {"tenant": "nowhere"}):
        assert name_of(signed(issuer, **{**stan, "ext": odd})) is None, odd
    # Who has the whole issuer gets those alone whom no other tenant is named for.
    TrustedIssuer.objects.filter(tenant=acme, issuer=issuer.url).update(mapping="fixed")
    assert name_of(signed(issuer, **stan)) == "stan@globex"
    assert name_of(signed(issuer)) == "ada@acme"


def test_an_email_counts_when_the_issuer_has_verified_it_and_one_user_has_it(trusted, issuer, people):
    TrustedIssuer.objects.update(user_claim="email")
    User.objects.filter(pk=people.agent.pk).update(email="al@acme.example")
    token = {"preferred_username": "ada", "email": "AL@acme.example"}
    assert name_of(signed(issuer, **token, email_verified=True)) == people.agent.actor
    for unverified in (None, False, "true", 1):
        assert name_of(signed(issuer, **token, email_verified=unverified)) is None
    User.objects.filter(pk=people.supervisor.pk).update(email="al@acme.example")
    assert name_of(signed(issuer, **token, email_verified=True)) is None


def test_a_mapped_role_narrows_or_sets_the_rights_of_the_request_alone(trusted, issuer, people):
    auditor, agent = Role.objects.get(key="auditor"), Role.objects.get(key="agent")
    pairs = [["audit", auditor.pk], ["work", agent.pk]]
    TrustedIssuer.objects.update(role_claim="realm_access.roles", role_mode="set", roles=pairs)

    def rights(username, *roles):
        found = who(signed(issuer, preferred_username=username, realm_access={"roles": list(roles)}))
        return None if found is None else (found.rights, found.scope)

    assert rights(people.agent.username, "x", "audit") == (auditor.permissions, auditor.reach)
    assert rights(people.agent.username, "work", "audit")[0] == auditor.permissions
    assert rights(people.agent.username, "x") is None
    assert rights(people.agent.username) is None
    TrustedIssuer.objects.update(role_mode="narrow")
    own = people.supervisor.role.permissions
    narrowed, _scope = rights(people.supervisor.username, "work")
    assert narrowed == own & agent.permissions < own
    user = who(signed(issuer, preferred_username=people.agent.username, realm_access={"roles": ["audit"]}))
    with pytest.raises(ValueError, match="unsaved"):
        user.save()
    assert User.objects.get(pk=people.agent.pk).role == people.agent.role
    # A role of the platform is nobody's in a tenant.
    TrustedIssuer.objects.update(role_mode="set", roles=[["audit", Role.objects.get(key="platform_admin").pk]])
    assert rights(people.agent.username, "audit") is None


def test_what_is_switched_off_here_ends_tokens_from_outside_at_once(trusted, issuer, people, acme):
    token = signed(issuer)
    for model, pk, field, off, on in (
        (User, people.tenant_admin.pk, "is_active", False, True),
        (type(acme), acme.pk, "state", "suspended", "ready"),
        (RealmSetting, acme.pk, "enabled", False, True),
        (TrustedIssuer, trusted.pk, "enabled", False, True),
    ):
        assert name_of(token) == "ada@acme"
        model.objects.filter(pk=pk).update(**{field: off})
        assert name_of(token) is None, field
        model.objects.filter(pk=pk).update(**{field: on})
    remove_issuer(issuer=trusted, editor=people.tenant_admin)
    assert name_of(token) is None


def test_without_local_sign_in_tokens_of_trusted_issuers_alone_are_good(trusted, issuer, people, acme):
    own = post(**GOOD).json()["access_token"]
    assert name_of(own) == "ada@acme"
    values = {name: getattr(setting_of(acme), name) for name in SETTING} | {"local_sign_in": False}
    save_setting(tenant=acme, values=values, version=setting_of(acme).version, editor=people.tenant_admin)
    assert post(**GOOD).status_code == 404
    assert [name_of(own), name_of(signed(issuer))] == [None, "ada@acme"]
    assert not RealmSession.objects.filter(ended_at=None).exists()
    assert AuditEntry.objects.filter(action="realm.changed").latest("pk").details["sessions_ended"] == 1


SETTING = (
    "enabled",
    "local_sign_in",
    "access_seconds",
    "refresh_seconds",
    "cors_origins",
    "participant_names",
    "legacy_id",
    "storage_megabytes",
)
VALUES = {
    "enabled": True,
    "issuer": "https://93.184.216.34/realms/acme",
    "jwks_uri": "",
    "clients": ["browser_client"],
    "mapping": "fixed",
    "tenant_claim": "",
    "user_claim": "preferred_username",
    "role_claim": "",
    "role_mode": "narrow",
    "roles": [],
}


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("issuer", {"issuer": "http://93.184.216.34/realms/acme"}),
        ("issuer", {"issuer": "https://169.254.169.254/realms/acme"}),
        ("issuer", {"issuer": "https://93.184.216.34/realms/acme?x=1"}),
        ("issuer", {"issuer": "http://localhost:8000/realms/globex"}),
        ("jwks_uri", {"jwks_uri": "http://127.0.0.1/keys"}),
        ("clients", {"clients": []}),
        ("tenant_claim", {"mapping": "claim"}),
        ("roles", {"role_claim": "roles"}),
    ],
)
def test_an_issuer_that_breaks_a_rule_is_refused_with_its_field(acme, people, field, changes):
    with pytest.raises(InvalidInput) as refused:
        add(acme, people.tenant_admin, **changes)
    assert refused.value.field == field
    assert not TrustedIssuer.objects.exists()
    assert add(acme, people.tenant_admin).version == 1


def add(tenant, editor, **changes):
    return save_issuer(tenant=tenant, issuer=None, values={**VALUES, **changes}, version=0, editor=editor)


def test_one_tenant_alone_can_own_a_whole_issuer_and_who_adds_it_can_do_what_its_people_can(acme, globex, people):
    row = add(acme, people.tenant_admin)
    with pytest.raises(InvalidInput, match="Another tenant"):
        add(globex, people.platform_admin)
    assert add(globex, people.platform_admin, mapping="realm").tenant == globex
    with pytest.raises(NotAllowed):
        add(acme, people.supervisor, issuer="https://93.184.216.34/other")
    with pytest.raises(Conflict, match="ada@acme"):
        save_issuer(tenant=acme, issuer=row, values=VALUES, version=0, editor=people.tenant_admin)
    remove_issuer(issuer=row, editor=people.tenant_admin)
    with pytest.raises(Conflict):
        remove_issuer(issuer=row, editor=people.tenant_admin)


def test_the_deletion_of_a_tenant_takes_its_issuers_along(acme, people):
    from accounts.purging import purge_people

    add(acme, people.tenant_admin)
    purge_people(acme.pk)
    assert not TrustedIssuer.objects.exists()

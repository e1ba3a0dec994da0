"""The offline-task API under attack: hostile inputs 3B to 3E, tenants that are not one's own, and a failing database."""

import base64
import errno
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone, translation

import accounts.models
from accounts.realms.models import RealmSession, RealmSetting
from audit.models import AuditEntry
from conversations.models import Recording
from miaop import access
from miaop.models import Meeting, Task
from miaop.receiving import incoming
from tenants.doors import enter
from tenants.models import Tenant
from tests.accounts.signing_in import code_of, with_authenticator
from tests.conftest import PASSWORD
from tests.miaop.conftest import FORM, stored_task
from tests.miaop.test_submitting import (  # noqa: F401
    BOUNDARY,
    _only_new_files,
    body_of,
    described,
    folder,
    kept,
    not_audio,
    part,
    refused,
    submit,
)

pytestmark = pytest.mark.django_db
NOTHING = (0, 0, 0, 0, 0)
# Every address with an id, and how it is called.
READS = ("/api/tasks/t", "/api/task/t", "/api/meetings/1.t", "/api/meetings/1.t/summary", "/api/stt/1.t/0")
CHANGES = ("/api/tasks/t/archive", "/api/tasks/t/unarchive")


def everywhere(header: dict[str, str], **query: str) -> list[Any]:
    """The answers of all addresses with the id of one task."""
    reads = [Client().get(path, query, headers=header) for path in READS]
    suffix = f"?tenant={query['tenant']}" if query else ""
    return reads + [Client().post(path + suffix, headers=header) for path in CHANGES]


def token_address(realm: str) -> str:
    return f"/realms/{realm}/protocol/openid-connect/token"


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_token_finds_nothing_of_another_tenant_at_any_address(people, acme, globex, bearer):
    stored_task(acme, "t", states=("completed",))
    mine, foreign = bearer(people.tenant_admin), bearer(people.stranger)
    unknown = [answer.json()["error"] for answer in everywhere(foreign)]
    assert [answer.status_code for answer in everywhere(foreign)] == [404] * 7
    assert unknown == [answer.json()["error"] for answer in everywhere(foreign, tenant="acme")]
    assert [answer.status_code for answer in everywhere(mine)[:4]] == [200] * 4
    with enter(acme):
        assert not Task.objects.filter(archived=True).exists()
    lists = [
        Client().get("/api/tasks", query, headers=foreign)
        for query in (
            {},
            {"filter": '{"tenant": "acme"}'},
            {"filter": '{"taskId": "t"}'},
            {"filter": '{"tenant": "x"}'},
        )
    ]
    assert [answer.json() for answer in lists] == [[]] * 4


def ended_by_suspension(people, acme):
    Tenant.objects.filter(pk=acme.pk).update(state=Tenant.State.SUSPENDED)


def ended_by_deactivation(people, acme):
    people.tenant_admin.is_active = False
    people.tenant_admin.save()


def ended_by_a_session_that_is_over(people, acme):
    RealmSession.objects.update(ends_at=timezone.now())


def ended_by_another_password_to_choose(people, acme):
    people.tenant_admin.must_change_password = True
    people.tenant_admin.save()


@pytest.mark.parametrize(
    "end",
    [
        ended_by_suspension,
        ended_by_deactivation,
        ended_by_a_session_that_is_over,
        ended_by_another_password_to_choose,
    ],
)
def test_a_token_dies_at_every_address_at_once(people, acme, bearer, end):
    stored_task(acme, "t")
    header = bearer(people.tenant_admin)
    assert Client().get("/api/tasks/t", headers=header).status_code == 200
    end(people, acme)
    answers = [*everywhere(header), Client().get("/api/tasks", headers=header), Client().post("/hrec", headers=header)]
    assert [answer.status_code for answer in answers] == [401] * 9
    assert all(answer["WWW-Authenticate"] == 'Bearer realm="acme", error="invalid_token"' for answer in answers)


def test_r11_the_api_switched_off_in_mid_session_is_404_at_every_address(people, acme, bearer):
    stored_task(acme, "t")
    header = bearer(people.tenant_admin)
    RealmSetting.objects.filter(tenant=acme).update(enabled=False)
    answers = [*everywhere(header), Client().get("/api/tasks", headers=header), Client().post("/hrec", headers=header)]
    assert [answer.status_code for answer in answers] == [404] * 9


@pytest.mark.parametrize("issuer", ["x/realms/\ud800", "\ud800", "x/realms/\x00", "x/realms/ä", "x" * 600, ["x"], None])
@pytest.mark.parametrize("algorithm", ["none", "RS256"])
def test_issuers_that_no_database_can_be_asked_for_are_nobody(db, issuer, algorithm):
    token = f"{encoded({'alg': algorithm, 'kid': chr(0xD800)})}.{encoded({'iss': issuer, 'exp': 9e9})}.AAAA"
    header = {"Authorization": f"Bearer {token}"}
    assert Client().get("/api/tasks", headers=header).status_code == 401
    assert Client().get(token_address("acme").replace("token", "userinfo"), headers=header).status_code == 401


@pytest.mark.parametrize(
    "text",
    ['{"\\ud800": 1}', '{"$and": [{"\\udfff": 1}]}', '{"taskId": {"\\ud800": 1}}', '{"taskId": "\\ud800"}', "\\ud800"],
)
def test_3e_filters_with_characters_that_cannot_be_sent_are_refused(people, ask, text):
    assert refused(ask(people.tenant_admin, "/api/tasks", filter=text))[:2] == (400, "INVALID_FILTER")


def test_3e_a_name_with_marks_of_direction_can_be_looked_for(people, acme, ask):
    stored_task(acme, "t")
    with enter(acme):
        Task.objects.update(name="\u200fשיחה")
    found = ask(people.tenant_admin, "/api/tasks", filter='{"taskName": "\u200fשיחה"}')
    assert [task["taskId"] for task in found.json()] == ["t"]


def test_3e13_the_filter_is_decoded_once_and_given_once(people, acme, bearer):
    stored_task(acme, "a b")
    with enter(acme):
        Task.objects.update(task_id="t", name="a b")
    header = bearer(people.tenant_admin)

    def asked(query: str) -> tuple[int, int]:
        answer = Client().get(f"/api/tasks?{query}", headers=header)
        return answer.status_code, len(answer.json())

    once = quote('{"taskName": "a b"}')
    assert asked(f"filter={once}") == asked(f"filter={once.replace('%20', '+')}") == (200, 1)
    for query in (f"filter={once}&filter={once}", f"filter={quote(once)}", "filter=", "filter=%FE%FF%7B%7D"):
        assert asked(query)[0] == 400, query
    for query in ("limit=5001", "limit=-1", "limit=%C2%B2", "skip=99999999999", "limit=1e3"):
        assert asked(query)[0] == 400, query


def test_what_is_refused_is_said_in_english_whatever_language_is_asked_for(people, bearer, monkeypatch):
    def named(text: str) -> str:
        return f"[{translation.get_language()}] {text}"

    monkeypatch.setattr(accounts.models, "gettext", named)
    header = {**bearer(people.agent), "Accept-Language": "he"}
    with translation.override("he"):
        answers = [Client().get("/api/tasks", headers=header), Client().get("/api/nowhere", headers=header)]
    said = answers[0].json()["error"]["message"]
    assert (answers[0].status_code, said.count("[en-gb]") > 0, "[he]" in said) == (403, True, False)
    assert [answer["Content-Language"] for answer in answers] == ["en-gb"] * 2
    # The pages do follow the browser, on the same set-up.
    assert Client().get("/sign-in/", headers={"Accept-Language": "he"})["Content-Language"] == "he"


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/x.wav",
        "C:\\\\x.wav",
        ".htaccess",
        "x" * 500 + ".wav",
        "a%0D%0AX-Evil: 1.wav",
        "<script>.wav",
        "\u202egnp.wav",
    ],
)
def test_3c10_a_name_of_a_file_is_a_label_and_never_a_path(submit, people, acme, monkeypatch, name):  # noqa: F811
    monkeypatch.setattr("conversations.intake.inspect_audio", not_audio)
    answer = submit(people.tenant_admin, described("call.wav"), [(name, b"x")])
    assert answer.status_code == 200, answer.content
    with enter(acme):
        recording = Recording.objects.get()
        assert Meeting.objects.get().file == "call.wav"
    assert len(recording.label) <= 255
    assert not {"/", "\\", "\r", "\n", "\x00"} & set(recording.storage_key.rpartition("/")[2] + recording.label)
    assert kept(acme)[4] == 1


@pytest.mark.parametrize(
    "head",
    [
        "Content-Disposition: form-data; name=\"soundBlob\"; filename*=bogus''a.wav",
        "Content-Disposition: form-data; name=\"soundBlob\"; filename*=hex''a.wav",
        "Content-Disposition: form-data; name*=undefined''soundBlob",
        'Content-Disposition: form-data; name="soundBlob"; filename="a.wav"\r\nContent-Length: abc',
        'Content-Disposition: form-data; name="task"\r\nContent-Transfer-Encoding: base64',
        'Content-Disposition: form-data; name="task"; filename="t"\r\nContent-Transfer-Encoding: base64',
        "",
    ],
)
def test_3c_heads_of_parts_that_mislead_parsers_are_refused_or_left_out(submit, people, acme, head):  # noqa: F811
    content = f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + b" " * 200_000 + f"\r\n--{BOUNDARY}--\r\n".encode()
    status, code, _paths = refused(submit(people.tenant_admin, None, [], body=content))
    assert (status, code) in {(400, "INVALID_MULTIPART"), (400, "INVALID_TASK")}
    assert kept(acme) == NOTHING


def test_3c1_a_task_beyond_a_megabyte_is_refused_as_a_field_and_as_a_file(submit, people, acme):  # noqa: F811
    large = json.dumps(described("a.wav", other="x" * 1_100_000)).encode()
    blob = part("soundBlob", b"x", filename="a.wav")
    for task in (part("task", large), part("task", large, filename="task.json")):
        status, code, _paths = refused(submit(people.tenant_admin, None, [], body=body_of(task, blob)))
        assert (status, code) in {(400, "INVALID_TASK"), (400, "INVALID_MULTIPART")}
    assert kept(acme) == NOTHING


@pytest.mark.parametrize("place", ["miaop.receiving.incoming.Incoming.write", "conversations.together.save_recording"])
def test_a_full_disk_is_503_and_leaves_nothing(submit, people, acme, folder, monkeypatch, place):  # noqa: F811
    monkeypatch.setattr("conversations.intake.inspect_audio", not_audio)
    tried: list[int] = []

    def full(*_arguments: Any, **_named: Any) -> Any:
        tried.append(1)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(place, full)
        answer = submit(people.tenant_admin, described("a.wav", "b.wav"), {"a.wav": b"x", "b.wav": b"y"})
        assert refused(answer)[:2] == (503, "STORAGE_FULL")
        assert int(answer["Retry-After"]) > 0
    assert tried
    assert kept(acme) == NOTHING
    assert list(folder.iterdir()) == []
    assert submit(people.tenant_admin, described("a.wav"), {"a.wav": b"x"}).status_code == 200


def test_a_database_that_is_away_is_503_with_a_hint_and_the_same_call_works_later(
    submit,  # noqa: F811
    people,
    acme,
    bearer,
    monkeypatch,
):
    def away(*_arguments: Any, **_named: Any) -> Any:
        raise OperationalError("terminating connection; SELECT secret")

    monkeypatch.setattr("conversations.intake.inspect_audio", not_audio)
    header, task = bearer(people.tenant_admin), described("a.wav", taskId="mine")
    with monkeypatch.context() as patch:
        patch.setattr(access, "authenticate", away)
        answer = Client().get("/api/tasks", headers=header)
        assert refused(answer)[:2] == (503, "SERVICE_UNAVAILABLE")
        assert int(answer["Retry-After"]) > 0
        assert b"secret" not in answer.content
        patch.undo()
        patch.setattr("miaop.services.append", away)
        assert refused(submit(people.tenant_admin, task, {"a.wav": b"x"}))[0] == 503
        patch.undo()
        patch.setattr("accounts.realms.services.claim", away)
        form = f"grant_type=password&client_id=browser_client&username=ada&password={PASSWORD}"
        answer = Client().post(token_address("acme"), form, content_type=FORM)
        assert (answer.status_code, answer.json()) == (503, {"error": "temporarily_unavailable"})
    monkeypatch.setattr("conversations.intake.inspect_audio", not_audio)
    assert kept(acme) == NOTHING
    assert submit(people.tenant_admin, task, {"a.wav": b"x"}).json() == {"taskId": "mine"}


def grant(**form: str) -> Any:
    body = "&".join(f"{name}={quote(value)}" for name, value in form.items())
    return Client().post(token_address("acme"), body, content_type=FORM)


def by_password(password: str = PASSWORD, **more: str) -> Any:
    return grant(grant_type="password", client_id="browser_client", username="ada", password=password, **more)


def test_3b7_a_password_is_compared_exactly_and_the_impossible_is_refused(people):
    people.tenant_admin.set_password("😀" * 64)
    people.tenant_admin.save()
    assert by_password("😀" * 64).status_code == 200
    assert by_password("😀" * 64 + " ").status_code == by_password("😀" * 63).status_code == 401
    assert by_password("x\x00").status_code == by_password("x" * 1_000_000).status_code == 400
    assert by_password("x" * 3_000_000).json()["error"] == "invalid_request"


def test_a_second_factor_that_is_switched_on_ends_tokens_that_a_password_alone_has_got(people, bearer):
    body = by_password().json()
    header = {"Authorization": f"Bearer {body['access_token']}"}
    assert Client().get("/api/tasks", headers=header).status_code == 200
    secret, _codes = with_authenticator(people.tenant_admin)
    assert Client().get("/api/tasks", headers=header).status_code == 401
    late = grant(grant_type="refresh_token", client_id="browser_client", refresh_token=body["refresh_token"])
    assert (late.status_code, late.json()["error"]) == (400, "invalid_grant")
    assert by_password().status_code == 401
    assert by_password(totp=code_of(secret, 1)).status_code == 200


def test_a_second_factor_that_the_tenant_comes_to_require_ends_renewals(people, acme):
    from accounts.security_models import TenantSignIn

    refresh = {"grant_type": "refresh_token", "client_id": "browser_client"}
    body = grant(**refresh, refresh_token=by_password().json()["refresh_token"]).json()
    TenantSignIn.objects.update_or_create(tenant=acme, defaults={"require_second_factor": True})
    late = grant(**refresh, refresh_token=body["refresh_token"])
    assert (late.status_code, late.json()["error_description"]) == (400, "Account is not fully set up")
    TenantSignIn.objects.update(require_second_factor=False)
    assert grant(**refresh, refresh_token=body["refresh_token"]).status_code == 200


def test_neither_audit_nor_answers_repeat_what_was_sent(submit, people, acme, caplog, monkeypatch):  # noqa: F811
    monkeypatch.setattr("conversations.intake.inspect_audio", not_audio)
    secret = "s3cret-of-a-customer"
    submit(people.tenant_admin, described("a.wav", genericAdditionalInfo=f'["{secret}"]'), {"a.wav": b"x"})
    submit(people.tenant_admin, described("a.wav", genericAdditionalInfo={"note": secret}), {"a.wav": b"x"})
    rows = list(AuditEntry.objects.values("details", "before", "after"))
    assert secret not in str(rows) + caplog.text


def test_the_folder_of_uploads_follows_no_link(folder):  # noqa: F811
    held = incoming.Incoming()
    outside = Path(folder).parent / "outside"
    outside.write_text("of somebody else")
    (folder / "x.part").symlink_to(outside)
    incoming.sweep()
    held.close()
    assert outside.read_text() == "of somebody else"


@pytest.mark.parametrize(
    ("path", "status", "name"),
    [("/api/nothing/here", 404, "NotFoundError"), ("/api/tasks?filter=%00", 400, "BadRequestError")],
)
def test_what_no_view_has_seen_is_refused_in_the_shape_of_the_api_too(db, path, status, name):
    answer = Client().get(path)
    error = answer.json()["error"]
    assert (answer.status_code, error["statusCode"], error["name"]) == (status, status, name)
    assert answer.json()["requestId"] == answer.headers["X-Request-Id"]


def test_a_fault_that_no_view_has_seen_has_the_name_that_the_contract_gives_it(db, monkeypatch):
    def broken(*_arguments: Any) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr("core.middleware.ErrorMiddleware.__call__", broken)
    answer = Client(raise_request_exception=False).get("/api/tasks")
    error = answer.json()["error"]
    assert (answer.status_code, error["statusCode"], error["name"]) == (500, 500, "InternalServerError")


def test_below_realms_it_is_the_shape_of_the_identity_facade(db):
    answer = Client().get("/realms/acme/nothing?a=%00")
    assert (answer.status_code, set(answer.json())) == (400, {"error", "error_description"})

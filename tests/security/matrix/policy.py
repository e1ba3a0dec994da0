"""What every route must answer, written out; nothing here is taken from the code that it judges.

To add a route, add one line to ``ROUTES``: ``"app:name": Row("right.code", "GET POST", at="kind")``.

- ``codes``: any of these rights opens the route; ``SIGNED_IN`` any account, ``PUBLIC`` everybody. A code that is new
  here also needs its line in ``WHO``: the principals (letters) that hold it.
- ``verbs``: what it answers; every other verb of ``VERBS`` must be 405.
- ``at``: the kind of object in its address (``SEES`` says who sees which; tests/security/matrix/world.py makes them).
  ``fixed`` names further parts of the address: another kind, of which the first object is taken, or a literal in ``=``.
- ``needs``: a right on the object beyond the one that opens the route (a line of ``WHO``); ``{relation: line}`` per object.
- ``get`` and ``post``: the statuses of a success, when they are not the usual ones; ``{relation: statuses}`` per object.
- ``valid``: a body that must be accepted (302) from everybody who may post; its values may name kinds as ``@kind``.
- ``query``: addresses tried besides the bare one; ``?format=csv`` comes by itself for ``listing=True``.

A route without a row, and a row without a route, fails tests/security/test_matrix.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PUBLIC, SIGNED_IN = "public", "signed in"
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")

# One letter a principal. All but P, R and V are people of acme; V is platform staff viewing as acme, R platform staff
# who manage the tenant group of acme only. L may look at calls but not play or read them, N may play but not read, C
# has all these rights and sees confidential calls. X may see the start page only, Y roles and not users, Z users and not
# roles; Y may change how people sign in without a right to look at it. W is platform staff who may look at everything
# and change nothing. The last three are nobody: they must be sent to the sign-in page.
PRINCIPALS = {
    "A": "agent",
    "S": "supervisor",
    "T": "tenant admin",
    "U": "auditor",
    "I": "integrator",
    "L": "looker",
    "N": "listener",
    "C": "cleared",
    "X": "bare",
    "Y": "role reader",
    "Z": "user reader",
    "P": "platform admin",
    "R": "regional platform admin",
    "V": "platform admin viewing acme",
    "W": "platform looker",
    "0": "anonymous",
    "1": "suspended user",
    "2": "user of a suspended tenant",
}
NOBODY = "012"
OF_ACME = "ASTUILNCXYZV"

# Who holds a right. Not read from accounts.permissions, so that a change there is noticed here.
WHO = {
    "home.view": "ASTUIXYZPRVW",
    "calls.own.view": "ASTUILNCPRVW",
    "calls.others.view": "STUILNCPRVW",
    "calls.upload": "TIPR",
    "miaop.read": "STIPRV",
    "miaop.submit": "STIPR",
    # Tag, edit or delete them, own ones or those of others.
    "calls.act": "STPR",
    "call_attributes.transcript.view": "ASTUILCPRVW",
    "audit_trail.view": "TUPRVW",
    "audit_trail.export": "TUPRV",
    "usage.view": "TUIPRVW",
    "users.view": "TUZPRVW",
    "users.edit": "TPR",
    "licences.assign": "TPR",
    "licence_limits.view": "TUPRVW",
    "licence_limits.edit": "PR",
    "service_limits.view": "TUPRVW",
    "service_limits.edit": "PR",
    # Each has any of the rights to fields, summary, sentiment and topics.
    "field_values.view": "ASTUIPRVW",
    "field_values.edit": "STIPR",
    "custom_fields.view": "TUPRVW",
    "custom_fields.edit": "TPR",
    "ai_budgets.edit": "TPR",
    "ai_tasks.view": "TUPRVW",
    "ai_tasks.edit": "TPR",
    # What a tenant may do itself is decided by platform staff.
    "ai_tasks.policy": "PR",
    "retention.view": "TUPRVW",
    "retention.edit": "TPR",
    "roles.view": "TUYPRVW",
    "roles.edit": "TPR",
    "sign_in.view": "TUPRVW",
    "sign_in.edit": "TYPR",
    "tenants.view": "PRW",
    "tenants.edit": "PR",
    "tenants.delete": "PR",
    "tenants.view_as": "PR",
    "engines.view": "PRW",
    "engines.edit": "P",
    "queues.view": "PRW",
    "queues.edit": "PR",
    "jobs.view": "PRW",
    "jobs.edit": "PR",
    "jobs.records.edit": "PR",
    "allowed_addresses.edit": "P",
    "pairing.view": "PRW",
    "pairing.edit": "P",
    # Staff of some groups would widen their own reach by them.
    "tenant_groups.edit": "P",
    # What concerns all tenants is not for staff of some groups.
    "everywhere": "P",
    # On an object that one sees:
    "playback": "ASTUINCV",
    "download": "STICV",
    "reading": "ASTUICV",
    "roles+users": "TUPRVW",
    "edit roles": "TPR",
}

# Who sees which object of a kind. "foreign" is globex's, "unknown" does not exist: both must be the same 404.
SEES: dict[str, dict[str, str]] = {
    "call": {"agent's": "ASTUILNCV", "other's": "TUILNCV", "confidential": "C", "foreign": "", "unknown": ""},
    "thread": {"agent's": "ASTUILNCV", "other's": "TUILNCV", "confidential": "C", "foreign": "", "unknown": ""},
    # Who manages a group sees what was sent for it; platform staff see tasks of tenants by the API, or while viewing.
    "offline task": {"supervisor's": "STIV", "other's": "TIV", "foreign": "", "unknown": ""},
    "role": {"own": "TUYPRVW", "built in": "TUYPRVW", "foreign": "PW", "unknown": ""},
    "user": {"agent": "TUZPRVW", "foreign": "PW", "unknown": ""},
    "tenant": {"own": OF_ACME + "PRW", "foreign": "PW", "unknown": ""},
    "tenant group": {"there": "PRW", "unknown": ""},
    # Platform staff see their own chain and what they did themselves.
    "audit entry": {"own": "TUV", "foreign": "", "unknown": ""},
    # Staff for some tenants see the own fields of these, and those of all.
    "custom field": {"own": "TUPRVW", "of all": "TUPRVW", "foreign": "PW", "unknown": ""},
    "ai task": {"of all": "TUPRVW", "own": "TUPRVW", "foreign": "PW", "unknown": ""},
    "playground run": {"own": "TUPRVW", "foreign": "PW", "unknown": ""},
    "address": {"there": "PRW", "unknown": ""},
    "queue": {"of all": "PRW", "of acme's group": "PRW", "unknown": ""},
    "queue conflict": {"there": "PRW", "unknown": ""},
    "ai engine": {"there": "PRW", "unknown": ""},
    "ai engine test": {"there": "PRW", "unknown": ""},
    "ai price": {"there": "PRW", "unknown": ""},
    "speech price": {"there": "PRW", "unknown": ""},
    "ai default": {"there": "PRW", "unknown": ""},
    "engine": {"there": "PRW", "unknown": ""},
    "engine test": {"there": "PRW", "unknown": ""},
    "language": {"there": "PRW", "unknown": ""},
    "job": {"of all": "PRW", "of acme's group": "PRW", "unknown": ""},
    "job with a token": {"there": "PRW", "unknown": ""},
    "worker": {"there": "PRW", "unknown": ""},
    "record": {"own": "PRW", "foreign": "PW", "unknown": ""},
    # Tenants see what the platform set for them and change their own alone; those of all are for staff of all.
    "ai budget": {"own": "TUIPRVW", "platform's": "TUIPRVW", "foreign": "PW", "of all": "PW", "unknown": ""},
    "ai execution": {"own": "TUIPRVW", "foreign": "PW", "unknown": ""},
    # Staff for some tenants see the rules about these alone.
    "alert rule": {"own": "PRW", "foreign": "PW", "common": "PW", "unknown": ""},
    # Those who do not see all tenants see their own alone; this one is the platform admin's.
    # What one has chosen to do with calls is one's own.
    "call action": {"another's": "", "unknown": ""},
    "bulk action": {"another's": "PW", "unknown": ""},
    # Everybody has only his own; these are olga's.
    "session": {"another's": "", "unknown": ""},
    "api session": {"another's": "", "unknown": ""},
    # Of acme's tab: what belongs to another tenant is not there.
    "session of acme's": {"own": OF_ACME + "PRW", "foreign": "", "unknown": ""},
    "session of the agent": {"own": "TUZPRVW", "foreign": "", "unknown": ""},
    "trusted issuer": {"own": OF_ACME + "PRW", "foreign": "", "unknown": ""},
    "factor": {"another's": "", "unknown": ""},
}

Statuses = frozenset[int]
PerObject = Statuses | Mapping[str, Statuses]
SHOWN: Statuses = frozenset({200})
REFUSED: Statuses = frozenset({403})
GOES_ON: Statuses = frozenset({302})
MISSING: Statuses = frozenset({404})
NOT_A_VERB: Statuses = frozenset({405})
# A body that lacks what the form needs, a question, a conflict, or done: never 403, 404, 405 or 5xx.
POSTED: Statuses = frozenset({200, 302, 400, 409, 422})


@dataclass(frozen=True, slots=True)
class Row:
    """The policy of one route."""

    codes: str
    verbs: str = "GET"
    at: str = ""
    fixed: Mapping[str, str] = field(default_factory=dict)
    param: str = "pk"
    needs: str | Mapping[str, str] = ""
    post_needs: str = ""
    get: PerObject = SHOWN
    post: PerObject = POSTED
    valid: Mapping[str, object] = field(default_factory=dict)
    query: str = ""
    listing: bool = False
    export_needs: str = ""
    # May be posted to while viewing as a tenant.
    harmless: bool = False
    # Acts on something that all tenants share, so that rows of globex may change.
    shared: bool = False


# Shown, or sent to confirm the password first; that comes before the verb is looked at.
# Nobody is signed in by a cookie.
BEARER: Statuses = frozenset({401})
AGAIN: Statuses = frozenset({200, 302})

BOTH = "GET POST"
# Staff of some groups change only what serves nobody else; the first queue and job serve all.
OWN: Mapping[str, str] = {"of all": "everywhere"}
CALLS = "calls.own.view calls.others.view"
# Of a tenant that has the API switched on.
REALM: Mapping[str, str] = {"realm": "=acme"}
ISSUER: Mapping[str, Any] = {"at": "trusted issuer", "param": "issuer_pk", "fixed": {"pk": "tenant"}}
NO_TOKEN: Statuses = frozenset({401})
NOT_SERVED: Statuses = frozenset({501})
VALUE: Mapping[str, str] = {"record_type": "=call", "field": "custom field"}
# Changed by the platform alone, seen by all.
OF_ALL: Mapping[str, Statuses] = {"of all": POSTED | REFUSED}
BUILT_IN: Mapping[str, Statuses] = {"built in": REFUSED}

ROUTES: dict[str, Row] = {
    # Ground floor and sign-in
    "core:healthz": Row(PUBLIC, "GET POST PUT PATCH DELETE", post=SHOWN),
    "core:readyz": Row(PUBLIC, "GET POST PUT PATCH DELETE", post=SHOWN),
    # Without a token in the settings there is no such page for anybody.
    "usage:metrics": Row(PUBLIC, get=MISSING),
    # What is signed in the path decides.
    "audio_links:audio": Row(PUBLIC, fixed={"token": "=abc", "name": "=call.wav"}, get=MISSING),
    "accounts:sign_in": Row(PUBLIC, BOTH, get=SHOWN | GOES_ON),
    "accounts:sign_out": Row(PUBLIC, "POST", post=GOES_ON, harmless=True),
    "accounts:theme": Row(PUBLIC, "POST", post=GOES_ON, harmless=True),
    "accounts:second_factor": Row(PUBLIC, BOTH, get=GOES_ON, post=GOES_ON),
    "accounts:oidc_start": Row(PUBLIC, "POST", post=POSTED),
    "accounts:oidc_callback": Row(PUBLIC, get=frozenset({422})),
    # The offline-task API: its door is a token, so that cookies open nothing (R3.1); tests/miaop tell what a token opens.
    "miaop:hrec": Row(PUBLIC, "POST", post=BEARER, harmless=True),
    "miaop:archive": Row(PUBLIC, "POST", fixed={"task_id": "=abc"}, post=BEARER, harmless=True),
    "miaop:unarchive": Row(PUBLIC, "POST", fixed={"task_id": "=abc"}, post=BEARER, harmless=True),
    "miaop:tasks": Row(PUBLIC, get=BEARER, harmless=True),
    "miaop:task": Row(PUBLIC, fixed={"task_id": "=abc"}, get=BEARER, harmless=True),
    "miaop:meeting": Row(PUBLIC, fixed={"meeting": "=1.abc"}, get=BEARER, harmless=True),
    "miaop:summary": Row(PUBLIC, fixed={"meeting": "=1.abc"}, get=BEARER, harmless=True),
    "miaop:transcript": Row(PUBLIC, fixed={"meeting": "=1.abc", "version": "=0"}, get=BEARER, harmless=True),
    "offline:tasks": Row("miaop.read", listing=True, query="?status=sttDone"),
    "offline:bulk": Row("miaop.submit", "POST"),
    "offline:submit": Row("miaop.submit", BOTH),
    "offline:task": Row("miaop.read", at="offline task"),
    # The own profile
    "accounts:profile": Row(SIGNED_IN, BOTH),
    "accounts:confirm": Row(SIGNED_IN, BOTH),
    "accounts:password": Row(SIGNED_IN, BOTH, get=AGAIN),
    "accounts:authenticator": Row(SIGNED_IN, BOTH, get=AGAIN),
    "accounts:passkey_add": Row(SIGNED_IN, BOTH, get=AGAIN),
    "accounts:recovery_codes": Row(SIGNED_IN, BOTH, get=AGAIN),
    "accounts:factor_remove": Row(SIGNED_IN, BOTH, at="factor"),
    "accounts:session_end": Row(SIGNED_IN, "POST", at="session"),
    "accounts:realm_session_end": Row(SIGNED_IN, "POST", at="api session"),
    "accounts:sessions_end_others": Row(SIGNED_IN, "POST"),
    "usage:home": Row("home.view"),
    "usage:dashboard": Row(CALLS, listing=True, query="?group=Sales"),
    "usage:troubleshooting": Row("jobs.view", at="job"),
    # Roles
    "accounts:roles": Row("roles.view", listing=True),
    "accounts:role_add": Row("roles.edit", BOTH, valid={"name": "New", "scope": "user", "tenant": "@tenant"}),
    "accounts:role_rights": Row("roles.view", listing=True, query="?code=home.view"),
    "accounts:role_compare": Row("roles.view"),
    "accounts:role": Row("roles.view", BOTH, at="role", post_needs="edit roles", post=BUILT_IN),
    "accounts:role_users": Row("roles+users", at="role", listing=True),
    "accounts:role_clone": Row("roles.edit", BOTH, at="role", valid={"name": "Copy", "tenant": "@tenant"}),
    "accounts:role_delete": Row("roles.edit", BOTH, at="role", get=BUILT_IN, post=BUILT_IN),
    # Users and how they sign in
    "accounts:tenant_sign_in": Row(
        "sign_in.view sign_in.edit", BOTH, at="tenant", get=AGAIN, post_needs="sign_in.edit"
    ),
    "accounts:tenant_realm": Row("sign_in.view sign_in.edit", BOTH, at="tenant", get=AGAIN, post_needs="sign_in.edit"),
    "accounts:tenant_realm_rotate": Row("sign_in.edit", BOTH, at="tenant", get=AGAIN),
    "accounts:tenant_issuer_add": Row("sign_in.edit", BOTH, at="tenant", get=AGAIN),
    "accounts:tenant_issuer": Row("sign_in.edit", BOTH, get=AGAIN, **ISSUER),
    "accounts:tenant_issuer_remove": Row("sign_in.edit", BOTH, get=AGAIN, **ISSUER),
    "accounts:tenant_realm_session": Row(
        "sign_in.edit", BOTH, at="session of acme's", param="session_pk", fixed={"pk": "tenant"}, get=AGAIN
    ),
    "accounts:user_realm_session_end": Row(
        "users.edit", BOTH, at="session of the agent", param="session_pk", fixed={"pk": "user"}, get=AGAIN
    ),
    "accounts:user_reset_second_factor": Row("users.edit", BOTH, at="user", get=AGAIN),
    "accounts:user_end_sessions": Row("users.edit", BOTH, at="user", get=AGAIN),
    "licensing:users": Row("users.view", listing=True, query="?over=any"),
    "licensing:users_bulk": Row("users.edit licences.assign", "POST"),
    "licensing:user_add": Row("users.edit", BOTH),
    "licensing:user_import": Row("users.edit", BOTH),
    "licensing:user": Row("users.view", at="user"),
    "licensing:user_edit": Row("users.edit licences.assign", BOTH, at="user"),
    "licensing:user_password": Row("users.edit", BOTH, at="user", get=AGAIN),
    # Licences and seats
    "licensing:licence_limits": Row("licence_limits.view", BOTH, at="tenant", post_needs="licence_limits.edit"),
    "licensing:seats": Row("licence_limits.view", at="tenant", listing=True, query="?seats=0&add=new"),
    "licensing:service_limits": Row("service_limits.view", BOTH, at="tenant", post_needs="service_limits.edit"),
    "licensing:service_limits_preview": Row("service_limits.view", "POST", at="tenant"),
    # Tenants
    "licensing:tenants": Row("tenants.view", listing=True),
    "licensing:tenants_bulk": Row("tenants.edit", "POST"),
    "tenants:tenants_alias": Row("tenants.view", get=GOES_ON),
    "tenants:add": Row("tenants.edit", BOTH),
    "tenants:tenant": Row("tenants.view", BOTH, at="tenant", post_needs="tenants.edit"),
    "tenants:retention": Row("retention.view", BOTH, at="tenant", post_needs="retention.edit"),
    "tenants:provisioning": Row("tenants.view", at="tenant"),
    "tenants:suspend": Row("tenants.edit", BOTH, at="tenant"),
    "tenants:resume": Row("tenants.edit", BOTH, at="tenant"),
    "tenants:close": Row("tenants.edit", BOTH, at="tenant"),
    "tenants:deletion": Row("tenants.delete", BOTH, at="tenant"),
    "tenants:deletion_confirm": Row("tenants.delete", BOTH, at="tenant"),
    "tenants:deletion_cancel": Row("tenants.delete", "POST", at="tenant"),
    "tenants:view_as": Row("tenants.view_as", BOTH, at="tenant"),
    "tenants:leave_view": Row(SIGNED_IN, "POST", post=GOES_ON, harmless=True),
    "tenants:groups": Row("tenants.view", listing=True),
    "tenants:group_add": Row("tenant_groups.edit", BOTH),
    "tenants:group": Row("tenant_groups.edit", BOTH, at="tenant group"),
    "tenants:group_delete": Row("tenant_groups.edit", BOTH, at="tenant group"),
    # Audit trail
    "audit:trail": Row("audit_trail.view", listing=True, export_needs="audit_trail.export", query="?format=jsonl"),
    "audit:entry": Row("audit_trail.view", at="audit entry"),
    "audit:tenant": Row("audit_trail.view", at="tenant", listing=True, export_needs="audit_trail.export"),
    # Usage
    "usage:transcription": Row("usage.view", get=SHOWN | GOES_ON),
    "usage:tenant": Row("usage.view", at="tenant"),
    "usage:denied": Row("usage.view", at="tenant", listing=True),
    "usage:statements": Row("usage.view", at="tenant", listing=True),
    "usage:statement": Row("usage.view", at="tenant", fixed={"period": "=2026-10"}, get=SHOWN | MISSING),
    "usage:check_list": Row("usage.view", at="tenant"),
    # Conversations
    "conversations:calls": Row(CALLS, listing=True, query="?q=canary"),
    "conversations:calls_bulk": Row("calls.act", "POST"),
    "conversations:call_bulk": Row("calls.act", BOTH, at="call action"),
    "conversations:upload": Row("calls.upload", BOTH),
    "conversations:call": Row(CALLS, at="call"),
    "conversations:call_audio": Row(CALLS, at="call", needs="playback"),
    "conversations:call_audio?download=1": Row(CALLS, at="call", needs="download"),
    "conversations:call_peaks": Row(CALLS, at="call", needs="playback"),
    "conversations:call_words": Row("call_attributes.transcript.view", at="call", needs="reading"),
    "conversations:call_transcript": Row(
        "call_attributes.transcript.view", at="call", needs="reading", fixed={"extension": "=txt"}
    ),
    "conversations:call_thread": Row(
        "call_attributes.transcript.view", at="thread", needs="reading", fixed={"extension": "=txt"}
    ),
    # The same page for calls and threads: both kinds of objects are tried.
    "conversations:call?thread": Row(CALLS, at="thread"),
    "why:call": Row(CALLS, at="call"),
    # Values of custom fields: of the first field, which is of acme. Agents see those of their calls.
    "conversations:field": Row("field_values.edit", BOTH, at="call", fixed=VALUE),
    "conversations:field_unpin": Row("field_values.edit", "POST", at="call", fixed=VALUE),
    "conversations:field_history": Row("field_values.view", at="call", fixed=VALUE, listing=True),
    # Custom fields
    "customfields:fields": Row("custom_fields.view", listing=True, query="?scope=global"),
    "customfields:bulk": Row("custom_fields.edit", "POST"),
    "customfields:add": Row("custom_fields.edit", BOTH),
    "customfields:field": Row(
        "custom_fields.view", BOTH, at="custom field", post_needs="custom_fields.edit", post=OF_ALL
    ),
    "customfields:delete": Row("custom_fields.edit", BOTH, at="custom field", needs={"of all": "everywhere"}),
    # Usage and cost of AI tasks
    "rails:usage": Row("usage.view", query="?format=csv&table=task"),
    "rails:executions": Row("usage.view", listing=True),
    "rails:execution": Row("usage.view", at="ai execution"),
    "rails:budgets": Row("usage.view", listing=True),
    "rails:budgets_bulk": Row("ai_budgets.edit", "POST"),
    "rails:budget_add": Row("ai_budgets.edit", BOTH),
    "rails:budget": Row("ai_budgets.edit", BOTH, at="ai budget", needs={"platform's": "service_limits.edit"}),
    "rails:budget_delete": Row("ai_budgets.edit", BOTH, at="ai budget", needs={"platform's": "service_limits.edit"}),
    "rails:rate": Row("service_limits.edit", BOTH, at="tenant"),
    # AI tasks; acme may have own ones. Those of the library are changed by staff for all tenants.
    "aitasks:tasks": Row("ai_tasks.view", listing=True, query="?scope=library"),
    "aitasks:bulk": Row("ai_tasks.edit", "POST"),
    "aitasks:add": Row("ai_tasks.edit", BOTH),
    "aitasks:task": Row("ai_tasks.view", BOTH, at="ai task", post_needs="ai_tasks.edit", post=OF_ALL),
    "aitasks:versions": Row("ai_tasks.view", at="ai task", listing=True),
    "aitasks:compare": Row("ai_tasks.view", at="ai task", query="?old=1&new=1"),
    "aitasks:restore": Row("ai_tasks.edit", BOTH, at="ai task", fixed={"number": "=1"}, needs={"of all": "everywhere"}),
    "aitasks:label": Row("ai_tasks.edit", BOTH, at="ai task", needs={"of all": "everywhere"}),
    # Platform staff who may change no task of the library may still try what it has.
    "aitasks:playground": Row("ai_tasks.edit", BOTH, at="ai task"),
    "aitasks:try": Row("ai_tasks.edit", "POST", at="ai task", needs={"of all": "everywhere"}),
    "aitasks:playground_run": Row("ai_tasks.view", at="playground run", param="run", fixed={"pk": "ai task"}),
    "aitasks:playground_cancel": Row(
        "ai_tasks.edit", "POST", at="playground run", param="run", fixed={"pk": "ai task"}, post=GOES_ON
    ),
    "aitasks:tenant": Row("ai_tasks.view", at="tenant", listing=True, query="?state=enabled"),
    "aitasks:tenant_bulk": Row("ai_tasks.edit", "POST", at="tenant"),
    "aitasks:policy": Row("ai_tasks.edit", BOTH, at="tenant", needs="ai_tasks.policy"),
    "aitasks:estimate": Row("ai_tasks.view", at="tenant", fixed={"task": "ai task"}),
    "aitasks:override_compare": Row("ai_tasks.view", at="tenant", fixed={"task": "ai task"}),
    "aitasks:override": Row("ai_tasks.edit", BOTH, at="tenant", fixed={"task": "ai task"}),
    "aitasks:override_drop": Row("ai_tasks.edit", BOTH, at="tenant", fixed={"task": "ai task"}),
    # Queues
    "queues:queues": Row("queues.view", listing=True),
    "queues:add": Row("queues.edit", BOTH),
    "queues:bulk": Row("queues.edit", "POST"),
    "queues:queue": Row("queues.view", at="queue", listing=True),
    "queues:edit": Row("queues.edit", BOTH, at="queue", needs=OWN),
    "queues:pause": Row("queues.edit", "POST", at="queue", needs=OWN),
    "queues:resume": Row("queues.edit", "POST", at="queue", needs=OWN),
    "queues:enable": Row("queues.edit", "POST", at="queue", needs=OWN),
    "queues:drain": Row("queues.edit", BOTH, at="queue", needs=OWN),
    "dead_letters:list": Row("queues.view", at="queue", listing=True),
    "dead_letters:bulk": Row("jobs.records.edit", "POST", at="queue"),
    "queues:purge": Row("queues.edit", BOTH, at="queue", needs=OWN),
    "queues:keep": Row("queues.edit", "POST", at="queue", needs=OWN),
    "queues:delete": Row("queues.edit", BOTH, at="queue", needs=OWN),
    "queues:detach": Row("queues.edit", BOTH, at="queue", needs=OWN),
    "alerts:list": Row("jobs.view", listing=True),
    "alerts:history": Row("jobs.view", listing=True),
    "alerts:bulk": Row("everywhere", "POST"),
    "alerts:add": Row("everywhere", BOTH),
    "alerts:edit": Row("everywhere", BOTH, at="alert rule"),
    "alerts:delete": Row("everywhere", BOTH, at="alert rule"),
    "alerts:snooze": Row("everywhere", BOTH, at="alert rule"),
    "alerts:test": Row("everywhere", "POST", at="alert rule"),
    "pairing:server": Row("pairing.view"),
    "pairing:edit": Row("pairing.edit", BOTH),
    "pairing:confirm": Row("pairing.edit", BOTH),
    "pairing:test": Row("pairing.edit", "POST"),
    "pairing:try_now": Row("pairing.edit", "POST"),
    "pairing:unpair": Row("pairing.edit", BOTH),
    "pairing:conflicts": Row("queues.view", listing=True),
    "pairing:conflicts_bulk": Row("everywhere", "POST"),
    "pairing:conflict": Row("queues.view", at="queue conflict"),
    "pairing:take": Row("everywhere", BOTH, at="queue conflict"),
    "pairing:keep": Row("everywhere", BOTH, at="queue conflict"),
    "pairing:rename": Row("everywhere", BOTH, at="queue conflict"),
    # The other installation alone comes in, by its signature; a session gives nothing.
    "pairing_wire:ping": Row(PUBLIC, "POST", post=frozenset({401, 429})),
    "pairing_wire:queues": Row(PUBLIC, "POST", post=frozenset({401, 429})),
    # The realms of the offline-task API: cookies are not looked at, a token or a password is the door of each.
    "realms:realm": Row(PUBLIC, fixed=REALM, harmless=True),
    "realms:discovery": Row(PUBLIC, fixed=REALM, harmless=True),
    "realms:certs": Row(PUBLIC, fixed=REALM, harmless=True),
    "realms:token": Row(PUBLIC, "POST", fixed=REALM, post=frozenset({415}), harmless=True),
    "realms:logout": Row(PUBLIC, "POST", fixed=REALM, post=frozenset({415}), harmless=True),
    "realms:userinfo": Row(PUBLIC, BOTH, fixed=REALM, get=NO_TOKEN, post=NO_TOKEN, harmless=True),
    "realms:authorization": Row(PUBLIC, BOTH, fixed=REALM, get=NOT_SERVED, post=NOT_SERVED, harmless=True),
    "realms:introspection": Row(PUBLIC, BOTH, fixed=REALM, get=NOT_SERVED, post=NOT_SERVED, harmless=True),
    # Engines
    "transcription:engines": Row("engines.view", listing=True),
    "transcription:bulk": Row("engines.edit", "POST"),
    "transcription:add": Row("engines.edit", BOTH),
    "transcription:engine": Row("engines.edit", BOTH, at="engine"),
    "transcription:delete": Row("engines.edit", BOTH, at="engine"),
    "transcription:overview": Row("engines.view", at="engine"),
    "transcription:calls": Row("engines.view", at="engine", listing=True),
    "transcription:prices": Row("engines.view", at="engine", listing=True),
    "transcription:price_add": Row("engines.edit", BOTH, at="engine"),
    "transcription:price_delete": Row(
        "engines.edit", BOTH, at="speech price", param="price_pk", fixed={"pk": "engine"}
    ),
    "transcription:resume": Row("engines.edit", BOTH, at="engine"),
    "transcription:try": Row("engines.edit", BOTH, at="engine"),
    "transcription:trust": Row("engines.edit", BOTH, at="engine"),
    "transcription:test_start": Row("engines.edit", BOTH, at="engine"),
    "transcription:languages": Row("engines.view", listing=True, query="?status=disabled"),
    "transcription:languages_bulk": Row("engines.edit", "POST"),
    "transcription:language_add": Row("engines.edit", BOTH),
    "transcription:language": Row("engines.edit", BOTH, at="language"),
    "transcription:test": Row("engines.edit", at="engine test", param="test_pk", fixed={"pk": "engine"}),
    "aiassistant:engines": Row("engines.view", listing=True),
    "aiassistant:bulk": Row("engines.edit", "POST"),
    "aiassistant:add": Row("engines.edit", BOTH),
    "aiassistant:engine": Row("engines.edit", BOTH, at="ai engine"),
    "aiassistant:delete": Row("engines.edit", BOTH, at="ai engine"),
    "aiassistant:resume": Row("engines.edit", BOTH, at="ai engine"),
    "aiassistant:try": Row("engines.edit", BOTH, at="ai engine"),
    "aiassistant:trust": Row("engines.edit", BOTH, at="ai engine"),
    "aiassistant:test_start": Row("engines.edit", BOTH, at="ai engine"),
    "aiassistant:overview": Row("engines.view", at="ai engine"),
    "aiassistant:abilities": Row("engines.edit", BOTH, at="ai engine"),
    "aiassistant:prices": Row("engines.view", at="ai engine", listing=True),
    "aiassistant:price_add": Row("engines.edit", BOTH, at="ai engine"),
    "aiassistant:price_delete": Row("engines.edit", BOTH, at="ai price", param="price_pk", fixed={"pk": "ai engine"}),
    "aiassistant:defaults": Row("engines.view", listing=True),
    "aiassistant:default_add": Row("engines.edit", BOTH),
    "aiassistant:default": Row("engines.edit", BOTH, at="ai default"),
    "aiassistant:default_clear": Row("engines.edit", BOTH, at="ai default"),
    "aiassistant:test": Row("engines.edit", at="ai engine test", param="test_pk", fixed={"pk": "ai engine"}),
    # Jobs
    "jobs:jobs": Row("jobs.view", listing=True),
    "jobs:jobs_bulk": Row("jobs.edit", "POST"),
    "jobs:definitions": Row("jobs.view", get=GOES_ON),
    "jobs:add": Row("jobs.edit", BOTH),
    "jobs:job": Row("jobs.view", at="job", get=GOES_ON),
    "jobs:edit": Row("jobs.edit", BOTH, at="job", needs=OWN),
    "jobs:delete": Row("jobs.edit", BOTH, at="job", needs=OWN),
    "jobs:start": Row("jobs.edit", "POST", at="job", needs=OWN),
    "jobs:clone": Row("jobs.edit", BOTH, at="job", needs=OWN),
    "jobs:pause": Row("jobs.edit", "POST", at="job", shared=True, needs=OWN),
    "jobs:stop": Row("jobs.edit", "POST", at="job", shared=True, needs=OWN),
    "jobs:enable": Row("jobs.edit", "POST", at="job", needs=OWN),
    "jobs:backfill": Row("jobs.edit", BOTH),
    "jobs:token": Row("jobs.edit", BOTH, at="job with a token", needs="everywhere"),
    "jobs:token_reset": Row("jobs.edit", BOTH, at="job with a token", needs="everywhere"),
    "jobs:latest_run": Row("jobs.view", at="job"),
    "jobs:runs": Row("jobs.view", at="job", listing=True),
    "jobs:records": Row("jobs.view", at="job", listing=True),
    "jobs:records_bulk": Row("jobs.records.edit", "POST", at="job"),
    "jobs:errors": Row("jobs.view", at="job"),
    "jobs:bulk_action": Row("jobs.view", at="bulk action"),
    "jobs:bulk_start": Row("jobs.records.edit", "POST", at="bulk action"),
    "jobs:bulk_abort": Row("jobs.records.edit", "POST", at="bulk action"),
    "jobs:bulk_file": Row("jobs.view", at="bulk action", get=MISSING),
    "jobs:logs": Row("jobs.view", at="job", listing=True),
    "jobs:logs_bulk": Row("jobs.edit", "POST", at="job"),
    "jobs:record": Row("jobs.view", at="record", fixed={"job_pk": "job"}),
    "jobs:record_json": Row("jobs.view", at="record", fixed={"job_pk": "job"}),
    "jobs:record_retry": Row("jobs.records.edit", "POST", at="record", fixed={"job_pk": "job"}),
    "jobs:record_abort": Row("jobs.records.edit", BOTH, at="record", fixed={"job_pk": "job"}),
    # Workers
    "workers:error_classes": Row("jobs.view"),
    "workers:list": Row("jobs.view", listing=True),
    "workers:bulk": Row("everywhere", "POST"),
    "workers:stop": Row("everywhere", BOTH, at="worker"),
    # Allowed addresses
    "tenants:allowed_addresses": Row("allowed_addresses.edit", listing=True),
    "tenants:allowed_addresses_bulk": Row("allowed_addresses.edit", "POST"),
    "tenants:allowed_address_add": Row("allowed_addresses.edit", BOTH),
    "tenants:allowed_address_delete": Row("allowed_addresses.edit", BOTH, at="address"),
}

"""The dry run of an import: what each line would do, without doing it."""

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import Role, User
from accounts.people import GUARDED, group_problem, open_groups
from accounts.permissions import Permission
from accounts.roles.selectors import administers
from accounts.roles.services import demand_grantable, refusal_to_manage
from core.errors import NotAllowed
from core.names import folded
from licensing.models import Bundle, UserLicence
from licensing.people.imports.reading import Line, Sheet
from licensing.seats.effects import Effect, Holder, effect_of, holders_of
from licensing.selectors import seat_limits
from tenants.models import Tenant

# Hashing a password takes about a tenth of a second, on purpose.
MAX_PASSWORDS = 500
CREATE, CHANGE, SAME, ERROR = "create", "change", "unchanged", "error"
# Column to field of the model, for those that are stored as they stand.
STORED = {
    "username": "username",
    "full_name": "full_name",
    "email": "email",
    "group": "group",
    "time_zone": "time_zone",
    "enabled": "is_active",
}
COLUMNS = {field: column for column, field in STORED.items()}
FIELDS = (
    "username_key",
    "pk",
    "username",
    "full_name",
    "email",
    "group",
    "time_zone",
    "is_active",
    "role_id",
    "version",
)


@dataclass(slots=True)
class Step:
    """What one line does: create, change (``new`` holds the fields that differ), unchanged, or error."""

    line: Line
    what: str
    user_id: uuid.UUID | None = None
    error: tuple[str, str] | None = None
    new: dict[str, Any] = field(default_factory=dict)
    grant: frozenset[Bundle] = frozenset()
    revoke: frozenset[Bundle] = frozenset()
    # Of the stored user: the change is made to this version alone.
    version: int = 0

    @property
    def problem(self) -> str:
        """Column and rule, for people."""
        return f"{self.error[0]}: {self.error[1]}" if self.error else ""

    @property
    def fields(self) -> list[str]:
        """What differs, by name."""
        names = [name for name in self.new if name not in {"username_key", "pk"}]
        return [*("role" if name == "role_id" else name for name in names), *(["licences"] if self.licences else [])]

    @property
    def licences(self) -> bool:
        """Whether licences change."""
        return bool(self.grant or self.revoke)


@dataclass(slots=True)
class Plan:
    """All steps in the order of the file."""

    steps: list[Step]

    @property
    def counts(self) -> dict[str, int]:
        """How many of each."""
        found = Counter(step.what for step in self.steps)
        return {what: found.get(what, 0) for what in (CREATE, CHANGE, SAME, ERROR)}

    def of(self, *kinds: str) -> list[Step]:
        """The steps of these kinds."""
        return [step for step in self.steps if step.what in kinds]

    def signature(self) -> list[Any]:
        """What two plans of the same file must share to be the same change."""
        return [
            (s.line.number, s.what, s.user_id, sorted(s.new.items(), key=str), s.grant, s.revoke) for s in self.steps
        ]


def make_plan(sheet: Sheet, *, tenant: Tenant, editor: User, invite: bool) -> Plan:
    """Compare every line with what is stored. ``invite``: new users without a password get one made."""
    people = User.objects.filter(tenant=tenant).select_related(None)
    stored = {row[0]: dict(zip(FIELDS, row, strict=True)) for row in people.values_list(*FIELDS)}
    held = _held(people)
    judge = _Judge(tenant, editor)
    steps = [judge.step(line, stored.get(line.key), held) for line in sheet.lines]
    plan = Plan(steps)
    _limit_passwords(plan, invite)
    return plan


def seat_effects(plan: Plan, tenant: Tenant) -> list[Effect]:
    """What applying would do to seats, for the bundles with a limit."""
    limits = seat_limits(tenant.pk)
    steps = plan.of(CREATE, CHANGE)
    if not limits or not steps:
        return []
    ids = [step.user_id for step in steps if step.user_id is not None]
    active = dict(User.objects.filter(pk__in=ids).values_list("pk", "is_active")) if ids else {}
    held = _held(User.objects.filter(pk__in=ids)) if ids else {}
    effects = []
    for code, seats in limits.items():
        bundle = Bundle(code)
        add, remove = [], []
        for step in steps:
            pk = step.user_id or uuid.uuid4()
            enabled = step.new.get("is_active", active.get(pk, True))
            before = held.get(pk, frozenset())
            if enabled and bundle in (before - step.revoke) | step.grant:
                names = step.new.get("username", step.line.username), step.new.get("full_name", "")
                add.append(Holder(step.line.key, pk, *names))
            remove.append(pk)
        effects.append(
            effect_of(bundle, holders_of(tenant.pk, bundle), seats=seats, new_seats=seats, add=add, remove=remove)
        )
    return effects


def _held(people: QuerySet[User]) -> dict[uuid.UUID, frozenset[Bundle]]:
    found: dict[uuid.UUID, set[Bundle]] = {}
    rows = UserLicence.objects.filter(user__in=people.order_by().values("pk")).values_list("user_id", "bundle")
    for user_id, code in rows:
        found.setdefault(user_id, set()).add(Bundle(code))
    return {user_id: frozenset(bundles) for user_id, bundles in found.items()}


class _Judge:
    """The rules that need the database: roles, rights, the editor's own line."""

    def __init__(self, tenant: Tenant, editor: User) -> None:
        self.tenant, self.editor = tenant, editor
        roles = Role.objects.filter(Q(tenant=tenant) | Q(tenant=None), platform=tenant.is_system)
        self.roles = {role.pk: role for role in roles}
        self.by_key = {role.key: role for role in self.roles.values() if role.key}
        self.by_name: dict[str, set[Role]] = {}
        for role in self.roles.values():
            for name in {role.key, role.name, str(role)} - {""}:
                self.by_name.setdefault(folded(name), set()).add(role)
        self.refusals = {pk: _refusal(editor, role) for pk, role in self.roles.items()}
        self.groups = open_groups(editor, tenant)
        self.may_assign = editor.has(Permission.LICENCES_ASSIGN)
        self.no_licences = editor.lacking(Permission.LICENCES_ASSIGN)

    def step(self, line: Line, stored: dict[str, Any] | None, held: dict[uuid.UUID, frozenset[Bundle]]) -> Step:
        """What the line does, or why not."""
        step = Step(line, ERROR, stored["pk"] if stored else None, line.error)
        if step.error is not None:
            return step
        if stored is None:
            self._create(step)
        else:
            self._change(step, stored)
        wanted = line.values.get("licences")
        if step.error is None and wanted is not None:
            before = held.get(step.user_id, frozenset()) if step.user_id is not None else frozenset()
            step.grant, step.revoke = wanted - before, before - wanted
            if step.licences and not self.may_assign:
                step.error = ("licences", self.no_licences)
        if step.error is None:
            step.what = CREATE if stored is None else CHANGE if step.new or step.licences else SAME
        return step

    def _role(self, name: str) -> tuple[Role | None, str]:
        """The role of a cell, or why there is none. The key of a built-in one means that one alone."""
        if name in self.by_key:
            return self.by_key[name], ""
        found = self.by_name.get(folded(name), set())
        if len(found) > 1:
            text = _("Several roles are called “%(name)s”. Rename one, or write the key of the built-in role.")
            return None, text % {"name": name}
        return next(iter(found), None), "" if found else _("There is no such role.")

    def _create(self, step: Step) -> None:
        values = step.line.values
        name = values.get("role", "")
        role, problem = self._role(name) if name else (None, _("A new user needs a role."))
        if role is None:
            step.error = ("role", problem)
        elif self.refusals[role.pk]:
            step.error = ("role", self.refusals[role.pk])
        else:
            step.new = {STORED[name]: values[name] for name in STORED if values.get(name) not in (None, "")}
            step.new |= {"username_key": step.line.key, "role_id": role.pk}
            step.error = self._group_refused(step.new, None, own=False)

    def _change(self, step: Step, stored: dict[str, Any]) -> None:
        line = step.line
        new = {STORED[name]: line.values[name] for name in STORED if line.values.get(name) is not None}
        name = line.values.get("role", "")
        role, problem = self._role(name) if name else (None, "")
        if problem:
            step.error = ("role", problem)
            return
        if role is not None:
            new["role_id"] = role.pk
        step.new = {field: value for field, value in new.items() if stored[field] != value}
        step.version = stored["version"]
        step.error = self._refused(line, step.new, stored)

    def _refused(self, line: Line, new: dict[str, Any], stored: dict[str, Any]) -> tuple[str, str] | None:
        if line.values.get("password"):
            return "password", _("The user exists already; set a new password on his page.")
        own = stored["pk"] == self.editor.pk
        if own and "role_id" in new:
            return "role", _("You cannot change your own role.")
        if own and new.get("is_active") is False:
            return "enabled", _("You cannot disable your own account.")
        present = "" if own else self._barred(stored)
        if "role_id" in new and (present or self.refusals[new["role_id"]]):
            return "role", present or self.refusals[new["role_id"]]
        for name in GUARDED:
            if name in new and present:
                return COLUMNS.get(name, name), present
        return self._group_refused(new, stored["group"], own=own)

    def _barred(self, stored: dict[str, Any]) -> str:
        """Why nothing that opens this account may be changed; empty when it may."""
        role = self.roles[stored["role_id"]]
        return refusal_to_manage(stored["username"], role, self.editor) if self.refusals[role.pk] else ""

    def _group_refused(self, new: dict[str, Any], before: str | None, *, own: bool) -> tuple[str, str] | None:
        if "group" not in new:
            return None
        if own:
            return "group", _("You cannot change your own groups.")
        problem = group_problem(before, new["group"], self.groups)
        return ("group", problem) if problem else None


def takes_an_administrator(steps: Iterable[Step], roles: dict[int, Role]) -> bool:
    """Whether one of the steps may leave the tenant with one administrator less."""
    for step in steps:
        if step.new.get("is_active") is False:
            return True
        if step.user_id is not None and "role_id" in step.new and not administers(roles[step.new["role_id"]]):
            return True
    return False


def _refusal(editor: User, role: Role) -> str:
    try:
        demand_grantable(editor, role)
    except NotAllowed as error:
        return error.message
    return ""


def _limit_passwords(plan: Plan, invite: bool) -> None:
    """Mark the lines beyond what can be hashed in one request."""
    count = 0
    for step in plan.of(CREATE):
        if step.line.values.get("password") or invite:
            count += 1
            if count > MAX_PASSWORDS:
                text = _("At most %(limit)s new users with a password in one file, because hashing takes its time.")
                step.what, step.error = ERROR, ("password", text % {"limit": MAX_PASSWORDS})

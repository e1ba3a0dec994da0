"""The verification check list of the guide (domain L14), live: what must be set for a tenant's calls to be transcribed."""

from dataclasses import dataclass

from django.db.models import Count, Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Role, User
from accounts.permissions import Permission
from jobs.models import JobDefinition
from licensing.amounts import minutes_text
from licensing.figures import Figures, figures_of
from queues.models import AccessScope, ProcessingQueue, QueueScope
from tenants.models import Tenant
from transcription.chain import engine_keys
from transcription.models import SpeechEngine, Visibility
from usage.breakdowns import METER

OK, WARNING, FAILED = "ok", "warning", "failed"
CALL_VIEWS = {Permission.CALLS_VIEW_OWN, Permission.CALLS_VIEW_OTHERS}
KIND = "transcription"


@dataclass(frozen=True, slots=True)
class Line:
    """One question: what was found, the verdict, what to do, and where (a route, whether it takes the tenant, a right)."""

    question: str
    value: str
    verdict: str
    advice: str = ""
    route: str = ""
    of_tenant: bool = False
    right: str = ""


def check_list(tenant: Tenant) -> list[Line]:
    """All lines, as things stand now."""
    found = figures_of(tenant.pk, METER)
    queues = _queues(tenant)
    jobs = [job for job in _jobs(tenant) if job.source_queue in queues]
    return [
        _tenant(tenant),
        _service_limits(found),
        _seats(found),
        _licences(tenant, found),
        _roles(tenant),
        _queue(queues),
        _job(jobs),
        _engine(tenant, jobs),
    ]


def _tenant(tenant: Tenant) -> Line:
    ready = tenant.state == Tenant.State.READY
    return Line(
        _("Is the tenant active?"),
        str(tenant.get_state_display()),
        OK if ready else FAILED,
        "" if ready else _("Only calls of an active tenant are transcribed. Resume it."),
        "tenants:tenant",
        True,
        "tenants.view",
    )


def _service_limits(found: Figures) -> Line:
    question, where = _("Service Limits set?"), ("licensing:service_limits", True, Permission.SERVICE_LIMITS_VIEW)
    uses = found.limit_uses()
    full = [use for use in uses if use.taken >= use.allowed]
    if full:
        return Line(question, str(full[0].reason.label), FAILED, _("Raise this limit, or wait for the reset."), *where)
    if found.own and found.total is None:
        return _own_limits(found, question, where)
    if found.total is None and found.life_total is None:
        return Line(question, _("Unlimited"), WARNING, _("Nothing stops the use. Set a monthly limit."), *where)
    month = _("%(used)s of %(total)s minutes used this month") % {
        "used": minutes_text(found.month.used),
        "total": minutes_text(found.total),
    }
    advice = (
        _("Only lifetime limits are set; they never reset. Monthly ones are advised.") if found.total is None else ""
    )
    return Line(question, month, WARNING if advice else OK, advice, *where)


def _own_limits(found: Figures, question: str, where: tuple[str, bool, str]) -> Line:
    """Each user has his own maximum, and the organisation has none for the month."""
    if found.user_limit is None:
        advice = _("Only lifetime limits are set; they never reset. Monthly ones are advised.")
        return Line(question, _("Each user has his own lifetime limit"), WARNING, advice, *where)
    value = _("%(limit)s minutes/month for each user") % {"limit": minutes_text(found.user_limit)}
    return Line(question, value, OK, "", *where)


def _seats(found: Figures) -> Line:
    question, where = _("License Limits set?"), ("licensing:licence_limits", True, Permission.LICENCE_LIMITS_VIEW)
    if found.seats is None:
        return Line(question, _("Unlimited"), WARNING, _("Every licensed user is accepted. Set the seats."), *where)
    value = ngettext("%(n)s seat", "%(n)s seats", found.seats) % {"n": f"{found.seats:,}"}
    if found.seats == 0:
        return Line(question, value, FAILED, _("Without a seat no user is accepted. Add seats."), *where)
    return Line(question, value, OK, "", *where)


def _licences(tenant: Tenant, found: Figures) -> Line:
    people = User.objects.filter(tenant=tenant, is_active=True).count()
    value = _("%(n)s of %(all)s users") % {"n": f"{found.licensed:,}", "all": f"{people:,}"}
    where = ("licensing:users", False, Permission.USERS_VIEW)
    question = _("Speech analytics assigned to users?")
    if not found.licensed:
        return Line(question, value, FAILED, _("Tick Speech analytics for the users to be transcribed."), *where)
    if found.accepted < found.licensed:
        advice = _("%(n)s of them have no seat: the first by user name are accepted.") % {
            "n": f"{found.licensed - found.accepted:,}"
        }
        return Line(question, value, WARNING, advice, "licensing:seats", True, Permission.LICENCE_LIMITS_VIEW)
    return Line(question, value, OK, "", *where)


def _roles(tenant: Tenant) -> Line:
    mine = Count("users", filter=Q(users__tenant=tenant, users__is_active=True))
    roles = Role.objects.filter(Q(tenant=tenant) | Q(tenant=None)).annotate(people=mine).order_by("pk")
    granting = [
        role
        for role in roles
        if role.people and Permission.TRANSCRIPT_VIEW in role.permissions and CALL_VIEWS & role.permissions
    ]
    value = ", ".join(f"{role} ({role.people:,})" for role in granting)
    return Line(
        _("Role grants Transcript and Call recordings?"),
        value or _("No user has such a role"),
        OK if granting else FAILED,
        "" if granting else _("Give users a role that may view call recordings and their transcripts."),
        "accounts:roles",
        False,
        Permission.ROLES_VIEW,
    )


def _queues(tenant: Tenant) -> list[ProcessingQueue]:
    """Enabled queues that take the tenant's calls."""
    scoped = (
        Q(scope=QueueScope.GLOBAL)
        | Q(scope=QueueScope.ONE_TENANT, tenant=tenant)
        | Q(scope=QueueScope.TENANT_GROUPS, tenant_groups__tenants=tenant)
    )
    return list(ProcessingQueue.objects.filter(scoped, enabled=True, record_type="call").distinct().order_by("name"))


def _jobs(tenant: Tenant) -> list[JobDefinition]:
    """Enabled transcription jobs that work for the tenant."""
    scoped = (
        Q(access_scope=AccessScope.UNRESTRICTED)
        | Q(access_scope=AccessScope.ONE_TENANT, tenant=tenant)
        | Q(access_scope=AccessScope.TENANT_GROUPS, tenant_groups__tenants=tenant)
    )
    if not tenant.is_system:
        scoped |= Q(access_scope=AccessScope.TENANTS_ONLY)
    jobs = JobDefinition.objects.filter(scoped, enabled=True, kind=KIND).select_related("source_queue").distinct()
    return list(jobs.order_by("name"))


def _queue(queues: list[ProcessingQueue]) -> Line:
    return Line(
        _("Does a queue take the tenant's calls?"),
        ngettext("%(n)s enabled queue", "%(n)s enabled queues", len(queues)) % {"n": len(queues)},
        OK if queues else FAILED,
        "" if queues else _("Add or enable a processing queue whose scope includes the tenant."),
        "queues:queues",
        False,
        Permission.QUEUES_VIEW,
    )


def _job(jobs: list[JobDefinition]) -> Line:
    return Line(
        _("Does a job read such a queue for the tenant?"),
        ngettext("%(n)s enabled job", "%(n)s enabled jobs", len(jobs)) % {"n": len(jobs)},
        OK if jobs else FAILED,
        "" if jobs else _("Add or enable a transcription job whose access scope includes the tenant."),
        "jobs:jobs",
        False,
        Permission.JOBS_VIEW,
    )


def _engine(tenant: Tenant, jobs: list[JobDefinition]) -> Line:
    question, where = _("Is the engine of the job working?"), ("transcription:engines", False, Permission.ENGINES_VIEW)
    wanted = {key for job in jobs for key in engine_keys(job.settings)}
    engines = SpeechEngine.objects.filter(pk__in=wanted).filter(Q(visibility=Visibility.GLOBAL) | Q(tenant=tenant))
    working = [engine.name for engine in engines if engine.enabled and engine.paused_at is None]
    if working:
        return Line(question, ", ".join(sorted(working)), OK, "", *where)
    if any(engine.paused_at is not None for engine in engines):
        return Line(question, _("Paused"), FAILED, _("Mend its settings; Save and Test lets it go on."), *where)
    return Line(question, _("None"), FAILED, _("Choose an enabled engine in the settings of the job."), *where)

"""Why does a job not do what it should? The guide's order of questions (domain M12), each answered as of now. Reads only."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from accounts.permissions import Permission
from core.outcomes import Reason
from jobs.circuits.models import Circuit
from jobs.models import JobDefinition, LogEntry, Pass, Record
from jobs.selectors import logs_of, reached
from jobs.workers.room import room
from licensing.alerts import pressing
from queues.selectors import queues_with_backlog
from tenants.selectors import visible_tenants
from transcription.chain import Chain
from transcription.models import SpeechEngine
from transcription.selectors import failing_text, open_circuits
from usage.breakdowns import METER
from usage.checklist import FAILED, KIND, OK, WARNING, Line
from usage.indicators import LATE_AFTER

LAST = 1000
# From this share of the newest records on something is wrong as a whole.
MANY = 0.5
LICENCES = {Reason.NO_LICENSE.value, Reason.SEAT_EXCEEDED.value}
LIMITS = {
    Reason.LIMIT_USER_MONTH.value,
    Reason.LIMIT_ORG_MONTH.value,
    Reason.LIMIT_USER_LIFETIME.value,
    Reason.LIMIT_ORG_LIFETIME.value,
}
ENDS = (Record.State.COMPLETED, Record.State.FAILED, Record.State.SKIPPED, Record.State.ABORTED)


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the walk and the address where it is mended, empty for who may not open it."""

    line: Line
    url: str


@dataclass(frozen=True, slots=True)
class Newest:
    """How the newest records that ended have ended: number, and (state, reason) with how many."""

    number: int
    ends: Counter[tuple[str, str]]

    def of(self, state: str, reasons: Callable[[str], bool]) -> Counter[str]:
        """Those in ``state`` whose reason is meant."""
        return Counter({r: n for (s, r), n in self.ends.items() if s == state and reasons(r)})


def walk(job: JobDefinition, user: User) -> list[Step]:
    """All steps in the guide's order, with what ``user`` may see of the records; a fixed number of queries."""
    newest = _newest(job, user)
    steps = [
        (_job(job), reverse("jobs:edit", args=[job.pk]), Permission.JOBS_EDIT),
        (_last_run(job), reverse("jobs:latest_run", args=[job.pk]), Permission.JOBS_VIEW),
        (_log(job, user), reverse("jobs:logs", args=[job.pk]) + "?severity=error", Permission.JOBS_VIEW),
        (*_pending(job), Permission.QUEUES_VIEW),
        (_filters(newest), _records(job, Record.State.SKIPPED, Reason.FILTERED), Permission.JOBS_VIEW),
        (_licences(newest), reverse("licensing:users"), Permission.USERS_VIEW),
        (_limits(job, newest, user), reverse("usage:transcription"), Permission.USAGE_VIEW),
        (*_engine(job), Permission.ENGINES_VIEW),
        (_failures(newest), reverse("jobs:errors", args=[job.pk]), Permission.JOBS_VIEW),
        (_workers(), reverse("workers:list"), Permission.JOBS_VIEW),
    ]
    return [Step(line, url if user.has(right) else "") for line, url, right in steps]


def _newest(job: JobDefinition, user: User) -> Newest:
    """The newest of each final state by the index of job and state, and of these the newest together."""
    of_job = Record.objects.filter(reached(user), job=job).values_list("pk", "state", "reason")
    parts = [of_job.filter(state=state).order_by("-pk")[:LAST] for state in ENDS]
    rows = list(parts[0].union(*parts[1:], all=True).order_by("-pk")[:LAST])
    return Newest(len(rows), Counter((state, reason) for _pk, state, reason in rows))


def _records(job: JobDefinition, state: str, reason: str) -> str:
    return reverse("jobs:records", args=[job.pk]) + f"?status={state}&reason={reason}"


def _job(job: JobDefinition) -> Line:
    question = _("Is the job enabled?")
    if job.status == "enabled":
        return Line(question, _("Enabled"), OK)
    if job.status == "paused":
        return Line(question, _("Paused"), FAILED, _("Start the job; paused, it takes up nothing new."))
    return Line(question, _("Disabled"), FAILED, _("Enable the job."))


def _last_run(job: JobDefinition) -> Line:
    question = _("When did it last run, and how did that end?")
    sweep = Pass.objects.filter(job=job).order_by("-pk").first()
    if sweep is None:
        return Line(question, _("It has never run"), WARNING, _("A job runs when it has work and its schedule is due."))
    value = _("%(status)s, begun %(age)s ago") % {
        "status": sweep.get_state_display(),
        "age": timesince(sweep.started_at),
    }
    if sweep.state == Pass.State.CRASHED:
        return Line(question, value, FAILED, _("Its worker died; look at the log and at the workers."))
    if sweep.state in Pass.ALIVE and sweep.heartbeat_until < timezone.now():
        return Line(question, value, WARNING, _("Its worker does not answer; another takes over by itself."))
    return Line(question, value, OK)


def _log(job: JobDefinition, user: User) -> Line:
    question = _("What does the log warn of?")
    since = timezone.now() - timedelta(days=1)
    rows = list(logs_of(job, user).select_related(None).order_by("-pk").values_list("severity", "message", "at")[:LAST])
    loud = [row for row in rows if row[0] != LogEntry.Severity.INFO and row[2] > since]
    if not loud:
        return Line(question, _("Nothing within a day"), OK)
    value = ngettext(
        "%(n)s line within a day: %(text)s", "%(n)s lines within a day, the newest: %(text)s", len(loud)
    ) % {
        "n": f"{len(loud):,}",
        "text": loud[0][1],
    }
    errors = any(row[0] == LogEntry.Severity.ERROR for row in loud)
    return Line(question, value, FAILED if errors else WARNING, _("Read the newest lines."))


def _pending(job: JobDefinition) -> tuple[Line, str]:
    question = _("What is pending in its queue?")
    if job.source_queue_id is None:
        return Line(question, _("The job reads no queue: it sweeps what is stored"), OK), ""
    url = reverse("queues:queue", args=[job.source_queue_id])
    queue: Any = queues_with_backlog().get(pk=job.source_queue_id)
    value = ngettext("%(n)s record", "%(n)s records", queue.pending) % {"n": f"{queue.pending:,}"}
    if queue.oldest is not None:
        value = _("%(value)s, the oldest since %(age)s") % {"value": value, "age": timesince(queue.oldest)}
    if queue.paused:
        return Line(question, value, FAILED, _("The queue is paused: resume it.")), url
    if not queue.enabled:
        return Line(question, value, WARNING, _("The queue is disabled: nothing new is collected. Enable it.")), url
    if queue.oldest is not None and timezone.now() - queue.oldest > LATE_AFTER:
        return Line(question, value, WARNING, _("It is late: look at the engine and the workers below.")), url
    if not queue.pending:
        advice = _("When calls should be there, look at the events and the scope of the queue.")
        return Line(question, value, OK, advice), url
    return Line(question, value, OK), url


def _share(newest: Newest, causes: Counter[str]) -> str:
    """ "640 of 1,000: no licence 500, too short 140" """
    named = ", ".join(f"{Reason.label_of(reason)} {number:,}" for reason, number in causes.most_common(5))
    text = _("%(n)s of the last %(all)s records") % {"n": f"{causes.total():,}", "all": f"{newest.number:,}"}
    return f"{text}: {named}" if named else text


def _judged(question: str, newest: Newest, causes: Counter[str], advice: str) -> Line:
    if not newest.number:
        return Line(question, _("No record has ended yet"), OK)
    if not causes:
        return Line(question, _share(newest, causes), OK)
    verdict = FAILED if causes.total() >= MANY * newest.number else WARNING
    return Line(question, _share(newest, causes), verdict, advice)


def _filters(newest: Newest) -> Line:
    causes = newest.of(Record.State.SKIPPED, lambda reason: reason.partition(":")[0] == Reason.FILTERED)
    advice = _("Look at some of them, and change the filters of the job if they should have passed.")
    return _judged(_("Do its filters leave everything out?"), newest, causes, advice)


def _licences(newest: Newest) -> Line:
    causes = newest.of(Record.State.SKIPPED, LICENCES.__contains__)
    advice = _("Assign Speech analytics to the users, or add seats.")
    return _judged(_("Do the users have licences and seats?"), newest, causes, advice)


def _limits(job: JobDefinition, newest: Newest, user: User) -> Line:
    question = _("Are the monthly and lifetime limits of the tenants open?")
    held = Record.objects.filter(reached(user), Q(wait=Record.Wait.LIMIT), job=job, state=Record.State.IN_PROGRESS)
    waiting = held.order_by()[: LAST + 1].count()
    line = _judged(
        question,
        newest,
        newest.of(Record.State.SKIPPED, LIMITS.__contains__),
        _("Raise the limits, or wait for the reset."),
    )
    if waiting:
        number = f"{LAST:,}+" if waiting > LAST else f"{waiting:,}"
        value = _("%(value)s; %(n)s records are held until a limit resets or is raised")
        return replace(
            line, value=value % {"value": line.value, "n": number}, verdict=FAILED, advice=_("Raise the limits.")
        )
    notices = pressing(visible_tenants(user), METER) if line.verdict == OK and user.has(Permission.USAGE_VIEW) else []
    if notices:
        text = f"{notices[0].figures.name}: {notices[0].text}"
        return replace(line, value=text, verdict=WARNING, advice=_("Raise the limit in time."))
    return line


def _engine(job: JobDefinition) -> tuple[Line, str]:
    question = _("Is its engine working?")
    if job.kind != KIND:
        return Line(question, _("The job uses no speech engine"), OK), ""
    chain, circuits = Chain.of(job.settings), open_circuits()
    judged = [_engine_works(question, job, chain.engines.get(key), circuits) for key in chain.keys or (0,)]
    wrong = [found for found in judged if found[0].verdict != OK]
    if not wrong:
        return Line(question, " → ".join(chain.names()), OK), judged[0][1]
    # Everything begins at one of them; while that works, another one is missed by some recordings at most.
    begins = judged[chain.span(0).at] if chain.keys else judged[0]
    if begins in wrong:
        return begins
    line, url = wrong[0]
    return replace(line, verdict=WARNING), url


def _engine_works(
    question: str, job: JobDefinition, engine: SpeechEngine | None, circuits: Mapping[int, Circuit]
) -> tuple[Line, str]:
    if engine is None:
        where = reverse("jobs:edit", args=[job.pk])
        return Line(question, _("None"), FAILED, _("Choose an enabled engine in the settings of the job.")), where
    url = reverse("transcription:engine", args=[engine.pk])
    if not engine.enabled:
        return Line(question, engine.name, FAILED, _("The engine is disabled: enable it.")), url
    if engine.paused_at is not None:
        advice = _("Paused: %(why)s. Mend its settings; Save and Test lets it go on.")
        return Line(question, engine.name, FAILED, advice % {"why": engine.pause_reason}), url
    circuit = circuits.get(engine.pk)
    if circuit is not None:
        return Line(question, engine.name, FAILED, failing_text(circuit)), url
    return Line(question, engine.name, OK), url


def _failures(newest: Newest) -> Line:
    causes = newest.of(Record.State.FAILED, lambda reason: True)
    return _judged(_("Why do records fail?"), newest, causes, _("Look at the errors by what they have in common."))


def _workers() -> Line:
    question, found = _("Are workers alive?"), room()
    value = ngettext("%(n)s worker", "%(n)s workers", found.workers) % {"n": f"{found.workers:,}"}
    if found.workers:
        return Line(question, value, OK)
    return Line(question, value, FAILED, _("Start a worker: without one nothing is processed."))

"""What is to happen with claimed records: facts and gates of each tenant in one go, and what the pass knows of them."""

import logging
import uuid
from collections import defaultdict
from collections.abc import Iterable

from django.utils import timezone

from core.outcomes import EngineError, ErrorClass, Reason
from jobs.kinds import KindSession
from jobs.models import JobDefinition, Record
from jobs.passes.applying import DATABASE_IS_AWAY
from jobs.passes.changes import (
    MAX_CRASHES,
    Change,
    after,
    crashed,
    held,
    limited,
    limits_of,
    overdue,
    put_off,
    refused,
    routed,
)
from jobs.scopes import OUT_OF_SCOPE, scope_of
from jobs.verdicts import Claimed, Go, GoTo, Hold, PutOff, Refuse, Troubled, Verdict
from tenants.doors import TenantUnavailable, enter
from tenants.models import Tenant

logger = logging.getLogger(__name__)

# Records whose facts a pass keeps from the upload to the result; about a kilobyte each.
KNOWN_RECORDS = 20_000


class Judging:
    """Judges the records of one pass. No provider is asked here."""

    def __init__(self, job: JobDefinition, session: KindSession) -> None:
        self.session, self.limits, self.scope = session, limits_of(job), scope_of(job)
        self.known: dict[int, tuple[int, Go]] = {}

    def sort_out(self, claimed: Iterable[Claimed]) -> tuple[list[Change], list[Claimed]]:
        """The ends of those that killed three workers or whose time is over, and the others."""
        now = timezone.now()
        ends, fit = [], []
        for record in claimed:
            left = self.limits.left_s(record, now)
            if record.crashes >= MAX_CRASHES:
                ends.append(crashed(record))
            elif left is not None and left <= 0:
                ends.append(overdue(record, self.limits))
            else:
                fit.append(record)
        return ends, fit

    def judge(self, records: Iterable[Claimed]) -> tuple[list[tuple[Claimed, Go]], list[Change]]:
        """Those that may go on to the provider, and what becomes of the others."""
        by_tenant: dict[uuid.UUID, list[Claimed]] = defaultdict(list)
        ready: list[tuple[Claimed, Go]] = []
        changes: list[Change] = []
        for record in records:
            known = self.recall(record)
            if known is not None:
                ready.append((record, known))
            else:
                by_tenant[record.tenant_id].append(record)
        tenants = Tenant.objects.in_bulk(list(by_tenant))
        for tenant_id in sorted(by_tenant.keys() & tenants.keys()):
            for record, verdict in self._judge(tenants[tenant_id], by_tenant[tenant_id]):
                if isinstance(verdict, Go):
                    ready.append((record, verdict))
                elif isinstance(verdict, Hold):
                    changes.append(limited(record, verdict, timezone.now()))
                elif isinstance(verdict, PutOff):
                    changes.append(put_off(record, verdict))
                elif isinstance(verdict, GoTo):
                    changes.append(routed(record, verdict))
                else:
                    changes.append(verdict if isinstance(verdict, Change) else refused(record, verdict))
        return ready, changes

    def remember(self, record: Claimed, verdict: Go) -> None:
        """Keep what was loaded, for the checks to come."""
        if len(self.known) < KNOWN_RECORDS:
            self.known[record.id] = (record.generation, verdict)

    def recall(self, record: Claimed) -> Go | None:
        """What this pass loaded when it took the record up: to ask the provider again, no tenant has to be entered.

        Only for what is at the provider already, which is not judged anew (domain §4.2). A tenant that is suspended or
        a call that is deleted meanwhile is met when the result is stored.
        """
        generation, verdict = self.known.get(record.id, (0, None))
        fits = record.stage == Record.Stage.CHECKING and record.generation == generation and not record.crashes
        return verdict if fits else None

    def forget(self, record: Claimed) -> None:
        """The record has ended, or is another engine's."""
        self.known.pop(record.id, None)

    def _judge(self, tenant: Tenant, group: list[Claimed]) -> list[tuple[Claimed, Verdict | Change]]:
        """Facts and gates of one tenant's records; one that cannot even be loaded spares the others."""
        if not self.scope.holds(tenant):
            detail = "The tenant is outside the access scope of the job"
            refusal = Refuse(Record.State.SKIPPED, OUT_OF_SCOPE, detail)
            return [(record, refusal) for record in group]
        try:
            with enter(tenant):
                verdicts = self.session.load(tenant, group)
        except TenantUnavailable as error:
            return [(record, _kept_out(tenant, record, str(error))) for record in group]
        except DATABASE_IS_AWAY:
            raise
        except Exception as error:
            if len(group) > 1:
                return [judged for record in group for judged in self._judge(tenant, [record])]
            logger.exception("Record %s could not be loaded", group[0].id)
            text = f"The record could not be loaded ({type(error).__name__})"
            trouble = Troubled(EngineError(ErrorClass.TRANSIENT, text))
            return [(group[0], after(group[0], trouble, limits=self.limits, weight_s=0.0, jitter=0.5))]
        return [(record, verdicts[record.id]) for record in group]


def _kept_out(tenant: Tenant, record: Claimed, why: str) -> Refuse | Change:
    """A tenant that cannot be entered: new work is refused, what is at the provider waits until the tenant is back.

    From some states no tenant ever comes back.
    """
    if record.stage == Record.Stage.NEW or tenant.state in {Tenant.State.CLOSED, Tenant.State.DELETED}:
        return Refuse(Record.State.SKIPPED, Reason.TENANT_DISABLED, str(Reason.TENANT_DISABLED.label))
    return held(record, why)

"""What a pass takes up: items of its queue or the next slice of its sweep, within the rates, and then what is due."""

import time
from datetime import UTC, datetime

from django.db.models import F

from jobs.models import SWEEPING, JobDefinition, Run, Schedule
from jobs.passes.claiming import claim_due, take_from_queue
from jobs.passes.turns import Turns
from jobs.policy.lanes import held_back
from jobs.policy.rates import Rates
from jobs.sweeps.sweeping import take_slice
from jobs.verdicts import Claimed, Span
from queues.models import QueueItem

# Not "until now": who published and who takes may not agree on the time.
EVERYTHING = datetime.max.replace(tzinfo=UTC)


class Intake:
    """The source of one pass."""

    def __init__(
        self, job: JobDefinition, run: Run, rates: Rates, turns: Turns, *, leads: bool, span: Span | None = None
    ) -> None:
        self.job, self.run, self.rates, self.turns, self.leads = job, run, rates, turns, leads
        self.span = span or Span()
        self.held, self.ask_held_at = False, 0.0

    def suspects(self, *, count: int) -> list[Claimed]:
        """Claim records at hand when workers died, which nobody else may claim."""
        free = not self._backfill_waits()
        return claim_due(self.job, self.run, count=count, suspects=True, backfill=free, span=self.span)

    def claim(self, space: int) -> list[Claimed]:
        """Take in what source, schedule and rates allow, and claim up to ``space`` records that are due.

        What is new is for the first engine of the job: the pass of a later one takes nothing in, unless it stands in.
        """
        if self.span.first:
            free = not self._backfill_waits()
            return claim_due(self.job, self.run, count=space, backfill=free, turns=self.turns, span=self.span)
        if self.job.data_source in SWEEPING:
            return self._from_sweep(space)
        until = self._limit()
        if until is not None:
            room, shut = self.rates.room(space)
            taken, _stored = take_from_queue(self.job, self.run, until=until, count=room, turns=self.turns, shut=shut)
            if taken:
                Run.objects.filter(pk=self.run.pk).update(taken=F("taken") + taken)
        return claim_due(self.job, self.run, count=space, turns=self.turns, span=self.span)

    def _from_sweep(self, space: int) -> list[Claimed]:
        """What is due; only when that leaves room, the sweep goes on, so records do not pile up before their time."""
        free = not self._backfill_waits()
        claimed = claim_due(self.job, self.run, count=space, backfill=free, turns=self.turns, span=self.span)
        # A position is moved by one pass; the others would only be overtaken.
        wanted = self.leads and self.job.takes_in
        room = space - len(claimed) if free and wanted and self.job.paused_at is None else 0
        if room:
            room = self.rates.room_of_sweep(room)
        if room and take_slice(self.job, self.run, count=room):
            claimed += claim_due(self.job, self.run, count=room, turns=self.turns, span=self.span)
        return claimed

    def _backfill_waits(self) -> bool:
        """Whether backfill waits; asked once a second at most."""
        if time.monotonic() >= self.ask_held_at:
            self.ask_held_at, self.held = time.monotonic() + 1.0, held_back(self.job)
        return self.held

    def _limit(self) -> datetime | None:
        """Until which publication time queue items are taken: all, those before the start was asked for, or none."""
        if self.job.paused_at is not None:
            return None
        if self.job.schedule == Schedule.CONTINUOUS:
            return EVERYTHING
        requested = self.job.start_requested_at
        if requested is None:
            return None
        if not QueueItem.objects.filter(queue=self.job.source_queue_id, published_at__lte=requested).exists():
            JobDefinition.objects.filter(pk=self.job.pk, start_requested_at=requested).update(start_requested_at=None)
            self.job.start_requested_at = None
            return None
        return requested

"""Deleting remote jobs that are no longer needed (security R9): at once, and again until the provider has done it."""

import asyncio
import logging
import time
from collections import defaultdict
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from core.outcomes import EngineError
from jobs.kinds import KindPaused, KindSession, kinds
from jobs.models import Cleanup
from jobs.passes.applying import DATABASE_IS_AWAY
from jobs.passes.changes import REFERENCE
from jobs.policy.slots import Slots

logger = logging.getLogger(__name__)
LEASE_S = 60
ALARM_AFTER = 20
BATCH = 250
# A task ends after about so many seconds, so that others have their turn.
SWEEP_S = 20.0
# Deletions use at most so small a part of what an engine allows at once, and claim it for so long when it is all used.
SHARE = 4
WANTED_S = 5.0


def run_cleanups() -> int:
    """Clean up what is due, batch by batch; return how many remote jobs are gone. Runs beside itself without harm."""
    removed, until = 0, time.monotonic() + SWEEP_S
    while time.monotonic() < until and (claimed := _claim()):
        removed += _clean(claimed)
    return removed


def _clean(claimed: list[Cleanup]) -> int:
    removed = 0
    by_engine: dict[str, list[Cleanup]] = defaultdict(list)
    for cleanup in claimed:
        by_engine[f"{cleanup.kind}:{sorted(cleanup.settings.items())}"].append(cleanup)
    for group in by_engine.values():
        try:
            session = kinds()[group[0].kind].cleanup_session(group[0].settings)
            slots = Slots(session.circuit, session.concurrency, lease_s=LEASE_S)
            limit = slots.renew(min(len(group), max(session.concurrency // SHARE, 1)))
            if not limit:
                _wait_for_slots(slots, group)
                continue
            try:
                failures = asyncio.run(_delete_all(session, group, limit))
            finally:
                slots.leave()
        except KindPaused as paused:
            failures = dict.fromkeys((cleanup.pk for cleanup in group), str(paused))
        except DATABASE_IS_AWAY:
            raise
        except Exception as error:
            # The groups behind must not wait for one that cannot even be opened.
            logger.exception("Clean-up of %s remote jobs failed", len(group))
            failures = dict.fromkeys((cleanup.pk for cleanup in group), type(error).__name__)
        _postpone([cleanup for cleanup in group if cleanup.pk in failures], failures)
        gone = [cleanup.pk for cleanup in group if cleanup.pk not in failures]
        Cleanup.objects.filter(pk__in=gone).delete()
        removed += len(gone)
    return removed


def _claim() -> list[Cleanup]:
    with transaction.atomic():
        due = Cleanup.objects.select_for_update(skip_locked=True).filter(due_at__lte=Now()).order_by("due_at")[:BATCH]
        claimed = list(due)
        Cleanup.objects.filter(pk__in=[c.pk for c in claimed]).update(due_at=Now() + timedelta(seconds=LEASE_S))
    return claimed


def _wait_for_slots(slots: Slots, group: list[Cleanup]) -> None:
    """Passes use all of the engine: they make room for those who want some, so it is asked again soon."""
    slots.lease_s = WANTED_S
    slots.renew(slots.asked)
    soon = Now() + timedelta(seconds=1)
    Cleanup.objects.filter(pk__in=[cleanup.pk for cleanup in group]).update(due_at=soon)


async def _delete_all(session: KindSession, group: list[Cleanup], limit: int) -> dict[int, str]:
    """Delete, ``limit`` at once and within the lease; return the messages of those that are not gone."""
    gate = asyncio.Semaphore(limit)
    failures = {cleanup.pk: "Not deleted in time" for cleanup in group}

    async def delete(cleanup: Cleanup, remotes: list[dict[str, Any]]) -> None:
        async with gate:
            try:
                for remote in remotes:
                    await session.clean_up(remote)
                del failures[cleanup.pk]
            except EngineError as error:
                failures[cleanup.pk] = error.message
            except Exception as error:
                logger.exception("Clean-up %s failed", cleanup.pk)
                failures[cleanup.pk] = type(error).__name__

    await session.open()
    try:
        # The slots are ours for so long; what another worker may do then, we may not do any more.
        async with asyncio.timeout(LEASE_S * 0.9):
            found = await _look_up(session, group, failures)
            await asyncio.gather(*(delete(cleanup, found[cleanup.pk]) for cleanup in group if cleanup.pk in found))
    except TimeoutError:
        logger.warning("%s remote jobs could not be deleted within a minute", len(failures))
    finally:
        await session.close()
    return failures


async def _look_up(
    session: KindSession, group: list[Cleanup], failures: dict[int, str]
) -> dict[int, list[dict[str, Any]]]:
    """What to delete for each clean-up: its handle, or all that the provider has under its reference."""
    found = {cleanup.pk: [cleanup.remote] for cleanup in group if REFERENCE not in cleanup.remote}
    unanswered = [cleanup for cleanup in group if cleanup.pk not in found]
    if not unanswered:
        return found
    try:
        there = await session.look_up({cleanup.remote[REFERENCE] for cleanup in unanswered})
    except EngineError as error:
        failures.update((cleanup.pk, error.message) for cleanup in unanswered)
        return found
    return found | {cleanup.pk: there.get(cleanup.remote[REFERENCE], []) for cleanup in unanswered}


def _postpone(group: list[Cleanup], failures: dict[int, str]) -> None:
    """Try again in 2 s, 4 s … at most every five minutes, for as long as it takes; the log says when it takes long."""
    for cleanup in group:
        if cleanup.attempts + 1 == ALARM_AFTER:
            logger.error("Remote job %s of %s could not be deleted in %s tries", cleanup.pk, cleanup.kind, ALARM_AFTER)
        Cleanup.objects.filter(pk=cleanup.pk).update(
            attempts=cleanup.attempts + 1,
            last_error=failures[cleanup.pk][:500],
            due_at=Now() + timedelta(seconds=min(2.0 ** min(cleanup.attempts + 1, 10), 300)),
        )

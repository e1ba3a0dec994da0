"""One trial: publish, disturb, heal, wait until nothing moves, check."""

import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import connection
from django.urls import reverse

from core.errors import Conflict
from jobs.circuits.breakers import probe_now
from jobs.models import Cleanup, Record
from licensing.models import Reservation
from tests.faults.harness.checker import Evidence, check
from tests.faults.harness.crashpoints import clear_traps, sprung
from tests.faults.harness.deeds import IMPOSSIBLE
from tests.faults.harness.nemesis import Stage, Step, describe_misdeed, perform
from tests.faults.harness.observer import Observer
from tests.faults.harness.rig import DATABASE, Rig
from tests.faults.harness.world import World, sure
from transcription.models import SpeechEngine
from transcription.selectors import circuit_key
from transcription.services import resume_engine

QUIET_S = 120.0
SECOND_WAVE_S = 1.0
WORK_OFF_S = 15.0
# The longest hint that is heeded is an hour, plus a tenth for jitter (R8).
LONGEST_WAIT_S = 3600 * 1.1
HURRY = """
UPDATE jobs_record SET next_at = statement_timestamp()
WHERE state = 'in_progress' AND lease_until IS NULL AND next_at > statement_timestamp() + interval '1.5 seconds'
"""
TOO_LONG = """
SELECT id, wait FROM jobs_record WHERE state = 'in_progress' AND lease_until IS NULL AND wait <> 'limit'
    AND next_at > statement_timestamp() + make_interval(secs => %s)
"""
HURRY_CLEANUPS = """
UPDATE jobs_cleanup SET due_at = statement_timestamp()
WHERE due_at > statement_timestamp() + interval '1.5 seconds'
"""


@dataclass
class Verdict:
    """How a trial ended; no findings means that every rule held."""

    seed: int
    name: str
    steps: list[str]
    seconds: float = 0.0
    quiet_s: float = 0.0
    records: int = 0
    polls: int = 0
    pages: int = 0
    misdeeds_met: int = 0
    states: dict[str, int] = field(default_factory=dict)
    unsprung: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing broke a rule."""
        return not self.findings

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "good": self.good}


class Trial:
    """The state of a running trial. ``number`` makes its calls' names its own."""

    def __init__(self, rig: Rig, world: World, *, number: int, name: str, seed: int, steps: Sequence[Step]) -> None:
        self.rig, self.world, self.number, self.steps = rig, world, number, steps
        self.verdict = Verdict(seed, name, [describe_misdeed(rig.dialect, step) for step in steps])
        self.dice = random.Random(seed)
        self.evidence = Evidence(world, {}, references=rig.dialect.references)
        pages = [reverse("jobs:jobs"), *(reverse("jobs:records", args=[job.pk]) for job in world.jobs)]
        address = rig.postgres.url(DATABASE)
        self.observer = Observer(address, world.queues(), rig.web_url, sure(world.cookie), pages)

    def run(self, records: int) -> Verdict:
        """Do all of it with so many records a tenant."""
        began = time.monotonic()
        self.since_journal = self.rig.provider("GET", "journal?since=1000000000")["length"]
        calls = {
            place.tenant.pk: self.world.publish(place, records, f"trial-{self.number}") for place in self.world.places
        }
        stage = Stage(self.rig, self.world, self.observer, calls)
        self.observer.start()
        try:
            perform(stage, [step for step in self.steps if step.at < 0], time.monotonic())
            published = self._publish(stage)
            perform(stage, [step for step in self.steps if step.at >= 0], published)
            self._work_off()
            self.verdict.unsprung = [
                str(step.arguments["point"])
                for step in self.steps
                if step.deed == "trap" and not self._sprung_in_time(step)
            ]
            self._heal(stage)
            healed = time.monotonic()
            self._wait_for_quiet()
            self.verdict.quiet_s = round(time.monotonic() - healed, 1)
        finally:
            self.observer.stop()
        self.evidence.deleted = stage.deleted
        self.verdict.notes = stage.notes
        self.judge()
        self.verdict.seconds = round(time.monotonic() - began, 1)
        return self.verdict

    def judge(self) -> None:
        """Ask the checker; adds to the findings."""
        asked = self.rig.provider("GET", f"journal?since={self.since_journal}")
        self.evidence.journal = asked["entries"]
        self.evidence.live = self.rig.provider("GET", "live")["jobs"]
        # What this trial left is its own fault, not that of the next one.
        self.rig.provider("DELETE", "live")
        found = sure(lambda: check(self.evidence))
        self.verdict.findings = [*self.verdict.findings, *self.observer.findings.values(), *found]
        self.verdict.polls, self.verdict.pages = self.observer.polls, self.observer.visits
        self.verdict.misdeeds_met = sum(bool(entry["fault"]) for entry in self.evidence.journal)
        self.verdict.records = len(self.evidence.published)
        states = [record.state for record in sure(self.evidence.records)]
        self.verdict.states = {state: states.count(state) for state in sorted(set(states))}

    def _publish(self, stage: Stage) -> float:
        """In two waves and shuffled, so that there is something to take in more than once; returns when it began."""
        began = time.monotonic()
        for wave in (0, 1):
            time.sleep(max(0.0, began + wave * SECOND_WAVE_S - time.monotonic()))
            for place in self.world.places:
                mine = stage.calls[place.tenant.pk]
                half = mine[wave * len(mine) // 2 : (wave + 1) * len(mine) // 2]
                self.dice.shuffle(half)
                self.world.ring(place, half)
                self.evidence.published |= dict.fromkeys(half, place.tenant.pk)
                self.observer.published(half)
        return began

    def _work_off(self) -> None:
        """Misdeeds are for requests that still have to be made; waits are cut short, but nobody waits for ever."""
        if not any(step.deed == "misdeed" for step in self.steps):
            return
        deadline = time.monotonic() + WORK_OFF_S
        while self.rig.provider("GET", "faults")["faults"] and sure(self._moving) and time.monotonic() < deadline:
            sure(self._hurry)
            time.sleep(0.3)

    def _sprung_in_time(self, step: Step, seconds: float = 10.0) -> bool:
        """Traps late in a record's life need their time."""
        deadline = time.monotonic() + seconds
        point = str(step.arguments["point"])
        while not sprung(self.rig.traps, point) and time.monotonic() < deadline and self._moving():
            time.sleep(0.2)
        return sprung(self.rig.traps, point)

    def _heal(self, stage: Stage) -> None:
        """Undo what was done, and let a person do what only persons do: let a paused engine work again."""
        self.observer.excuse(20.0)
        self.rig.provider("DELETE", "faults")
        self.rig.provider("POST", "hold", {"hold": False})
        clear_traps(self.rig.traps)
        # Servers first: undoing needs them.
        self.rig.respawn_dead()
        for undo in reversed(stage.undo):
            try:
                undo()
            except IMPOSSIBLE as error:
                stage.notes.append(f"undo: {type(error).__name__}")
        self.rig.respawn_dead()

    def _wait_for_quiet(self) -> None:
        deadline = time.monotonic() + QUIET_S
        while sure(self._moving):
            if time.monotonic() > deadline:
                self.verdict.findings.append(f"R1 not quiet {QUIET_S:.0f} seconds after everything was healed")
                return
            sure(self._hurry)
            time.sleep(0.3)

    def _moving(self) -> bool:
        """Anything that is still to come to its end, also at the provider."""
        ids = list(self.evidence.published)
        ended = Record.objects.filter(record_id__in=ids).exclude(state="in_progress")
        return (
            ended.filter(mark_due=False).values("record_id").distinct().count() < len(ids)
            or Cleanup.objects.exists()
            or Reservation.objects.filter(state="open").exists()
        )

    def _hurry(self) -> None:
        """Waits of minutes and hours are passed over; that none is longer than an hour is looked at first (R8)."""
        engine = SpeechEngine.objects.get(pk=self.world.engine.pk)
        if engine.paused_at is not None:
            resume_engine(engine=engine, actor="harness", audit_tenant=self.world.system)
        with connection.cursor() as cursor:
            cursor.execute(TOO_LONG, [LONGEST_WAIT_S])
            for record, wait in cursor.fetchall():
                self.observer.found("R8", f"record {record} waits for more than an hour: {wait}")
            cursor.execute(HURRY)
            cursor.execute(HURRY_CLEANUPS)
        try:
            probe_now(circuit_key(engine))
        except Conflict:
            return

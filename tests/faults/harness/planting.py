"""Errors on purpose, behind the product's back: a checker that does not find them is worth nothing."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace

from django.db import connection

from tests.faults.harness.rig import Rig
from tests.faults.harness.trial import Trial, Verdict
from tests.faults.harness.world import World

RECORDS = 2


def planted_trials(rig: Rig, world: World, *, number: int) -> Iterator[Verdict]:
    """After one trial without faults, a verdict for each error: good when the checker found it."""
    trial = Trial(rig, world, number=number, name="planted nothing", seed=0, steps=[])
    before = trial.run(RECORDS)
    yield before
    for name, (plant, rules) in PLANTS.items():
        plant(trial)
        trial.verdict = replace(before, name=f"planted {name}", findings=[])
        trial.judge()
        verdict = trial.verdict
        found = {finding.split()[0] for finding in verdict.findings}
        verdict.notes = verdict.findings
        verdict.findings = [f"{rule} was planted and not found" for rule in sorted(rules - found)]
        yield verdict


def _loss(trial: Trial) -> None:
    """A record disappears."""
    record = trial.evidence.records()[0]
    with connection.cursor() as cursor:
        for table in ("jobs_recordevent", "jobs_logentry"):
            cursor.execute(f"DELETE FROM {table} WHERE record_id = %s", [record.pk])
        cursor.execute("DELETE FROM jobs_record WHERE id = %s", [record.pk])


def _second_charge(trial: Trial) -> None:
    """A completed record is charged again; the constraints that would refuse it are taken away for the moment."""
    record = next(record for record in trial.evidence.records() if record.state == "completed")
    copied = "tenant_id, meter, step, source, target, amount, record, generation, subject_id, user_id, engine, language"
    copied += ", period, day, zone, reserved_at, at"
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE licensing_entry DROP CONSTRAINT ledger_entry_once")
        cursor.execute(
            f"INSERT INTO licensing_entry ({copied}) SELECT {copied} FROM licensing_entry "
            "WHERE record = %s AND generation = %s AND step = 'settle' RETURNING id",
            [record.pk, record.generation],
        )


def _left_job(trial: Trial) -> None:
    """A job at the provider that nobody knows of."""
    body = json.dumps({"metadata": {"ref": "parlance-0-1-planted"}}).encode()
    url = f"{trial.rig.provider_url}/v2/transcriptions"
    request = urllib.request.Request(url, data=body, method="POST", headers={"Idempotency-Key": "planted"})
    urllib.request.urlopen(request, timeout=10).close()


PLANTS: dict[str, tuple[Callable[[Trial], None], set[str]]] = {
    "left-over job": (_left_job, {"R9"}),
    "loss": (_loss, {"R1"}),
    "second charge": (_second_charge, {"R11", "R14"}),
}

"""How fast a tenant's recordings were transcribed lately: what remaining times are estimated from (R5.2)."""

from django.core.cache import cache

from conversations.models import Call
from jobs.models import Record
from miaop.remaining import SAMPLES, Pace, factor_of
from tenants.models import Tenant
from transcription.chain import engine_keys
from transcription.kind import jobs_for
from transcription.models import SpeechEngine

# Estimates need no newer figures, and a task that is waited for is read every second.
KEPT_S = 60


def pace_of(tenant: Tenant) -> Pace:
    """From the newest finished recordings of the entered tenant, kept for a minute; the defaults without any."""
    key = f"miaop-pace:{tenant.pk}"
    kept = cache.get(key)
    if kept is None:
        kept = _measured(tenant)
        cache.set(key, kept, KEPT_S)
    return Pace(*kept)


def _measured(tenant: Tenant) -> tuple[float, int]:
    mine = jobs_for(tenant)
    # By the records' numbers, which an index of each job has in order; the newest begun are nearly the newest ended.
    done = Record.objects.filter(
        job__in=mine, tenant=tenant, state=Record.State.COMPLETED, uploaded_at__isnull=False, finished_at__isnull=False
    )
    rows = list(done.order_by("-pk").values_list("record_id", "uploaded_at", "finished_at")[:SAMPLES])
    lengths = dict(Call.objects.filter(pk__in=[row[0] for row in rows]).values_list("pk", "duration_ms"))
    samples = [
        ((finished - uploaded).total_seconds(), lengths[pk] / 1000)
        for pk, uploaded, finished in rows
        if lengths.get(pk) and uploaded is not None and finished is not None
    ]
    engines = SpeechEngine.objects.filter(
        pk__in={key for job in mine for key in engine_keys(job.settings)}, enabled=True
    )
    parallel = [settings.get("concurrency", 1) for settings in engines.values_list("settings", flat=True)]
    return factor_of(samples), max([1, *(each for each in parallel if isinstance(each, int))])

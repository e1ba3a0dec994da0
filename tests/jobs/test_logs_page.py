"""The tab Logs."""

from django.utils import timezone

from audit.models import AuditEntry
from jobs.models import LogEntry
from tests.jobs.pages import make_records, shown, url


def test_logs_filter_export_and_delete_what_matches(root, job, acme):
    record = make_records(job, acme)[0]
    now = timezone.now()
    for number, (severity, message) in enumerate([("warning", "Call has no audio files"), ("error", "=1+1")]):
        LogEntry.objects.create(
            job=job,
            record=record,
            record_uuid=record.record_id,
            tenant_id=acme.pk,
            at=now,
            severity=severity,
            message=f"{message}{number}",
        )
    text = shown(root, url("logs", job.pk), severity="warning", q="AUDIO", record_id=str(record.record_id)[:8])
    assert "Call has no audio files0" in text
    assert "=1+1" not in text
    answer = root.get(url("logs", job.pk), {"format": "csv"})
    assert "'=1+1" in b"".join(answer.streaming_content).decode()
    address = url("logs_bulk", job.pk) + "?severity=error"
    assert "1 row" in root.post(address, {"action": "delete"}).content.decode()
    root.post(address, {"action": "delete", "confirmed": "1"})
    assert [entry.severity for entry in LogEntry.objects.all()] == ["warning"]
    assert AuditEntry.objects.filter(action="job.logs_deleted").exists()

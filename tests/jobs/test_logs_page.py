"""The tab Logs."""

from datetime import timedelta

from django.utils import timezone

from audit.models import AuditEntry
from jobs.models import LogEntry
from jobs.upkeep.pruning import prune_logs
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


def lines_of(job, number, **fields):
    values = {"at": timezone.now(), "severity": "warning", **fields}
    return LogEntry.objects.bulk_create(LogEntry(job=job, message=f"line {n}", **values) for n in range(number))


def test_all_matching_lines_are_downloaded_as_text_oldest_first_each_on_one_line(root, job, acme):
    record = make_records(job, acme)[0]
    lines_of(job, 60)
    LogEntry.objects.create(
        job=job,
        record=record,
        record_uuid=record.record_id,
        at=timezone.now(),
        severity="error",
        message="a\nb\t\x01\\c",
    )
    answer = root.get(url("logs", job.pk), {"format": "txt"})
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert len(lines) == 61
    assert lines[0].endswith("Z WARNING - line 0")
    assert lines[-1].endswith(f"ERROR {record.record_id} a b  \\c")
    only = root.get(url("logs", job.pk), {"format": "txt", "severity": "error"})
    assert len(b"".join(only.streaming_content).splitlines()) == 1
    assert root.get(url("logs", job.pk), {"format": "txt", "severity": "nonsense"}).status_code == 400
    made = AuditEntry.objects.filter(action="export.made").order_by("pk")
    assert [entry.details["rows"] for entry in made] == [61, 1]


def test_the_text_view_ends_with_the_newest_line_and_polls(root, job):
    lines_of(job, 3)
    address = url("logs", job.pk) + "?view=text&q=line"
    page = root.get(address)
    assert [line[-6:] for line in page.context["tail"].splitlines()] == ["line 0", "line 1", "line 2"]
    poll = {"HX-Request": "true", "HX-Target": "div#logs", "If-None-Match": page["ETag"]}
    assert root.get(address, headers=poll).status_code == 204
    lines_of(job, 1, severity="error")
    assert root.get(address, headers=poll).content.decode().rstrip().count("line 0") == 2


def test_lines_are_pruned_by_the_days_and_the_number_of_the_job(job):
    now = timezone.now()
    lines_of(job, 3, at=now - timedelta(days=8))
    lines_of(job, 5, at=now - timedelta(days=6))
    assert prune_logs(job) == 0
    job.log_days = 7
    assert prune_logs(job) == 3
    job.log_max_lines = 2
    assert prune_logs(job) == 3
    assert list(LogEntry.objects.order_by("pk").values_list("message", flat=True)) == ["line 3", "line 4"]

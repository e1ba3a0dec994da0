"""Routes of jobs."""

from django.urls import path

from accounts.permissions import Permission
from accounts.policy import requires
from jobs.models import JobDefinition
from jobs.views import backfill, bulk, definitions, editing, logs, monitoring, record, records
from queues.reach import View, on_own

app_name = "jobs"

look = requires(Permission.JOBS_VIEW)
edit = requires(Permission.JOBS_EDIT)
act = requires(Permission.RECORDS_EDIT)
JOB = "transcription/jobs/<int:pk>/"
RECORD = "transcription/jobs/<int:job_pk>/records/<int:pk>/"
BULK = "transcription/bulk-actions/<uuid:pk>/"


def change(view: View) -> View:
    """What changes a job as a whole: nobody else's tenants may be in its scope."""
    return edit(on_own(JobDefinition)(view))


urlpatterns = [
    path("transcription/jobs/", look(definitions.JobList.as_view()), name="jobs"),
    path("transcription/jobs/bulk/", edit(definitions.JobBulk.as_view()), name="jobs_bulk"),
    path("transcription/job-definitions/", look(definitions.definitions), name="definitions"),
    path("transcription/jobs/add/", edit(editing.JobPage.as_view()), name="add"),
    path("transcription/jobs/backfill/", edit(backfill.BackfillPage.as_view()), name="backfill"),
    path(JOB, look(definitions.job), name="job"),
    path(f"{JOB}edit/", change(editing.JobPage.as_view()), name="edit"),
    path(f"{JOB}delete/", change(definitions.JobDelete.as_view()), name="delete"),
    path(f"{JOB}start/", change(definitions.JobStart.as_view()), name="start"),
    path(f"{JOB}clone/", change(editing.JobClone.as_view()), name="clone"),
    path(f"{JOB}pause/", change(definitions.JobPause.as_view()), name="pause"),
    path(f"{JOB}stop/", change(definitions.JobStop.as_view()), name="stop"),
    path(f"{JOB}enable/", change(definitions.JobEnable.as_view()), name="enable"),
    path(f"{JOB}token/", change(backfill.TokenPage.as_view()), name="token"),
    path(f"{JOB}token/reset/", change(backfill.TokenReset.as_view()), name="token_reset"),
    path(f"{JOB}latest-run/", look(monitoring.LatestRun.as_view()), name="latest_run"),
    path(f"{JOB}runs/", look(monitoring.RunList.as_view()), name="runs"),
    path(f"{JOB}records/", look(records.RecordList.as_view()), name="records"),
    path(f"{JOB}records/bulk/", act(records.RecordBulk.as_view()), name="records_bulk"),
    path(f"{JOB}records/errors/", look(records.ErrorGroups.as_view()), name="errors"),
    path(f"{JOB}logs/", look(logs.LogList.as_view()), name="logs"),
    path(f"{JOB}logs/bulk/", edit(logs.LogBulk.as_view()), name="logs_bulk"),
    path(BULK, look(bulk.BulkPage.as_view()), name="bulk_action"),
    path(f"{BULK}start/", act(bulk.BulkStart.as_view()), name="bulk_start"),
    path(f"{BULK}abort/", act(bulk.BulkAbort.as_view()), name="bulk_abort"),
    path(f"{BULK}export.csv", look(bulk.bulk_file), name="bulk_file"),
    path(RECORD, look(record.RecordPage.as_view()), name="record"),
    path(f"{RECORD}record.json", look(record.record_json), name="record_json"),
    path(f"{RECORD}retry/", act(record.RecordRetry.as_view()), name="record_retry"),
    path(f"{RECORD}abort/", act(record.RecordAbort.as_view()), name="record_abort"),
]

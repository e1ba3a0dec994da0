"""What people type into the address of a list never breaks it, and never makes it count without end."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.jobs.conftest import pipeline, speech, speech_server  # noqa: F401

TRANSCRIPTION = "/administration/speech-analytics/transcription"
ODD = ["-1", "-99999999", "0", "99999999", "1e3", "x", "9" * 5000, "²"]


@pytest.mark.django_db
def test_every_list_takes_any_page_size_and_number(pipeline, client_for, people):  # noqa: F811
    pipeline.finish(pipeline.call())
    admin, tenant_admin = client_for(people.platform_admin), client_for(people.tenant_admin)
    job = f"{TRANSCRIPTION}/jobs/{pipeline.job.pk}"
    lists = [
        (tenant_admin, "/calls/"),
        (admin, "/administration/jobs/processing-queues/"),
        (admin, f"{TRANSCRIPTION}/engines/"),
        (admin, f"{TRANSCRIPTION}/jobs/"),
        *((admin, f"{job}/{name}/") for name in ("latest-run", "runs", "records", "logs")),
        (admin, "/administration/system/allowed-addresses/"),
        (admin, "/administration/user-management/tenants/"),
    ]
    for client, path in lists:
        usual = client.get(path).status_code
        for size in ODD:
            for further in ({}, {"format": "csv"}, {"page": "2"}, {"page": size}):
                answer = client.get(path, {"per_page": size, **further})
                assert answer.status_code == usual == 200, (path, size, further)
                b"".join(answer)


def test_no_list_counts_beyond_its_cap(client_for, people):
    client = client_for(people.platform_admin)
    with CaptureQueriesContext(connection) as queries:
        assert client.get("/administration/user-management/tenants/", {"per_page": 50}).status_code == 200
    counts = [query["sql"] for query in queries if "COUNT(*)" in query["sql"] and "tenants_tenant" in query["sql"]]
    assert [sql for sql in counts if "LIMIT 10001" not in sql and sql.startswith("SELECT COUNT(*)")] == []

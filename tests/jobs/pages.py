"""What the tests of the pages of jobs share: records, addresses, and the text of a page."""

import uuid

from django.urls import reverse
from django.utils import timezone

from jobs.models import Record


def make_records(job, tenant, number=1, **changes):
    now = timezone.now()
    fields = {
        "state": "completed",
        "stage": "done",
        "next_at": now,
        "created_at": now,
        "last_processed_at": now,
        **changes,
    }
    return [
        Record.objects.create(job=job, tenant=tenant, record_type="call", record_id=uuid.uuid4(), **fields)
        for _n in range(number)
    ]


def url(name, *args):
    return reverse(f"jobs:{name}", args=args)


def shown(client, address, **query):
    page = client.get(address, query)
    assert page.status_code == 200, page.content.decode()[:2000]
    return page.content.decode()

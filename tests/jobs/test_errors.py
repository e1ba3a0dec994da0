"""Errors by what they have in common: the text, what passes store, the page."""

import pytest

from jobs.models import ErrorSignature, Record
from jobs.signatures import signature_of
from tests.jobs.pages import make_records, shown, url


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        ("No result after 50 checks", "No result after 7 checks", "No result after <n> checks"),
        (
            "Job 0190a1b2-1111-7222-8333-444455556666 is gone",
            "Job 0190a1b2-9999-7222-8333-444455556666 is gone",
            "Job <id> is gone",
        ),
        ("Cannot reach 10.0.0.1:8600", "Cannot reach speech.example.com:443", "Cannot reach <host>"),
        ("GET https://a.example/x?y=1 failed", "GET http://b.example:81/z failed", "GET <url> failed"),
        ('Language "xx-YY" is unknown', 'Language "zz" is unknown', "Language <value> is unknown"),
        ("Token deadbeef42 expired", "Token 0123456789abcdef expired", "Token <hex> expired"),
        ("At 2026-11-21T10:00:00Z down", "At 2026-11-20 10:00:01 down", "At <time> down"),
    ],
)
def test_errors_that_differ_in_their_particulars_are_one(one, other, text):
    assert signature_of(one) == signature_of(other)
    assert signature_of(one)[1] == text


def test_errors_that_differ_in_their_cause_are_not_one():
    causes = ["HTTP 401: refused", "HTTP 503: refused", "The engine has lost the job", "Can't connect", "Can't resolve"]
    assert len({signature_of(cause)[0] for cause in causes}) == len(causes)
    assert signature_of("  ") == ("", "")


def test_a_pass_stores_the_signature_and_a_retry_clears_it(pipeline, system):
    from jobs.actions import retry_records

    fault = {"match": {"method": "POST", "path_prefix": "/v2/transcriptions"}, "status": 400, "times": 1}
    pipeline.server.control("POST", "/_emu/faults", fault)
    call = pipeline.call()
    pipeline.finish(call)
    record = pipeline.record_of(call)
    assert record.state == "failed"
    assert (record.signature, ErrorSignature.objects.get(job=pipeline.job).digest) == (
        signature_of(record.last_error)[0],
        record.signature,
    )
    retry_records(records=Record.objects.filter(pk=record.pk), actor="test", audit_tenant=system)
    assert pipeline.record_of(call).signature == ""


def test_the_page_groups_by_error_with_links_and_actions(root, job, acme, globex):
    for index, tenant in enumerate([acme, acme, globex]):
        error = f"No result after {index} checks"
        make_records(job, tenant, 1, state="failed", last_error=error, signature=signature_of(error)[0])
    key, text = signature_of("Cannot reach 10.0.0.1:80")
    make_records(job, acme, 1, state="in_progress", last_error="Cannot reach 10.0.0.1:80", signature=key)
    make_records(job, acme, 1)
    ErrorSignature.objects.create(job=job, digest=key, text=text)
    groups = root.get(url("errors", job.pk)).context["groups"]
    assert [(g["number"], g["failed"], g["in_progress"], g["tenants"]) for g in groups] == [(3, 3, 0, 2), (1, 0, 1, 1)]
    assert groups[1]["text"] == "Cannot reach <host>"
    page = root.get(groups[1]["url"])
    assert len(page.context["table"].rows) == 1
    assert "Cannot reach &lt;host&gt;" in page.content.decode()
    answer = root.post(groups[0]["bulk_url"], {"action": "retry", "all_matching": "1"})
    assert "Retry: 3 records" in shown(root, answer.url)
    assert [group["number"] for group in root.get(url("errors", job.pk), {"tenant": acme.pk}).context["groups"]] == [
        2,
        1,
    ]
    assert root.get(url("errors", job.pk), {"tenant": "nobody"}).status_code == 400

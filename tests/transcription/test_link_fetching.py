"""Azure's batch by link, from end to end: the service fetches from the product's own web server."""

import threading
from collections.abc import Iterator
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.core.wsgi import get_wsgi_application

from jobs.models import JobDefinition, Record
from licensing.models import Entry
from tests.databases import db  # noqa: F401 - the web server's thread sees only what is committed
from tests.jobs.conftest import pipeline, speech, speech_server  # noqa: F401
from tests.transcription.test_links import azure, by_link, fetched, linking  # noqa: F401


class Quiet(WSGIRequestHandler):
    """Without a line for each request."""

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def platform() -> Iterator[str]:
    """The product's own web server, as the service reaches it."""
    with make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_recording_is_fetched_from_us_transcribed_and_charged_once(
    linking,  # noqa: F811
    azure,  # noqa: F811
    platform,
    system,
    acme,
):
    engine = by_link(azure.url, platform, system, linking.engine)
    JobDefinition.objects.filter(pk=linking.job.pk).update(settings={"engine": engine.pk})
    call = linking.call()
    [record] = linking.finish(call)
    assert (record.state, record.last_error) == (Record.State.COMPLETED, "")
    assert list(Entry.objects.filter(record=record.pk).values_list("step", flat=True)) == ["reserve", "settle"]
    [row] = fetched(acme)
    assert (row.target_id, row.details) == (str(call.pk), {"engine": "Fetching"})
    assert "stt-audio" not in str(azure.journal())

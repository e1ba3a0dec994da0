"""The demo's threads keep every rule of an import, and belong to people of their tenants."""

import pytest

from conversations.threads.reading import read_thread
from demo.manifest import demo_threads, read_manifest

TENANTS = {tenant.alias: tenant for tenant in read_manifest().tenants}


@pytest.mark.parametrize("alias", TENANTS)
def test_each_thread_can_be_imported_by_the_agent_that_it_names(alias):
    people = {user.username: user.group for user in TENANTS[alias].users}
    for fields in demo_threads(alias):
        thread = read_thread(fields)
        assert thread.external_id.startswith("demo-")
        assert people[thread.username] == thread.group
        assert all(message.text for message in thread.data.messages)
        assert thread.data.warnings == ()


def test_they_cover_three_channels_and_five_languages():
    threads = [read_thread(fields) for alias in TENANTS for fields in demo_threads(alias)]
    assert len(threads) == 12
    assert {thread.channel for thread in threads} == {"chat", "email", "ticket"}
    assert {thread.language[:2] for thread in threads} == {"en", "he", "es", "de", "fr"}
    mails = [message for thread in threads if thread.channel == "email" for message in thread.data.messages]
    assert sum(bool(message.quoted) for message in mails) >= 5
    assert sum(bool(message.signature) for message in mails) >= 4

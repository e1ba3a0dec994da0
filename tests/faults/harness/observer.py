"""What is looked at while a trial runs: the sum and the states ten times a second, and pages as a person opens them."""

import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Sequence

import psycopg

EVERY_S = 0.1
PAGE_EVERY_S = 1.0
# One statement, so that all it says is of one moment.
STATES = """
SELECT wanted.id, r.id, coalesce(r.state, ''), coalesce(r.generation, 0),
    EXISTS (SELECT 1 FROM queues_queueitem q WHERE q.queue_id = ANY(%(queues)s) AND q.record_id = wanted.id)
FROM unnest(%(ids)s::uuid[]) AS wanted(id) LEFT JOIN jobs_record r ON r.record_id = wanted.id
"""
TAKEN = "SELECT tenant_id, life_reserved, life_used, month_reserved, month_used FROM licensing_account"


class Observer:
    """Watches the published conversations until it is stopped; what broke a rule is in ``findings``."""

    def __init__(self, address: str, queues: Sequence[int], web_url: str, cookie: str, pages: Sequence[str]) -> None:
        self.address, self.queues, self.web_url, self.cookie, self.pages = address, list(queues), web_url, cookie, pages
        self.ids: list[uuid.UUID] = []
        self.final: dict[uuid.UUID, tuple[int, str]] = {}
        self.caps: dict[uuid.UUID, int] = {}
        self.findings: dict[str, str] = {}
        self.polls = self.visits = 0
        # Until then nobody is blamed for a page that cannot be made: a server was taken away.
        self.excused_until = 0.0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._watch), threading.Thread(target=self._visit)]

    def start(self) -> None:
        """Begin to look."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """The last look is over when this returns."""
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    def published(self, ids: Sequence[uuid.UUID]) -> None:
        """From now on these may not be missing. Call it after the commit."""
        self.ids = [*self.ids, *ids]

    def cap(self, tenant_id: uuid.UUID, seconds: int | None) -> None:
        """From now on the tenant may never have more seconds taken than this (R12). Call it after the commit."""
        self.caps = (
            {**self.caps, tenant_id: seconds}
            if seconds is not None
            else {key: value for key, value in self.caps.items() if key != tenant_id}
        )

    def excuse(self, seconds: float) -> None:
        """Pages may fail for so long: the database, or what they need, is away."""
        self.excused_until = max(self.excused_until, time.monotonic() + seconds)

    def found(self, rule: str, text: str) -> None:
        """Keep the first finding of a kind."""
        self.findings.setdefault(f"{rule} {text}", f"{rule} {text}")

    def _watch(self) -> None:
        while not self._over.is_set():
            try:
                with psycopg.connect(self.address, autocommit=True, connect_timeout=5) as connection:
                    while not self._over.is_set():
                        self._look(connection)
                        self._over.wait(EVERY_S)
            except psycopg.Error:
                self._over.wait(EVERY_S)

    def _look(self, connection: psycopg.Connection) -> None:
        caps = self.caps
        for tenant, *amounts in connection.execute(TAKEN):
            if min(amounts) < 0:
                self.found("R11", f"tenant {tenant} has negative counters {amounts}")
            if tenant in caps and amounts[0] + amounts[1] > caps[tenant]:
                self.found("R12", f"tenant {tenant} took {amounts[0] + amounts[1]} of {caps[tenant]} seconds")
        seen: set[uuid.UUID] = set()
        for conversation, record, state, generation, waits in connection.execute(
            STATES, {"queues": self.queues, "ids": self.ids}
        ):
            if conversation in seen:
                self.found("R1", f"{conversation} has two records")
            seen.add(conversation)
            if record is None and not waits:
                self.found("R2", f"{conversation} is neither in the queue nor a record")
            self._judge_state(conversation, state, generation)
        self.polls += 1

    def _judge_state(self, conversation: uuid.UUID, state: str, generation: int) -> None:
        was = self.final.get(conversation)
        if was is not None and was[0] == generation and was[1] != state:
            self.found("R1", f"{conversation} left {was[1]} for {state or 'nothing'} in generation {generation}")
        if state and state != "in_progress":
            self.final[conversation] = (generation, state)

    def _visit(self) -> None:
        number = 0
        while not self._over.wait(PAGE_EVERY_S):
            page = self.pages[number % len(self.pages)]
            number += 1
            asked = time.monotonic()
            status = self._status_of(page)
            self.visits += 1
            if status >= 500 and asked > self.excused_until and time.monotonic() > self.excused_until:
                self.found("5xx", f"{page} answered {status}")

    def _status_of(self, page: str) -> int:
        request = urllib.request.Request(self.web_url + page, headers={"Cookie": self.cookie})
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 599

"""The engines of a transcription job in their order: who may do a recording, who does it next (ADR 0022)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs.circuits.breakers import resting
from jobs.kinds import KindPaused
from jobs.verdicts import FAR, Onward, Span
from tenants.models import Tenant
from transcription.engines.options import Traits, meant_for
from transcription.job_engine import open_to
from transcription.models import SpeechEngine
from transcription.selectors import circuit_key

MOST_FALLBACKS = 4


class StandIn(models.TextChoices):
    """When the next engine takes what waits for one that cannot be used."""

    NEVER = "", gettext_lazy("Recordings wait for it")
    PAUSED = "paused", gettext_lazy("While it is paused or disabled, the next one takes them")
    FAILING = "failing", gettext_lazy("While it is paused, disabled or failing, the next one takes them")


def engine_keys(job_settings: Mapping[str, Any]) -> list[int]:
    """The keys of a job's engines in their order; nothing is asked of the database."""
    return [key for key in (job_settings.get("engine"), *job_settings.get("fallbacks", ())) if key]


@dataclass(frozen=True)
class Chain:
    """``keys`` in their order; ``engines`` are those that still exist, with their tenants."""

    keys: tuple[int, ...]
    engines: Mapping[int, SpeechEngine]
    stand_in: StandIn = StandIn.NEVER

    @classmethod
    def of(cls, job_settings: Mapping[str, Any]) -> "Chain":
        """As the settings of a job say; one query."""
        keys = tuple(engine_keys(job_settings))
        engines = SpeechEngine.objects.select_related("tenant").in_bulk(keys)
        return cls(keys, engines, StandIn(job_settings.get("stand_in") or ""))

    @cached_property
    def last(self) -> int:
        """The number of the last place."""
        return max(len(self.keys) - 1, 0)

    def at(self, place: int) -> SpeechEngine:
        """The engine at ``place``, or the last one. Raises KindPaused when it was deleted."""
        engine = self.engines.get(self.keys[min(place, self.last)]) if self.keys else None
        if engine is None:
            raise KindPaused(_("The engine of this job was deleted."))
        return engine

    def names(self) -> list[str]:
        """For people, in order."""
        return [self.engines[key].name if key in self.engines else _("(deleted)") for key in self.keys]

    def span(self, place: int) -> Span:
        """Where a pass works that is started for ``place``: there, or behind it where a later engine stands in."""
        wanted = min(place, self.last)
        at = wanted
        while at < self.last and self._replaced(at):
            at += 1
        if self._replaced(at):
            # None behind it can: all of them wait.
            at = wanted
        first = at
        while first > 0 and self._replaced(first - 1):
            first -= 1
        return Span(at, first, FAR if at == self.last else at)

    def _replaced(self, place: int) -> bool:
        """Whether the job lets another engine do what is meant for ``place``, as things stand now."""
        if self.stand_in == StandIn.NEVER:
            return False
        engine = self.engines.get(self.keys[place])
        if engine is None or not engine.enabled or engine.paused_at is not None:
            return True
        return self.stand_in == StandIn.FAILING and resting(circuit_key(engine))

    def first_for(self, tenant: Tenant, place: int, traits: Traits) -> int | None:
        """The first place from ``place`` on whose engine may do such a recording of the tenant and is meant for it, or None."""
        for number in range(place, len(self.keys)):
            engine = self.engines.get(self.keys[number])
            if engine is not None and open_to(engine, tenant) and meant_for(engine.settings, traits):
                return number
        return None

    def may_be_used(self, tenant: Tenant) -> bool:
        """Whether any engine of the job may do recordings of the tenant, whatever they are like."""
        return any(open_to(engine, tenant) for engine in self.engines.values())

    def foremost(self, tenant: Tenant, traits: Traits) -> SpeechEngine | None:
        """The engine that such a recording of the tenant would come to now; None when it was deleted."""
        own = self.first_for(tenant, 0, traits) or 0
        there = self.first_for(tenant, self.span(own).at, traits)
        return self.engines.get(self.keys[own if there is None else there]) if self.keys else None

    def onward(self, tenant: Tenant, place: int, traits: Traits) -> Onward | None:
        """Where such a recording goes on that the engine at ``place`` fails for good."""
        found = self.first_for(tenant, place + 1, traits)
        return None if found is None else Onward(found, self.words(place, found))

    def words(self, before: int, after: int) -> str:
        """From which engine to which."""
        names = self.names()
        values = {"before": names[min(before, self.last)], "after": names[after]}
        return _("from “%(before)s” to “%(after)s”") % values

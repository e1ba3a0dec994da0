"""Rehearsing an outage: standing settings that let a share of all requests go wrong, until they are lifted.

Faults (``speechserver.faults``) are for tests that know which request fails; chaos is for people who want to see what a
bad day at a vendor does to their queues. What happens to the n-th request follows from the seed alone.
"""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from speechserver.faults import Fault

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
GARBAGE = "<html><head><title>Rehearsal</title></head><body>This is not what you asked for"
THROTTLED = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Rehearsal: too many requests."}}
BROKEN = {"error": {"code": 500, "status": "INTERNAL", "message": "Rehearsal: the service has a bad day."}}
# Ends of which a request can have one; their shares add up.
FATES = ("throttle", "errors", "drop", "garbage", "stuck")


class ChaosSettings(BaseModel):
    """Shares of all requests, 0–1, and times in milliseconds or seconds. All zero: nothing goes wrong.

    ``throttle``: 429 with ``Retry-After`` of ``retry_after_s``. ``errors``: 500, 502 or 503. ``drop``: the connection is
    cut, before the work or after it. ``garbage``: an answer in no format. ``stuck``: a job stays in progress, or an
    answer does not come, until chaos is lifted. ``slow``: waits ``slow_ms`` first, whatever else happens.
    """

    model_config = ConfigDict(extra="forbid")
    throttle: Share = 0.0
    retry_after_s: Annotated[int, Field(ge=0, le=600)] = 1
    errors: Share = 0.0
    drop: Share = 0.0
    garbage: Share = 0.0
    stuck: Share = 0.0
    slow: Share = 1.0
    slow_ms: Annotated[int, Field(ge=0, le=600_000)] = 0
    seed: Annotated[int, Field(ge=0, le=2**32)] = 0

    @model_validator(mode="after")
    def _at_most_all(self) -> "ChaosSettings":
        if sum(getattr(self, name) for name in FATES) > 1.000001:
            raise ValueError(f"{' + '.join(FATES)}: the shares add up to more than 1.")
        return self

    @property
    def active(self) -> bool:
        """Whether anything can go wrong."""
        return any(getattr(self, name) for name in FATES) or bool(self.slow and self.slow_ms)


def parse(text: str) -> ChaosSettings:
    """``errors=0.1,throttle=0.2,slow_ms=800``. Raises ValueError that names the setting and its rule."""
    given: dict[str, str] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, sign, value = part.partition("=")
        if not sign or name.strip() in given:
            raise ValueError(f"{part}: write each setting once, as NAME=VALUE.")
        given[name.strip()] = value.strip()
    if unknown := sorted(set(given) - set(ChaosSettings.model_fields)):
        raise ValueError(f"{unknown[0]}: no such setting; there are {', '.join(ChaosSettings.model_fields)}.")
    try:
        return ChaosSettings.model_validate(given)
    except ValidationError as error:
        raise ValueError(told(error)) from None


def told(error: ValidationError) -> str:
    """The first thing that is wrong, by its name."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    return f"{first['loc'][0]}: {message}" if first["loc"] else message


@dataclass(frozen=True)
class Fate:
    """What happens to one request: the name for the journal, and the fault that does it."""

    name: str
    fault: Fault


class Chaos:
    """The settings of one stand-in, kept in a file so that a restart does not end a rehearsal unseen."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._settings = ChaosSettings()
        if file.exists():
            self._settings = ChaosSettings.model_validate_json(file.read_bytes())
        self._random = random.Random(self._settings.seed)
        self.done: dict[str, int] = {}

    @property
    def settings(self) -> ChaosSettings:
        """The present ones."""
        return self._settings

    def change(self, settings: ChaosSettings) -> None:
        """Take other settings, from now on and over restarts; the sequence begins anew."""
        self._file.write_text(settings.model_dump_json())
        self._settings, self._random, self.done = settings, random.Random(settings.seed), {}

    def draw(self) -> Fate | None:
        """What happens to the next request; None for nothing. Two draws a request, whatever the settings are."""
        settings, chance, slow = self._settings, self._random.random(), self._random.random()
        delay_ms = settings.slow_ms if slow < settings.slow else 0
        for name in FATES:
            share = getattr(settings, name)
            if chance < share:
                return self._fate(name, delay_ms, chance / share)
            chance -= share
        return self._counted(Fate("slow", Fault(delay_ms=delay_ms))) if delay_ms else None

    def _fate(self, name: str, delay_ms: int, place: float) -> Fate:
        """``place``, 0–1, says where within its share the request fell: it chooses among the forms of one fate."""
        fault = Fault(delay_ms=delay_ms)
        if name == "throttle":
            fault.status, fault.body = 429, THROTTLED
            fault.headers = {"Retry-After": str(self._settings.retry_after_s)}
        elif name == "errors":
            fault.status, fault.body = (500, 502, 503)[min(int(place * 3), 2)], BROKEN
        elif name == "drop":
            fault.accept_then_drop = True
            # The first half is cut before the server has seen it.
            fault.status = 503 if place < 0.5 else None
        elif name == "garbage":
            fault.status, fault.body = 200, GARBAGE
        return self._counted(Fate(name, fault))

    def _counted(self, fate: Fate) -> Fate:
        self.done[fate.name] = self.done.get(fate.name, 0) + 1
        return fate

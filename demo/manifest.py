"""The manifest of the demo: tenants, people, calls and how each call is expected to end; the threads beside it."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

HERE = Path(__file__).parent
CALLS = HERE / "calls"
THREADS = HERE / "threads"


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class DemoUser(_Part):
    """A person of a demo tenant."""

    username: str
    full_name: str
    role: str
    group: str
    licensed: bool


class DemoTenant(_Part):
    """A demo tenant. ``minutes``: the service limits that are set, by their field names."""

    alias: str
    name: str
    language: str
    time_zone: str
    minutes: dict[str, int] = {}
    users: list[DemoUser]


class Expectation(_Part):
    """How a call ends, and why when it is not completed."""

    state: str
    reason: str = ""


class DemoCall(_Part):
    """A call: sidecar with its metadata, reference text, minutes before now at which it began."""

    tenant: str
    name: str
    sidecar: str
    reference: str | None = None
    started_at_offset_minutes: int
    expect: Expectation

    def metadata(self) -> dict[str, Any]:
        """The fields the importer takes."""
        fields: dict[str, Any] = json.loads((CALLS / self.sidecar).read_text())
        return {**fields, "started_at_offset_minutes": self.started_at_offset_minutes}


class Manifest(_Part):
    """The whole demo."""

    tenants: list[DemoTenant]
    calls: list[DemoCall]


def read_manifest() -> Manifest:
    """Read and validate ``manifest.json``."""
    return Manifest.model_validate_json((HERE / "manifest.json").read_bytes())


def demo_threads(alias: str) -> list[dict[str, Any]]:
    """The chats, e-mails and tickets of a demo tenant, as JSON for the importer; one file each."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(THREADS.glob(f"{alias}-*.json"))]

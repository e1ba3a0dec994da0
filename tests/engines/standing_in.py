"""A running stand-in for the server of a provider."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# Of the server of the offline-task API.
REALM, USER, PASSWORD = "demo", "integrator", "password-that-nobody-sees"
# Of all the others.
BUCKET = "calls-of-tests"
STORAGE_KEY = "c3RvcmFnZS1rZXktdGhhdC1ub2JvZHktc2Vlcw=="
KEY = "sk-test-key-that-nobody-sees"


class StandIn:
    """One process of ``emulators.<name>``; ``said`` is what it wrote when it was ready."""

    def __init__(self, name: str, data: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", f"emulators.{name}", "--data", str(data), *arguments]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.said: dict[str, str] = json.loads(self.process.stdout.readline())
        self.url, self.control_url = self.said["url"], self.said["control_url"]

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def control(self, method: str, path: str, data: Any = None) -> Any:
        """One request to the control plane."""
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self.control_url + path, data=body, method=method)
        with urllib.request.urlopen(request, timeout=10) as reply:
            content = reply.read()
        return json.loads(content) if content else None

    def be(self, **settings: Any) -> None:
        """Change its settings."""
        self.control("POST", "/_emu/settings", settings)

    def fault(self, **values: Any) -> None:
        """Let the next request fail."""
        self.control("POST", "/_emu/faults", values)

    def journal(self) -> list[dict[str, Any]]:
        """All requests so far."""
        found: list[dict[str, Any]] = self.control("GET", "/_emu/journal")["entries"]
        return found

    def requests(self, path: str) -> list[dict[str, Any]]:
        """The requests so far whose path begins so."""
        return [entry for entry in self.journal() if entry["path"].startswith(path)]

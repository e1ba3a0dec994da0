"""What ``up`` shows: the steps of the start, the address and the sign-ins, the demo calls being worked off."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from stack.files import read_json
from stack.paths import StackPaths
from stack.secrets import load_secrets

HEADINGS = ("organisation", "username", "password", "role")


class Display:
    """A live display on a terminal, plain lines elsewhere. A context manager."""

    def __init__(self, console: Console, *, with_demo: bool) -> None:
        self._console = console
        self._with_demo = with_demo
        self._live = console.is_terminal
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[words]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._message = ""
        self._announced = False
        self._demo_done = False
        self._task: Any = None
        self._restarts: dict[str, int] = {}
        self._last_line = ""

    def __enter__(self) -> Display:
        if self._live:
            self._progress.start()
            self._task = self._progress.add_task("Starting", total=None, words="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._progress.stop()

    def show(self, state: Mapping[str, Any]) -> None:
        """Show the step of the start, restarted processes, and how far the demo calls are."""
        message = state.get("message", "Starting")
        if not self._announced and message != self._message:
            self._message = message
            if self._live:
                self._progress.update(self._task, description=message)
            elif state.get("phase") == "starting":
                self._console.print(f"{message} …")
        for entry in state.get("processes", []):
            before = self._restarts.get(entry["name"], 0)
            if entry["restarts"] > before and entry["state"] == "running":
                self._restarts[entry["name"]] = entry["restarts"]
                self._console.print(f"{entry['name']} had ended and was started again")
        if self._announced and state.get("demo") and not self._demo_done:
            self._show_demo(state["demo"])

    def announce(self, paths: StackPaths, state: Mapping[str, Any]) -> bool:
        """Print the address and the sign-ins, once; return True."""
        if not self._announced:
            self._announced = True
            self._console.print(f"\n[bold]Parlance is ready: {state['url']}[/bold]\n")
            self._console.print(sign_in_table(paths))
            self._console.print()
            if self._live and not self._with_demo:
                self._progress.update(self._task, visible=False)
        return True

    def finish_demo(self, demo: Mapping[str, int]) -> None:
        """Say, once, how the demo calls ended."""
        if not self._demo_done and self._announced:
            self._demo_done = True
            if self._live:
                self._progress.update(self._task, visible=False)
            self._console.print(f"All {demo['calls']} demo calls are done: {_words(demo)}. Stop with Ctrl-C.")

    def _show_demo(self, demo: Mapping[str, int]) -> None:
        done = demo["completed"] + demo["skipped"] + demo["failed"]
        line = f"Demo calls: {done} of {demo['calls']} done ({_words(demo)})"
        if self._live:
            self._progress.update(
                self._task, description="Demo calls", completed=done, total=demo["calls"], words=_words(demo)
            )
        elif line != self._last_line:
            self._last_line = line
            self._console.print(line)


def sign_in_table(paths: StackPaths) -> Table:
    """Return the sign-ins: the platform administrator and, where the demo was loaded, its people."""
    table = Table(box=None, pad_edge=False)
    for heading in HEADINGS:
        table.add_column(heading.capitalize())
    loaded = read_json(paths.sign_ins)
    people = loaded.get("sign_ins", []) if isinstance(loaded, dict) else loaded or []
    administrator = {
        "organisation": "system",
        "username": "admin",
        "password": load_secrets(paths).admin_password,
        "role": "platform_admin",
    }
    if not any(person.get("username") == "admin" for person in people):
        people = [administrator, *people]
    for person in people:
        table.add_row(*(str(person.get(heading, "")) for heading in HEADINGS))
    return table


def _words(demo: Mapping[str, int]) -> str:
    words = f"{demo['completed']} completed, {demo['skipped']} skipped, {demo['failed']} failed"
    return f"{words}, {demo['to_analyse']} to analyse" if demo["to_analyse"] else words

"""Fault tests act on a whole stack; each loads the demo calls anew."""

from collections.abc import Iterator

import pytest

from tests.machine import Machine, running_machine


@pytest.fixture(scope="session")
def machine(tmp_path_factory) -> Iterator[Machine]:
    """The processes, up, without web."""
    with running_machine(tmp_path_factory.mktemp("speech") / "data") as machine:
        machine.spawn("beat")
        machine.spawn("worker")
        yield machine


@pytest.fixture
def demo(machine) -> Machine:
    """The demo calls freshly loaded, every upload taken by the provider slowly, every result held back."""
    return load_demo(machine)


def load_demo(machine: Machine) -> Machine:
    """As the fixture, for those who do something to the machine before."""
    machine.hold(True)
    machine.speech.control("DELETE", "/_emu/faults")
    slow = {"match": {"method": "POST", "path_prefix": "/v2/transcriptions"}, "delay_ms": 1000, "times": 40}
    machine.speech.control("POST", "/_emu/faults", slow)
    machine.manage(["demo_reset"])
    return machine

"""Running a Test Connection of an AI engine in a worker; what it finds out about the server is kept."""

from aiassistant.engines.base import AIEngine as Adapter
from aiassistant.family import AI
from aiassistant.models import AIEngine
from aiassistant.selectors import adapter_for
from aiassistant.services import learn
from engines import running


def run_test(test_id: str) -> None:
    """Run a claimed test to its end."""
    running.run_test(AI, test_id, adapter_for=adapter_for, check=lambda adapter: adapter.check(), passed=_keep)


def _keep(engine: AIEngine, adapter: Adapter) -> None:
    learn(engine=engine, capabilities=adapter.capabilities, probed=True)

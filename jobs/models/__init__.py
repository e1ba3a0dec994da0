"""The tables of jobs. All public: work is found without entering a tenant."""

# Tables with a subject of their own are found by Django through this import.
from jobs.bulk_actions import models as _bulk_actions  # noqa: F401
from jobs.circuits import models as _circuits  # noqa: F401
from jobs.figures import models as _figures  # noqa: F401
from jobs.models.definitions import (
    FULL_MODES,
    SWEEPING,
    Continuation,
    DataSource,
    EndedRecords,
    JobDefinition,
    Priority,
    Schedule,
)
from jobs.models.work import Cleanup, ErrorSignature, LogEntry, Pass, Record, RecordEvent, Run
from jobs.policy import models as _policy  # noqa: F401
from jobs.workers import models as _workers  # noqa: F401

__all__ = [
    "FULL_MODES",
    "SWEEPING",
    "Cleanup",
    "Continuation",
    "DataSource",
    "EndedRecords",
    "ErrorSignature",
    "JobDefinition",
    "LogEntry",
    "Pass",
    "Priority",
    "Record",
    "RecordEvent",
    "Run",
    "Schedule",
]

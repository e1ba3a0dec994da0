"""The services of engines, for speech engines."""

from functools import partial

from engines import services
from engines.services import (
    delete_engine,
    finish_test,
    record_steps,
    report_failing,
    request_test,
    resume_engine,
    set_engines_enabled,
    trust_engine,
    try_engine,
)
from transcription.family import SPEECH
from transcription.language_strategy import check_jobs_of

__all__ = [
    "claim_test",
    "delete_engine",
    "finish_test",
    "pause_engine",
    "record_steps",
    "report_failing",
    "request_test",
    "request_tests",
    "resume_engine",
    "save_engine",
    "set_engines_enabled",
    "trust_engine",
    "try_engine",
]

# An engine that jobs have languages detected by must go on being able to.
save_engine = partial(services.save_engine, family=SPEECH, more=check_jobs_of)
pause_engine = partial(services.pause_engine, family=SPEECH)
request_tests = partial(services.request_tests, family=SPEECH)
claim_test = partial(services.claim_test, SPEECH)

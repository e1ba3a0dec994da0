"""What became of the demo's calls when they were transcribed: how many words, the same as which, charged how often."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any

from django.db.models import Count, Sum

from conversations.codec import unpack
from conversations.models import Transcript
from demo.scoring import normalise
from demo.services import ENGINE, JOB, demo_call_ids
from jobs.models import Record
from licensing.models import Entry, Meter
from tenants.doors import enter

ENDED_WITHOUT = (Record.State.FAILED, Record.State.ABORTED, Record.State.SKIPPED)


@dataclass(slots=True)
class DemoRun:
    """One time that the demo's calls were transcribed, from a moment on.

    ``words`` are those of the new transcripts; of ``compared`` words that the bundled engine heard in the same calls,
    ``same`` are in them in the same order. ``without``: reasons for which calls ended without a transcript, counted.
    ``errors``: tries that failed, of which a record may have several. ``charges``: how many records were charged, ``charged_s`` for
    how many seconds; ``charged_twice``: records with more than one charge in one generation, which must be none.
    """

    engines: list[str] = field(default_factory=list)
    recordings: int = 0
    words: int = 0
    compared: int = 0
    same: int = 0
    without: dict[str, int] = field(default_factory=dict)
    in_progress: int = 0
    errors: int = 0
    charges: int = 0
    charged_s: int = 0
    charged_twice: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def run_since(since: datetime) -> DemoRun:
    """Count what was done with the demo's calls from ``since`` on."""
    run, engines, without = DemoRun(), set(), Counter[str]()
    for tenant, ids in demo_call_ids().items():
        records = Record.objects.filter(job__name=JOB, tenant=tenant, record_id__in=ids)
        run.in_progress += records.filter(state=Record.State.IN_PROGRESS).count()
        ended = records.filter(state__in=ENDED_WITHOUT, finished_at__gte=since)
        without.update(f"{state}: {reason}" for state, reason in ended.values_list("state", "reason"))
        run.errors += records.aggregate(number=Sum("errors"))["number"] or 0
        charged = Entry.objects.filter(
            tenant=tenant,
            meter=Meter.TRANSCRIPTION_SECONDS,
            step=Entry.Step.SETTLE,
            record__in=list(records.values_list("pk", flat=True)),
            at__gte=since,
        )
        by_record = charged.values("record", "generation").annotate(times=Count("pk"), seconds=Sum("amount"))
        for row in by_record.values_list("times", "seconds"):
            run.charges, run.charged_s = run.charges + 1, run.charged_s + row[1]
            run.charged_twice += row[0] > 1
        with enter(tenant):
            made = Transcript.objects.filter(call_id__in=ids, is_current=True, created_at__gte=since)
            for transcript in made:
                engines.add(transcript.engine_name)
                _count(run, transcript)
    run.engines, run.without = sorted(engines), dict(sorted(without.items()))
    return run


def _count(run: DemoRun, transcript: Transcript) -> None:
    """Add a transcript, and its comparison with the newest that the bundled engine made of the same call."""
    words = _words(transcript)
    run.recordings, run.words = run.recordings + 1, run.words + sum(len(heard) for heard in words.values())
    bundled = Transcript.objects.filter(call=transcript.call_id, engine_name=ENGINE).order_by("-version").first()
    if bundled is None or bundled.pk == transcript.pk:
        return
    for channel, wanted in _words(bundled).items():
        run.compared += len(wanted)
        matcher = SequenceMatcher(None, wanted, words.get(channel, []), autojunk=False)
        run.same += sum(block.size for block in matcher.get_matching_blocks())


def _words(transcript: Transcript) -> dict[int, list[str]]:
    """The words of each channel in order."""
    found: dict[int, list[str]] = {}
    for segment in unpack(bytes(transcript.body), transcript.text).segments:
        found.setdefault(segment.channel, []).extend(normalise(segment.text))
    return found

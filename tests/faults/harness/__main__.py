"""``python -m tests.faults.harness --trials 200 [--seed N] [--workers 3] [--records 20]``: run trials, say how they ended.

One line a trial on standard output, all of it as JSON with ``--report FILE``. Ends with 0 when every rule held in every
trial, with 1 otherwise. A trial is run again alone by ``--seed ITS_SEED --trials 1``, with the same ``--workers``.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.harness.dialects import DIALECTS
from tests.faults.harness.rig import Rig, running_rig


def main() -> int:
    """Run what was asked for."""
    options = _options()
    began = time.monotonic()
    with running_rig(DIALECTS[options.dialect], options.workers) as rig:
        verdicts = _run(rig, options)
    wall = time.monotonic() - began
    bad = [verdict for verdict in verdicts if not verdict["good"]]
    records = sum(verdict["records"] for verdict in verdicts)
    _say(f"{len(verdicts)} trials, {records} records, {wall:.0f} s: {len(bad)} failed")
    if options.report:
        whole = {"trials": verdicts, "wall_s": round(wall, 1), "failed": len(bad)}
        options.report.write_text(json.dumps(whole, indent=1))
    return 1 if bad else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.harness", description=__doc__)
    parser.add_argument("--trials", type=int, default=0, help="random trials")
    parser.add_argument("--seed", type=int, default=1, help="of the first trial; the others count on from it")
    parser.add_argument("--workers", type=int, default=3, help="workers, at least 2")
    parser.add_argument("--records", type=int, default=20, help="records a tenant and trial; there are 3 tenants")
    parser.add_argument("--families", default="", help="names of families of faults, for example F1,F4; or all")
    parser.add_argument("--crash-points", action="store_true", help="every named crash point, first and second hit")
    parser.add_argument("--plant", action="store_true", help="plant errors at the end and see that they are found")
    parser.add_argument("--dialect", choices=sorted(DIALECTS), default="native", help="which provider is faked")
    parser.add_argument("--report", type=Path, help="write all verdicts to this JSON file")
    parser.add_argument("--keep-logs", type=Path, help="copy the logs of the processes into this directory")
    options = parser.parse_args()
    if options.workers < 2:
        parser.error("--workers: at least 2, or nobody takes over")
    return options


def _run(rig: Rig, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Everything below needs Django, and Django the servers."""
    import django

    django.setup()
    from tests.faults.harness.planting import planted_trials
    from tests.faults.harness.trial import Trial
    from tests.faults.harness.world import make_world

    world = make_world(rig.dialect, rig.provider_url)
    rig.start_processes()
    world.wait_for_workers(options.workers)
    verdicts = []
    try:
        for number, plan in enumerate(_plans(options, rig)):
            trial = Trial(rig, world, number=number, name=plan.name, seed=plan.seed, steps=plan.steps)
            verdict = trial.run(options.records)
            if plan.must_spring and verdict.unsprung:
                verdict.findings.append(f"nobody came by {verdict.unsprung}")
            verdicts.append(verdict.data())
            _tell(verdict)
        if options.plant:
            for verdict in planted_trials(rig, world, number=len(verdicts)):
                verdicts.append(verdict.data())
                _tell(verdict)
    finally:
        if options.keep_logs:
            options.keep_logs.mkdir(parents=True, exist_ok=True)
            for log in rig.base.glob("*.log"):
                (options.keep_logs / log.name).write_bytes(log.read_bytes())
    return verdicts


def _plans(options: argparse.Namespace, rig: Rig) -> Iterator[Any]:
    from tests.faults.harness.plans import FAMILIES, crash_plans, family_plan, random_plans

    if options.families:
        for name in FAMILIES if options.families == "all" else options.families.split(","):
            yield family_plan(name, options.seed, rig.dialect)
    if options.crash_points:
        yield from crash_plans(options.seed)
    yield from random_plans(options.seed, options.trials, workers=options.workers, dialect=rig.dialect)


def _tell(verdict: Any) -> None:
    word = "ok" if verdict.good else "FAILED"
    states = " ".join(f"{number} {state}" for state, number in verdict.states.items())
    _say(
        f"{word:6} seed {verdict.seed:<6} {verdict.seconds:5.1f} s  {verdict.name:8} {states}  [{'; '.join(verdict.steps)}]"
    )
    for finding in verdict.findings[:20]:
        _say(f"       {finding}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

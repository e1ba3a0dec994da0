"""Every benchmark runs at a tiny size and says what it promises; how fast it was is nobody's business here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.registry import BENCHMARKS
from stack.environment import python_environment
from stack.paths import ROOT

# Short of these names a report cannot be compared with another one.
FIGURES = {
    "pipeline": {"contestants"},
    "engines": {"words", "throughput", "imports"},
    "ai": {"contestants", "estimate", "built_in_engine"},
    "claim": {"cells"},
    "fairness": {"waits", "left_of_the_flood"},
    "memory": {"idle_mb", "peak_mb", "records_in_flight"},
    "console": {"pages", "actions", "no_op_view_p95_ms"},
    "tenants": {"clone_median_s", "migrations_median_s"},
    "ledger": {"overshoot_s", "row_by_row", "check_then_insert"},
    "audit": {"verify_s"},
    "realms": {"requests", "requests_of_each"},
    "miaop": {"upload", "submissions", "requests"},
    "usage": {"p95", "rollup_query_alone_ms"},
}
SCALE = "0.001"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in python_environment().items() if name not in ("DATABASE_URL", "REDIS_URL")}
    command = [sys.executable, "-m", "stack", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=500)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_a_benchmark_prints_a_table_and_writes_its_figures_with_goals_machine_and_command(name: str, tmp_path: Path):
    path = tmp_path / "report.json"

    done = run(name, "--scale", SCALE, "--json", str(path))

    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(path.read_text())
    assert report["command"] == f"./parlance bench {name} --scale {SCALE}"
    assert {"at", "commit", "machine", "versions", "scale", "figures"} <= report.keys()
    assert report["figures"].keys() >= FIGURES[name] | {"goals"}
    for goal in report["figures"]["goals"]:
        assert goal.keys() == {"goal", "wanted", "value", "met"}
        assert goal["goal"] in done.stdout
    if name == "pipeline":
        contestants = report["figures"]["contestants"]
        assert [row["contestant"] for row in contestants] == ["Parlance", "Celery task per step", "bare script"]
        # Upload, three checks, fetch, clean-up: nobody saves a request that the others make.
        assert {row["requests_per_record"] for row in contestants} == {6.0}


def test_without_a_name_all_benchmarks_are_listed():
    done = run()

    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines() if line] == list(BENCHMARKS)


@pytest.mark.parametrize("arguments", [["speed"], ["claim", "--scale", "0"], ["claim", "--scale", "many"]])
def test_an_unknown_benchmark_or_scale_is_a_wrong_command_line(arguments: list[str]):
    assert run(*arguments).returncode == 2

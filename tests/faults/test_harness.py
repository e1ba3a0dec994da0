"""The fault harness, small: two seeds, every family of faults by name, and proof that its checker finds errors.

The long runs are for the night: ``python -m tests.faults.harness --crash-points --trials 200``.
"""

import json
import os
import subprocess
import sys

import pytest

from stack.paths import ROOT
from tests.faults.harness.crashpoints import POINTS, clear_traps, set_trap
from tests.faults.harness.nemesis import draw
from tests.faults.harness.plans import FAMILIES, NOT_HERE
from tests.faults.harness.planting import PLANTS

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600), pytest.mark.xdist_group("harness")]

SEEDS = (11, 12)
SKIPPED = [pytest.param(name, marks=pytest.mark.skip(why)) for name, why in NOT_HERE.items()]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory) -> dict[str, dict]:
    """All trials of the suite, run once by the command that people use; by name, random ones by seed."""
    report = tmp_path_factory.mktemp("harness") / "report.json"
    outside = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PARLANCE_MEDIA_DIR", "PARLANCE_TEST_SERVICES")
    env = {name: value for name, value in os.environ.items() if name not in outside}
    arguments = ["--trials", str(len(SEEDS)), "--seed", str(SEEDS[0]), "--records", "4", "--families", "all", "--plant"]
    command = [sys.executable, "-m", "tests.faults.harness", *arguments, "--report", str(report)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=580)
    assert report.exists(), done.stderr[-3000:]
    sys.stdout.write(done.stdout)
    told = json.loads(report.read_text())["trials"]
    return {one["name"].partition(":")[0] if one["name"] != "random" else f"seed {one['seed']}": one for one in told}


def held(verdict: dict) -> None:
    """Every rule held; else what broke, and how to run it again."""
    assert verdict["findings"] == [], f"{verdict['name']}, seed {verdict['seed']}: {verdict['steps']}"
    assert verdict["polls"] > 10, "somebody looked while it ran"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_trial_loses_nothing_doubles_nothing_and_leaves_nothing(verdicts, seed):
    held(verdicts[f"seed {seed}"])


@pytest.mark.parametrize("family", [*FAMILIES, *SKIPPED])
def test_a_family_of_faults_loses_nothing_doubles_nothing_and_leaves_nothing(verdicts, family):
    held(verdicts[family])


def test_the_misbehaving_provider_was_met(verdicts):
    assert verdicts["F4"]["misdeeds_met"] >= 10


@pytest.mark.parametrize("error", PLANTS)
def test_the_checker_finds_an_error_that_is_planted(verdicts, error):
    verdict = verdicts[f"planted {error}"]
    assert verdict["findings"] == []
    assert verdict["notes"], "it said what is wrong"


def test_the_same_seed_draws_the_same_steps_and_another_one_others():
    told = [[str(step) for step in draw(seed, workers=3, misdeeds=30)] for seed in (7, 7, 8)]
    assert told[0] == told[1] != told[2]


@pytest.mark.parametrize("hit", [1, 2])
def test_a_trap_kills_the_named_comer_and_only_once(tmp_path, hit):
    """Each process comes by twice; the second of two comers dies at a trap for the second."""
    set_trap(tmp_path, "after take", hit, whole=False)
    program = (
        "import sys; from pathlib import Path; from tests.faults.harness import crashpoints as c; "
        "taken = c._hooked(lambda: (1, 1), Path(sys.argv[1]), 'after take', c.POINTS['after take']); "
        "[taken() for _ in range(int(sys.argv[2]))]"
    )

    def come(times: int) -> int:
        command = [sys.executable, "-c", program, str(tmp_path), str(times)]
        return subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode

    assert come(hit - 1) == 0
    assert come(1) == -9
    assert come(3) == 0
    clear_traps(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_point_is_no_trap(tmp_path):
    with pytest.raises(KeyError):
        set_trap(tmp_path, "nowhere", 1, whole=False)
    assert len(POINTS) == 11

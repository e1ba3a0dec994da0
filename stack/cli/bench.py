"""``bench``: a benchmark with servers of its own."""

from __future__ import annotations

import argparse
import subprocess
import sys

from stack.environment import python_environment
from stack.paths import ROOT


def run(options: argparse.Namespace) -> int:
    """Run ``benchmarks`` with the arguments as they came; without any, it lists what there is."""
    command = [sys.executable, "-P", "-m", "benchmarks", *options.arguments]
    return subprocess.run(command, cwd=ROOT, env=python_environment()).returncode

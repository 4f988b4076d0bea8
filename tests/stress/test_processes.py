"""Forks, pools, threads and a long life, each in a process of its own.

One does all of it: what takes longest is the start.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.stress.jobs import JOBS


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks, and measures in KiB")
def test_a_process_does_what_it_should_without_a_warning():
    command = ["-W", "error", "-W", "ignore:.*fork:DeprecationWarning"]
    done = subprocess.run(
        [sys.executable, *command, "-m", "tests.stress.jobs", *JOBS],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr

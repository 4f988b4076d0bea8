"""Kernels with compilation switched off."""

import os
import subprocess
import sys


def test_numba_without_compilation_is_as_good_as_none():
    code = """
import numpy as np
from destructors.maps._jit import has_numba
from destructors.maps._rosenblatt import Rosenblatt
assert not has_numba()
mixture = Rosenblatt(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1)))
print(mixture.forward(np.array([[1.5]]))[0].item())
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert abs(float(done.stdout) - 1.5) < 1e-12

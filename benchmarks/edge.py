"""What it takes to score one row where there is little: without numba, and in C."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

import destructors
from destructors.maps import to_c

__all__ = ["measure_edge"]

# Seconds for which a row is scored again and again, at least.
_ENOUGH = 0.2

_WITHOUT_NUMBA = """
import sys, warnings
sys.modules["numba"] = None
warnings.simplefilter("ignore")
import numpy as np
from benchmarks.edge import time_rows
from destructors.maps import load
X, density = np.load({rows!r}), load({model!r})
print(time_rows(density.logpdf, X))
"""


def measure_edge(model: Any, X: NDArray) -> dict[str, float]:
    """Return sizes of a fitted model, and CPU microseconds that a row takes.

    Parameters
    ----------
    model : Destructor
        A fitted destructor.
    X : ndarray of shape (n_samples, n_features)
        Rows to score.

    Returns
    -------
    found : dict
        Kilobytes of its file, and microseconds a row from that file with NumPy and
        SciPy alone, one row a call. Where there is a compiler, the same of C, and the
        largest error beside 1 or the score.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        saved, rows = folder / "model.npz", folder / "rows.npy"
        destructors.save(model, saved)
        np.save(rows, X)
        code = _WITHOUT_NUMBA.format(rows=str(rows), model=str(saved))
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        found = {"file kB": _kilobytes(saved), "NumPy µs": float(done.stdout)}
        if shutil.which("cc"):
            found |= _measure_c(model, X, folder)
    return found


def _measure_c(model: Any, X: NDArray, folder: Path) -> dict[str, float]:
    source, library = folder / "model.c", folder / "model.so"
    to_c(model, source)
    flags = ["-std=c99", "-O2", "-shared", "-fPIC", "-o", str(library)]
    subprocess.run(["cc", *flags, str(source), "-lm"], check=True)
    score = ctypes.CDLL(str(library)).score_rows
    score.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
    scores, expected = np.empty(len(X)), model.score_samples(X)
    n_calls, began = 0, process_time()
    while process_time() < began + _ENOUGH:
        score(X.ctypes.data, len(X), scores.ctypes.data)
        n_calls += 1
    seconds = (process_time() - began) / (n_calls * len(X))
    error = np.abs(scores - expected) / np.maximum(np.abs(expected), 1.0)
    return {
        "C kB": _kilobytes(source),
        "compiled kB": _kilobytes(library),
        "C µs": round(1e6 * seconds, 2),
        "error": float(error.max()),
    }


def time_rows(score: Callable[[NDArray], Any], X: NDArray) -> float:
    """Return the CPU microseconds of a row, each in a call of its own."""
    score(X[:1])
    n_calls, began = 0, process_time()
    while process_time() < began + _ENOUGH:
        i = n_calls % len(X)
        score(X[i : i + 1])
        n_calls += 1
    return round(1e6 * (process_time() - began) / n_calls, 1)


def _kilobytes(path: Path) -> float:
    return round(path.stat().st_size / 1e3, 1)

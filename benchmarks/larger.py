"""Fits to tables that are not in memory: seconds, megabytes and held-out nats."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors import write_rows

__all__ = ["LARGER", "WAYS_OF", "measure_larger"]

# Of each model, how it is made. Few layers: one costs what another does; where these
# turn must not hang on the last digits of what was learned before, to be compared.
LARGER = {
    "GaussianCopula": "GaussianCopula(n_jobs={n_jobs})",
    "RBIG": "RBIG(max_iter=5, rotation='random', n_jobs={n_jobs}, random_state=0)",
    "TreeFlow": "TreeFlow(n_jobs={n_jobs}, random_state=0)",
}
# Files, how many rows of them are read into memory first, if any, and threads.
WAYS: dict[str, tuple[str, str, int]] = {
    "npy": (".npy", "none", 1),
    "npy, 2 threads": (".npy", "none", 2),
    "parquet": (".parquet", "none", 1),
    "parquet, 2 threads": (".parquet", "none", 2),
    "memory": (".npy", "all", 1),
    "memory, 1,000,000 rows": (".npy", "1000000", 2),
    "memory, 200,000 rows": (".npy", "200000", 2),
}
# Those that each model is fitted in. TreeFlow takes long, and its fit to ten million
# rows in memory does not fit.
WAYS_OF = {
    "GaussianCopula": ("npy", "npy, 2 threads", "parquet", "memory"),
    "RBIG": ("npy", "npy, 2 threads", "parquet", "memory"),
    "TreeFlow": (
        "parquet, 2 threads",
        "memory, 1,000,000 rows",
        "memory, 200,000 rows",
    ),
}
# Megabytes that a fit to disk may take: the system gives no more (RLIMIT_DATA).
LIMITS = {"GaussianCopula": 600, "RBIG": 600, "TreeFlow": 1500}
# That of pyarrow has addresses set aside which it never uses, and which count.
_PLAIN_POOL = {"ARROW_DEFAULT_MEMORY_POOL": "system"}
_N_COLUMNS, _N_HELD_OUT = 10, 50_000

# In a process of its own, whose memory is that of the fit.
_FIT = """
import json, re, resource, sys
from time import perf_counter, process_time
import numpy as np
from destructors import RBIG, GaussianCopula, TreeFlow, open_rows
def peak():
    # That of getrusage begins with what the process was started from has taken.
    status = open("/proc/self/status").read()
    return int(re.search("VmHWM:(.*)kB", status)[1]) / 1024
path, held_out, in_memory, limit = sys.argv[1:]
if in_memory == "none":
    resource.setrlimit(resource.RLIMIT_DATA, (int(limit) * 2**20,) * 2)
X = open_rows(path, scratch=path.rpartition("/")[0])
before = peak()
if in_memory != "none":
    n_rows = None if in_memory == "all" else int(in_memory)
    X = np.load(path, mmap_mode="r")[:n_rows].copy()
model = {model}
wall, cpu = perf_counter(), process_time()
model.fit(X)
found = dict(seconds=perf_counter() - wall, cpu=process_time() - cpu)
found |= dict(start_MB=before, peak_MB=peak(), nats=model.score(np.load(held_out)))
print(json.dumps(found | dict(bits=model.map_.digest().hex()[:8])))
"""


def measure_larger(
    model: str, n_rows: int, ways: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Fit to a table of 10 columns in several ways.

    Parameters
    ----------
    model : str
        One of `LARGER`.
    n_rows : int
        Number of rows.
    ways : sequence of str, default=None
        Some of `WAYS`; None for those of the model in `WAYS_OF`.

    Returns
    -------
    found : list of dict
        For each way, wall and CPU seconds, megabytes that are resident after the
        imports and at the peak, mean log density of 50,000 new rows, and the first
        digits of a hash of what was learned. Fits to disk have to agree in these, and
        are given no more memory than `LIMITS` says.
    """
    rows = []
    with tempfile.TemporaryDirectory() as name:
        held_out = Path(name) / "held_out.npy"
        np.save(held_out, _draw(_N_HELD_OUT, np.random.default_rng(1)))
        ways = WAYS_OF[model] if ways is None else ways
        for suffix in {WAYS[way][0] for way in ways}:
            write_rows(Path(name, "rows" + suffix), _blocks(n_rows))
        for way in ways:
            suffix, in_memory, n_jobs = WAYS[way]
            code = _FIT.format(model=LARGER[model].format(n_jobs=n_jobs))
            path, limit = Path(name, "rows" + suffix), str(LIMITS[model])
            arguments = [str(path), str(held_out), in_memory, limit]
            done = subprocess.run(
                [sys.executable, "-c", code, *arguments],
                capture_output=True,
                text=True,
                env=os.environ | _PLAIN_POOL,
                check=True,
            )
            found = json.loads(done.stdout)
            rows.append({"model": model, "rows": n_rows, "from": way, **found})
    return rows


def _blocks(n_rows: int) -> Iterator[NDArray]:
    rng = np.random.default_rng(0)
    for start in range(0, n_rows, 100_000):
        yield _draw(min(100_000, n_rows - start), rng)


def _draw(n_rows: int, rng: np.random.Generator) -> NDArray:
    x = rng.gamma(2.0, size=(n_rows, _N_COLUMNS // 2))
    return np.c_[x, np.sin(x) + rng.normal(scale=0.2, size=x.shape)]

"""Cold start: imports, and first and second fits, with an empty folder of kernels."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import destructors
from benchmarks.files import write_csv

__all__ = ["add_arguments", "measure_cold_start", "run"]

COLUMNS = ("model", "first", "second", "beyond", "again", "installed")
_CHECKOUT = Path(__file__).parents[1]
_IMPORTS = ("sklearn.base", "destructors", "destructors.flows")
_MODELS = ("RBIG", "TreeFlow", "AutoDestructor", "DiscreteTreeFlow", "AlignmentFlow")

_TIME_IMPORT = """
from time import process_time
before = process_time()
import {module}
print(process_time() - before)
"""

_TIME_FITS = """
import json
from time import process_time
import numpy as np
from destructors import flows

X = np.random.default_rng(0).standard_normal(({n_samples}, 5))
X[:, 1:] += 0.5 * X[:, :-1] ** 2
params = {{}}
if {name!r} == "DiscreteTreeFlow":
    X = np.clip(X, -2, 2).round().astype(int)
if {name!r} == "AlignmentFlow":
    params["sample_domain"] = np.arange(len(X)) % 2
seconds = []
for _ in range(2):
    before = process_time()
    flows.{name}(random_state=0).fit(X, **params)
    seconds.append(process_time() - before)
print(json.dumps(seconds))
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this job."""
    parser.add_argument("--quick", action="store_true", help="200 rows: only a try")
    parser.add_argument(
        "--models",
        nargs="+",
        choices=_MODELS,
        default=_MODELS,
        metavar="NAME",
        help=f"of {', '.join(_MODELS)}",
    )


def run(args: argparse.Namespace) -> int:
    """Print CPU seconds; write ``cold.csv``."""
    print("CPU seconds, each line in processes of its own, kernels in an empty folder;")
    print("'again' is the first fit of one more process, which finds them there, and")
    print("'installed' that of one that finds what the installation has compiled.")
    n_samples = 200 if args.quick else 2_000
    for module in _IMPORTS:
        print(f"import {module:<18} {time_import(module):6.2f}")
    table = measure_cold_start(args.models, n_samples)
    print(f"fits of {n_samples:,} × 5")
    print(table.round(2).to_string(index=False))
    write_csv(args.output / "cold.csv", table)
    print(f"The table is in {args.output / 'cold.csv'}.")
    return 0


def time_import(module: str) -> float:
    """Return the CPU seconds of an import in a process of its own."""
    return float(_run(_TIME_IMPORT.format(module=module), os.environ.copy()))


def measure_cold_start(models: tuple[str, ...], n_samples: int) -> pd.DataFrame:
    """Return the CPU seconds of fits in new processes.

    Parameters
    ----------
    models : tuple of str
        Names of flows.
    n_samples : int
        Rows to fit.

    Returns
    -------
    table : DataFrame
        For each model: the ``first`` and the ``second`` fit where nothing is compiled,
        ``beyond``, by how much the first is longer, ``again``, the first fit of the
        next process, and ``installed``, the first fit where the installation has
        compiled kernels; missing where it has not.
    """
    home = Path(destructors.__file__).parent
    lines = []
    for name in models:
        code = _TIME_FITS.format(name=name, n_samples=n_samples)
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(
                home, Path(folder, home.name), ignore=shutil.ignore_patterns("kernels")
            )
            first, second = _time_fits(code, Path(folder), Path(folder, "bare"))
            again, _ = _time_fits(code, Path(folder), Path(folder, "bare"))
            installed = np.nan
            if (home / "kernels").exists():
                installed, _ = _time_fits(code, home.parent, Path(folder, "installed"))
        lines.append((name, first, second, first - second, again, installed))
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _time_fits(code: str, package: Path, kernels: Path) -> list[float]:
    return json.loads(
        _run(code, os.environ | {"NUMBA_CACHE_DIR": str(kernels)}, package)
    )


def _run(code: str, environment: dict[str, str], package: Path = _CHECKOUT) -> str:
    """Return what a new interpreter prints, with the package from a folder."""
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(package), environment.get("PYTHONPATH", "")]
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        # Modules of the folder where one is would come first.
        cwd=package,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout

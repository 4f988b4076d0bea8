"""An interpreter in which only NumPy and SciPy are installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import scipy

import destructors

__all__ = ["run_bare"]


def run_bare(folder: Path, code: str) -> str:
    """Run code where NumPy, SciPy and this package can be imported, and nothing else.

    Parameters
    ----------
    folder : Path
        An empty folder, to link what can be imported into.
    code : str
        What to run.

    Returns
    -------
    output : str
    """
    site = folder / "site"
    site.mkdir()
    for package in (np, scipy, destructors):
        home = Path(package.__file__).parent
        (site / home.name).symlink_to(home)
        # Where wheels keep the libraries that they bring.
        if (libraries := home.with_name(f"{home.name}.libs")).is_dir():
            (site / libraries.name).symlink_to(libraries)
    begin = f"import sys; sys.path.insert(0, {str(site)!r}); "
    # -S leaves out site-packages, -I what the environment would add.
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-W",
            "error::DeprecationWarning",
            "-c",
            begin + code,
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

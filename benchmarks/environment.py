"""What figures are made with: it stands beside them in their file."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["describe_environment"]

_PACKAGES = [
    "destructors",
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "joblib",
    "torch",
    "zuko",
]


def describe_environment(n_threads: int = 1) -> dict[str, Any]:
    """Return the machine, the versions and the number of threads."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "n_cpus": os.cpu_count(),
        "n_threads": n_threads,
        "versions": {name: _version(name) for name in _PACKAGES},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    models = (line.split(":", 1)[1] for line in lines if line.startswith("model name"))
    return next(models, platform.processor()).strip()

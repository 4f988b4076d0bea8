"""Where a file is: in a local folder, in scikit-learn's data home, or fetched."""

from __future__ import annotations

import os
from pathlib import Path

from sklearn.datasets import fetch_file, get_data_home

from destructors.datasets._sources import Source

__all__ = ["find", "find_local"]

_FOLDER = "DESTRUCTORS_DATA"


def find_local(path: str) -> Path | None:
    """Return where a file is in the folder that DESTRUCTORS_DATA names, if there."""
    folder = os.environ.get(_FOLDER)
    found = Path(folder) / path if folder else None
    return found if found is not None and found.is_file() else None


def find(source: Source) -> Path:
    """Return where a file is: in the local folder, else in the data home.

    What is not in the data home, or has another checksum there, is fetched into it. A
    file of the local folder is taken as it is: its owner may have packed it anew.

    Parameters
    ----------
    source : Source
        What and where.

    Returns
    -------
    path : Path
        Path of the file.

    Raises
    ------
    OSError
        If the file is in neither place and cannot be fetched, or what comes has another
        checksum.
    """
    if local := find_local(source.path):
        return local
    if not source.url:
        raise OSError(_advise(source, "has no public address to fetch it from"))
    kept = Path(get_data_home()) / "destructors" / source.path
    kept.parent.mkdir(parents=True, exist_ok=True)
    try:
        return fetch_file(
            source.url,
            folder=kept.parent,
            local_filename=kept.name,
            sha256=source.sha256,
        )
    except OSError as error:
        problem = f"cannot be fetched from {source.url} ({error})"
        raise OSError(_advise(source, problem)) from error


def _advise(source: Source, problem: str) -> str:
    return (
        f"{source.path} {problem}. Put the file into a folder and set the environment "
        f"variable {_FOLDER} to that folder, so that it is found at "
        f"{_FOLDER}/{source.path}."
    )

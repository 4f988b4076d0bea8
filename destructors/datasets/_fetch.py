"""Where data come from: a local folder, or the public source."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import get_data_home

__all__ = ["Source", "digest", "find_local", "get"]

_FOLDER = "DESTRUCTORS_DATA"
_TIMEOUT = 60.0


class Source(NamedTuple):
    """A file and how to know it.

    Attributes
    ----------
    path : str
        Path below the local folder and the data home.
    url : str
        Public address; empty if there is none to fetch from.
    sha256 : str
        Of what `digest` makes of the arrays or text in it: how a file is packed differs
        from copy to copy.
    """

    path: str
    url: str
    sha256: str


def find_local(path: str) -> Path | None:
    """Give the path of a file in the folder that DESTRUCTORS_DATA names, if there."""
    folder = os.environ.get(_FOLDER)
    found = Path(folder) / path if folder else None
    return found if found is not None and found.is_file() else None


def digest(arrays: list[NDArray]) -> str:
    """SHA-256 of arrays: of their shapes and of their values as little-endian bytes."""
    state = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        state.update(repr(array.shape).encode())
        state.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return state.hexdigest()


def get(
    source: Source, read: Callable[[Path], Any], check: Callable[[Any], str]
) -> Any:
    """Read a file: from the local folder, else from the data home, else fetched.

    Parameters
    ----------
    source : Source
        What and where.
    read : callable
        Reads a file.
    check : callable
        Gives the SHA-256 of what was read.

    Returns
    -------
    content : object
        What ``read`` gives.

    Raises
    ------
    OSError
        If the file is in neither place and cannot be fetched, or what comes has another
        checksum.
    """
    if local := find_local(source.path):
        return read(local)
    kept = Path(get_data_home()) / "destructors" / source.path
    if kept.is_file():
        content = read(kept)
        if check(content) == source.sha256:
            return content
    if not source.url:
        raise OSError(_advice(source, "has no public address to fetch it from"))
    kept.parent.mkdir(parents=True, exist_ok=True)
    # Written beside it and moved when complete, so that no half file is ever found.
    part = kept.with_name(f"{kept.name}.{os.getpid()}.part")
    try:
        with urlopen(source.url, timeout=_TIMEOUT) as response:
            part.write_bytes(response.read())
        try:
            content = read(part)
            seen = check(content)
        except (ValueError, KeyError, OSError, EOFError) as error:
            raise OSError(
                _advice(source, f"at {source.url} is not what it was ({error})")
            ) from error
        if seen != source.sha256:
            raise OSError(
                _advice(
                    source,
                    f"at {source.url} has the checksum {seen}, not {source.sha256}",
                )
            )
        part.replace(kept)
    except (URLError, TimeoutError) as error:
        raise OSError(
            _advice(source, f"cannot be fetched from {source.url} ({error})")
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return content


def _advice(source: Source, problem: str) -> str:
    return (
        f"{source.path} {problem}. Put the file into a folder and set the environment "
        f"variable {_FOLDER} to that folder, so that it is found at "
        f"{_FOLDER}/{source.path}."
    )

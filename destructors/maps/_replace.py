"""Files that are there as they were or as they should be, never half of one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# How the names of files end that are being written.
TEMPORARY = ".tmp"


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """Let a file be written beside its place, and move it there in one step.

    Parameters
    ----------
    target : Path
        The place.

    Yields
    ------
    temporary : Path
        What to write; an error or an interrupt removes it again.
    """
    temporary = target.with_name(f".{target.name}.{os.urandom(4).hex()}{TEMPORARY}")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise

"""A named choice of the command line: a data set or a model."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["ChoiceError", "Entry", "by_name", "choose", "choose_names", "modules"]


class ChoiceError(ValueError):
    """A name on the command line that cannot be served."""


@dataclass(frozen=True)
class Entry:
    """Something that can be asked for by name.

    Attributes
    ----------
    name : str
        Name on the command line and in the results.
    make : callable
        Returns the data set (no arguments) or the model (of a random state).
    about : str
        One line for ``--list``.
    group : str
        What it stands beside in figures.
    missing : callable
        Returns what has to be there first, in words; empty if nothing is missing.
    by_default : bool
        Whether it is meant where nothing is asked for by name.
    """

    name: str
    make: Callable[..., Any]
    about: str
    group: str = ""
    missing: Callable[[], str] = lambda: ""
    by_default: bool = True


def modules(*names: str, install: str) -> Callable[[], str]:
    """Return what `Entry.missing` may be: a function that asks for modules."""

    def missing() -> str:
        absent = [name for name in names if importlib.util.find_spec(name) is None]
        return f"needs {' and '.join(absent)} (pip install {install})" * bool(absent)

    return missing


def by_name(entries: Sequence[Entry]) -> dict[str, Entry]:
    """Return entries by their names."""
    return {entry.name: entry for entry in entries}


def choose_names(known: Iterable[str], names: Sequence[str] | None) -> list[str]:
    """Return names after a check that they exist; None stands for all.

    Raises
    ------
    ChoiceError
        If a name does not exist.
    """
    known = list(known)
    for name in names or ():
        if name not in known:
            raise ChoiceError(f"{name!r} is unknown; choose from {', '.join(known)}.")
    return list(dict.fromkeys(names)) if names else known


def choose(
    entries: dict[str, Entry], names: Sequence[str] | None, also: Sequence[str] = ()
) -> tuple[list[Entry], list[Entry]]:
    """Return the entries that are asked for.

    Parameters
    ----------
    entries : dict of Entry
        All there are.
    names : sequence of str or None
        What is asked for; None for what is meant by default.
    also : sequence of str
        What is asked for on top of that.

    Returns
    -------
    chosen, left_out : list of Entry
        ``left_out`` are those that miss something.

    Raises
    ------
    ChoiceError
        If a name does not exist, or if each one misses something.
    """
    if names is None:
        names = [entry.name for entry in entries.values() if entry.by_default]
    asked = [entries[name] for name in choose_names(entries, [*names, *also])]
    left_out = [entry for entry in asked if entry.missing()]
    chosen = [entry for entry in asked if entry not in left_out]
    if not chosen:
        reasons = (f"{entry.name!r} {entry.missing()}" for entry in left_out)
        raise ChoiceError("; ".join(reasons) + ".")
    return chosen, left_out

"""Whether what a file holds can be what its class says.

A learner makes no map with a scale of minus one or with a name where an array should
be; a damaged file may. What is general is read off the fields of the class: the types
they are declared with, numbers that are finite, and those that have to be positive.
What is special the class itself says, in `Data.is_valid`.
"""

from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from destructors.maps._map import Data

# What this library learns. Of numbers of other types every kernel would be compiled
# anew, for seconds each, and of records none could be.
_LEARNED = {"float64", "int64", "int32", "uint64"}


def validate(data: Data) -> None:
    """Raise ValueError if a field cannot be what it is declared to be.

    Parameters
    ----------
    data : Data
        Made of what a file holds; its parts are valid already.
    """
    cls: type[Data] = type(data)
    own, unlearned = cls.__name__, find_unlearned(data)
    hints = _hints(cls)  # type: ignore[arg-type]
    for name, value in data.field_values():
        if not _is_a(value, hints[name]):
            raise ValueError(f"The file's {own} has no valid {name}.")
        if name == unlearned:
            raise ValueError(f"The file's {own} has a {name} of another dtype.")
        least = 0.0 if name in cls._positive else -np.inf
        if not all(_holds(x, least, name in cls._infinite) for x in _numbers(value)):
            what = "finite" if least < 0.0 else "positive and finite"
            raise ValueError(f"The file's {own} has a {name} that is not {what}.")
    if not data.is_valid():
        raise ValueError(f"The parts of the file's {own} do not fit together.")


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _is_a(value: Any, hint: Any) -> bool:
    """Return whether a value is of a declared type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(_is_a(value, each) for each in arguments)
    if origin is Literal:
        return isinstance(value, str) and value in arguments
    if origin is tuple:
        return isinstance(value, tuple) and all(
            _is_a(part, arguments[0]) for part in value
        )
    if isinstance(value, bool):
        return hint is bool
    if hint is float:
        return isinstance(value, int | float)
    return isinstance(value, origin or hint)


def find_unlearned(data: Data) -> str | None:
    """Return the first field with an array of a type that is never learned."""
    if ":" in type(data).type_name():
        # Classes of one's own may hold numbers of any type.
        return None
    for name, value in data.field_values():
        if name not in data._any_dtype and not _is_learned(value):
            return name
    return None


def _is_learned(value: Any) -> bool:
    """Return whether all arrays in a field are of types that this library learns."""
    if isinstance(value, tuple):
        return all(map(_is_learned, value))
    if not isinstance(value, np.ndarray):
        return True
    return value.dtype.name in _LEARNED


def _numbers(value: Any) -> list[Any]:
    """Return the arrays of floats and the floats in a field."""
    if isinstance(value, tuple):
        return [x for part in value for x in _numbers(part)]
    if isinstance(value, np.ndarray):
        return [value] if value.dtype.kind == "f" else []
    return [value] if isinstance(value, float) else []


def _holds(x: Any, least: float, may_be_infinite: bool) -> bool:
    with np.errstate(invalid="ignore"):
        fine = x > least if np.isfinite(least) else x == x
        return bool(np.all(fine & (may_be_infinite | np.isfinite(x))))

"""What may be asked of rows that stay where they are, and messages as bytes."""

import json
import math
import struct
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from destructors.maps._save import pack, unpack

Query = TypeVar("Query", bound=Callable[..., Any])

# By name: statistics, whose results leave, and steps, whose results stay; of these
# those that leave some of the rows out.
STATISTICS: dict[str, Callable[..., Any]] = {}
STEPS: dict[str, Callable[..., Any]] = {}
SELECTING: set[str] = set()
# Bytes that a message may take, and the arrays that it may hold.
_MOST_BYTES = 2**28
_DTYPES = {"f8", "f4", "i8", "b1"}
# Of the length of the header.
_LENGTH = struct.Struct("<I")


def may_leave(statistic: Query) -> Query:
    """Allow what a function makes of the rows of a domain to leave their place."""
    STATISTICS[statistic.__name__] = statistic
    return statistic


def stays(step: Query) -> Query:
    """Allow a function to be applied to the rows of a domain, where they are."""
    STEPS[step.__name__] = step
    return step


def selects(step: Query) -> Query:
    """Allow a function to leave out some of the rows of a domain, where they are."""
    SELECTING.add(step.__name__)
    return stays(step)


def write_message(content: Any) -> bytes:
    """Return arrays, maps, plain values and tuples of these as bytes.

    Nothing in them is code. Files of NumPy would be several times as long: the arrays
    are small.
    """
    arrays: dict[str, NDArray] = {}
    packed = pack(content, arrays, "message")
    shapes = [(array.dtype.str[1:], array.shape) for array in arrays.values()]
    header = json.dumps([packed, shapes], separators=(",", ":")).encode()
    body = [np.ascontiguousarray(array).tobytes() for array in arrays.values()]
    return zlib.compress(b"".join([_LENGTH.pack(len(header)), header, *body]))


def read_message(message: bytes) -> Any:
    """Return what a message holds.

    Raises
    ------
    ValueError
        If it is damaged, too long, or holds what is no valid data.
    """
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(message, _MOST_BYTES)
        if not inflate.eof:
            raise ValueError(f"it holds more than {_MOST_BYTES} bytes, or is cut off")
        (length,) = _LENGTH.unpack_from(data)
        begin = _LENGTH.size + length
        packed, shapes = json.loads(data[_LENGTH.size : begin])
        arrays: dict[str, NDArray] = {}
        for dtype, shape in shapes:
            if dtype not in _DTYPES or any(side < 0 for side in shape):
                raise ValueError(f"an array is of {dtype!r} and {shape}")
            n_numbers = math.prod(shape)
            array = np.frombuffer(data, "<" + dtype, n_numbers, begin)
            begin += array.nbytes
            arrays[f"a{len(arrays)}"] = array.astype(dtype).reshape(shape)
        if begin != len(data):
            raise ValueError("it holds more than it says")
        return unpack(packed, arrays)
    except Exception as error:
        raise ValueError(f"A message is damaged: {error}.") from error

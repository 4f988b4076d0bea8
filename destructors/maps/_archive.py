"""Arrays out of an ``.npz`` that may come from anyone: within bounds, and no objects.

NumPy's own reader makes room for whatever shape a file claims to hold, parses headers
of Python 2 and decompresses an array each time it is asked for. Here nothing is made
that the file does not hold, and all of it together is bounded.
"""

import io
import math
import zipfile
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

_STORED_AS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
# Kinds of dtypes: booleans, numbers, texts, dates, and records of such.
_KINDS = set("biufSUmMV")


class Archive:
    """The arrays in a zip file; each is read once.

    Parameters
    ----------
    file : binary file
        What is read, as long as arrays are asked for.
    max_bytes : int
        Bytes that all arrays together may take.

    Raises
    ------
    ValueError
        If they take more, or there is more than one array of a name, or it is stored
        in another way than NumPy's.
    """

    def __init__(self, file: BinaryIO, max_bytes: int):
        self._zip, self._known = zipfile.ZipFile(file), dict[str, NDArray]()
        members = self._zip.infolist()
        if len({member.filename for member in members}) < len(members):
            raise ValueError("it holds several arrays of the same name")
        if any(member.compress_type not in _STORED_AS for member in members):
            raise ValueError("it is compressed in another way than by NumPy")
        size = sum(member.file_size for member in members)
        if size > max_bytes:
            raise ValueError(
                f"it holds {size:,} bytes of arrays, above max_bytes={max_bytes:,}; "
                "if you trust it, load it with a larger max_bytes"
            )
        self._max_bytes = max_bytes

    def __contains__(self, name: str) -> bool:
        return f"{name}.npy" in self._zip.NameToInfo

    def __getitem__(self, name: Any) -> NDArray:
        if name not in self._known:
            # The sum of all that is read is checked already.
            self._known[name] = _read(self._zip.read(f"{name}.npy"), self._max_bytes)
        return self._known[name]


def _read(data: bytes, max_bytes: int) -> NDArray:
    """Return the array that the bytes of an ``.npy`` hold."""
    stream = io.BytesIO(data)
    version = npy.read_magic(stream)
    if version == (1, 0):
        shape, is_fortran, dtype = npy.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, is_fortran, dtype = npy.read_array_header_2_0(stream)
    else:
        raise ValueError(f"an array is in version {version} of NumPy's format")
    if dtype.hasobject or dtype.kind not in _KINDS or dtype.subdtype is not None:
        raise ValueError(f"an array holds {dtype}: objects, or no plain values")
    # Also of an array without entries no side is longer than any could be.
    sides = math.prod(max(side, 1) for side in shape) * dtype.itemsize
    start = stream.tell()
    rest = len(data) - start
    if sides > max_bytes or math.prod(shape) * dtype.itemsize != rest:
        raise ValueError(f"an array of the shape {shape} has {rest} bytes")
    order: Any = "F" if is_fortran else "C"
    array = np.frombuffer(data, dtype, offset=start).reshape(shape, order=order)
    # Of one's own, in the order of bytes of this machine.
    array = array.astype(dtype.newbyteorder("="), order="K")
    if dtype.kind == "U" and not _is_text(array):
        raise ValueError("an array of texts holds what is no text")
    return array


def _is_text(array: NDArray) -> bool:
    """Return whether all letters are in Unicode: NumPy and Python take any numbers."""
    letters = np.frombuffer(array.tobytes(), np.uint32)
    return bool(((letters < 0xD800) | (letters > 0xDFFF) & (letters < 0x110000)).all())

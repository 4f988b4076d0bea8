"""A pass as bytes: pickled once, and unpickled once by each process."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import uuid4

from joblib import wrap_non_picklable_objects


@dataclass(frozen=True)
class Packed:
    """A function that is pickled once for all of its calls.

    Bytes, because arrays that arrive in shared memory cannot be written to, and kernels
    are compiled for those that can.

    Parameters
    ----------
    key : str
        Names it, and nothing else.
    content : bytes
        The pickle.
    """

    key: str
    content: bytes

    @classmethod
    def of(cls, function: Callable[..., Any]) -> "Packed":
        """Pickle a function, also where plain pickle cannot."""
        wrapped = wrap_non_picklable_objects(function, keep_wrapper=False)
        return cls(uuid4().hex, pickle.dumps(wrapped))

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Packed) and self.key == other.key

    def __call__(self, *arguments: Any) -> Any:
        """Call it."""
        return _unpack(self)(*arguments)


# One pass follows the other; a slow block of the last may still be under way.
@lru_cache(maxsize=2)
def _unpack(packed: Packed) -> Any:
    return pickle.loads(packed.content)


def itself(packed: Packed) -> Packed:
    """Return what is given."""
    return packed

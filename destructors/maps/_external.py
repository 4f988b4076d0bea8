"""What a map may hold that is not data: code, and models of other libraries."""

from typing import Any

from destructors.maps._map import Data


class External(Data):
    """Base of what holds an object that is no data, such as a function.

    It works and pickles as the object does, but nothing is known of its content. So it
    is equal to itself only, a pickled copy is another one, and `destructors.save`
    refuses it by the name of the object.

    A subclass is a frozen dataclass as any other `Data`, with the objects as fields. A
    map or a predictor names this base first:

    >>> from dataclasses import dataclass
    >>> from typing import Any
    >>> import numpy as np
    >>> from destructors.maps import Map
    >>> from destructors.maps._external import External
    >>> @dataclass(frozen=True, eq=False, repr=False)
    ... class Called(External, Map):
    ...     function: Any
    ...     def forward(self, X, context=None):
    ...         return self.function(X), np.zeros(len(X))
    ...     def inverse(self, Z, context=None):
    ...         return self.function(Z), np.zeros(len(Z))
    >>> Called(np.negative) == Called(np.negative)
    False
    """

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Past `Data`: no file holds it, so none has to find it by its name.
        super(Data, cls).__init_subclass__(**kwargs)

    def digest(self) -> bytes:
        """Return the identity of the object: another one in every process."""
        return id(self).to_bytes(8, "little")

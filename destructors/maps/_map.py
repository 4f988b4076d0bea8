"""What is learned: an invertible map, made of arrays and of other maps."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

# What a map gives: rows, and a log-determinant of each.
Mapped = tuple[NDArray, NDArray]
# Every class of data that a file can hold, by the name it is written under.
KINDS: "dict[str, type[Data]]" = {}
# What a field may be beside arrays, other data and tuples.
PLAIN = (str, int, float, bool, type(None))


class Data:
    """Base of what can be saved: a frozen dataclass of plain values.

    Fields are arrays (no objects in them), numbers, strings, booleans, None, other
    `Data`, and tuples of these. Two are equal if their fields are, bit by bit. What is
    derived from the fields is a `functools.cached_property`: it is neither compared
    nor pickled nor saved.

    A subclass is found under its name when a file is loaded: inside the package the
    bare name, elsewhere the name of its module too.
    """

    # Fields whose numbers are positive, those where they may be infinite, and those of
    # any dtype, such as what a user gave: what is read from a file is checked
    # (`maps._valid`).
    _positive: ClassVar[tuple[str, ...]] = ()
    _infinite: ClassVar[tuple[str, ...]] = ()
    _any_dtype: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        name = cls.type_name()
        known = KINDS.setdefault(name, cls)
        if known.__module__ != cls.__module__:
            raise TypeError(f"There is a {name} in {known.__module__}.")
        if ":" in name:
            # In a notebook a class is written again and again: the last one counts.
            KINDS[name] = cls

    @classmethod
    def type_name(cls) -> str:
        """Return the name under which a file knows this class."""
        own = cls.__module__.startswith("destructors.")
        return cls.__name__ if own else f"{cls.__module__}:{cls.__qualname__}"

    def field_values(self) -> Iterator[tuple[str, Any]]:
        """Yield the name and the value of each field."""
        if not is_dataclass(self):
            raise TypeError(
                f"{type(self).__name__} must be decorated with "
                "@dataclass(frozen=True, eq=False): its fields are what it has learned."
            )
        for field in fields(self):
            yield field.name, getattr(self, field.name)

    def is_valid(self) -> bool:
        """Return whether fields of the declared types fit together.

        It is asked of what comes from a file, not of what a learner makes.

        Returns
        -------
        fits : bool
        """
        return True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return self is other or self.digest() == other.digest()

    def __hash__(self) -> int:
        return int.from_bytes(self.digest()[:8], "little", signed=True)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={_show(v)}" for name, v in self.field_values())
        return f"{type(self).__name__}({shown})"

    def digest(self) -> bytes:
        """Return a hash of the content: the same in every process."""
        parts = [
            name.encode() + digest_data(part) for name, part in self.field_values()
        ]
        return hash_parts(self.type_name().encode(), *parts)

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.field_values())


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
    >>> from destructors.maps._map import External, Map
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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Past `Data`: no file holds it, so none has to find it by its name.
        super(Data, cls).__init_subclass__(**kwargs)

    def digest(self) -> bytes:
        """Return the identity of the object: another one in every process."""
        return id(self).to_bytes(8, "little")


class Map(Data, ABC):
    r"""An invertible map of rows: what a learner has learned, and nothing else.

    A subclass is a frozen dataclass (``@dataclass(frozen=True, eq=False)``) with
    `forward` and `inverse` on float64 arrays. Both return the log-determinant of the
    way they go, so that for a row and its image the two add up to zero.

    ``context`` is what a map may depend on without changing it, one entry a row: the
    number of a domain, say. Most maps ignore it.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from destructors.maps import Map
    >>> @dataclass(frozen=True, eq=False)
    ... class Shift(Map):
    ...     by: float
    ...     def forward(self, X, context=None):
    ...         return X + self.by, np.zeros(len(X))
    ...     def inverse(self, Z, context=None):
    ...         return Z - self.by, np.zeros(len(Z))
    >>> Shift(1.0) == Shift(1.0)
    True
    """

    def __bool__(self) -> bool:
        # Also where it has a length, and that is 0.
        return True

    @property
    def feature_wise(self) -> bool:
        """Whether an output column depends on the column at its place alone."""
        return False

    @property
    def lets_missing(self) -> bool:
        """Whether NaN stays where it is, and adds nothing to the log-determinant."""
        return False

    @property
    def support(self) -> tuple[NDArray, NDArray] | None:
        """Lowest and highest value of each column that can be mapped, infinite where
        there is no bound; None for the whole space.
        """
        return None

    def kinds_after(self, kinds: NDArray) -> NDArray:
        """Return the kinds of columns after the map; see `destructors.rows.Rows`."""
        return kinds

    def keeps(self, codes: NDArray) -> NDArray:
        """Return which columns have their code before the map if and only if they have
        it after, whatever the rest of the row.

        Parameters
        ----------
        codes : ndarray of shape (n_features,)
            A code for each column.

        Returns
        -------
        kept : ndarray of bool of shape (n_features,)
            Where it is False nothing is known.
        """
        return np.zeros(len(codes), dtype=bool)

    @abstractmethod
    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows.
        context : ndarray of shape (n_samples, ...), default=None
            What the map depends on beside them.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
        log_det : ndarray of shape (n_samples,)
            ``log |det J|`` of the map at each row, in nats.
        """

    @abstractmethod
    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_features)
            What `forward` gave.
        context : ndarray of shape (n_samples, ...), default=None
            What the map depends on beside them.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
        log_det : ndarray of shape (n_samples,)
            ``log |det J|`` of the inverse map at each row, in nats.
        """


class BothWays(Map):
    """Base of maps that write their two ways once: in `_through`."""

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        return self._through(X, context, "forward")

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        return self._through(Z, context, "inverse")

    @abstractmethod
    def _through(self, X: NDArray, context: NDArray | None, way: str) -> Mapped:
        """Map rows the way that is named, "forward" or "inverse"."""


class Surjection(Map):
    """A map that is undone one way only: ``inverse(forward(x)) == x``.

    Many latents stand for one row, as all values of a cell stand for the integer it was
    made of. The log-determinant is that of a bound on the log-probability, not of a
    change of variables (Nielsen, Jaini, Hoogeboom, Winther and Welling, *SurVAE flows*,
    NeurIPS 2020), so such maps have checks of their own.
    """


def _show(value: Any) -> str:
    """Return a short form: arrays by their shape."""
    if isinstance(value, np.ndarray):
        return f"<{'x'.join(map(str, value.shape))} {value.dtype.name}>"
    if isinstance(value, tuple):
        shown = [_show(part) for part in value[:3]]
        if len(value) > 3:
            shown.append(f"… {len(value) - 3} more")
        return f"({', '.join(shown)})"
    return repr(value)


def digest_data(value: Any) -> bytes:
    """Return a hash of arrays, plain values, data, and tuples of these."""
    if isinstance(value, Data):
        return value.digest()
    if isinstance(value, np.ndarray):
        # As bytes: NaN equals NaN, and 0.0 is not -0.0.
        what = f"{value.dtype.str}{value.dtype.descr}{value.shape}"
        # Of plain numbers without a copy: they may be all there is room for.
        plain = value.dtype.kind in "biuf"
        data = np.ascontiguousarray(value).data if plain else value.tobytes()
        return hash_parts(what.encode(), data)
    if isinstance(value, tuple | list):
        return hash_parts(type(value).__name__.encode(), *map(digest_data, value))
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, PLAIN):
        return hash_parts(repr(value).encode())
    raise TypeError(f"A {type(value).__name__} is no data: it has no known content.")


def hash_parts(*parts: bytes | memoryview) -> bytes:
    """Return one hash of some parts."""
    total = hashlib.blake2b(digest_size=16)
    for part in parts:
        total.update(part)
    return total.digest()

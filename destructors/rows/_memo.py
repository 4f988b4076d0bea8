"""What a fit that was cut off has done already: asked for before it is done again.

A fit is made of fits. Whoever keeps their results is outside, as a checkpoint is; what
takes the time is inside. Each fit goes by a hash of all that it depends on: its rows,
its parameters and its random state. So what is remembered can be used wherever it is
asked for, and nothing else can be taken for it.
"""

import contextvars
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from destructors.maps._map import hash_parts
from destructors.rows._digest import digest
from destructors.rows._rows import Fold
from destructors.rows._running import is_over

# Seconds below which a fit is done again sooner than it is written and read.
_WORTH = 0.01


class Store(Protocol):
    """Where results are kept.

    Attributes
    ----------
    every : int
        How many steps that take no time by themselves are kept together.
    """

    every: int

    def read(self, key: str) -> Any:
        """Return what was kept under a key; None if there is nothing."""

    def write(self, key: str, content: dict[str, Any]) -> None:
        """Keep a result, or say in a warning that it could not be kept.

        Raises
        ------
        TypeError
            If something in it is no data.
        """


class Memo:
    """What is remembered of one fit.

    Parameters
    ----------
    store : Store, default=None
        Where it is kept; None remembers nothing.
    key : bytes, default=None
        Hash of all that the fit depends on; None if that is not known.
    """

    def __init__(self, store: Store | None = None, key: bytes | None = None):
        self.store, self._key = store, key

    @property
    def every(self) -> float:
        """How many small steps to keep together; infinite where nothing is kept."""
        if self.store is None or self._key is None:
            return np.inf
        return self.store.every

    def recall(self, *name: str | int) -> Any:
        """Return the result of a part of the fit; None if it is not known."""
        if self.store is None or self._key is None:
            return None
        return self.store.read(self._name(name))

    def keep(self, content: dict[str, Any], *name: str | int) -> None:
        """Keep the result of a part, unless the clock or the user has cut it short."""
        if self.store is None or self._key is None or is_over():
            return
        self.store.write(self._name(name), content)

    def _name(self, name: tuple[str | int, ...]) -> str:
        assert self._key is not None
        return hash_parts(self._key, digest(name)).hex()

    # ------------------------------------------------------------------ whole fits

    def restore(self, estimator: Any, random_state: Any) -> bool:
        """Set what the fit has set on an estimator; return whether that is known."""
        known = self.recall("fit")
        if known is None:
            return False
        vars(estimator).update(known["attributes"])
        if known["random_state"] is not None:
            random_state.set_state(known["random_state"])
        return True

    @contextmanager
    def keeping(self, estimator: Any, random_state: Any) -> Iterator[None]:
        """Keep what a fit inside sets on an estimator, if all of it is data."""
        before, began = dict(vars(estimator)), perf_counter()
        yield
        if self.store is None or perf_counter() - began < _WORTH:
            return
        attributes = {
            name: value
            for name, value in vars(estimator).items()
            if name not in before or before[name] is not value
        }
        state = None
        if _is_shared(estimator):
            state = random_state.get_state(legacy=True)
        try:
            self.keep({"attributes": attributes, "random_state": state}, "fit")
        except TypeError:
            # Such as the layers of a stack: they are kept one by one.
            return


_NOTHING = Memo()
_MEMO = contextvars.ContextVar[Memo | None]("memo", default=None)


def memo() -> Memo:
    """Return what is remembered of the fit that is running."""
    return _MEMO.get() or _NOTHING


@contextmanager
def remember(estimator: Any, fold: Fold, random_state: Any) -> Iterator[Memo]:
    """Let fits inside be remembered, if a callback of the outermost keeps them.

    Parameters
    ----------
    estimator : Destructor
        What is fitted.
    fold : Fold
        Its rows.
    random_state : RandomState or None
        What it draws from.

    Yields
    ------
    memo : Memo
        What is remembered of this fit.
    """
    store = memo().store
    if store is None:
        for callback in getattr(estimator, "_skl_callbacks", ()):
            if hasattr(callback, "open_store"):
                store = callback.open_store(estimator, fold)
    if store is None:
        yield _NOTHING
        return
    try:
        draws = digest(random_state) if _is_shared(estimator) else b""
        key = hash_parts(digest(estimator), fold.digest(), draws)
    except TypeError:
        key = None
    own = Memo(store, key)
    token = _MEMO.set(own)
    try:
        yield own
    finally:
        _MEMO.reset(token)


def _is_shared(estimator: Any) -> bool:
    """Return whether others draw from the random state of an estimator too."""
    seed = getattr(estimator, "random_state", 0)
    return seed is None or isinstance(seed, np.random.RandomState)

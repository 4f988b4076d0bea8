"""Digests of what a fit is made from: parameters, estimators, draws."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from destructors.maps._map import PLAIN, Data, digest_data, hash_parts

# Parameters that a result does not depend on.
_SILENT = {"max_time", "n_jobs", "verbose"}
# Attributes that say how an estimator is used, not what it is.
_NOT_CONTENT = ("_skl", "_metadata_request", "_parent_callback", "_callback")


def digest(value: Any) -> bytes:
    """Return a hash of the content: the same in every process.

    Parameters
    ----------
    value : object
        Numbers, strings, arrays, data, estimators (fitted or not), functions of a
        module, random states, and tuples, lists and dicts of these.

    Returns
    -------
    digest : bytes

    Raises
    ------
    TypeError
        If nothing is known of the content, as of a lambda.
    """
    if isinstance(value, Data):
        return value.digest()
    if isinstance(value, BaseEstimator):
        return _digest_estimator(value)
    if isinstance(value, np.random.RandomState):
        return hash_parts(b"RandomState", digest(value.get_state(legacy=True)))
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        return hash_parts(b"objects", digest(value.shape), digest(value.tolist()))
    if isinstance(value, Mapping):
        items = [part for item in value.items() for part in item]
        return hash_parts(b"dict", *map(digest, items))
    if isinstance(value, tuple | list):
        return hash_parts(type(value).__name__.encode(), *map(digest, value))
    if isinstance(value, (np.ndarray, np.generic, *PLAIN)):
        return digest_data(value)
    name = f"{getattr(value, '__module__', None)}:{getattr(value, '__qualname__', '<')}"
    if "<" in name:
        raise TypeError(f"A {type(value).__name__} has no known content.")
    return hash_parts(b"name", name.encode())


def _digest_estimator(estimator: Any) -> bytes:
    kind = type(estimator)
    params = estimator.get_params(deep=False)
    learned = {
        name: part
        for name, part in vars(estimator).items()
        if name not in params and not name.startswith(_NOT_CONTENT)
    }
    told = {name: part for name, part in params.items() if name not in _SILENT}
    name = f"{kind.__module__}:{kind.__qualname__}"
    return hash_parts(name.encode(), digest(told), digest(learned))

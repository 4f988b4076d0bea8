"""scikit-learn transformers whose Jacobian is known, as destructors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    QuantileTransformer,
)
from sklearn.utils.validation import has_fit_parameter

from destructors._compat import HasMethods
from destructors.base import Destructor
from destructors.base_distributions import Uniform
from destructors.compose._adapt_maps import MAPS, FunctionMap
from destructors.maps import Map
from destructors.rows import Fold, repeat_rows

__all__ = ["TransformerDestructor", "as_destructor"]

# Their fit depends on the extremes alone, or on nothing: no positive weight changes it.
_WEIGHT_FREE = (MinMaxScaler, MaxAbsScaler, FunctionTransformer)


class TransformerDestructor(Destructor):
    """A scikit-learn transformer as a destructor: what `as_destructor` makes.

    Parameters
    ----------
    transformer : transformer
        One whose Jacobian is known, or with ``inverse_transform`` and ``log_det``.
    log_det : callable, default=None
        See `as_destructor`.

    Attributes
    ----------
    transformer_ : transformer
        The fitted transformer.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal or Uniform
        The base distribution.

    See Also
    --------
    as_destructor : What is adapted, and how.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from destructors.compose import TransformerDestructor
    >>> X = np.array([[1.0], [3.0]])
    >>> TransformerDestructor(StandardScaler()).fit(X).transform(X)
    array([[-1.],
           [ 1.]])
    """

    _parameter_constraints: ClassVar[dict] = {
        "transformer": [HasMethods(["fit", "transform"])],
        "log_det": [callable, None],
    }

    def __init__(
        self,
        transformer: Any,
        log_det: Callable[[NDArray], NDArray] | None = None,
    ):
        self.transformer = transformer
        self.log_det = log_det

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        _refuse_unknown(self.transformer, self.log_det)
        rows, transformer = fold.train, clone(self.transformer)
        if hasattr(transformer, "set_output"):
            transformer.set_output(transform="default")
        X = rows.values
        if rows.weight is not None and has_fit_parameter(transformer, "sample_weight"):
            transformer.fit(X, sample_weight=rows.weight)
        else:
            if not isinstance(transformer, _WEIGHT_FREE):
                X = repeat_rows(rows, type(transformer).__name__)
            transformer.fit(X)
        self.transformer_ = transformer
        if _is_uniform(transformer):
            self.base_distribution_ = Uniform(rows.n_features)
        if self.log_det is not None:
            return FunctionMap(transformer, self.log_det)
        return MAPS[type(transformer)](transformer, X)


def as_destructor(
    transformer: Any, *, log_det: Callable[[NDArray], NDArray] | None = None
) -> Destructor:
    """Make a destructor of a scikit-learn transformer.

    The destructor transforms as the transformer does, and counts the change of volume.
    `DestructorPipeline` and `ColumnDestructor` call this by themselves.

    Parameters
    ----------
    transformer : transformer or Destructor
        ``StandardScaler``, ``MinMaxScaler``, ``MaxAbsScaler``, ``RobustScaler``,
        ``PCA`` with all components, ``PowerTransformer`` or ``QuantileTransformer``;
        with ``log_det``, a ``FunctionTransformer`` or any other with an inverse. It is
        cloned before it is fitted. A destructor is given back as it is.
    log_det : callable, default=None
        Gives ``log |det J|`` of the transformer, in nats, at rows of shape
        ``(n_samples, n_features)``: an array of shape ``(n_samples,)``, or one number
        for all rows.

    Returns
    -------
    destructor : Destructor

    Raises
    ------
    TypeError
        If the Jacobian of the transformer is not known, or it cannot be inverted.

    Notes
    -----
    A destructor maps the whole space onto the whole space. Where a transformer does
    not, its destructor continues in straight lines:

    - ``PowerTransformer`` can have a bounded range, so it is followed over the training
      range and as far again on each side (half the smallest value, for Box–Cox).
    - ``QuantileTransformer`` clips beyond the training range, and becomes arbitrarily
      steep towards its ends. Within, probabilities agree to 1e-7. A jump at a repeated
      value is spread over the gap to its neighbours. With uniform output the base
      distribution is uniform, so it can only come last.

    Weights are handed on to ``StandardScaler``; ``MinMaxScaler``, ``MaxAbsScaler`` and
    ``FunctionTransformer`` need none; others take integer weights, as repeated rows.

    With ``log_det`` the transformer and the function are part of what is learned. They
    are code, so such a destructor pickles, but `destructors.save` refuses it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import FunctionTransformer, PowerTransformer
    >>> from destructors.compose import as_destructor
    >>> X = np.random.default_rng(0).lognormal(size=(1000, 2))
    >>> model = as_destructor(PowerTransformer()).fit(X)
    >>> round(model.score(X), 1)
    -2.9
    >>> logarithm = FunctionTransformer(np.log, np.exp)
    >>> model = as_destructor(logarithm, log_det=lambda X: -np.log(X).sum(axis=1))
    >>> round(model.fit(X).score(X), 1)
    -2.8
    """
    if isinstance(transformer, Destructor):
        if log_det is not None:
            raise TypeError("A destructor has a log_det of its own: leave log_det out.")
        return transformer
    _refuse_unknown(transformer, log_det)
    return TransformerDestructor(transformer, log_det)


def _refuse_unknown(transformer: Any, log_det: Any) -> None:
    """Say why a transformer is no destructor."""
    kind = type(transformer)
    name = kind.__name__
    if isinstance(transformer, type):
        raise TypeError(f"{transformer.__name__} is a class: give an instance.")
    if not hasattr(transformer, "fit") or not hasattr(transformer, "transform"):
        raise TypeError(f"{name} is no transformer: it lacks fit or transform.")
    if isinstance(transformer, FunctionTransformer):
        if (transformer.func is None) != (transformer.inverse_func is None):
            raise TypeError(
                "FunctionTransformer cannot be inverted: give it inverse_func as well "
                "as func."
            )
        # A subclass may do anything.
        known = transformer.func is None and kind is FunctionTransformer
        if not known and log_det is None:
            raise TypeError(
                "The Jacobian of a FunctionTransformer is not known: give its "
                "logarithm, as_destructor(transformer, log_det=...)."
            )
        return
    if kind in MAPS:
        if log_det is not None:
            raise TypeError(f"The Jacobian of {name} is known: leave log_det out.")
        return
    if not hasattr(transformer, "inverse_transform"):
        raise TypeError(f"{name} has no inverse_transform: it cannot be inverted.")
    if log_det is None:
        raise TypeError(
            f"The Jacobian of {name} is not known: give its logarithm, "
            "as_destructor(transformer, log_det=...)."
        )


def _is_uniform(transformer: Any) -> bool:
    return (
        isinstance(transformer, QuantileTransformer)
        and transformer.output_distribution == "uniform"
    )

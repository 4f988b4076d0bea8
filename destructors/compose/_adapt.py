"""scikit-learn transformers whose Jacobian is known, as destructors."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn import preprocessing
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from destructors._compat import HasMethods
from destructors.base import Destructor
from destructors.base_distributions import Uniform
from destructors.maps import Affine, Chain, HistogramColumns, Identity, Map
from destructors.maps._cube import NormalToUniform
from destructors.maps._map import External, Mapped
from destructors.maps._power import PowerColumns
from destructors.rows import Fold, repeat_rows
from destructors.rows._moments import unit_of_constant

# Places of each column that have to come back from powers, up to this share of the
# range and so many nats.
_N_GRID, _POWER_LOSS = 257, 1e-8
# scikit-learn clips quantiles at this distance from 0 and 1.
_QUANTILE_TAIL = 1e-7
# Quantiles are interpolated between values by a few operations.
_QUANTILE_ROUNDING = 8.0 * np.finfo(float).eps
# Their fit depends on the extremes alone, or on nothing: no positive weight changes it.
_WEIGHT_FREE = (
    preprocessing.MinMaxScaler,
    preprocessing.MaxAbsScaler,
    preprocessing.FunctionTransformer,
)


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
        X, weight = rows.values, {}
        if has_fit_parameter(transformer, "sample_weight"):
            weight = {"sample_weight": rows.weight}
        elif not isinstance(transformer, _WEIGHT_FREE):
            X = repeat_rows(rows, type(transformer).__name__)
        self.transformer_ = _fit_quietly(transformer, X, weight)
        if getattr(transformer, "output_distribution", "normal") == "uniform":
            self.base_distribution_ = Uniform(rows.n_features)
        if self.log_det is not None:
            return FunctionMap(transformer, self.log_det)
        with np.errstate(all="ignore"):
            map_ = _readers()[type(transformer)](transformer, X)
            Z, _ = map_.forward(X)
            X_back, _ = map_.inverse(Z)
        if not (np.isfinite(Z).all() and np.isfinite(X_back).all()):
            raise ValueError(
                f"{type(transformer).__name__} overflows on values of this size: scale "
                "the features before it."
            )
        return map_


def _fit_quietly(transformer: Any, X: NDArray, weight: dict) -> Any:
    """Fit; overflow inside is an error that says whose and why."""
    # What overflows, or is divided by zero, is not finite afterwards.
    with np.errstate(all="ignore"):
        try:
            return transformer.fit(X, **weight)
        except (np.linalg.LinAlgError, ValueError) as error:
            # Their size is to blame where rows of size one can be fitted: the words are
            # those of whatever the overflow was met by.
            size = np.abs(X).max(axis=0)
            try:
                clone(transformer).fit(X / np.where(size > 0.0, size, 1.0), **weight)
            except Exception:
                raise error from None
            raise ValueError(
                f"{type(transformer).__name__} cannot be fitted: {error} Scale the "
                "features, or drop values that are far too large, before it."
            ) from error


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
      range and as far again on each side (half the smallest value, for Box–Cox). Where
      powers are scaled to variance 1, digits are kept that the transformer itself loses
      of columns far from zero.
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


def adapt(what: str, transformer: Any) -> Destructor:
    """Return a destructor; an error says what, such as a step, can be none."""
    try:
        return as_destructor(transformer)
    except TypeError as error:
        raise TypeError(
            f"{what} must be a Destructor, or a transformer that can be one. {error}"
        ) from error


def _refuse_unknown(transformer: Any, log_det: Any) -> None:
    """Raise TypeError if a transformer is no destructor."""
    name, why = type(transformer).__name__, None
    known, needs_inverse = type(transformer) in _readers(), False
    if isinstance(transformer, preprocessing.FunctionTransformer):
        needs_inverse = (transformer.func is None) != (transformer.inverse_func is None)
        # One that does nothing may have a log_det all the same.
        known = known and transformer.func is None and log_det is None
    if isinstance(transformer, type):
        why = f"{transformer.__name__} is a class: give an instance."
    elif not hasattr(transformer, "fit") or not hasattr(transformer, "transform"):
        why = f"{name} is no transformer: it lacks fit or transform."
    elif needs_inverse:
        why = f"{name} cannot be inverted: give it inverse_func as well as func."
    elif not hasattr(transformer, "inverse_transform"):
        why = f"{name} has no inverse_transform: it cannot be inverted."
    elif known and log_det is not None:
        why = f"The Jacobian of {name} is known: leave log_det out."
    elif not known and log_det is None:
        why = (
            f"The Jacobian of {name} is not known: give its logarithm, "
            "as_destructor(transformer, log_det=...)."
        )
    if why is not None:
        raise TypeError(why)


# ---------------------------------------------------------------------- maps
#
# Where a transformer is no bijection of the whole space (its range is bounded, or it
# clips), its map is exactly the transformer on the training range and somewhat beyond,
# and continues in a straight line.


def _affine(transformer: Any, X: NDArray) -> Map:
    """Return ``z = (x - location) / scale``, of any scaler."""
    if getattr(transformer, "clip", False):
        raise ValueError(
            f"{type(transformer).__name__}(clip=True) cannot be inverted: set "
            "clip=False."
        )
    # Where the scale is left as it is, there is none.
    scale = np.ones(X.shape[1]) if transformer.scale_ is None else transformer.scale_
    if isinstance(transformer, preprocessing.MinMaxScaler):
        return Affine(-transformer.min_ * (1.0 / scale), 1.0 / scale)
    return Affine(transformer.inverse_transform(np.zeros((1, X.shape[1])))[0], scale)


def _pca(transformer: Any, X: NDArray) -> Map:
    d = X.shape[1]
    if transformer.n_components_ != d:
        raise ValueError(
            f"PCA keeps {transformer.n_components_} of {d} components and cannot be "
            "inverted: set n_components=None and give at least as many rows as "
            "features."
        )
    turn = transformer.components_
    if not np.isfinite(transformer.mean_).all() or not np.isfinite(turn).all():
        raise ValueError(
            "PCA overflows on values of this size: scale the features before it."
        )
    rotation = Affine(transformer.mean_, np.ones(d), turn, turn.T)
    if not transformer.whiten:
        return rotation
    variance = transformer.explained_variance_
    if not np.isfinite(variance).all():
        raise ValueError(
            "PCA(whiten=True) overflows on values of this size: scale the features "
            "before it."
        )
    if variance[-1] <= 1e-14 * variance[0]:
        raise ValueError(
            "PCA(whiten=True) of features that are linear combinations of each other "
            "cannot be inverted: drop the redundant ones, or use "
            "destructors.linear.Whitening."
        )
    return Chain((rotation, Affine(np.zeros(d), np.sqrt(variance))))


def _power(transformer: preprocessing.PowerTransformer, X: NDArray) -> Map:
    """Return powers, followed over the training range and as far again on each side."""
    exponents, kind = transformer.lambdas_, transformer.method
    shift, scale = np.zeros(X.shape[1]), np.ones(X.shape[1])
    lowest, highest = X.min(axis=0), X.max(axis=0)
    inner, middle = np.stack([lowest, highest], axis=1), None
    if transformer.standardize:
        # Of powers to be scaled any scale will do.
        middle = 2.0 * np.median(X / 2.0, axis=0)
        Z, _ = PowerColumns(exponents, shift, scale, inner, kind, middle).forward(X)
        scalers = [preprocessing.StandardScaler().fit(z[:, None]) for z in Z.T]
        shift = np.array([scaler.mean_[0] for scaler in scalers])
        scale = np.array([scaler.scale_[0] for scaler in scalers])
        # Of a constant the power, relative to its value, is scaled as a shift would be.
        size = np.abs(middle) + float(kind != "box-cox")
        constant = unit_of_constant(middle) / size
        scale = np.where(highest > lowest, scale, constant)
    # Around a constant, as far as float64 tells numbers of its size apart.
    around = np.maximum(1.0, 1e-6 * np.abs(lowest))
    spread = np.where(highest > lowest, highest - lowest, around)
    below = np.minimum(spread, 0.5 * lowest) if kind == "box-cox" else spread
    outer = np.stack([lowest - below, highest + spread], axis=1)
    inner = np.where((highest > lowest)[:, None], inner, outer)
    with np.errstate(all="ignore"):
        powers = PowerColumns(exponents, shift, scale, outer, kind, middle)
        at_ends = powers.at_ends
    # Where powers over- or underflow, no farther than the data.
    ends = np.where(np.isfinite(at_ends).all(axis=0).T, outer, inner)
    for reach in (ends, inner):
        # Where the power is flat its image has no digits of the column.
        map_ = PowerColumns(exponents, shift, scale, reach, kind, middle)
        grid = np.linspace(reach[:, 0], reach[:, 1], _N_GRID)
        Z, log_det = map_.forward(grid)
        back, log_det_back = map_.inverse(Z)
        lost = (np.abs(back - grid) > _POWER_LOSS * spread).any(axis=0)
        if not lost.any() and np.abs(log_det + log_det_back).max() <= _POWER_LOSS:
            return map_
    raise ValueError(
        "PowerTransformer leaves some column no digits to come back by: its exponents "
        f"are {np.round(exponents, 2).tolist()}. Standardize the features before it."
    )


def _quantile(transformer: preprocessing.QuantileTransformer, X: NDArray) -> Map:
    d = X.shape[1]
    # Scaled to at most 1, huge numbers are squared like any others.
    size = np.maximum(np.abs(X).max(axis=0), np.finfo(float).tiny)
    spread = size * (X / size).std(axis=0)
    # A smaller one has no reciprocal; of a column that one row nearly fills the range
    # may have one.
    spread = np.where(spread < 1e-301, np.ptp(X, axis=0), spread)
    spread[spread < 1e-301] = 1.0
    edges, shares = [], []
    for quantiles, around, x in zip(transformer.quantiles_.T, spread, X.T, strict=True):
        # Interpolated, some are values but for rounding, and equal ones differ: such
        # rows would lie on either side of an edge, by the last bit.
        values = np.unique(x)
        above = np.searchsorted(values, quantiles).clip(1, len(values) - 1)
        near = np.where(
            quantiles - values[above - 1] < values[above] - quantiles,
            values[above - 1],
            values[above],
        )
        is_value = np.abs(quantiles - near) <= _QUANTILE_ROUNDING * np.abs(near)
        quantiles = np.where(is_value, near, quantiles)
        places, first, counts = np.unique(
            quantiles, return_index=True, return_counts=True
        )
        if len(places) == 1:
            # Around the only one, as far as the others spread.
            digits = 1e-6 * abs(places[0])
            reach = around if around > digits else max(1.0, digits)
            places, rises = places[0] + np.array([-reach, reach]), np.ones(1)
        else:
            # A repeated quantile is where the distribution function jumps: the middle
            # is what scikit-learn gives.
            last = first + counts - 1
            reference = transformer.references_
            levels = 0.5 * (reference[first] + reference[last])
            levels[[0, -1]] = 0.0, 1.0
            rises = np.diff(levels)
        edges.append(places)
        shares.append(rises * (1.0 - 2.0 * _QUANTILE_TAIL))
    tails = np.full(d, _QUANTILE_TAIL)
    scores = HistogramColumns(tuple(edges), tuple(shares), tails, spread)
    if transformer.output_distribution == "uniform":
        return Chain((scores, NormalToUniform()))
    return scores


@cache
def _readers() -> dict[type, Callable[[Any, NDArray], Map]]:
    """Return what makes a map of a fitted transformer, by its class."""
    # Slow to import, and not needed before.
    from sklearn.decomposition import PCA

    return {
        preprocessing.StandardScaler: _affine,
        preprocessing.MinMaxScaler: _affine,
        preprocessing.MaxAbsScaler: _affine,
        preprocessing.RobustScaler: _affine,
        PCA: _pca,
        preprocessing.PowerTransformer: _power,
        preprocessing.QuantileTransformer: _quantile,
        # Without a function: those with one need the log-determinant too.
        preprocessing.FunctionTransformer: lambda transformer, X: Identity(),
    }


@dataclass(frozen=True, eq=False, repr=False)
class FunctionMap(External, Map):
    """A transformer with an inverse, and a function that gives its log-determinant.

    Parameters
    ----------
    transformer : transformer
        Fitted.
    log_det : callable
        See `as_destructor`.
    """

    transformer: Any
    log_det: Callable[[NDArray], Any]

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        Z = self._apply(self.transformer.transform, X)
        return Z, self._log_det_at(X)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        X = self._apply(self.transformer.inverse_transform, Z)
        return X, -self._log_det_at(X)

    def _apply(self, function: Callable, X: NDArray) -> NDArray:
        with np.errstate(all="ignore"):
            Z = np.asarray(function(X.copy()), dtype=np.float64)
        if Z.shape != X.shape:
            raise ValueError(
                f"{self.transformer!r} gives shape {Z.shape} for rows of shape "
                f"{X.shape}: that is no one-to-one map."
            )
        if not np.isfinite(Z).all():
            raise ValueError(f"{self.transformer!r} gives NaN or infinity.")
        return Z

    def _log_det_at(self, X: NDArray) -> NDArray:
        log_det = np.asarray(self.log_det(X), dtype=np.float64)
        if log_det.shape not in ((), (len(X),)):
            raise ValueError(
                f"log_det must give one number a row, shape ({len(X)},), or one for "
                f"all rows; got shape {log_det.shape}."
            )
        return np.broadcast_to(log_det, (len(X),)).copy()

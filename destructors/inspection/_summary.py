"""A fitted model as a table."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from destructors.base import Destructor
from destructors.inspection._table import as_html, as_text

# Gains from here on are shown without decimals.
_LARGE = 1e4


@dataclass(frozen=True)
class Summary:
    """The layers of a model, a line each. It prints as a table, in notebooks too.

    Parameters
    ----------
    title : str
        What the model is.
    layers : tuple of (str, str) tuples
        Name and class of each layer.
    train_gains, validation_gains : tuple of float
        Rise of the objective on the training and on the held-out rows by each layer;
        NaN where it is not known.
    unit : str, default="nats"
        What the objective is measured in: nats of the mean log density, or the energy
        coefficient by which domains come closer.

    Notes
    -----
    The gain of the first layer counts from the standard normal in the units of the
    data, which may be far off.
    """

    title: str
    layers: tuple[tuple[str, str], ...]
    train_gains: tuple[float, ...]
    validation_gains: tuple[float, ...]
    unit: str = "nats"

    @property
    def is_known(self) -> bool:
        """Whether there is more to tell than the name of a single layer."""
        known = np.isfinite([self.train_gains, self.validation_gains]).any()
        return bool(len(self.layers) != 1 or known)

    def _cells(self) -> list[tuple[str, ...]]:
        cells: list[tuple[str, ...]] = [
            ("", "layer", "class", f"training {self.unit}", f"held-out {self.unit}")
        ]
        gains = list(zip(self.train_gains, self.validation_gains, strict=True))
        for i, (layer, gain) in enumerate(zip(self.layers, gains, strict=True), 1):
            cells.append((str(i), *layer, *map(_signed, gain)))
        totals = map(_signed, np.sum(gains, axis=0)) if gains else ("", "")
        return [*cells, ("", "all", "", *totals)]

    def __str__(self) -> str:
        return as_text(self.title, self._cells())

    def _repr_html_(self) -> str:
        return as_html(self.title, self._cells())


def summarize(estimator: Any) -> Summary:
    """Return the layers of a fitted destructor, with the nats that each has brought.

    Parameters
    ----------
    estimator : Destructor
        A stack, whose layers have a line each; so have the steps of a pipeline and the
        groups of a ``ColumnDestructor``. Any other has one line.

    Returns
    -------
    summary : Summary
        It prints as a table. Nats are known of what grew step by step: of the layers of
        a stack, and of the whole of what has ``train_score_`` itself.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    TypeError
        If it is no destructor.

    See Also
    --------
    LikelihoodDisplay : The same as a picture.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.flows import RBIG
    >>> from destructors.inspection import summarize
    >>> X = np.random.default_rng(0).gamma(2.0, size=(300, 2))
    >>> model = RBIG(max_iter=1, early_stopping=False, random_state=0).fit(X)
    >>> print(summarize(model))
    RBIG: 1 layer of 2 columns
    ...
    """
    if not isinstance(estimator, Destructor):
        raise TypeError(
            f"A {type(estimator).__name__} is no destructor: it has no layers to tell "
            "of."
        )
    check_is_fitted(estimator)
    layers = _layers_of(estimator)
    n, own = len(layers), hasattr(estimator, "layers_")

    def gains(name: str) -> tuple[float, ...]:
        scores: Any = getattr(estimator, name, ())
        if own and len(scores) == n + 1:
            return tuple(np.diff(scores).tolist())
        return tuple(np.nan if own else _rise(layer, name) for _, layer in layers)

    d = estimator.n_features_in_
    title = (
        f"{type(estimator).__name__}: {n} layer{'s' * (n != 1)} of "
        f"{d} column{'s' * (d != 1)}"
    )
    held_out: Any = getattr(estimator, "validation_score_", ())
    if own and len(held_out) == n + 1:
        title += f", {held_out[-1]:.4f} on held-out rows"
    kinds = tuple((name, type(layer).__name__) for name, layer in layers)
    unit = "energy" if hasattr(estimator, "divergence_") else "nats"
    known = gains("train_score_"), gains("validation_score_")
    return Summary(title, kinds, *known, unit)


def _layers_of(estimator: Any) -> list[tuple[str, Any]]:
    """Return the named parts of a destructor, or itself."""
    if hasattr(estimator, "layers_"):
        names = getattr(estimator, "layer_names_", [""] * len(estimator.layers_))
        return list(zip(names, estimator.layers_, strict=True))
    parts: Any = getattr(estimator, "steps_", getattr(estimator, "destructors_", None))
    if parts is None:
        return [("", estimator)]
    return [(p[0], p[1]) if isinstance(p, tuple) else ("", p) for p in parts]


def _rise(layer: Any, name: str) -> float:
    """Return by how much a score rose from the first step to the last."""
    scores: Any = getattr(layer, name, ())
    if isinstance(scores, dict) or len(scores) < 2:
        return np.nan
    return float(scores[-1] - scores[0])


def _signed(gain: float) -> str:
    if np.isnan(gain):
        return ""
    return f"{gain:+.4f}" if abs(gain) < _LARGE else f"{gain:+,.0f}"

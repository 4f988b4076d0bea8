"""A fitted stack as a table."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from destructors.inspection._table import as_html, as_text


@dataclass(frozen=True)
class Summary:
    """The layers of a stack, a line each. It prints as a table, in notebooks too.

    Parameters
    ----------
    title : str
        What the stack is.
    layers : tuple of (str, str) tuples
        Name and class of each layer.
    train_gains, validation_gains : tuple of float
        Rise of the mean log density of the training and of the held-out rows by each
        layer, in nats; NaN where it is not known.
    """

    title: str
    layers: tuple[tuple[str, str], ...]
    train_gains: tuple[float, ...]
    validation_gains: tuple[float, ...]

    def _cells(self) -> list[tuple[str, ...]]:
        cells: list[tuple[str, ...]] = [
            ("", "layer", "class", "training nats", "held-out nats")
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
    """Return the layers of a fitted stack, with the nats that each has brought.

    Parameters
    ----------
    estimator : Destructor
        A stack: what has ``layers_``, and ``train_score_`` and ``validation_score_`` to
        tell nats by.

    Returns
    -------
    summary : Summary
        It prints as a table.

    Raises
    ------
    TypeError
        If the estimator has no layers.

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
    check_is_fitted(estimator)
    layers = getattr(estimator, "layers_", None)
    if layers is None:
        raise TypeError(
            f"{type(estimator).__name__} is no stack: it has no layers to tell of."
        )
    names = getattr(estimator, "layer_names_", [""] * len(layers))
    unknown = (np.nan,) * len(layers)
    gains = [
        tuple(np.diff(scores).tolist()) if len(scores) == len(layers) + 1 else unknown
        for scores in (
            getattr(estimator, "train_score_", ()),
            getattr(estimator, "validation_score_", ()),
        )
    ]
    n = len(layers)
    title = f"{type(estimator).__name__}: {n} layer{'s' * (n != 1)}"
    kinds = [
        (name, type(layer).__name__) for name, layer in zip(names, layers, strict=True)
    ]
    title += f" of {estimator.n_features_in_} columns"
    return Summary(title, tuple(kinds), *gains)


def _signed(gain: float) -> str:
    return "" if np.isnan(gain) else f"{gain:+.4f}"

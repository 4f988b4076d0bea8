"""The display that suits a model."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from destructors.base import Destructor
from destructors.inspection._alignment import AlignmentDisplay
from destructors.inspection._density import DensityDisplay
from destructors.inspection._pairs import PairDisplay
from destructors.maps import Density


def draw(
    estimator: Any,
    X: ArrayLike | None = None,
    *,
    sample_domain: ArrayLike | None = None,
    ax: Any = None,
    **kwargs: Any,
) -> Any:
    """Draw a fitted destructor in the display that suits it: ``model.plot()``.

    Parameters
    ----------
    estimator : Destructor or Density
        What was learned.
    X : array-like of shape (n_samples, n_features), default=None
        Rows to show beside it; an alignment needs some.
    sample_domain : array-like of shape (n_samples,), default=None
        Label of the domain of each row, for what aligns domains.
    ax : Axes or array of Axes, default=None
        Where to draw.
    **kwargs : dict
        Passed on to ``from_estimator`` of the display.

    Returns
    -------
    display : DensityDisplay, PairDisplay or AlignmentDisplay
        The first for one or two columns of numbers, the second for other tables, the
        third for domains.

    Raises
    ------
    TypeError
        If it is neither a destructor nor a density.
    ValueError
        If ``X`` has other columns than the training data, or domains have to be given
        and are not, or the other way round.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from destructors.linear import Whitening
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> type(Whitening().fit(X).plot(X)).__name__
    'DensityDisplay'
    """
    if isinstance(estimator, Density):
        density = estimator
    elif isinstance(estimator, Destructor):
        check_is_fitted(estimator)
        density = estimator.to_density()
    else:
        raise TypeError(
            "A fitted destructor or a Density can be drawn, got "
            f"{type(estimator).__name__}."
        )
    if density.labels is not None and isinstance(estimator, Destructor):
        if X is None or sample_domain is None:
            raise ValueError(
                f"{type(estimator).__name__} is drawn by rows of its domains: give X, "
                "and sample_domain, the label of each row."
            )
        show: Any = AlignmentDisplay.from_estimator
        return show(estimator, X, sample_domain=sample_domain, ax=ax, **kwargs)
    if sample_domain is not None:
        raise ValueError(
            f"sample_domain is given, but {type(estimator).__name__} knows no domains."
        )
    kinds = density.schema.kinds if density.schema is not None else np.zeros(1)
    is_flat = density.n_features <= 2 and not kinds.any()
    return (DensityDisplay if is_flat else PairDisplay).from_estimator(
        estimator, X, ax=ax, **kwargs
    )

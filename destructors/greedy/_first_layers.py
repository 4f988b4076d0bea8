"""Scores by the first layers of what is fitted, in less time."""

from abc import abstractmethod
from numbers import Integral

from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from destructors.base import Destructor


class ScoredByFirstLayers(Destructor):
    """A destructor of layers, or trees, the first of which are a density as well."""

    @abstractmethod
    def _first(self, n_layers: int) -> Destructor:
        """Return the fitted destructor of the first layers alone."""

    def score_samples(self, X: ArrayLike, *, max_layers: int | None = None) -> NDArray:
        """Log density of each row, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data; or what `destructors.open_rows` returns.
        max_layers : int, default=None
            Score by so many of the first layers only (of boosted trees, by so many
            trees), as in `staged_score_samples`: the time falls with their number. None
            takes all.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            ``log p(x)``, or an iterator over it, block by block; the score of a row
            does not depend on the other rows.

        Raises
        ------
        ValueError
            If ``max_layers`` is no integer of at least 1.
        """
        if max_layers is None:
            return super().score_samples(X)
        check_is_fitted(self)
        is_integer = isinstance(max_layers, Integral)
        if isinstance(max_layers, bool) or not is_integer or max_layers < 1:
            raise ValueError(
                "max_layers must be None or an integer of at least 1, got "
                f"{max_layers!r}."
            )
        return self._first(int(max_layers)).score_samples(X)

"""Columns given others: what a conditional density has learned."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from destructors.maps._blocks import in_blocks
from destructors.maps._combine import Chain
from destructors.maps._map import Data, Map, Mapped
from destructors.maps._schema import Schema

# Levels over which quantiles are averaged to a mean.
_N_LEVELS = 128
# Draws by which columns of y after the first are predicted, the same for each row.
_N_DRAWS = 512
# Numbers in an array over rows, levels and columns.
_BLOCK_SIZE = 2**20
_LOG_ROOT = 0.5 * np.log(2.0 * np.pi)


@dataclass(frozen=True, eq=False, repr=False)
class Conditional(Data):
    r"""The density of columns given others: a `ConditionalDensity` without the learner.

    Column ``j`` of y has an increasing map to N(0, 1), given x and the columns before:

    .. math:: \log p(y | x) = \sum_j \log \varphi(T_j(y_j; x, y_{<j}))
              + \log \partial_j T_j(y_j; x, y_{<j})

    It is what `destructors.load` gives of a saved one, and needs NumPy and SciPy only.

    Parameters
    ----------
    contexts : tuple of Map
        For each column of y: what the next map sees of x and the columns of y before.
    targets : tuple of Chain
        For each column of y: maps of what is seen and that column, of which they move
        that column alone.
    is_column : bool
        Whether y has one column and no second axis.
    schema : Schema
        The columns of x.

    See Also
    --------
    destructors.estimators.ConditionalDensity : What learns it; its methods are the
        same.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import destructors
    >>> from destructors.estimators import ConditionalDensity
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 1))
    >>> y = X[:, 0] + 0.1 * rng.normal(size=200)
    >>> learned = ConditionalDensity(max_trees=0, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "y_given_x.npz")
    ...     destructors.save(learned, path)
    ...     conditional = destructors.load(path)
    >>> bool(abs(conditional.predict([[1.0]])[0] - 1.0) < 0.1)
    True
    """

    contexts: tuple[Map, ...]
    targets: tuple[Chain, ...]
    is_column: bool
    schema: Schema

    def is_valid(self) -> bool:
        """Return whether the parts are made for each other: a few rows are scored, and
        a few latents mapped back.
        """
        n = len(self.targets)
        if not n or len(self.contexts) != n or (self.is_column and n > 1):
            return False
        if self.schema.kinds.any():
            return False
        with np.errstate(all="ignore"):
            Z, log_det = self._map(np.zeros((2, len(self.schema) + n)))
            latents = np.zeros((9, len(self.schema) + n))
            latents[:, len(self.schema) :] = np.linspace(-4.0, 4.0, 9)[:, None]
            Y, _ = self._invert(latents)
        return Z.shape == (2, n) and all(
            np.isfinite(part).all() for part in (Z, log_det, Y)
        )

    def __repr__(self) -> str:
        return (
            f"Conditional(n_features={len(self.schema)}, n_targets={len(self.targets)})"
        )

    @property
    def n_features(self) -> int:
        """Number of columns of x."""
        return len(self.schema)

    # ------------------------------------------------------------------ densities

    def score_samples(self, X: ArrayLike, y: ArrayLike) -> NDArray:
        """Return the log density of y given x, in nats.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            What is given.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            ``log p(y | x)``.
        """
        Z, log_det = in_blocks(self._map, self._join(X, y))
        # Squares of numbers far out may overflow.
        with np.errstate(over="ignore"):
            log_base = -0.5 * np.minimum(Z * Z, np.finfo(float).max / 1e3)
        return (log_base - _LOG_ROOT).sum(axis=1) + log_det

    def cdf(self, X: ArrayLike, y: ArrayLike) -> NDArray:
        """Return the distribution function of each column of y.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            What is given.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        Returns
        -------
        probability : ndarray of the shape of y
            That of a smaller value, given x and the columns of y before it: uniform
            and independent where the density is right.
        """
        Z, _ = in_blocks(self._map, self._join(X, y))
        return self._shape(ndtr(Z))

    # ------------------------------------------------------------------ draws

    def sample(
        self,
        X: ArrayLike,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> NDArray:
        """Draw y given x.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_rows, n_features)
            What is given.
        n_samples : int, default=1
            Number of draws for each row.
        random_state : int, RandomState instance or None, default=None
            Pass an int for reproducible samples.

        Returns
        -------
        y : ndarray of shape (n_rows, n_samples) or (n_rows, n_samples, n_targets)
        """
        if not isinstance(n_samples, int | np.integer) or n_samples < 1:
            raise ValueError(f"n_samples must be an int of at least 1: {n_samples!r}.")
        rng = random_state
        if not isinstance(rng, np.random.RandomState):
            rng = np.random.RandomState(rng)
        rows = self._read(X)
        Z = rng.standard_normal((len(rows), int(n_samples), len(self.targets)))
        return self._shape(self._draw(rows, Z))

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the mean of y given x.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            What is given.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Of the first column the mean of 128 quantiles, of the others that of draws,
            the same at each call.
        """
        rows, n = self._read(X), len(self.targets)
        levels = ndtri((np.arange(_N_LEVELS) + 0.5) / _N_LEVELS)

        def predict(block: NDArray) -> NDArray:
            mean = (
                self._draws_of(block).mean(axis=1)
                if n > 1
                else np.empty((len(block), 1))
            )
            mean[:, 0] = self._first(block, levels).mean(axis=1)
            return mean

        return self._shape(self._by_blocks(predict, rows, _N_LEVELS))

    def predict_quantile(self, X: ArrayLike, q: ArrayLike = 0.5) -> NDArray:
        """Return quantiles of y given x.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            What is given.
        q : float or array-like of shape (n_quantiles,), default=0.5
            Probabilities, between 0 and 1.

        Returns
        -------
        quantiles : ndarray of shape (n_samples, [n_targets], [n_quantiles])
            Without an axis for targets if y had none, and for quantiles if q has none.
            Exact for the first column; of the others, those of draws, the same at each
            call.

        Raises
        ------
        ValueError
            If a probability is not between 0 and 1.
        """
        rows, n = self._read(X), len(self.targets)
        levels = np.asarray(q, dtype=np.float64)
        if levels.ndim > 1 or not ((levels > 0.0) & (levels < 1.0)).all():
            raise ValueError(f"q must be probabilities between 0 and 1, got {q!r}.")
        each = np.atleast_1d(levels)

        def predict(block: NDArray) -> NDArray:
            found = np.empty((len(block), n, len(each)))
            if n > 1:
                found[:] = np.quantile(self._draws_of(block), each, axis=1).transpose(
                    1, 2, 0
                )
            found[:, 0] = self._first(block, ndtri(each))
            return found

        found = self._by_blocks(predict, rows, len(each))
        found = found[:, 0] if self.is_column else found
        return found if levels.ndim else found[..., 0]

    def interval(self, X: ArrayLike, coverage: float = 0.9) -> NDArray:
        """Return intervals that hold y with a probability, as much on either side.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            What is given.
        coverage : float, default=0.9
            The probability, between 0 and 1.

        Returns
        -------
        interval : ndarray of shape (n_samples, 2) or (n_samples, n_targets, 2)
            Lower and upper ends.

        Raises
        ------
        ValueError
            If the probability is not between 0 and 1.
        """
        if not 0.0 < coverage < 1.0:
            raise ValueError(f"coverage must be between 0 and 1, got {coverage!r}.")
        return self.predict_quantile(X, [0.5 * (1 - coverage), 0.5 * (1 + coverage)])

    def save(self, path: str) -> None:
        """Write to a file; see `destructors.save`."""
        from destructors.maps._save import save

        save(self, path)

    # ------------------------------------------------------------------ rows

    def _read(self, X: ArrayLike) -> NDArray:
        rows = self.schema.encode(X, owner="Conditional")
        if not len(rows):
            raise ValueError("X has no rows: give at least one.")
        return rows

    def _join(self, X: ArrayLike, y: ArrayLike) -> NDArray:
        """Return x and y side by side."""
        rows, y = self._read(X), np.asarray(y, dtype=np.float64)
        Y, n = y[:, None] if y.ndim == 1 else y, len(self.targets)
        if Y.shape != (len(rows), n):
            raise ValueError(
                f"y must have a row for each of the {len(rows)} rows of X and {n} "
                f"column(s), got the shape {y.shape}."
            )
        if not np.isfinite(Y).all():
            raise ValueError("y contains NaN or infinity: drop such rows.")
        return np.hstack([rows, Y])

    def _shape(self, Y: NDArray) -> NDArray:
        return Y[..., 0] if self.is_column else Y

    def _parts(self) -> Iterator[tuple[int, tuple[Map, Chain]]]:
        return enumerate(zip(self.contexts, self.targets, strict=True), self.n_features)

    def _map(self, rows: NDArray, context: NDArray | None = None) -> Mapped:
        """Return latents of y, and the log-determinant, of x and y side by side."""
        Z, log_det = np.empty((len(rows), len(self.targets))), np.zeros(len(rows))
        for j, (seen, target) in self._parts():
            given, _ = seen.forward(np.ascontiguousarray(rows[:, :j]))
            moved, log_det_j = _move_last(target, given, rows[:, j], "forward")
            Z[:, j - self.n_features] = moved
            log_det += log_det_j
        return Z, log_det

    def _invert(self, rows: NDArray, context: NDArray | None = None) -> Mapped:
        """Return y, of x and latents side by side."""
        rows = rows.copy()
        for j, (seen, target) in self._parts():
            given, _ = seen.forward(np.ascontiguousarray(rows[:, :j]))
            rows[:, j], _ = _move_last(target, given, rows[:, j], "inverse")
        return rows[:, self.n_features :], np.zeros(len(rows))

    def _draw(self, rows: NDArray, Z: NDArray) -> NDArray:
        """Return y of each latent of each row."""
        _, n_draws, n = Z.shape
        both = np.hstack([np.repeat(rows, n_draws, axis=0), Z.reshape(-1, n)])
        return in_blocks(self._invert, both)[0].reshape(Z.shape)

    def _draws_of(self, rows: NDArray) -> NDArray:
        """Return draws of y for each row, by the same latents."""
        latents = np.random.RandomState(0).standard_normal(
            (_N_DRAWS, len(self.targets))
        )
        return self._draw(rows, np.broadcast_to(latents, (len(rows), *latents.shape)))

    def _first(self, rows: NDArray, latents: NDArray) -> NDArray:
        """Return the first column of y at some latents, for each row."""
        given, _ = self.contexts[0].forward(rows)
        n = len(latents)
        given, latents = np.repeat(given, n, axis=0), np.tile(latents, len(rows))
        found, _ = _move_last(self.targets[0], given, latents, "inverse")
        return found.reshape(len(rows), n)

    def _by_blocks(
        self, predict: Callable[[NDArray], NDArray], rows: NDArray, n_levels: int
    ) -> NDArray:
        n_each = n_levels if self.is_column else max(n_levels, _N_DRAWS)
        step = max(1, _BLOCK_SIZE // (n_each * (self.n_features + len(self.targets))))
        blocks = [predict(rows[i : i + step]) for i in range(0, len(rows), step)]
        return np.concatenate(blocks)


def _move_last(target: Chain, given: NDArray, last: NDArray, way: str) -> Mapped:
    """Return a column after maps, each of which sees to the bit what is given."""
    log_det = np.zeros(len(last))
    for part in target if way == "forward" else reversed(list(target)):
        both = np.column_stack([given, last])
        moved, log_det_part = in_blocks(getattr(part, way), both)
        last = moved[:, -1]
        log_det += log_det_part
    return last, log_det

"""What the columns of a table are like in each class of a mixture."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit

from destructors.maps._categorical import draw_codes
from destructors.maps._map import Data

# Probabilities of less have a logarithm as if they were this.
TINY = np.finfo(float).tiny


class Emission(Data, ABC):
    """What one column, or some, are like in each class."""

    @abstractmethod
    def logpdf(self, x: NDArray, without: NDArray | None = None) -> NDArray:
        """Return the log density of what each row has, in each class.

        Parameters
        ----------
        x : ndarray of shape (n_samples, n_columns)
            The columns, NaN where a value is missing.
        without : ndarray of int of shape (n_columns,), default=None
            Codes that what is missing must not have; -1 for none.

        Returns
        -------
        log_density : ndarray of shape (n_samples, n_classes)
        """

    @abstractmethod
    def fill(
        self,
        x: NDArray,
        classes: NDArray,
        rng: np.random.RandomState,
        without: NDArray | None = None,
    ) -> NDArray:
        """Return rows with what is missing drawn, given the class of each row."""

    @abstractmethod
    def predict(
        self,
        x: NDArray,
        posterior: NDArray,
        strategy: str,
        curves: NDArray,
        without: NDArray | None = None,
    ) -> NDArray:
        """Return rows with one value for what is missing.

        Parameters
        ----------
        x : ndarray of shape (n_samples, n_columns)
            The columns, NaN where a value is missing.
        posterior : ndarray of shape (n_samples, n_classes)
            Probability of the classes of each row.
        strategy : {"mean", "mode"}
            What to predict; of codes, the most probable in any case.
        curves : ndarray of shape (n_points, n_columns)
            What the columns are in the units to predict them in, at the points of
            `GRID`.
        """


@dataclass(frozen=True, eq=False, repr=False)
class IntegerTable(Emission):
    r"""Probabilities of the integers of one column, in each class.

    .. math:: p_k(x) = s_{k,x} + r_k \left[ σ(u + \tfrac{1}{2 b_k})
              - σ(u - \tfrac{1}{2 b_k}) \right], \quad u = (x - a_k) / b_k

    with the logistic function :math:`σ`: shares of the values that were seen, and a
    discretised logistic distribution for the rest. It sums to one over all integers,
    and none has probability zero.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Integers that have shares, in increasing order.
    shares : ndarray of shape (n_classes, n_values)
        Their shares.
    rest : ndarray of shape (n_classes,)
        Share of the logistic distribution: one minus the others.
    location, scale : ndarray of shape (n_classes,)
        Its parameters :math:`a` and :math:`b`.
    """

    values: NDArray
    shares: NDArray
    rest: NDArray
    location: NDArray
    scale: NDArray

    _positive = ("rest", "scale")

    def is_valid(self) -> bool:
        """Return whether these are probabilities of integers."""
        n, values = len(self.rest), self.values
        total = self.shares.sum(axis=1) + self.rest
        return (
            values.ndim == 1
            and bool((np.diff(values) > 0).all() and (values == np.rint(values)).all())
            and self.shares.shape == (n, len(values))
            and self.rest.shape == self.location.shape == self.scale.shape == (n,)
            and bool((self.shares >= 0).all() and (abs(total - 1) < 1e-6).all())
        )

    def logpdf(self, x: NDArray, without: NDArray | None = None) -> NDArray:
        """Return log probabilities; those of no integers are those of the nearest."""
        x = x[:, 0]
        missing = np.isnan(x)
        x = np.rint(np.where(missing, 0.0, x))
        logs = np.log(self.rest) + log_logistic(x[:, None], self.location, self.scale)
        place = np.searchsorted(self.values, x).clip(max=len(self.values) - 1)
        seen = self.values[place] == x
        # A share of nothing is nothing, and adds nothing.
        shares = np.log(np.maximum(self.shares.T[place[seen]], TINY))
        logs[seen] = np.logaddexp(logs[seen], shares)
        logs[missing] = 0.0
        return logs

    def fill(
        self,
        x: NDArray,
        classes: NDArray,
        rng: np.random.RandomState,
        without: NDArray | None = None,
    ) -> NDArray:
        """Return integers, those missing drawn."""
        x, missing = x.copy(), np.isnan(x[:, 0])
        of = classes[missing]
        place = draw_codes(np.c_[self.shares, self.rest], of, rng)
        drawn = np.append(self.values, 0.0)[place]
        other = np.flatnonzero(place == len(self.values))
        of = of[other]
        drawn[other] = np.rint(rng.logistic(self.location[of], self.scale[of]))
        x[missing, 0] = drawn
        return x

    def predict(
        self,
        x: NDArray,
        posterior: NDArray,
        strategy: str,
        curves: NDArray,
        without: NDArray | None = None,
    ) -> NDArray:
        """Return integers; of the mode, one that was seen."""
        x, missing = x.copy(), np.isnan(x[:, 0])
        if strategy == "mean":
            means = self.shares @ self.values + self.rest * self.location
            x[missing, 0] = posterior[missing] @ means
        else:
            shares = np.exp(self.logpdf(self.values[:, None])).T
            best = np.argmax(posterior[missing] @ shares, axis=1)
            x[missing, 0] = self.values[best]
        return x


def log_logistic(x: NDArray, location: NDArray, scale: NDArray) -> NDArray:
    """Return log probabilities of integers under discretised logistic distributions.

    With ``a`` and ``b`` the ends of the cell in units of the scale, σ(b) - σ(a) is
    σ(b) σ(-a) (1 - exp(a - b)): no digit is lost, and nothing is zero.
    """
    middle, half = (x - location) / scale, 0.5 / scale
    inside = log_expit(middle + half) + log_expit(half - middle)
    return inside + np.log(-np.expm1(-1.0 / scale))

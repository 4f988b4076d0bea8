"""A measured quantity, and how it follows from scores of held-out rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm


@dataclass(frozen=True)
class InformationEstimate:
    """An estimate of a quantity of information theory.

    Parameters
    ----------
    value : float
        The estimate, in nats. Where the truth is near zero it can be negative.
    standard_error : float
        Standard error of ``value``, in nats: of the mean over the rows, and as much
        again as ``value`` and ``held_out_value`` differ.
    n_samples : int
        Number of rows that were scored.
    held_out_value : float
        The estimate as held-out rows give it, in nats, before it is corrected for what
        densities lose because they were fitted on finitely many rows.

    Examples
    --------
    >>> from destructors.information import InformationEstimate
    >>> estimate = InformationEstimate(0.5, 0.1, 1000, 0.49)
    >>> print(estimate)
    0.5000 ± 0.1000 nats (1,000 rows)
    >>> float(estimate)
    0.5
    """

    value: float
    standard_error: float
    n_samples: int
    held_out_value: float

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        return (
            f"{self.value:.4f} ± {self.standard_error:.4f} nats "
            f"({self.n_samples:,} rows)"
        )

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return a confidence interval, from the normal distribution.

        Parameters
        ----------
        level : float, default=0.95
            How often intervals shall hold the truth, in (0, 1).

        Returns
        -------
        low, high : float
            Ends, in nats.

        Raises
        ------
        ValueError
            If ``level`` is not between 0 and 1.

        Examples
        --------
        >>> from destructors.information import InformationEstimate
        >>> low, high = InformationEstimate(0.5, 0.1, 1000, 0.49).interval()
        >>> print(f"{low:.3f} to {high:.3f}")
        0.304 to 0.696
        """
        if not 0.0 < level < 1.0:
            raise ValueError(f"level must be between 0 and 1, got {level}.")
        half = float(norm.isf(0.5 * (1.0 - level))) * self.standard_error
        return self.value - half, self.value + half


def extrapolate(
    many: Sequence[NDArray], halves: Sequence[NDArray], n_folds: int
) -> InformationEstimate:
    r"""Return the estimate that infinitely many training rows would give.

    A density fitted on :math:`m` rows loses about :math:`c / m` nats on new ones, so
    that the mean score of held-out rows is off by as much. Scores by densities that
    were fitted on a half of the rows beside those of larger folds tell :math:`c`. This
    is Richardson's extrapolation. How well it holds for a density is not known: all of
    it counts as a standard error.

    Parameters
    ----------
    many : sequence of ndarray
        For each sample, what each row adds to the estimate when it is held out with one
        of ``n_folds`` folds. The estimate is the sum of the means.
    halves : sequence of ndarray
        The same where one half of the rows is held out, and then the other.
    n_folds : int
        Number of folds, more than 2.

    Returns
    -------
    estimate : InformationEstimate
    """
    # Losses on 1 - 1/k of the rows and on a half of them, in units of c / n.
    loss, loss_of_half = n_folds / (n_folds - 1.0), 2.0
    share = loss / (loss_of_half - loss)
    held_out = sum(float(score.mean()) for score in many)
    value, variance = 0.0, 0.0
    for one, other in zip(many, halves, strict=True):
        score = one + share * (one - other)
        value += float(score.mean())
        variance += float(score.var()) / len(score)
    error = float(np.hypot(np.sqrt(variance), value - held_out))
    return InformationEstimate(value, error, sum(map(len, many)), held_out)

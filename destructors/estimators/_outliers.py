"""Find outliers by how unlikely rows are, at a rate of false alarms that one sets."""

from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from destructors._compat import Interval, check_sample_weight, fit_scope, validate_data
from destructors.base import Destructor
from destructors.estimators._conditional import grid_of_columns
from destructors.estimators._early_exits import learn_exits
from destructors.estimators._ensemble import DensityEnsemble
from destructors.estimators._seeded import clone_seeded
from destructors.estimators._unseen import fit_unseen
from destructors.maps import Detector, Schema
from destructors.maps._calibration import Calibration
from destructors.maps._excess import excess_by_column
from destructors.maps._exits import Exits
from destructors.maps._folds import KnownFolds, apply_by_fold
from destructors.rows import Rows, known_folds


class OutlierDetector(OutlierMixin, BaseEstimator):
    """Flag the rows that are least likely, at a rate of false alarms that is kept.

    Rows are parted into folds by a hash of what they contain, and densities are fitted
    without some of them. Every row, one of those in `fit` or a new one, is scored
    by the mean log density of all that have not seen its fold. So the scores of the
    training rows are such as new rows have: no row hides behind a density that has
    learned it by heart, and a threshold set by the one holds for the other. Of new
    rows that are like those in `fit`, the share ``contamination`` is flagged, whatever
    the data, up to the chance by which rows are drawn.

    Parameters
    ----------
    destructor : Destructor, default=None
        What is fitted; rows are scored by its log density, in nats. None is made for
        outliers: the mean log density of marginals alone, a Gaussian copula, a mixture
        of normals and heavy-tailed kernels at up to 300 of the rows (2,000 with
        ``novelty``), each in units of its spread. They see no dependence among columns,
        that of ranks, groups, and what is near; so an outlier may be of any kind, and
        a spike at a value that repeats shows in one of four.
    contamination : float, default=0.05
        Share of the training rows to flag. If these are all normal, it is the rate of
        false alarms; if some are outliers, the share that you expect of them.
    novelty : bool, default=False
        Whether the rows in `fit` are known to be normal. The densities for None then
        tell finer things apart: there is less noise on the rows, more kernels, each by
        its neighbours, and the finer a density, the more it counts. Where outliers are
        among the rows, they would be learned as well. Of a ``destructor`` it sets folds
        alone.
    n_folds : int, default=None
        Number of folds; fewer where fewer rows differ. None: 5, or with ``novelty`` 10.
    n_left_out : int, default=None
        Number of folds that each density does not see, at most half of them. With 1
        there are as many densities as folds, and a row is scored by one of them. With 2
        there are ``n_folds * (n_folds - 1) / 2``, and a row is scored by the mean of
        ``n_folds - 1``, which is less a matter of chance. None: 2, or with ``novelty``
        1, so that a density sees nine rows of ten, not three of five.
    early_exit_error : float, default=None
        With it, `predict` scores a row only until its verdict is clear. At most so many
        verdicts are other than those of full scores, as a share of the rows that are
        flagged, on average over rows like those in `fit`: 0.05 of them, say. Where too
        few rows are flagged in `fit` to keep it, none leaves early. None: all rows are
        scored in full.
    n_jobs : int, default=None
        Number of densities that are fitted side by side. The result does not depend
        on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds and of the destructors.

    Attributes
    ----------
    estimators_ : list
        The fitted destructors, or for None what has the four in ``densities_``; each
        without other folds, in the order of `itertools.combinations`.
    offset_ : float
        The score below which a row is flagged, in nats.
    calibration_scores_ : ndarray of shape (n_samples,)
        Scores of the training rows, each by the densities that have not seen it,
        smallest first.
    early_exit_cost_ : float
        Share of the work of full scores that `predict` takes, on average over held-out
        rows: trees and components of mixtures are counted. Only with
        ``early_exit_error``.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.

    See Also
    --------
    destructors.inspection.OutlierDisplay : Which columns make a row an outlier.

    Notes
    -----
    The p-values are those of cross-conformal prediction; where the scores of the folds
    agree, they are exact. Categories have to be coded as numbers.

    References
    ----------
    R. Laxhammar and G. Falkman, *Inductive conformal anomaly detection for sequential
    detection of anomalous sub-trajectories*, Annals of Mathematics and Artificial
    Intelligence 74, 2015. V. Vovk, *Cross-conformal predictors*, Annals of Mathematics
    and Artificial Intelligence 74, 2015, section 3; that the fold of a new row is by
    its hash is ours.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.estimators import OutlierDetector
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=500)
    >>> X = np.c_[x, x + 0.1 * rng.normal(size=500)]
    >>> detector = OutlierDetector(contamination=0.02, random_state=0).fit(X)
    >>> detector.predict([[1.0, 1.0], [1.0, -1.0]])
    array([ 1, -1])
    >>> bool(detector.p_values([[1.0, -1.0]])[0] < 0.01)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "destructor": [Destructor, None],
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        "novelty": ["boolean"],
        "n_folds": [Interval(Integral, 2, None, closed="left"), None],
        "n_left_out": [Interval(Integral, 1, None, closed="left"), None],
        "early_exit_error": [Interval(Real, 0, 1, closed="neither"), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        destructor: Destructor | None = None,
        *,
        contamination: float = 0.05,
        novelty: bool = False,
        n_folds: int | None = None,
        n_left_out: int | None = None,
        early_exit_error: float | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.destructor = destructor
        self.contamination = contamination
        self.novelty = novelty
        self.n_folds = n_folds
        self.n_left_out = n_left_out
        self.early_exit_error = early_exit_error
        self.n_jobs = n_jobs
        self.random_state = random_state

    # ------------------------------------------------------------------ fitting

    def fit(
        self, X: ArrayLike, y: Any = None, *, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Fit the densities, and set the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, finite: normal ones, or such with a few outliers.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows. Integer weights equal repeated rows.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If ``X`` is not a finite two-dimensional array of numbers, a weight is
            negative, or fewer than three rows differ.
        """
        with fit_scope(self):
            values = validate_data(
                self, X, dtype=np.float64, order="C", ensure_min_samples=2
            )
            weight = np.ones(len(values))
            if sample_weight is not None:
                weight = check_sample_weight(
                    sample_weight, values, dtype=np.float64, ensure_non_negative=True
                )
            kept = weight > 0
            values, weight = values[kept], weight[kept]
            rng = check_random_state(self.random_state)
            folds = self._split(values, weight, rng.randint(2**31 - 1))
            place, given = (
                folds.place(values),
                None if sample_weight is None else weight,
            )
            wanted = self.n_left_out or (1 if self.novelty else 2)
            n_left_out = min(wanted, folds.n_folds // 2)
            self.estimators_, members, scores = fit_unseen(
                self._make(rng), values, given, place, n_left_out, self.n_jobs
            )
        self._members = tuple(members)
        self._folds = folds
        self._calibration = Calibration.of(scores, weight)
        self._grid = grid_of_columns(Rows.of(values, weight))
        self.calibration_scores_ = self._calibration.scores
        self.offset_ = self._calibration.threshold(self.contamination)
        self._exits: Exits | None = None
        if hasattr(self, "early_exit_cost_"):
            delattr(self, "early_exit_cost_")
        if self.early_exit_error is not None:
            # A quarter of the rows by content, so that equal ones are on one side.
            quarter = np.array([2**62], np.uint64)
            quarters = replace(folds, starts=quarter, seed=folds.seed + 1)
            chooses = quarters.place(values) < 1
            held_out = [place == k for k in range(folds.n_folds)]
            self._exits, self.early_exit_cost_ = learn_exits(
                members,
                [values[own] for own in held_out],
                [scores[own] for own in held_out],
                [weight[own] for own in held_out],
                [chooses[own] for own in held_out],
                self.offset_,
                self.early_exit_error,
            )
        return self

    def _make(self, rng: np.random.RandomState) -> Any:
        seed = int(rng.randint(2**31 - 1))
        if self.destructor is None:
            return DensityEnsemble(novelty=self.novelty, random_state=seed)
        return clone_seeded(self.destructor, seed)

    def _split(self, values: NDArray, weight: NDArray, seed: int) -> KnownFolds:
        n_different = len(np.unique(values, axis=0))
        if n_different < 3:
            raise ValueError(
                f"Only {n_different} of the rows (n_samples={len(values)}) differ: too "
                "few to hold some out and to fit the others. Give more rows."
            )
        n_folds = self.n_folds or (10 if self.novelty else 5)
        return known_folds(values, weight, min(n_folds, n_different), seed)

    # ------------------------------------------------------------------ scoring

    def score_samples(self, X: ArrayLike) -> NDArray:
        """Return how normal rows are: log densities, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, of those in `fit` or new.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The lower, the stranger. That of a row does not depend on the other rows.
        """
        values = self._read(X)
        score = [member.logpdf for member in self._members]
        return apply_by_fold(score, values, self._folds.place(values))

    def decision_function(self, X: ArrayLike) -> NDArray:
        """Return how far above the threshold the scores of rows are.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``: negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> NDArray:
        """Return which rows are outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        labels : ndarray of int of shape (n_samples,)
            -1 for outliers, 1 for others: by the sign of `decision_function`, except
            for the few rows that ``early_exit_error`` allows.
        """
        check_is_fitted(self)
        if self._exits is None:
            return np.where(self.decision_function(X) < 0.0, -1, 1)
        values = self._read(X)
        flag = self._exits.flaggers(self._members, self.offset_)
        return np.where(apply_by_fold(flag, values, self._folds.place(values)), -1, 1)

    def p_values(self, X: ArrayLike) -> NDArray:
        """Return how often rows like those in `fit` are as strange.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        p : ndarray of shape (n_samples,)
            Share of the training rows that score no higher, the row itself counted as
            one of them: for rows like those in `fit`, at most ``a`` in the share ``a``
            of cases.
        """
        return self._calibration.p_values(self.score_samples(X))

    def explain(self, X: ArrayLike) -> NDArray:
        r"""Return by how many nats each column is stranger than the others let expect.

        It is what the score would gain, on average, if the column were drawn anew
        given all others:

        .. math:: e_j(x) = E_{t \sim p(x_j | x_{-j})} [\log p(t, x_{-j})] - \log p(x)

        the conditional surprise of the column less its mean: about zero on average over
        normal rows, whatever the units. Columns that break a relation together show it
        together.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        excess : ndarray of shape (n_samples, n_features)
            In nats; large for the columns that make a row an outlier. By an integral
            over each column, along quantiles of the training rows and beyond them.
        """
        values = self._read(X)
        excess = [
            partial(excess_by_column, member.logpdf, grid=self._grid)
            for member in self._members
        ]
        return apply_by_fold(excess, values, self._folds.place(values))

    def to_detector(self) -> Detector:
        """Return what was learned, without the learner.

        Returns
        -------
        detector : destructors.maps.Detector
            It has the methods of this one, needs NumPy and SciPy only, and is what
            `destructors.save` writes.
        """
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        return Detector(
            self._members,
            self._folds,
            self._calibration,
            self.offset_,
            self._grid,
            Schema.of_named(names, self.n_features_in_),
            self._exits,
        )

    def _read(self, X: Any) -> NDArray:
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float64, order="C", reset=False)

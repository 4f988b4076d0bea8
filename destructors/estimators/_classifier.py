"""Classify by the densities of the classes."""

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from destructors._compat import Interval, check_sample_weight, fit_scope, validate_data
from destructors.base import Destructor
from destructors.base._some_rows import fit_some_rows
from destructors.estimators._seeded import clone_seeded
from destructors.maps import Classifier, Schema
from destructors.maps._calibration import Calibration
from destructors.maps._classifier import BayesRule
from destructors.mixture import GaussianMixtureDestructor
from destructors.rows import Rows, known_folds


class DensityClassifier(BayesRule, ClassifierMixin, BaseEstimator):
    r"""Fit a density to each class, and classify by Bayes' rule.

    .. math:: p(c | x) \propto \pi_c\, p_c(x)

    Since it knows the density of rows of any class, :math:`\sum_c \pi_c p_c(x)`, it
    can also refuse to classify a row that is like none of those in `fit`.

    Parameters
    ----------
    destructor : Destructor, default=None
        A clone of it is fitted to each class. None takes
        `~destructors.mixture.GaussianMixtureDestructor`.
    priors : array-like of shape (n_classes,), default=None
        Probabilities of the classes, in the order of ``classes_``. None takes their
        shares of the training rows.
    reject : float, default=None
        Share of rows like those in `fit` to leave unclassified, those of the lowest
        density: `predict` gives them ``reject_label``. The threshold is set by
        held-out rows. None classifies all.
    reject_label : int, float or str, default=-1
        What `predict` gives to rows that are rejected: of the kind that labels are, and
        none of them.
    n_folds : int, default=5
        Number of folds that are held out in turn to set the threshold.
    n_jobs : int, default=None
        Number of densities that are fitted side by side. The result does not depend
        on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds and of the destructors.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes.
    class_prior_ : ndarray of shape (n_classes,)
        Probabilities of the classes.
    estimators_ : list of Destructor
        The density of each class.
    threshold_ : float
        Log density below which rows are rejected, in nats; minus infinity without
        ``reject``.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.

    See Also
    --------
    OutlierDetector : To find rows that are like none of those in `fit`, alone.

    References
    ----------
    C. K. Chow, *On optimum recognition error and reject tradeoff*, IEEE Transactions on
    Information Theory 16, 1970; here rows are rejected by their density, not by the
    doubt between classes.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from destructors.estimators import DensityClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DensityClassifier(reject=0.05, random_state=0).fit(X, y)
    >>> model.predict([[5.0, 3.4, 1.5, 0.2], [9.0, 9.0, 9.0, 9.0]])
    array([ 0, -1])
    """

    _parameter_constraints: ClassVar[dict] = {
        "destructor": [Destructor, None],
        "priors": ["array-like", None],
        "reject": [Interval(Real, 0, 1, closed="neither"), None],
        "reject_label": [Integral, Real, str],
        "n_folds": [Interval(Integral, 2, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        destructor: Destructor | None = None,
        *,
        priors: ArrayLike | None = None,
        reject: float | None = None,
        reject_label: Any = -1,
        n_folds: int = 5,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.destructor = destructor
        self.priors = priors
        self.reject = reject
        self.reject_label = reject_label
        self.n_folds = n_folds
        self.n_jobs = n_jobs
        self.random_state = random_state

    # ------------------------------------------------------------------ fitting

    def fit(
        self, X: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Fit a density to each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, finite.
        y : array-like of shape (n_samples,)
            Their classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows. Integer weights equal repeated rows.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If an input is not what it should be, a class has too few rows for a
            density, priors are no probabilities of the classes, or ``reject_label``
            cannot stand among the labels.
        """
        with fit_scope(self):
            values, labels = validate_data(self, X, y, dtype=np.float64, order="C")
            check_classification_targets(labels)
            weight = None
            if sample_weight is not None:
                weight = check_sample_weight(
                    sample_weight, values, dtype=np.float64, ensure_non_negative=True
                )
                kept = weight > 0
                values, labels, weight = values[kept], labels[kept], weight[kept]
            self.classes_, codes = np.unique(labels, return_inverse=True)
            self._check_label()
            shares = np.bincount(codes, weights=weight)
            self.class_prior_ = self._read_priors(shares / shares.sum())
            rng = check_random_state(self.random_state)
            destructor = self._make(rng)
            self.estimators_ = self._fit_classes(destructor, values, codes, weight)
            self.threshold_ = -np.inf
            if self.reject is not None:
                seed = rng.randint(2**31 - 1)
                held_out = self._calibrate(destructor, values, codes, weight, seed)
                self.threshold_ = held_out.threshold(float(self.reject))
        return self

    def _make(self, rng: np.random.RandomState) -> Destructor:
        seed = int(rng.randint(2**31 - 1))
        if self.destructor is None:
            return GaussianMixtureDestructor(random_state=seed)
        return clone_seeded(self.destructor, seed)

    def _check_label(self) -> None:
        if self.reject is None:
            return
        if isinstance(self.reject_label, str) != (self.classes_.dtype.kind in "UOS"):
            raise ValueError(
                f"reject_label={self.reject_label!r} is of another kind than the "
                f"labels, such as {self.classes_.tolist()[0]!r}."
            )
        if self.reject_label in self.classes_.tolist():
            raise ValueError(
                f"reject_label={self.reject_label!r} is the label of a class: set "
                "another."
            )

    def _read_priors(self, shares: NDArray) -> NDArray:
        if self.priors is None:
            return shares
        priors = np.asarray(self.priors, dtype=np.float64)
        if priors.shape != shares.shape:
            raise ValueError(
                f"priors must have one entry for each of the {len(shares)} classes, "
                f"got the shape {priors.shape}."
            )
        if not ((priors >= 0).all() and np.isclose(priors.sum(), 1.0)):
            raise ValueError(
                f"priors must be probabilities of sum 1, got {priors.tolist()}."
            )
        return priors / priors.sum()

    def _fit_classes(
        self,
        destructor: Destructor,
        values: NDArray,
        codes: NDArray,
        weight: NDArray | None,
    ) -> list[Destructor]:
        return Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(_fit_class)(destructor, values, codes == c, weight, label)
            for c, label in enumerate(self.classes_.tolist())
        )

    def _calibrate(
        self,
        destructor: Destructor,
        values: NDArray,
        codes: NDArray,
        weight: NDArray | None,
        seed: int,
    ) -> Calibration:
        """Return the log densities of rows that were held out in turn."""
        place = np.empty(len(values), dtype=np.intp)
        for c, label in enumerate(self.classes_.tolist()):
            own = codes == c
            given = None if weight is None else weight[own]
            try:
                folds = known_folds(values[own], given, self.n_folds, seed)
            except ValueError as error:
                raise ValueError(
                    f"The class {label!r} has too few different rows for "
                    f"n_folds={self.n_folds}, which reject needs. Set a smaller "
                    "n_folds, or reject=None."
                ) from error
            place[own] = folds.place(values[own])
        scores = np.empty(len(values))
        for k in range(self.n_folds):
            others = place != k
            given = None if weight is None else weight[others]
            fitted = self._fit_classes(destructor, values[others], codes[others], given)
            joint = self._joint(values[~others], fitted)
            scores[~others] = logsumexp(joint, axis=1)
        ones = np.ones(len(values)) if weight is None else weight
        return Calibration.of(scores, ones)

    # ------------------------------------------------------------------ classifying

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels; ``reject_label`` where rows are rejected.
        """
        joint = self.predict_joint_log_proba(X)
        labels = self.classes_[joint.argmax(axis=1)]
        if self.reject is None:
            return labels
        rejected = logsumexp(joint, axis=1) < self.threshold_
        return np.where(rejected, self.reject_label, labels)

    def predict_joint_log_proba(self, X: ArrayLike) -> NDArray:
        """Return the log densities of rows and classes together.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_densities : ndarray of shape (n_samples, n_classes)
            ``log p(c) + log p(x | c)``, in nats.
        """
        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float64, order="C", reset=False)
        return self._joint(values, self.estimators_)

    def score(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the share of rows whose class is told right.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Their classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        accuracy : float
            Between 0 and 1.
        """
        return super().score(X, y, sample_weight)

    def to_classifier(self) -> Classifier:
        """Return what was learned, without the learner.

        Returns
        -------
        classifier : destructors.maps.Classifier
            It has the methods of this one, needs NumPy and SciPy only, and is what
            `destructors.save` writes.

        Raises
        ------
        TypeError
            If labels are of several types.
        """
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        return Classifier(
            tuple(density.to_density() for density in self.estimators_),
            self.classes_,
            self.class_prior_,
            float(self.threshold_),
            None if self.reject is None else self.reject_label,
            Schema.of_named(names, self.n_features_in_),
        )

    def _joint(self, values: NDArray, densities: list[Destructor]) -> NDArray:
        with np.errstate(divide="ignore"):
            log_prior = np.log(self.class_prior_)
        scores = [density.score_samples(values) for density in densities]
        return np.column_stack(scores) + log_prior


def _fit_class(
    destructor: Destructor,
    values: NDArray,
    own: NDArray,
    weight: NDArray | None,
    label: Any,
) -> Destructor:
    whole, values = Rows.of(values, weight), values[own]
    given = None if weight is None else weight[own]
    if given is not None and len(values) == 1 and given[0] > 1.0:
        # A row of weight two is two rows, and so enough for a density.
        values, given = np.repeat(values, 2, axis=0), np.repeat(0.5 * given, 2)
    try:
        return fit_some_rows(clone(destructor), values, given, whole)
    except ValueError as error:
        raise ValueError(
            f"The density of class {label!r}, with {len(values)} row(s), cannot be "
            f"fitted: {error}"
        ) from error

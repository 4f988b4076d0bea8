"""Classes by their densities: what a classifier has learned."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from destructors.maps._column import plain
from destructors.maps._density import Density
from destructors.maps._map import Data
from destructors.maps._schema import Schema


class BayesRule:
    """Probabilities of classes, by the log densities of rows and classes together."""

    # What each kind has: rows to ``log p(c) + log p(x | c)``, in nats.
    predict_joint_log_proba: Callable[[ArrayLike], NDArray]

    def predict_log_proba(self, X: ArrayLike) -> NDArray:
        """Return the log probabilities of the classes.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            Natural logarithms.
        """
        joint = self.predict_joint_log_proba(X)
        return joint - logsumexp(joint, axis=1, keepdims=True)

    def predict_proba(self, X: ArrayLike) -> NDArray:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Of sum one, for rows that `predict` rejects too.
        """
        return np.exp(self.predict_log_proba(X))

    def score_samples(self, X: ArrayLike) -> NDArray:
        """Return the log density of rows of any class, in nats.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            ``log p(x)``: of rows that are like none of those learned from, low.
        """
        return logsumexp(self.predict_joint_log_proba(X), axis=1)


@dataclass(frozen=True, eq=False, repr=False)
class Classifier(BayesRule, Data):
    """Classifies rows by Bayes' rule: a `DensityClassifier` without the learner.

    It is what `destructors.load` gives of a saved classifier, and needs NumPy and SciPy
    only.

    Parameters
    ----------
    densities : tuple of Density
        That of each class.
    classes : ndarray of shape (n_classes,)
        Labels: numbers or strings.
    prior : ndarray of shape (n_classes,)
        Probabilities of the classes.
    threshold : float
        Log density below which rows are rejected, in nats; minus infinity for none.
    reject_label : int, float, str or None
        What `predict` gives to rows that are rejected; None where none is.
    schema : Schema
        The columns.

    Raises
    ------
    TypeError
        If the labels are of several types, or of one that no file can hold.

    See Also
    --------
    destructors.estimators.DensityClassifier : What learns it; its methods are the same.

    Examples
    --------
    >>> import os, tempfile
    >>> import destructors
    >>> from sklearn.datasets import load_iris
    >>> from destructors.estimators import DensityClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> learned = DensityClassifier(random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "iris.npz")
    ...     destructors.save(learned, path)
    ...     classifier = destructors.load(path)
    >>> classifier.predict([[5.0, 3.4, 1.5, 0.2]])
    array([0])
    """

    _infinite = ("threshold",)
    _any_dtype = ("classes",)

    densities: tuple[Density, ...]
    classes: NDArray
    prior: NDArray
    threshold: float
    reject_label: int | float | str | None
    schema: Schema

    def __post_init__(self) -> None:
        classes = plain(self.classes, "classes must be all numbers or strings, not")
        object.__setattr__(self, "classes", classes)

    def is_valid(self) -> bool:
        """Return whether the parts are made for each other: a few rows are classified,
        which fails with an error of any kind where sizes do not fit.
        """
        k, d = len(self.densities), len(self.schema)
        if not (
            all(density.n_features == d for density in self.densities)
            and k > 0
            and self.classes.shape == self.prior.shape == (k,)
            and len(set(self.classes.tolist())) == k
            and (self.prior >= 0).all()
            and np.isclose(self.prior.sum(), 1.0)
            and not self.schema.kinds.any()
        ):
            return False
        rows = np.zeros((2, d))
        with np.errstate(all="ignore"):
            scores = [density.logpdf(rows) for density in self.densities]
        self.predict(rows)
        return bool(np.isfinite(scores).all())

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return len(self.schema)

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels; ``reject_label`` where rows are rejected.
        """
        joint = self.predict_joint_log_proba(X)
        labels = self.classes[joint.argmax(axis=1)]
        if self.reject_label is None:
            return labels
        rejected = logsumexp(joint, axis=1) < self.threshold
        return np.where(rejected, self.reject_label, labels)

    def predict_joint_log_proba(self, X: ArrayLike) -> NDArray:
        """Return the log densities of rows and classes together.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_densities : ndarray of shape (n_samples, n_classes)
            ``log p(c) + log p(x | c)``, in nats.
        """
        rows = self.schema.encode(X, owner="Classifier")
        with np.errstate(divide="ignore"):
            log_prior = np.log(self.prior)
        scores = [density.logpdf(rows) for density in self.densities]
        return np.column_stack(scores) + log_prior

    def save(self, path: str) -> None:
        """Write to a file; see `destructors.save`."""
        from destructors.maps._save import save

        save(self, path)

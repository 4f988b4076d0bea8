"""Base of the destructors whose map depends on the domain of a row."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from destructors._compat import StrOptions, check_feature_names_in
from destructors.alignment._domains import (
    by_domain,
    check_labels,
    divergence,
    find_domains,
    resolve_domain_weights,
)
from destructors.base import HoldoutDestructor
from destructors.maps._density import encode_labels
from destructors.rows import Fold, Rows
from destructors.table import read_rows


class DomainDestructor(HoldoutDestructor):
    """Base of the destructors with a map for each domain, into a shared space.

    What a subclass implements is that of `destructors.base.Destructor`: `_fit`. The
    context of its rows is the number of their domain; ``domains_`` and
    ``domain_weights_`` are there already.

    A destructor with a parameter ``density`` that is not None has a density as well; it
    sets ``base_distribution_``. Any other only aligns.

    Attributes
    ----------
    map_ : Map
        What was learned; its context is the number of a domain.
    base_distribution_ : Distribution or None
        What rows follow in the shared space, if that is known.
    domains_ : ndarray of shape (n_domains,)
        Labels of the domains.
    domain_weights_ : ndarray of shape (n_domains,)
        Share of each in the barycenter.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.

    Examples
    --------
    A destructor of one's own, which moves the mean of each domain to zero:

    >>> import numpy as np
    >>> from destructors.alignment import DomainDestructor
    >>> from destructors.maps import Affine, Switch
    >>> class Centre(DomainDestructor):
    ...     def __init__(self, domain_weights="uniform"):
    ...         self.domain_weights = domain_weights
    ...     def _fit(self, fold, random_state):
    ...         X, domain = fold.train.values, fold.train.context
    ...         means = [X[domain == k].mean(axis=0) for k in range(len(self.domains_))]
    ...         return Switch(tuple(Affine(mean, np.ones_like(mean)) for mean in means))
    >>> X, domain = np.array([[0.0], [2.0], [7.0], [9.0]]), ["a", "a", "b", "b"]
    >>> Centre().fit(X, sample_domain=domain).translate([[1.5]], source="a", target="b")
    array([[8.5]])
    """

    # Requested by default: without the labels of its rows such a map can do nothing.
    __metadata_request__fit: ClassVar[dict] = {"sample_domain": True}
    __metadata_request__transform: ClassVar[dict] = {"sample_domain": True}
    __metadata_request__inverse_transform: ClassVar[dict] = {"sample_domain": True}
    __metadata_request__score: ClassVar[dict] = {"sample_domain": True}

    _parameter_constraints: ClassVar[dict] = {
        "domain_weights": [
            StrOptions({"uniform", "proportional", "target"}),
            Mapping,
            "array-like",
        ],
        "random_state": ["random_state"],
    }
    # Fewest rows that a domain can have.
    _min_domain_samples: ClassVar[int] = 2

    domains_: NDArray
    domain_weights_: NDArray

    # ------------------------------------------------------------------ fitting

    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        sample_domain: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        sample_domain_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Fit the maps of all domains.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data of all domains, finite.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain of each row: numbers or strings, at least two.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows. Integer weights equal repeated rows.
        X_val : array-like of shape (n_val_samples, n_features), default=None
            Held-out data of all domains, to choose and to stop by. If given, all of
            ``X`` is trained on, and nothing is held out of it.
        sample_domain_val : array-like of shape (n_val_samples,), default=None
            Labels of the held-out rows.
        sample_weight_val : array-like of shape (n_val_samples,), default=None
            Weights of the held-out rows.

        Returns
        -------
        self : object
            The fitted destructor. Where a fit fails or is interrupted before anything
            is learned, it is what it was before.

        Raises
        ------
        ValueError
            If ``X`` is not a finite two-dimensional array of numbers, there is no label
            for each row, there are less than two domains or too few rows of one, or a
            weight is negative.
        """
        if sample_domain is None and y is not None:
            raise ValueError(
                f"{type(self).__name__} needs sample_domain, the domain label of each "
                "row, by keyword: fit(X, sample_domain=labels). The second argument is "
                "y, which is not used."
            )
        labels: Any = sample_domain
        labels_val: Any = sample_domain_val
        with self._fitting() as learner:
            train, validation = learner._read_training(X, sample_weight, labels), None
            if X_val is not None:
                validation = learner._read_validation(
                    X_val, sample_weight_val, labels_val
                )
                domains = learner.domains_
                missing = np.setdiff1d(domains, domains[validation.context])
                if len(missing):
                    raise ValueError(
                        "X_val needs rows of each domain, but has none of "
                        f"{', '.join(map(repr, missing.tolist()))}."
                    )
            elif sample_domain_val is not None or sample_weight_val is not None:
                raise ValueError("sample_domain_val and sample_weight_val need X_val.")
            learner._fit_rows(Fold(train, validation))
        return self

    def _fit_rows(self, fold: Fold, *, onwards: bool = False) -> Fold | None:
        if fold.train.context is None:
            raise ValueError(
                f"{type(self).__name__} needs the domain of each row, which is unknown "
                "here: fit it by itself, with sample_domain, or in an AlignmentFlow."
            )
        totals = [part.total for part in by_domain(fold.train)]
        if "domains_" not in vars(self):
            self.domains_ = np.arange(len(totals))
        self.domain_weights_ = resolve_domain_weights(
            getattr(self, "domain_weights", "uniform"), self.domains_, totals
        )
        after = super()._fit_rows(fold, onwards=onwards)
        if not self._is_density():
            self.base_distribution_ = None
        return after

    def fit_transform(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        sample_domain: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> NDArray:
        """Fit the maps, and map the training rows to the shared space.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data of all domains.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain of each row.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
            The rows in the shared space.
        """
        self.fit(X, y, sample_domain=sample_domain, sample_weight=sample_weight)
        return self.transform(X, sample_domain=sample_domain)

    # ------------------------------------------------------------------ mapping

    def transform(
        self, X: ArrayLike, *, sample_domain: ArrayLike | None = None
    ) -> NDArray:
        """Map rows to the shared space.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any of the domains.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain of each row.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
            The rows in the shared space.

        Raises
        ------
        ValueError
            If ``sample_domain`` is missing or has a label that was not there in `fit`.
        """
        return self.transform_and_log_det(X, sample_domain=sample_domain)[0]

    def inverse_transform(
        self, X: ArrayLike, *, sample_domain: ArrayLike | None = None
    ) -> Any:
        """Map rows of the shared space to domains: the exact inverse of `transform`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the shared space.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain that each row goes to.

        Returns
        -------
        X_original : ndarray or DataFrame of shape (n_samples, n_features)
            Rows of the domains: a frame if the training data were one.
        """
        return self.inverse_and_log_det(X, sample_domain=sample_domain)[0]

    def transform_and_log_det(
        self, X: ArrayLike, *, sample_domain: ArrayLike | None = None
    ) -> tuple[NDArray, NDArray]:
        """Map rows to the shared space, with the log-determinant of the Jacobian.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any of the domains.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain of each row.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
            The rows in the shared space.
        log_det : ndarray of shape (n_samples,)
            ``log |det J|`` of the map of its domain at each row, in nats.
        """
        return self._forward(X, sample_domain)

    def inverse_and_log_det(
        self, Z: ArrayLike, *, sample_domain: ArrayLike | None = None
    ) -> tuple[Any, NDArray]:
        """Map rows of the shared space to domains, with the log-determinant.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_features)
            Rows of the shared space.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain that each row goes to.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            Rows of the domains.
        log_det : ndarray of shape (n_samples,)
            ``log |det J|`` of the inverse map at each row, in nats.
        """
        return self._backward(Z, sample_domain)

    def translate(self, X: ArrayLike, *, source: Any, target: Any) -> Any:
        """Map rows of one domain to what they would be in another.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the domain ``source``.
        source : label
            Domain of the rows.
        target : label
            Domain to map them to.

        Returns
        -------
        X_translated : ndarray or DataFrame of shape (n_samples, n_features)
            Rows as of the domain ``target``.

        Raises
        ------
        ValueError
            If a label was not there in `fit`.
        """
        Z, _ = self._forward(X, np.repeat([source], len(X)))  # type: ignore[arg-type]
        return self._backward(Z, np.repeat([target], len(Z)))[0]

    # ------------------------------------------------------------------ agreement

    def score(
        self,
        X: ArrayLike,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        sample_domain: ArrayLike | None = None,
    ) -> float:
        """Return how well the domains agree in the shared space.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of at least two domains. Time grows with the square of their number.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain of each row.

        Returns
        -------
        score : float
            Minus the `destructors.metrics.energy_coefficient` among the domains: larger
            is better, at best about minus one over the number of rows of a domain.
        """
        rows = self._read(X, sample_weight, sample_domain)
        # Of the domains seen in fit some may be missing here.
        find_domains(self.domains_[rows.context], 1, type(self).__name__)
        return -divergence(rows.through(self.map_))

    # ------------------------------------------------------------------ density

    def _is_density(self) -> bool:
        return getattr(self, "density", None) is not None

    def _has_density(self) -> bool:
        if not self._is_density():
            raise AttributeError(
                f"{type(self).__name__} has no density: it only aligns domains. "
                "AlignmentFlow has one if it is given a destructor as density."
            )
        return True

    @available_if(_has_density)
    def score_samples(
        self, X: ArrayLike, *, sample_domain: ArrayLike | None = None
    ) -> NDArray:
        """Log density of each row given its domain, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        sample_domain : array-like of shape (n_samples,)
            Label of the domain of each row.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            ``log p(x | domain)``.
        """
        return self._logpdf(X, sample_domain)

    @available_if(_has_density)
    def sample(
        self,
        n_samples: int = 1,
        *,
        domain: Any,
        random_state: int | np.random.RandomState | None = None,
    ) -> Any:
        """Draw rows from the learned density of a domain.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        domain : label
            The domain to draw from.
        random_state : int, RandomState instance or None, default=None
            Pass an int for reproducible samples.

        Returns
        -------
        X : ndarray or DataFrame of shape (n_samples, n_features)
            Samples.

        Raises
        ------
        ValueError
            If ``n_samples`` is no integer of at least 1 or ``domain`` was not there in
            `fit`.
        """
        labels = np.repeat([domain], max(int(n_samples), 0))
        return self._draw(n_samples, random_state, labels)

    # ------------------------------------------------------------------ scikit-learn

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Get the names of the shared features: those of the input.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the input features; by default those seen in `fit`.

        Returns
        -------
        feature_names_out : ndarray of str objects
            A map moves rows within their space, so the names stay.
        """
        check_is_fitted(self)
        return check_feature_names_in(self, input_features)

    # ------------------------------------------------------------------ steps

    def _check_labels(
        self, given: Any, values: NDArray, name: str = "sample_domain"
    ) -> NDArray:
        return check_labels(given, len(values), type(self).__name__, name)

    def _context(self, given: Any, values: NDArray) -> NDArray:
        return encode_labels(self._check_labels(given, values), self.domains_)

    def _as_rows(
        self,
        values: NDArray,
        sample_weight: ArrayLike | None,
        context: Any,
        name: str = "sample_weight",
    ) -> Rows:
        """Return rows with the numbers of their domains as context."""
        labels = self._check_labels(context, values, name.replace("weight", "domain"))
        rows = super()._as_rows(values, sample_weight, labels, name)
        if "domains_" not in vars(self):
            # Those of rows of weight zero are none.
            fewest, name = self._min_domain_samples, type(self).__name__
            self.domains_ = find_domains(rows.context, fewest, name)
        numbers = encode_labels(rows.context, self.domains_)  # type: ignore[arg-type]
        return replace(rows, context=numbers)

    def _read(
        self, X: Any, sample_weight: ArrayLike | None = None, given: Any = None
    ) -> Rows:
        check_is_fitted(self)
        values = read_rows(self, X, self._schema, reset=False)
        return self._as_rows(values, sample_weight, given)

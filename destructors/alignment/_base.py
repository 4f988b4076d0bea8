"""Base of the destructors whose map depends on the domain of a row."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import OneToOneFeatureMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from destructors._compat import StrOptions
from destructors.alignment import _domains
from destructors.alignment._apart import DomainsApart
from destructors.base import HoldoutDestructor
from destructors.base._blocks import in_turn, load_blocks
from destructors.maps._density import encode_labels
from destructors.rows import Fold, RowBlocks, Rows
from destructors.table import read_rows

# Labels of rows, or weights.
Given = ArrayLike | None


class DomainDestructor(OneToOneFeatureMixin, HoldoutDestructor):
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
    communication_ : dict
        For each domain of `DomainsApart`, the messages to where its rows are, and the
        bytes of these and of the answers: "messages", "sent", "received".
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
        "domain_weights": [StrOptions(_domains.SHARES), Mapping, "array-like"],
        "random_state": ["random_state"],
    }
    # Fewest rows that a domain can have.
    _min_domain_samples: ClassVar[int] = 2
    # Those that have no such parameters only align, to the mean of all.
    domain_weights: Any = "uniform"
    density: Any = None

    domains_: NDArray

    # ------------------------------------------------------------------ fitting

    def fit(
        self,
        X: ArrayLike,
        y: Any = None,
        *,
        sample_domain: Given = None,
        sample_weight: Given = None,
        X_val: Given = None,
        sample_domain_val: Given = None,
        sample_weight_val: Given = None,
    ) -> Self:
        """Fit the maps of all domains.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data of all domains, finite; or `DomainsApart`, whose rows are not
            brought together; or what ``open_rows(..., domain=...)`` returns.
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
            for each row, there are less than two domains or too few rows of one, a
            weight is negative, or numbers are so large, or differ so much in size, that
            rows would not come back: the column is named.
        """
        _refuse_labels(X, sample_domain)
        _refuse_labels(X_val, sample_domain_val)
        if isinstance(X, DomainsApart):
            held = X_val, sample_domain_val, sample_weight_val
            known = sample_domain, sample_weight, *held
            return self._fit_apart(X, any(one is not None for one in known))
        given: Any = X, sample_weight, sample_domain
        held_out: Any = X_val, sample_weight_val, sample_domain_val
        with self._fitting() as learner:
            train, validation = learner._read_training(*given), None
            if X_val is not None:
                validation = learner._read_validation(*held_out)
                totals = _domains.weigh_domains(validation, len(learner.domains_))
                without = learner.domains_[totals == 0].tolist()
                if without:
                    raise ValueError(
                        f"X_val needs rows of each domain, but has none of {without}."
                    )
            elif sample_domain_val is not None or sample_weight_val is not None:
                raise ValueError("sample_domain_val and sample_weight_val need X_val.")
            learner._fit_rows(Fold(train, validation))
        return self

    def _fit_apart(self, domains: DomainsApart, is_more_given: bool) -> Self:
        """Fit to domains whose rows stay where they are."""
        if is_more_given:
            raise ValueError(
                "Labels, weights and held-out rows of DomainsApart are known where the "
                "rows are: give it alone."
            )
        if self.density is not None:
            raise ValueError(
                "A density of the shared space needs the rows of all domains in one "
                "place: with DomainsApart density must be None."
            )
        with self._fitting() as learner:
            rows = domains.open(self._min_domain_samples)
            learner.domains_ = domains.labels
            learner._schema = None
            if rows.names is not None:
                learner.feature_names_in_ = rows.names
            learner._fit_rows(Fold(rows))
            learner.communication_ = domains.communication()
        return self

    def _fit_rows(self, fold: Fold, *, onwards: bool = False) -> Fold | None:
        if not fold.train.has_context:
            raise ValueError(
                f"{type(self).__name__} needs the domain of each row, which is unknown "
                "here: fit it by itself, with sample_domain, or in an AlignmentFlow."
            )
        known = len(self.domains_) if "domains_" in vars(self) else None
        totals = _domains.weigh_domains(fold.train, known)
        if "domains_" not in vars(self):
            self.domains_ = np.arange(len(totals))
        self.domain_weights_ = _domains.resolve_domain_weights(
            self.domain_weights, self.domains_, totals
        )
        after = super()._fit_rows(fold, onwards=onwards)
        _domains.check_reach(fold.train, self.map_, len(totals))
        if self.density is None:
            self.base_distribution_ = None
        return after

    def fit_transform(
        self, X: ArrayLike, y: Any = None, *, sample_domain: Given = None, **params: Any
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
        **params : dict
            What else `fit` takes, such as ``sample_weight``.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
            The rows in the shared space.
        """
        self.fit(X, y, sample_domain=sample_domain, **params)
        return self.transform(X, sample_domain=sample_domain)

    # ------------------------------------------------------------------ mapping

    def transform(self, X: ArrayLike, *, sample_domain: Given = None) -> NDArray:
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
        if isinstance(X, RowBlocks):
            _refuse_labels(X, sample_domain)
            map_block = lambda rows, labels: self._forward(rows, labels)[0]
            return in_turn(self, X, map_block, is_transform=True)
        return self.transform_and_log_det(X, sample_domain=sample_domain)[0]

    def inverse_transform(self, X: ArrayLike, *, sample_domain: Given = None) -> Any:
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
        if isinstance(X, RowBlocks):
            _refuse_labels(X, sample_domain)
            map_block = lambda rows, labels: self._backward(rows, labels)[0]
            return in_turn(self, X, map_block, is_latent=True)
        return self.inverse_and_log_det(X, sample_domain=sample_domain)[0]

    def transform_and_log_det(
        self, X: ArrayLike, *, sample_domain: Given = None
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
        self, Z: ArrayLike, *, sample_domain: Given = None
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
        sample_weight: Given = None,
        *,
        sample_domain: Given = None,
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
        if isinstance(X, RowBlocks):
            _refuse_labels(X, sample_domain)
            check_is_fitted(self)
            loaded = load_blocks(self, X, sample_weight, reset=False)
            return -_domains.divergence(loaded.gathered().through(self.map_))
        rows = self._read(X, sample_weight, sample_domain)
        # Of the domains seen in fit some may be missing here.
        labels = self.domains_[rows.context]
        _domains.find_domains(rows, labels, 1, type(self).__name__)
        return -_domains.divergence(rows.through(self.map_))

    # ------------------------------------------------------------------ density

    def _has_density(self) -> bool:
        if self.density is None:
            raise AttributeError(
                f"{type(self).__name__} has no density: it only aligns domains. "
                "AlignmentFlow has one if it is given a destructor as density."
            )
        return True

    @available_if(_has_density)
    def score_samples(self, X: ArrayLike, *, sample_domain: Given = None) -> NDArray:
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
        if isinstance(X, RowBlocks):
            _refuse_labels(X, sample_domain)
            return in_turn(self, X, self._logpdf)
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

    # ------------------------------------------------------------------ steps

    def _check_labels(
        self, given: Any, values: NDArray, name: str = "sample_domain"
    ) -> NDArray:
        """Return the labels of rows, as an array."""
        if given is None:
            raise ValueError(
                f"{type(self).__name__} needs {name}, the domain label of each row, by "
                f"keyword: {name}=labels (through scikit-learn's metadata routing "
                "inside a Pipeline or a search)."
            )
        labels = np.asarray(given)
        if labels.shape not in ((len(values),), (len(values), 1)):
            raise ValueError(
                f"{name} must have one label for each of {len(values)} rows, got an "
                f"array of shape {labels.shape}."
            )
        # Of all values only a missing number differs from itself.
        if ((labels != labels) | (labels == np.array(None))).any():
            raise ValueError(
                f"{name} contains missing labels (NaN or None): give each row a label, "
                "or drop such rows."
            )
        return labels.ravel()

    def _require_domain(self, labels: Any) -> None:
        """Raise ValueError if blocks have no labels."""
        if labels is None:
            raise ValueError(
                f"{type(self).__name__} needs the domain label of each row: name the "
                "column that holds them, open_rows(..., domain=...)."
            )

    def _learn_domains(self, sizes: Mapping[Any, NDArray]) -> NDArray:
        """Return the labels of domains, by the numbers of their rows and weights."""
        labels = sorted(sizes)
        largest = np.array([sizes[label].max() for label in labels])
        return _domains.check_sizes(
            np.array(labels), largest, self._min_domain_samples, type(self).__name__
        )

    def _context(self, given: Any, values: NDArray) -> NDArray:
        return encode_labels(self._check_labels(given, values), self.domains_)

    def _as_rows(
        self, values: Any, sample_weight: Any, context: Any, name: str = "sample_weight"
    ) -> Rows:
        """Return rows with the numbers of their domains as context."""
        labels = self._check_labels(context, values, name.replace("weight", "domain"))
        rows = super()._as_rows(values, sample_weight, labels, name)
        if "domains_" not in vars(self):
            # Those of rows of weight zero are none.
            fewest, name = self._min_domain_samples, type(self).__name__
            self.domains_ = _domains.find_domains(rows, rows.context, fewest, name)
        return replace(rows, context=encode_labels(rows.context, self.domains_))  # type: ignore[arg-type]

    def _read(self, X: Any, sample_weight: Given = None, given: Any = None) -> Rows:
        check_is_fitted(self)
        values = read_rows(self, X, reset=False)
        return self._as_rows(values, sample_weight, given)


def _refuse_labels(X: Any, labels: Any) -> None:
    """Raise ValueError if labels are given beside blocks."""
    if isinstance(X, RowBlocks) and labels is not None:
        raise ValueError(
            "Labels of rows that are read block by block are named where they are "
            "opened: open_rows(..., domain=...)."
        )

"""What a destructor does with rows that are read block by block."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from destructors._compat import wants_frames
from destructors.base._block_tables import encoder_of, learn_encoder
from destructors.maps import Map
from destructors.rows import Fold, RowBlocks, Rows, StoredRows
from destructors.table import check_columns


def load_blocks(
    estimator: Any, X: RowBlocks, sample_weight: Any, *, reset: bool
) -> Rows:
    """Return validated rows to learn from.

    Parameters
    ----------
    estimator : Destructor
        Whom they are given to.
    X : RowBlocks
        The blocks.
    sample_weight : object
        What `fit` was given as weights, which is an error.
    reset : bool
        Whether these are the training rows.

    Returns
    -------
    rows : Rows
    """
    _refuse_weights(sample_weight)
    if reset:
        estimator.n_features_in_ = X.n_features
        if X.names is not None:
            estimator.feature_names_in_ = np.array(X.names, dtype=object)
    _check_blocks(estimator, X)
    domains = getattr(estimator, "domains_", None)
    if reset:
        encode = learn_encoder(estimator, X)
        estimator._schema = None if encode is None else encode.schema
        if encode is not None and encode.domains is not None:
            estimator.domains_ = encode.domains
    elif estimator._schema is None and domains is None:
        encode = None
    else:
        encode = encoder_of(estimator, estimator._schema, domains)
    rows = X.load(getattr(estimator, "n_jobs", None), encode)
    if len(rows) < estimator._min_samples:
        raise ValueError(
            f"Found {len(rows)} row(s) in the table while a minimum of "
            f"{estimator._min_samples} is required by {type(estimator).__name__}."
        )
    if reset:
        check_columns(rows)
    return rows


def are_stored(fold: Fold) -> bool:
    """Return whether rows to fit on, or to judge by, are not in memory."""
    return any(isinstance(rows, StoredRows) for rows in (fold.train, fold.validation))


def leave_stored(
    learner: Any, fold: Fold, map_: Map, random_state: np.random.RandomState | None
) -> Fold:
    """Return rows that are not in memory as the next layer should see them, where a
    layer was fitted to those that were gathered of them.

    A layer that hands on other rows than its map gives destroys its own training rows
    more than it will destroy new ones: the table is halved by content, and each half
    goes through what a copy has learned from the other.
    """
    train: Any = fold.train
    if not isinstance(train, StoredRows):
        return fold.through(map_)
    halves, parts = train.halves()
    held_out = None if fold.validation is None else fold.validation.gathered()
    maps = []
    for part in reversed(parts):
        copy = clone(learner)
        if random_state is not None:
            copy.set_params(random_state=random_state.randint(2**31 - 1))
        copy._schema = learner._schema
        copy._fit_rows(Fold(part, held_out))
        maps.append(copy.map_)
    train = train.through_halves(halves, tuple(maps))
    return Fold(train, fold.validation_through(map_), fold.is_last)


def in_turn(
    estimator: Any,
    X: Any,
    function: Callable[..., Any],
    *,
    is_latent: bool = False,
    is_transform: bool = False,
) -> Any:
    """Return what a function makes of rows; of rows that are read block by block, an
    iterator over what it makes of the blocks, and of the labels of their domains where
    it is for domains.

    That is written to a file by `write_rows`, rather than by a parameter of each
    method: scikit-learn takes further parameters of ``transform`` for metadata. It also
    makes frames of what that method returns, if asked to, which an iterator is not for.
    """
    if not isinstance(X, RowBlocks):
        return function(X)
    check_is_fitted(estimator)
    _check_blocks(estimator, X, is_latent=is_latent)
    if is_transform and wants_frames(estimator):
        raise TypeError(
            "What is made of the blocks of open_rows are arrays, and set_output asks "
            'for frames: call set_output(transform="default").'
        )
    if hasattr(estimator, "_require_domain"):
        return (function(*known) for known in _labelled(estimator, X))
    if not _knows_tables(estimator):
        return (function(Rows.of(values)) for values in X)
    if is_latent:
        return map(function, X)
    return (function(table) for table, _ in X.tables())


def _labelled(estimator: Any, X: RowBlocks) -> Iterator[tuple[Any, Any]]:
    """Yield each block as a table, and the labels of its domains."""
    for table, _, labels in X.labelled_tables():
        estimator._require_domain(labels)
        yield table, labels


def score_blocks(estimator: Any, X: RowBlocks, sample_weight: Any) -> float:
    """Return the mean log density of rows that are read block by block, in nats."""
    _refuse_weights(sample_weight)
    check_is_fitted(estimator)
    _check_blocks(estimator, X)
    total = mass = 0.0
    knows_tables = _knows_tables(estimator)
    for values, weight in X.tables() if knows_tables else X.weighted_blocks():
        weights = np.ones(len(values)) if weight is None else weight
        rows = values if knows_tables else Rows.of(values)
        total += float(estimator._logpdf(rows) @ weights)
        mass += float(weights.sum())
    if not mass > 0:
        raise ValueError("All weights are zero.")
    return total / mass


def _check_blocks(estimator: Any, X: RowBlocks, *, is_latent: bool = False) -> None:
    """Refuse blocks of other columns than an estimator was fitted to.

    Parameters
    ----------
    estimator : Destructor
        Whom they are given to.
    X : RowBlocks
        The blocks.
    is_latent : bool, default=False
        Whether they are latent rows, whose names do not count.

    Raises
    ------
    ValueError
        If number or names of the columns are others.
    """
    owner, d = type(estimator).__name__, estimator.n_features_in_
    if X.n_features != d:
        raise ValueError(
            f"The rows have {X.n_features} features, but {owner} is expecting {d} "
            "features as input."
        )
    names = getattr(estimator, "feature_names_in_", None)
    if is_latent or names is None or X.names is None or X.names == tuple(names):
        return
    raise ValueError(
        "The columns must be those of fit, in the same order: "
        f"{', '.join(names[:10])}; got {', '.join(X.names[:10])}. "
        "Name them in open_rows(..., columns=...)."
    )


def _knows_tables(estimator: Any) -> bool:
    """Return whether an estimator knows categories, or values that are missing.

    It reads tables as they are then.
    """
    schema, base = estimator._schema, getattr(estimator, "base_distribution_", None)
    is_coded = schema is not None and (schema.kinds > 0).any()
    has_codes = base is not None and base.n_categories.any()
    return bool(estimator._may_miss or is_coded or has_codes)


def _refuse_weights(sample_weight: Any) -> None:
    """Raise ValueError if weights are given beside blocks."""
    if sample_weight is not None:
        raise ValueError(
            "Weights of rows that are read block by block are named where they are "
            "opened: open_rows(..., weight=...)."
        )

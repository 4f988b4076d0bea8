"""Base distributions of codes with hidden states, and mixtures of distributions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from destructors.maps._categorical import check_shares, draw_codes, parents_first
from destructors.maps._distributions import Distribution

# Children whose messages are multiplied as they are: shares of a state cannot vanish
# beside another one in so few factors. Those of more are added up as logarithms.
_FEW_CHILDREN = 8
# Numbers in the messages of one block of rows.
_BLOCK = 2**22


@dataclass(frozen=True, eq=False, repr=False)
class HiddenTree(Distribution):
    r"""Categorical features that follow hidden states, which follow a tree.

    .. math:: p(z) = \sum_{h} \prod_j p(h_j \mid h_{\pi(j)}) \, p(z_j \mid h_j),

    where :math:`h_j` is the hidden state of feature j and :math:`\pi(j)` its parent in
    the tree; a root has none. With a single state features are independent; with a
    state for each code they can form a Chow–Liu tree; states that are handed on
    unchanged make a mixture. The sum over all hidden states is exact: messages pass
    from the leaves to the roots. So are marginals: a feature that is NaN is summed out.

    Parameters
    ----------
    parents : array-like of shape (n_features,)
        Parent of each feature; -1 for a root.
    transitions : sequence of ndarray
        Probability of the states of each feature: of shape ``(n_states_j,)`` for a
        root, else ``(n_states_parent, n_states_j)``, rows of sum 1.
    emissions : sequence of ndarray of shape (n_states_j, n_categories_j)
        Probability of the codes in each state: positive, rows of sum 1.

    Attributes
    ----------
    n_categories : ndarray of shape (n_features,)
        Number of categories of each feature.

    Raises
    ------
    ValueError
        If the parents go round in a circle, or probabilities are not of the right
        shape, negative or zero, or do not sum to one.

    References
    ----------
    A. Liu and G. Van den Broeck, *Tractable regularization of probabilistic circuits*,
    NeurIPS 2021, Section 5 (hidden Chow–Liu trees).

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.base_distributions import HiddenTree
    >>> emission = [[0.9, 0.1], [0.2, 0.8]]
    >>> base = HiddenTree(
    ...     [-1, 0], [[0.5, 0.5], [[1.0, 0.0], [0.0, 1.0]]], [emission, emission]
    ... )
    >>> np.exp(base.logpdf(np.array([[0, 0], [0, np.nan]]))).round(3)
    array([0.425, 0.55 ])
    """

    parents: NDArray
    transitions: tuple[NDArray, ...]
    emissions: tuple[NDArray, ...]

    def __post_init__(self) -> None:
        parents = np.asarray(self.parents, dtype=np.int64)
        object.__setattr__(self, "parents", parents)
        for name in ("transitions", "emissions"):
            tables = tuple(np.asarray(p, dtype=np.float64) for p in getattr(self, name))
            object.__setattr__(self, name, tables)
        parents_first(parents)
        states = [p.shape[-1] for p in self.transitions]
        for j, (parent, p, shares) in enumerate(
            zip(parents, self.transitions, self.emissions, strict=True)
        ):
            shape = (states[j],) if parent < 0 else (states[parent], states[j])
            check_shares(f"transitions[{j}]", p, shape, positive=False)
            own = (states[j], shares.shape[-1])
            check_shares(f"emissions[{j}]", shares, own)

    @property
    def n_features(self) -> int:  # type: ignore[override]
        """Number of features."""
        return len(self.parents)

    @cached_property
    def n_categories(self) -> NDArray:
        """Number of categories of each feature."""
        return np.array([p.shape[1] for p in self.emissions], dtype=np.int64)

    def __repr__(self) -> str:
        states = [p.shape[0] for p in self.emissions]
        sizes = self.n_categories.tolist()
        return f"HiddenTree(n_states={states}, n_categories={sizes})"

    @cached_property
    def _order(self) -> NDArray:
        return parents_first(self.parents)

    @cached_property
    def _children(self) -> list[NDArray]:
        return [np.flatnonzero(self.parents == j) for j in range(self.n_features)]

    @cached_property
    def _by_code(self) -> list[NDArray]:
        """Emissions by code, and a line of ones for a feature that is summed out."""
        return [np.vstack([p.T, np.ones(len(p))]) for p in self.emissions]

    def logpdf(self, Z: NDArray) -> NDArray:
        """Return the log probability of each row, in nats; -inf outside the codes.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_features)
            Integer codes, or NaN where a feature is to be summed out.

        Returns
        -------
        log_probability : ndarray of shape (n_samples,)
        """
        rows, sizes = np.asarray(Z), self.n_categories
        absent = np.isnan(rows)
        known = np.where(absent, 0, rows)
        codes = np.clip(known, 0, sizes - 1).astype(np.int64)
        outside = (codes != known).any(axis=1)
        codes[absent] = np.broadcast_to(sizes, codes.shape)[absent]
        widths = [len(p) for p in self.emissions]
        step = max(1, _BLOCK // max(1, sum(widths)))
        result = np.empty(len(rows))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            columns = zip(self._by_code, codes[part].T, strict=True)
            result[part] = self._pass_up([table[own] for table, own in columns])[0]
        result[outside] = -np.inf
        return result

    def log_without(self, codes: NDArray) -> float:
        """Return the log probability that no feature has its code.

        Parameters
        ----------
        codes : ndarray of int of shape (n_features,)
            Code of each feature to leave out; -1 for none.

        Returns
        -------
        log_probability : float
            In nats.

        Raises
        ------
        ValueError
            If a feature has no other code.
        """
        return float(self._pass_up(self._avoiding(codes))[0][0])

    def sample(self, n_samples: int, rng: np.random.RandomState) -> NDArray:
        """Return rows drawn from it.

        Parameters
        ----------
        n_samples : int
            Number of rows.
        rng : RandomState
            Source of randomness.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
            Integer codes.
        """
        return self._draw(n_samples, rng, self.transitions, self.emissions)

    def sample_without(
        self, n_samples: int, rng: np.random.RandomState, codes: NDArray
    ) -> NDArray:
        """Return rows drawn from it given that no feature has its code; -1 for none.

        See `Distribution.sample_without`: no row is drawn in vain.
        """
        likelihoods = self._pass_up(self._avoiding(codes))[1]
        transitions, emissions = [], []
        for j, (p, shares) in enumerate(
            zip(self.transitions, self.emissions, strict=True)
        ):
            own = p * likelihoods[j][0]
            transitions.append(own / own.sum(axis=-1, keepdims=True))
            kept = shares.copy()
            if codes[j] >= 0:
                kept[:, codes[j]] = 0.0
            emissions.append(kept / kept.sum(axis=1, keepdims=True))
        return self._draw(n_samples, rng, transitions, emissions)

    # ------------------------------------------------------------------ messages

    def _avoiding(self, codes: NDArray) -> list[NDArray]:
        """Return the probability of another code than the one to avoid, by state."""
        evidence = []
        for j, (code, shares) in enumerate(zip(codes, self.emissions, strict=True)):
            if code >= 0 and shares.shape[1] == 1:
                raise ValueError(f"Feature {j} has no other code than that left out.")
            others = np.delete(shares, code, axis=1) if code >= 0 else shares
            evidence.append(others.sum(axis=1)[None])
        return evidence

    def _pass_up(self, evidence: list[NDArray]) -> tuple[NDArray, list[NDArray]]:
        """Return the log probability of evidence, and that of all below each feature.

        Parameters
        ----------
        evidence : list of ndarray of shape (n_samples, n_states_j)
            Probability of what is known of each feature, by its state.

        Returns
        -------
        log_probability : ndarray of shape (n_samples,)
        likelihoods : list of ndarray of shape (n_samples, n_states_j)
            Probability of what is known of a feature and those below it, by its state,
            up to a factor.
        """
        total = np.zeros(len(evidence[0]))
        messages: dict[int, NDArray] = {}
        for j in self._order[::-1]:
            own, children = evidence[j], self._children[j]
            if len(children) > _FEW_CHILDREN:
                logs = np.log(own)
                for c in children:
                    logs += np.log(messages.pop(c))
                most = logs.max(axis=1)
                own = np.exp(logs - most[:, None])
                total += most
            else:
                for c in children:
                    own = own * messages.pop(c)
                most = own.max(axis=1)
                own = own / most[:, None]
                total += np.log(most)
            evidence[j] = own
            message = own @ self.transitions[j].T
            if self.parents[j] < 0:
                total += np.log(message)
            else:
                messages[j] = message
        return total, evidence

    def _draw(
        self,
        n_samples: int,
        rng: np.random.RandomState,
        transitions: Sequence[NDArray],
        emissions: Sequence[NDArray],
    ) -> NDArray:
        Z = np.zeros((n_samples, self.n_features), dtype=np.int64)
        states: dict[int, NDArray] = {}
        for j in self._order:
            given = states.get(int(self.parents[j]), np.zeros(n_samples, np.int64))
            states[int(j)] = draw_codes(transitions[j], given, rng)
            Z[:, j] = draw_codes(emissions[j], states[int(j)], rng)
        return Z


@dataclass(frozen=True, eq=False, repr=False)
class Mixture(Distribution):
    r"""A mixture of distributions, :math:`p(z) = \sum_k w_k \, p_k(z)`.

    Parameters
    ----------
    weights : array-like of shape (n_components,)
        Positive, of sum one.
    components : tuple of Distribution
        Of the same features.

    Raises
    ------
    ValueError
        If weights are not positive or not of sum one, or components have other features
        than one another.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.base_distributions import IndependentCategorical, Mixture
    >>> often = IndependentCategorical([[0.1, 0.9], [0.1, 0.9]])
    >>> seldom = IndependentCategorical([[0.9, 0.1], [0.9, 0.1]])
    >>> base = Mixture([0.5, 0.5], (often, seldom))
    >>> np.exp(base.logpdf(np.array([[0, 0], [0, 1]]))).round(3)
    array([0.41, 0.09])
    """

    weights: NDArray
    components: tuple[Any, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", np.asarray(self.weights, np.float64))
        object.__setattr__(self, "components", tuple(self.components))
        check_shares("weights", self.weights, (len(self.components),))
        sizes = {tuple(part.n_categories.tolist()) for part in self.components}
        if len(sizes) != 1:
            raise ValueError("components have other features than one another.")

    @property
    def n_features(self) -> int:  # type: ignore[override]
        """Number of features."""
        return self.components[0].n_features

    @property
    def n_categories(self) -> NDArray:
        """Number of categories of each feature; 0 for numbers."""
        return self.components[0].n_categories

    def logpdf(self, Z: NDArray) -> NDArray:
        """Return the log density of each row, in nats.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
        """
        logs = np.array([part.logpdf(Z) for part in self.components])
        return logsumexp(logs + np.log(self.weights)[:, None], axis=0)

    def log_without(self, codes: NDArray) -> float:
        """Return the log probability that no feature has its code.

        Parameters
        ----------
        codes : ndarray of int of shape (n_features,)
            Code of each feature to leave out; -1 for none.

        Returns
        -------
        log_probability : float
            In nats.
        """
        logs = [part.log_without(codes) for part in self.components]
        return float(logsumexp(np.array(logs) + np.log(self.weights)))

    def sample(self, n_samples: int, rng: np.random.RandomState) -> NDArray:
        """Return rows drawn from it.

        Parameters
        ----------
        n_samples : int
            Number of rows.
        rng : RandomState
            Source of randomness.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
        """
        counts = rng.multinomial(n_samples, self.weights / self.weights.sum())
        drawn = [
            part.sample(n, rng) for part, n in zip(self.components, counts, strict=True)
        ]
        return rng.permutation(np.concatenate(drawn))

    def sample_without(
        self, n_samples: int, rng: np.random.RandomState, codes: NDArray
    ) -> NDArray:
        """Return rows without some codes; see `Distribution.sample_without`."""
        logs = np.array([part.log_without(codes) for part in self.components])
        logs += np.log(self.weights)
        shares = np.exp(logs - logs.max())
        counts = rng.multinomial(n_samples, shares / shares.sum())
        drawn = [
            part.sample_without(n, rng, codes)
            for part, n in zip(self.components, counts, strict=True)
        ]
        return rng.permutation(np.concatenate(drawn))

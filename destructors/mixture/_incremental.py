"""Incremental EM: the mixture moves after each part of the rows, not after all of them.

What each part has said when it was last looked at is kept, and the mixture is that of
the sum (Neal and Hinton, *A view of the EM algorithm that justifies incremental,
sparse, and other variants*, 1998, section 4): every step raises the same bound of the
likelihood that EM raises, and one pass over many rows brings more than one step of EM.
Of rows on disk only a block is in memory, and what each part has said.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.mixture._em import EM
from destructors.mixture._expectation import Listed
from destructors.rows import Rows, StoredRows, is_over

# Rows of a part, and how many parts there are at most: with more, moving the mixture
# costs as much as looking at rows.
PART_ROWS = 10_000
_MOST_PARTS = 32


class _Said(NamedTuple):
    """What a part of the rows has said: moments, log-likelihood, and lists for next."""

    moments: NDArray
    total: float
    listed: list[Listed] | None


def fit_in_parts(em: EM, before: EM, validation: Rows | None) -> EM:
    """Fit by incremental EM, until a pass brings less than ``tol``.

    Parameters
    ----------
    em : EM
        Of all rows. In memory they stand in random order.
    before : EM
        Where to begin: a fit to the first of them, or to some that were drawn.
    validation : Rows or None
        Held-out rows that tell what a pass has brought; None for the rows themselves.

    Returns
    -------
    em : EM
    """
    rows, said, em.mixture = em.rows, list[_Said](), before.mixture
    parts = rows.parts(max(PART_ROWS, -(-len(rows) // _MOST_PARTS)))
    # A table may be in any order: what its first part says is not what all say.
    n_telling = len(rows if isinstance(rows, StoredRows) else before.rows)
    best, next_full = -np.inf, 2
    for n_pass in range(1, em.max_iter + 1):
        em.n_steps, em.n_iter = n_pass, em.n_iter + 1
        is_full = n_pass in (1, next_full, em.max_iter)
        if is_full:
            # Lists change less and less, as in EM itself.
            next_full = 3 * n_pass
        for place, part in enumerate(parts):
            known = said[place].listed if place < len(said) else None
            with np.errstate(divide="ignore", invalid="ignore"):
                new = _Said(*em.share(part, None if is_full else known))
                said[place : place + 1] = [new]
                if sum(map(len, parts[: len(said)])) >= n_telling:
                    em.mixture = em.maximise(_add_up(said))
            if len(em.mixture.weights) < len(new.moments):
                # One has died, of which all parts speak: they are asked again.
                said.clear()
                break
        if len(said) < len(parts):
            next_full = n_pass + 1
            continue
        em.lower_bound = sum(one.total for one in said) / rows.total
        if not np.isfinite(em.lower_bound):
            raise np.linalg.LinAlgError("a variance is zero")
        now = em.lower_bound if validation is None else em.score(validation)
        stands = now - best < em.model.tol
        is_full = is_full or all(one.listed is None for one in said)
        # What a list leaves out must not end the fit.
        em.converged = stands and is_full
        if em.converged or is_over():
            break
        if stands:
            next_full = n_pass + 1
        best = max(best, now)
    return em


def _add_up(said: list[_Said]) -> NDArray:
    """Return the moments of all parts."""
    moments = said[0].moments.copy()
    for one in said[1:]:
        moments += one.moments
    return moments

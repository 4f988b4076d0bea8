"""Densities of mixed tables from other libraries, each optional.

``pip install pyvinecopulib`` brings vine copulas, ``pip install spflow`` circuits on
torch. Rows are arrays of numbers and of codes from 0; log densities are with respect to
lengths in numbers and counts in codes.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["CircuitDensity", "VineDensity", "installed_peers", "within"]


def installed_peers(n_codes: NDArray) -> dict[str, Any]:
    """Return the densities whose library is here, by name.

    Parameters
    ----------
    n_codes : ndarray of int of shape (n_columns,)
        Number of codes of each column; 0 for numbers.
    """
    peers: dict[str, Any] = {}
    if find_spec("pyvinecopulib"):
        peers["VineDensity"] = VineDensity(n_codes)
    if find_spec("spflow"):
        peers["SPFlow"] = CircuitDensity(n_codes)
    return peers


def within(seconds: int, run: Callable[[], Any]) -> Any | None:
    """Return what a function returns in a process of its own, if it does in time.

    Parameters
    ----------
    seconds : int
        Largest CPU time.
    run : callable
        Takes nothing.

    Returns
    -------
    result : object or None
        None where the process ended without one: after its time, or of an error, of
        which it has printed the traceback.
    """
    # Only such a process knows the models as they are here.
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def work() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        sender.send(run())

    process = context.Process(target=work)
    process.start()
    sender.close()
    try:
        result = receiver.recv()
    except EOFError:
        result = None
    process.join()
    return result


class VineDensity:
    """Vine copula of kernel densities; codes count as ordered, in their order.

    Categories without an order would become several columns, whose density is another
    one.

    Parameters
    ----------
    n_codes : ndarray of int of shape (n_columns,)
        Number of codes of each column; 0 for numbers.
    """

    def __init__(self, n_codes: NDArray):
        self.n_codes = n_codes

    def _frame(self, X: NDArray) -> pd.DataFrame:
        columns = {}
        for j, n in enumerate(self.n_codes):
            if n:
                codes = X[:, j].astype(int)
                columns[f"x{j}"] = pd.Categorical(codes, range(n), ordered=True)
            else:
                columns[f"x{j}"] = X[:, j]
        return pd.DataFrame(columns)

    def fit(self, X: NDArray) -> VineDensity:
        """Fit margins and pairs, all by the defaults of the library."""
        from pyvinecopulib.sklearn import VineDensity as Vine

        self.vine_ = Vine(random_state=0).fit(self._frame(X))
        return self

    def score_samples(self, X: NDArray) -> NDArray:
        """Return the log density of each row, in nats."""
        return self.vine_.score_samples(self._frame(X))

    def sample(self, n_samples: int, random_state: int) -> NDArray:
        """Return rows that are drawn."""
        drawn = np.asarray(self.vine_.sample(n_samples, random_state), float)
        highest = np.where(self.n_codes > 0, self.n_codes - 1, np.inf)
        whole = np.clip(np.rint(drawn), 0, highest)
        return np.where(self.n_codes > 0, whole, drawn)


class CircuitDensity:
    """Sum-product network with normal and categorical leaves, its structure learned.

    Codes have one more row, spread over them all: else what is new has probability
    zero. Smallest slices are chosen on a tenth of the rows.

    Parameters
    ----------
    n_codes : ndarray of int of shape (n_columns,)
        Number of codes of each column; 0 for numbers.
    min_instances : tuple of int
        Smallest numbers of rows that are split, to choose from.
    """

    def __init__(self, n_codes: NDArray, min_instances: tuple[int, ...] = (50, 200)):
        self.n_codes, self.min_instances = n_codes, min_instances

    def fit(self, X: NDArray) -> CircuitDensity:
        """Learn circuits, and the one best for held-out rows again from all rows."""
        numbers = self.n_codes == 0
        self._centre = np.where(numbers, X.mean(axis=0), 0.0)
        spread = np.maximum(X.std(axis=0), 1e-12)
        self._scale = np.where(numbers, spread, 1.0)
        order = np.random.default_rng(0).permutation(len(X))
        train, held_out = np.split(order, [len(X) - len(X) // 10])

        def score(n_rows: int) -> float:
            self._circuit = self._learn(X[train], n_rows)
            return float(self.score_samples(X[held_out]).mean())

        self._circuit = self._learn(X, max(self.min_instances, key=score))
        return self

    def _learn(self, X: NDArray, n_rows: int) -> Any:
        import torch
        from spflow.learn.learn_spn import learn_spn
        from spflow.meta.data.scope import Scope
        from spflow.modules.leaves import Normal

        torch.manual_seed(0)
        leaves = [
            _smoothed_leaf(int(n))(Scope([j])) if n else Normal(Scope([j]))
            for j, n in enumerate(self.n_codes)
        ]
        with contextlib.redirect_stdout(io.StringIO()):
            return learn_spn(
                self._tensor(X),
                leaves,
                min_instances_slice=n_rows,
                partitioning_method=_partition,
            )

    def _tensor(self, X: NDArray) -> Any:
        import torch

        standard = (X - self._centre) / self._scale
        return torch.as_tensor(standard, dtype=torch.get_default_dtype())

    def score_samples(self, X: NDArray) -> NDArray:
        """Return the log density of each row, in nats."""
        import torch

        with torch.no_grad():
            logs = self._circuit.log_likelihood(self._tensor(X))
        logs = logs.reshape(len(X), -1)[:, 0].double().numpy()
        return logs - np.log(self._scale).sum()

    def sample(self, n_samples: int, random_state: int) -> NDArray:
        """Return rows that are drawn."""
        import torch

        torch.manual_seed(random_state)
        with torch.no_grad():
            drawn = self._circuit.sample(num_samples=n_samples).double().numpy()
        return drawn * self._scale + self._centre


def _partition(data: Any) -> Any:
    """Return groups of dependent columns; of constants nothing can be computed.

    Where the library fails on few different rows, these are one group.
    """
    import torch
    from spflow.learn.learn_spn import partition_by_rdc

    groups = torch.arange(data.shape[1], dtype=torch.int)
    varies = data.min(dim=0).values < data.max(dim=0).values
    if int(varies.sum()) > 1:
        try:
            groups[varies] = data.shape[1] + partition_by_rdc(data[:, varies])
        except RuntimeError:
            groups[varies] = data.shape[1]
    return groups


def _smoothed_leaf(n_codes: int) -> type:
    """Return a class of leaves of so many codes, as `learn_spn` can make them."""
    from spflow.modules.leaves import Categorical

    class Leaf(Categorical):
        def __init__(self, scope: Any, out_channels: int = 1, **known: Any):
            super().__init__(scope, out_channels=out_channels, K=n_codes, **known)

        def _compute_parameter_estimates(
            self, data: Any, weights: Any, bias_correction: bool
        ) -> dict[str, Any]:
            found = super()._compute_parameter_estimates(data, weights, bias_correction)
            n = weights.sum(dim=0)[..., None]
            return {"probs": (n * found["probs"] + 1.0 / n_codes) / (n + 1.0)}

    return Leaf

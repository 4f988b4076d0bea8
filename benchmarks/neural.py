"""Neural flows by zuko, on PyTorch: what a greedy stack has to stand beside.

Importing this module takes the extra ``bench``.
"""

from __future__ import annotations

import time
from math import ceil, inf

import torch
import zuko
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.peers import hold_out

__all__ = ["NeuralFlow"]

_FLOWS = {"maf": zuko.flows.MAF, "nsf": zuko.flows.NSF}
# Rows that are scored at once: bounds the memory of the splines.
_N_BLOCK = 4096
# Largest norm of a gradient. A step along a longer one can undo all those before.
_MAX_NORM = 5.0


class NeuralFlow:
    """Autoregressive flow, trained until validation rows stop gaining.

    Five transforms, each with a network of two times 128 hidden units, in single
    precision on the CPU. Adam starts with a learning rate of 1e-3, which is halved
    after each ``patience // 3`` epochs that bring less than ``tol``; after ``patience``
    such epochs in a row training stops. The weights of the best epoch are kept.

    Parameters
    ----------
    flow : {"maf", "nsf"}
        Masked autoregressive flow, or neural spline flow with 8 bins, autoregressive
        as well.
    random_state : int
        Seed of the weights and of the order of the rows.
    n_transforms : int
        Number of transforms.
    hidden_features : sequence of int
        Hidden units of each layer of a network.
    learning_rate : float
        Learning rate that Adam starts with.
    batch_size : int
        Largest number of rows a step.
    patience : int
        Number of epochs without improvement after which training stops.
    tol : float
        Rise of the mean validation log density that counts as improvement, in nats.
    max_epochs : int
        Cap on the number of epochs.

    Attributes
    ----------
    flow_ : zuko.flows.Flow
        The flow, with the weights of the best epoch.
    validation_score_ : list of float
        Mean log density of the validation rows after each epoch, in nats.
    n_iter_ : int
        Number of the epoch whose weights are kept, from 1.
    size_ : str
        Number of epochs, of the one kept, and the cap if one ended training.
    """

    def __init__(
        self,
        flow: str,
        random_state: int,
        *,
        n_transforms: int = 5,
        hidden_features: tuple[int, ...] = (128, 128),
        learning_rate: float = 1e-3,
        batch_size: int = 256,
        patience: int = 30,
        tol: float = 1e-3,
        max_epochs: int = 2000,
    ):
        self.flow = flow
        self.random_state = random_state
        self.n_transforms = n_transforms
        self.hidden_features = hidden_features
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.patience = patience
        self.tol = tol
        self.max_epochs = max_epochs

    def fit(
        self, X: NDArray, *, X_val: NDArray | None = None, max_time: float | None = None
    ) -> NeuralFlow:
        """Train on ``X``; stop by ``X_val``.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Training rows.
        X_val : ndarray of shape (n_validation_samples, n_features), default=None
            Validation rows; a fifth of ``X`` if there are none.
        max_time : float, default=None
            Seconds after which the epoch is the last.

        Returns
        -------
        self : NeuralFlow

        Raises
        ------
        FloatingPointError
            If the validation rows have no finite log density after any epoch.
        """
        end = inf if max_time is None else time.perf_counter() + max_time
        train, val = map(_tensor, hold_out(X, X_val))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            self.flow_ = _FLOWS[self.flow](
                X.shape[1],
                transforms=self.n_transforms,
                hidden_features=self.hidden_features,
            )
            cap = self._train(train, val, end)
        self.size_ = f"{len(self.validation_score_)} epochs, best {self.n_iter_}"
        self.size_ += f", stopped by {cap}" if cap else ""
        return self

    def _train(self, train: Tensor, val: Tensor, end: float) -> str:
        """Leave the best weights in `flow_`; name the cap that was hit, if any."""
        optimizer = torch.optim.Adam(self.flow_.parameters(), lr=self.learning_rate)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer,
            mode="max",
            factor=0.5,
            patience=self.patience // 3 - 1,
            threshold=self.tol,
            threshold_mode="abs",
        )
        self.validation_score_: list[float] = []
        best, weights = -inf, None
        self.n_iter_ = 0
        for epoch in range(1, self.max_epochs + 1):
            self._run_epoch(train, optimizer)
            score = float(self._log_prob(val).mean())
            self.validation_score_.append(score)
            schedule.step(score)
            if score > best + self.tol:
                best, self.n_iter_ = score, epoch
                weights = {k: v.clone() for k, v in self.flow_.state_dict().items()}
            converged = epoch - self.n_iter_ >= self.patience
            if converged or time.perf_counter() >= end:
                cap = "" if converged else "max_time"
                break
        else:
            cap = "max_epochs"
        if weights is None:
            raise FloatingPointError("the validation log-likelihood is never finite")
        self.flow_.load_state_dict(weights)
        return cap

    def _run_epoch(self, train: Tensor, optimizer: torch.optim.Optimizer) -> None:
        """Step through all rows once."""
        n_batches = ceil(len(train) / self.batch_size)
        for rows in torch.randperm(len(train)).tensor_split(n_batches):
            optimizer.zero_grad()
            loss = -self.flow_().log_prob(train[rows]).mean()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(self.flow_.parameters(), _MAX_NORM)
            # One overflow would leave NaN in all weights, for good.
            if norm.isfinite():
                optimizer.step()

    def _log_prob(self, X: Tensor) -> Tensor:
        with torch.inference_mode():
            blocks = [self.flow_().log_prob(block) for block in X.split(_N_BLOCK)]
        return torch.cat(blocks).double()

    def score_samples(self, X: NDArray) -> NDArray:
        """Return the log density of each row, in nats."""
        return self._log_prob(_tensor(X)).numpy()

    def sample(self, n_samples: int, random_state: int) -> NDArray:
        """Return rows that are drawn."""
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(random_state)
            return self.flow_().sample((n_samples,)).double().numpy()


def _tensor(X: NDArray) -> Tensor:
    return torch.as_tensor(X, dtype=torch.float32)

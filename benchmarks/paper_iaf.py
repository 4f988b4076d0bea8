"""Iterative alignment flows (Zhou, Gong, Ravikumar and Inouye, AISTATS 2022)."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from sklearn.datasets import make_circles, make_moons

from benchmarks.environment import describe_environment
from benchmarks.files import write_json
from benchmarks.registry import ChoiceError, choose_names
from benchmarks.sinkhorn import sinkhorn_cost
from benchmarks.timing import time_once
from destructors.alignment import SlicedBarycenter
from destructors.datasets import load_mnist
from destructors.flows import AlignmentFlow
from destructors.metrics import wasserstein_distance

__all__ = ["Experiment", "measure", "run"]

# Figures of the reference implementation and of the paper, by what they measure.
REFERENCE: dict[str, dict[str, str]] = {
    "moons-circles": {
        "INB (K = 2), 3 layers": "test .0291, its best",
        "INB (K = 2), 20 layers": "test .0435, A to B .0152, round trip .56, 2.1 CPU s",
        "successor, 5 layers": "test .0147",
        "successor, 20 layers": "test .0175, A to B .0059, round trip .44",
        "Gaussian barycenter": "test .0533",
    },
    "digits-2": {
        "naive barycenter": "translation 54.4",
        "Gaussian barycenter": "translation 26.4",
        "INB, 1 layer": "translation 27.9",
        "INB, 10 layers": "translation 22.1, 53 CPU s",
        "INB, 50 layers": "translation 21.4, 214 CPU s, round trip .99",
    },
    "digits-10": {"INB": "translation 36.9 (Sinkhorn)"},
}


@dataclass(frozen=True)
class Experiment:
    """Domains, and how they are aligned.

    Attributes
    ----------
    about : str
        What it is, in a line.
    draw : callable
        Takes whether the run is a quick one; returns the training and test rows of each
        domain, and held-back rows of each from which the floor is measured.
    params : dict
        Parameters of `AlignmentFlow`.
    images : bool
        Whether rows are images with pixels between 0 and 1. As published, they are
        taken to the real line by the normal quantile function first, and back at last.
    """

    about: str
    draw: Callable[[bool], tuple[list[NDArray], list[NDArray], list[NDArray]]]
    params: dict[str, Any] = field(default_factory=dict)
    images: bool = False


@dataclass(frozen=True)
class Outcome:
    """Figures of one experiment.

    Squared distances, exact and between new rows, are means over pairs of domains:
    ``shared`` in the shared space (of images, taken back to pixels), ``translation``
    between translated and real rows. ``round_trip`` is the largest
    error of a coordinate on the way to the shared space and back.
    """

    n_layers: int
    cpu_seconds: float
    before: float
    floor: float
    shared: float
    translation: float
    translation_by_pair: dict[str, float]
    sinkhorn: float | None
    round_trip: float


# ------------------------------------------------------------------ data


def _moons_circles(quick: bool):
    n = 300 if quick else 1000

    def draw(seed):
        moons = make_moons(n, noise=0.05, random_state=seed)[0]
        circles = make_circles(n, noise=0.05, factor=0.5, random_state=seed)[0]
        return [moons, circles]

    return draw(0), draw(1), draw(2)


def _patterns(quick: bool):
    """Return four domains, each a random pattern of twelve blobs."""
    n = 300 if quick else 1000

    def draw(seed):
        parts = []
        for pattern in range(4):
            centres = np.random.default_rng(100 + pattern).uniform(-1, 1, size=(12, 2))
            rng = np.random.default_rng([seed, pattern])
            blob = rng.integers(12, size=n)
            parts.append(centres[blob] + 0.06 * rng.normal(size=(n, 2)))
        return parts

    return draw(0), draw(1), draw(2)


def _digits(classes: tuple[int, ...], n_train: int, n_test: int):
    def draw(quick: bool):
        n, m = (n_train // 5, n_test // 5) if quick else (n_train, n_test)
        try:
            mnist = load_mnist()
        except OSError as error:
            raise ChoiceError(str(error)) from error
        rng = np.random.default_rng(0)
        noisy = lambda images: (images + rng.uniform(size=images.shape)) / 256.0
        train, test = [], []
        for label in classes:
            train.append(noisy(mnist.X_train[mnist.y_train == label][:n]))
            test.append(noisy(mnist.X_test[mnist.y_test == label][:m]))
        # As published: the floor is from test images to the first training images.
        return train, test, [rows[:m] for rows in train]

    return draw


# One part is held out: three flows on folds would take three times as long. Held-out
# training images are translated better without a Gaussian layer first.
_SLICED = SlicedBarycenter(learning_rate=0.6)
_IMAGES = {"cv": None, "layers": [("sliced", _SLICED)]}
EXPERIMENTS = {
    "moons-circles": Experiment("two moons and two circles", _moons_circles),
    "patterns": Experiment("four random patterns", _patterns),
    "digits-2": Experiment(
        "MNIST 0 and 1", _digits((0, 1), 2000, 900), _IMAGES, images=True
    ),
    "digits-3": Experiment(
        "MNIST 0, 1 and 2", _digits((0, 1, 2), 2000, 900), _IMAGES, images=True
    ),
    "digits-10": Experiment(
        "all digits", _digits(tuple(range(10)), 1000, 500), _IMAGES, images=True
    ),
}


# ------------------------------------------------------------------ measuring


def measure(
    experiment: Experiment, quick: bool
) -> tuple[Outcome, AlignmentFlow, list[NDArray]]:
    """Return what is measured on new rows of a flow that is fitted.

    Parameters
    ----------
    experiment : Experiment
        What to do.
    quick : bool
        Whether few rows will do.

    Returns
    -------
    outcome : Outcome
    flow : AlignmentFlow
    test : list of ndarray
        The test rows of each domain.
    """
    train, test, spare = experiment.draw(quick)
    domain = np.repeat(np.arange(len(train)), [len(rows) for rows in train])
    flow = AlignmentFlow(random_state=0, **experiment.params)
    rows = _enter(experiment, np.vstack(train))
    fit_time = time_once(partial(flow.fit, rows, sample_domain=domain))
    shared, off = [], 0.0
    for k, rows in enumerate(_enter(experiment, part) for part in test):
        label = np.full(len(rows), k)
        Z = flow.transform(rows, sample_domain=label)
        back = flow.inverse_transform(Z, sample_domain=label)
        off = max(off, float(np.abs(back - rows).max()))
        shared.append(_leave(experiment, Z))
    pairs = list(itertools.permutations(range(len(test)), 2))
    halves = [pair for pair in pairs if pair[0] < pair[1]]
    translated = {(k, l): _translate(flow, experiment, test[k], k, l) for k, l in pairs}
    by_pair = {
        pair: wasserstein_distance(rows, test[pair[1]])
        for pair, rows in translated.items()
    }
    costs = None
    if experiment.images and len(test) > 3:
        costs = [sinkhorn_cost(rows, test[l]) for (_, l), rows in translated.items()]
    outcome = Outcome(
        n_layers=flow.n_iter_,
        cpu_seconds=fit_time.cpu,
        before=_mean(wasserstein_distance(test[k], test[l]) for k, l in halves),
        floor=_mean(
            wasserstein_distance(*both) for both in zip(test, spare, strict=True)
        ),
        shared=_mean(wasserstein_distance(shared[k], shared[l]) for k, l in halves),
        translation=_mean(by_pair.values()),
        translation_by_pair={f"{k} to {l}": d for (k, l), d in by_pair.items()},
        sinkhorn=None if costs is None else _mean(costs),
        round_trip=off,
    )
    return outcome, flow, test


def _enter(experiment, rows):
    return ndtri(rows) if experiment.images else rows


def _leave(experiment, rows):
    return ndtr(rows) if experiment.images else rows


def _translate(flow, experiment, rows, source, target):
    rows = _enter(experiment, rows)
    translated = flow.translate(rows, source=source, target=target)
    return _leave(experiment, translated)


def _mean(values) -> float:
    return float(np.mean(list(values)))


# ------------------------------------------------------------------ the job


def run(args: argparse.Namespace) -> int:
    """Print our figures beside theirs; write ``iaf.json`` and pictures of digits."""
    names = choose_names(EXPERIMENTS, args.only)
    print("Squared 2-Wasserstein distances between new rows, means over pairs of")
    print("domains: exact, and for ten digits also by the paper's Sinkhorn metric.")
    print("CPU seconds are of fitting, compiled before.")
    measure(EXPERIMENTS[names[0]], quick=True)
    results = {}
    for name in names:
        experiment = EXPERIMENTS[name]
        outcome, flow, test = measure(experiment, args.quick)
        results[name] = asdict(outcome)
        print(f"\n{name}: {experiment.about}")
        print(_describe(outcome), flush=True)
        for whose, figures in REFERENCE.get(name, {}).items():
            print(f"  reference {whose}: {figures}")
        if experiment.images:
            _draw(name, experiment, flow, test, args.output)
    write_json(
        args.output / "iaf.json",
        {"environment": describe_environment(), "results": results},
    )
    print(f"\nFigures and pictures are in {args.output}.")
    return 0


def _describe(outcome: Outcome) -> str:
    spec = ".4f" if outcome.before < 10 else ".2f"
    number = lambda value: format(value, spec)
    lines = [
        f"  before {number(outcome.before)}, floor {number(outcome.floor)}",
        f"  ours, {outcome.n_layers} layers: shared space {number(outcome.shared)}, "
        f"translation {number(outcome.translation)}, "
        f"{outcome.cpu_seconds:.1f} CPU s, round trip {outcome.round_trip:.0e}",
    ]
    if outcome.sinkhorn is not None:
        lines.append(f"  ours, Sinkhorn: translation {number(outcome.sinkhorn)}")
    if len(outcome.translation_by_pair) <= 6:
        each = (f"{k} {number(v)}" for k, v in outcome.translation_by_pair.items())
        lines.append("  translation " + ", ".join(each))
    return "\n".join(lines)


def _draw(name, experiment, flow, test, folder) -> None:
    """Draw a few images of each digit, and what they are as the others."""
    n_domains, n_images = len(test), 8 if len(test) <= 3 else 2
    columns = []
    for source in range(n_domains):
        rows = test[source][:n_images]
        images = [rows]
        images += [
            _translate(flow, experiment, rows, source, target)
            for target in range(n_domains)
        ]
        columns.append(np.stack(images))
    # Axes: what it is translated to, the image, and its pixels.
    grid = np.concatenate(columns, axis=1).reshape(n_domains + 1, -1, 28, 28)
    grid = np.pad(grid, [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=0.5)
    picture = grid.transpose(0, 2, 1, 3).reshape(30 * len(grid), -1)
    height = 0.5 * len(grid)
    figure = Figure(figsize=(height * picture.shape[1] / picture.shape[0], height))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.imshow(picture, cmap="gray_r", vmin=0.0, vmax=1.0, interpolation="nearest")
    axes.set_axis_off()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"iaf-{name}.png"
    figure.savefig(path, dpi=200)
    print(f"  picture: {path}; above the image, then as each of the digits")

"""Search for tables that break a model: ``python -m tests.fuzz.search --fits 10000``.

Case number k of a seed is always the same model on the same table. Two processes share
the cases; one that does not come back is killed, and its case counts as a failure.
Failures are counted by model and cause, and one of each cause is printed as code, on
the smallest table that still fails.
"""

import argparse
import multiprocessing
import queue
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.fuzz.case import Case, NotAsked, Refused, Violation, limited
from tests.fuzz.invariants import INVARIANTS, REFITS, check
from tests.fuzz.models import MODELS, SLOW
from tests.fuzz.shrink import cause_of, reproducer
from tests.fuzz.tables import Recipe, draw_recipe

__all__ = ["search"]

# Seconds after which a case is interrupted, and after which its process is killed.
_LIMIT, _KILL = 60, 180
# One case in so many for each model that is slow.
_SLOW_EVERY = 8


@dataclass
class Outcome:
    """What came of a case."""

    number: int
    name: str
    recipe: Recipe
    n_fits: int = 0
    held: list[str] = field(default_factory=list)
    not_asked: list[str] = field(default_factory=list)
    refusal: str | None = None
    failures: dict[str, str] = field(default_factory=dict)


def draw_case(
    seed: int, number: int, names: list[str]
) -> tuple[str, Recipe, list[str]]:
    """Return model, table and invariants of a case."""
    rng = np.random.default_rng([seed, number])
    share = np.array([1.0 / _SLOW_EVERY if name in SLOW else 1.0 for name in names])
    name = str(rng.choice(names, p=share / share.sum()))
    recipe = draw_recipe(rng)
    # One of those that fit again: more tables are worth more than all of them on each.
    return name, recipe, [*INVARIANTS, str(rng.choice(list(REFITS)))]


def run_case(number: int, name: str, recipe: Recipe, invariants: list[str]) -> Outcome:
    """Fit, and check the invariants."""
    outcome = Outcome(number, name, recipe)
    try:
        with limited(_LIMIT):
            case = Case(name, recipe.build())
    except Refused as refusal:
        outcome.refusal, outcome.n_fits = str(refusal), 1
        return outcome
    except Violation as violation:
        outcome.failures["fit"], outcome.n_fits = str(violation), 1
        return outcome
    for invariant in invariants:
        try:
            with limited(_LIMIT):
                check(case, invariant)
            outcome.held.append(invariant)
        except NotAsked:
            outcome.not_asked.append(invariant)
        except Violation as violation:
            # What broke the first of them most often breaks all.
            if str(violation) not in outcome.failures.values():
                outcome.failures[invariant] = str(violation)
    outcome.n_fits = case.n_fits
    return outcome


def _work(seed: int, names: list[str], numbers: Any, results: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while (number := numbers.get()) is not None:
        case = draw_case(seed, number, names)
        results.put((number, None))
        results.put((number, run_case(number, *case)))


def search(
    names: list[str], seed: int, n_fits: int, seconds: float, n_processes: int = 2
):
    """Yield the outcome of one case after the other."""
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    workers: list[Any] = [None] * n_processes
    pipes: list[Any] = [None] * n_processes
    running: dict[int, tuple[int, float]] = {}

    def start(i: int) -> None:
        pipes[i] = context.SimpleQueue()
        job = (seed, names, pipes[i], results)
        workers[i] = context.Process(target=_work, args=job, daemon=True)
        workers[i].start()

    def give(i: int) -> None:
        nonlocal number
        running[number] = i, time.monotonic()
        pipes[i].put(number)
        number += 1

    number, fitted, began = 0, 0, time.monotonic()
    for i in range(n_processes):
        start(i)
        give(i)
    try:
        while running:
            outcome = None
            with suppress(queue.Empty):
                done, outcome = results.get(timeout=1.0)
            over = fitted >= n_fits or time.monotonic() - began > seconds
            if outcome is not None and done in running:
                i, _ = running.pop(done)
                fitted += outcome.n_fits
                yield outcome
                if not over:
                    give(i)
            for stuck, (i, since) in list(running.items()):
                is_dead = not workers[i].is_alive()
                if is_dead or time.monotonic() - since > _KILL:
                    del running[stuck]
                    workers[i].kill()
                    name, recipe, _ = draw_case(seed, stuck, names)
                    lost = Outcome(stuck, name, recipe, n_fits=1)
                    how = "dies" if is_dead else f"hangs for {_KILL} seconds"
                    lost.failures["process"] = f"the process {how}"
                    yield lost
                    start(i)
                    if not over:
                        give(i)
    finally:
        for worker in workers:
            worker.kill()


def main() -> int:
    """Search, and print what is found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fits", type=int, default=10**9, help="stop after so many")
    parser.add_argument("--minutes", type=float, default=60.0, help="or after so long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", action="append", choices=list(MODELS))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--shrink", type=float, default=10.0, help="seconds to make a failure smaller"
    )
    parser.add_argument("--case", type=int, help="run one case, in this process")
    args = parser.parse_args()
    names = args.model or list(MODELS)
    if args.case is not None:
        outcomes: Any = [run_case(args.case, *draw_case(args.seed, args.case, names))]
    else:
        outcomes = search(
            names, args.seed, args.fits, 60.0 * args.minutes, args.processes
        )
    counts: dict[str, Counter] = {
        what: Counter() for what in ("held", "failed", "not asked")
    }
    causes: Counter[tuple[str, str, str]] = Counter()
    first: dict[tuple[str, str], Outcome] = {}
    n_cases, n_fits, n_refused, began = 0, 0, 0, time.monotonic()
    for outcome in outcomes:
        n_cases, n_fits = n_cases + 1, n_fits + outcome.n_fits
        n_refused += outcome.refusal is not None
        counts["held"].update(outcome.held)
        counts["not asked"].update(outcome.not_asked)
        counts["failed"].update(outcome.failures.keys())
        for invariant, message in outcome.failures.items():
            causes[outcome.name, invariant, cause_of(message)] += 1
            key = invariant, cause_of(message)
            if (outcome.name, *key) not in first:
                first[(outcome.name, *key)] = outcome
                case = f"case {outcome.number}"
                print(f"{case} {outcome.name}: {invariant}: {message}", flush=True)
    seconds = time.monotonic() - began
    print(
        f"\n{n_cases} cases, {n_fits} fits ({n_refused} tables refused with a clear "
        f"error) in {seconds:.0f} s: {n_fits / seconds:.1f} fits a second"
    )
    print(f"\n{'invariant':20s} {'held':>7s} {'failed':>7s} {'not asked':>10s}")
    for invariant in ("fit", "process", *INVARIANTS, *REFITS):
        row = [counts[what][invariant] for what in counts]
        print(f"{invariant:20s} {row[0]:7d} {row[1]:7d} {row[2]:10d}")
    print()
    by_cause: dict[tuple[str, str], Counter] = {}
    for (name, invariant, cause), n in causes.items():
        by_cause.setdefault((invariant, cause), Counter())[name] += n
    for (invariant, cause), who in sorted(
        by_cause.items(), key=lambda item: -sum(item[1].values())
    ):
        print(f"{sum(who.values()):5d} × {invariant}: {cause}")
        print("        " + ", ".join(f"{name} ({n})" for name, n in who.most_common()))
    print("\nReproducers:\n")
    for (name, invariant, cause), outcome in first.items():
        if invariant != "process":
            print(reproducer(name, outcome.recipe, invariant, cause, args.shrink))
    return int(bool(causes))


if __name__ == "__main__":
    sys.exit(main())

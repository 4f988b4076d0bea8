"""Search for tables that break a model: ``python -m tests.fuzz.search --fits 10000``.

Case number k of a seed is always the same model on the same table. Two processes share
the cases; one that does not come back is killed, and its case counts as a failure.
Failures are counted by invariant, cause and model, and one of each is printed as code,
on the smallest table found that still fails.
"""

import argparse
import multiprocessing
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait

import numpy as np

from tests.fuzz.attempts import NotAsked, Refused, Violation, limited
from tests.fuzz.frames import FrameRecipe, draw_frame
from tests.fuzz.invariants import INVARIANTS, REFITS
from tests.fuzz.mixed import FRAME_INVARIANTS, MIXED, check_any, make_case
from tests.fuzz.models import MODELS, SLOW
from tests.fuzz.report import Outcome, Report
from tests.fuzz.tables import Recipe, draw_recipe

__all__ = ["draw_case", "run_case", "search"]

# Seconds of the processor after which a check is interrupted, and seconds on the wall
# after which its process is killed.
_LIMIT, _KILL = 30.0, 300.0
# A slow model is asked for once where others are so often.
_SLOW_EVERY = 8
# Share of the tables that are of both kinds.
_BOTH_KINDS = 0.05


def draw_case(
    seed: int, number: int, names: list[str]
) -> tuple[str, Recipe | FrameRecipe, list[str]]:
    """Return model, table and invariants of a case."""
    # Of streams of their own: other cases are what they were without these.
    of_both = [name for name in names if name in MIXED]
    names = [name for name in names if name not in MIXED]
    kind = np.random.default_rng([seed, number, 1]).uniform()
    if of_both and (not names or kind < _BOTH_KINDS):
        rng = np.random.default_rng([seed, number, 2])
        return str(rng.choice(of_both)), draw_frame(rng), list(FRAME_INVARIANTS)
    rng = np.random.default_rng([seed, number])
    share = np.array([1.0 / _SLOW_EVERY if name in SLOW else 1.0 for name in names])
    name = str(rng.choice(names, p=share / share.sum()))
    recipe = draw_recipe(rng)
    # One of those that fit again: more tables are worth more than all of them on each.
    return name, recipe, [*INVARIANTS, str(rng.choice(list(REFITS)))]


def run_case(
    number: int, name: str, recipe: Recipe | FrameRecipe, invariants: list[str]
) -> Outcome:
    """Fit, and check the invariants."""
    outcome = Outcome(number, name, recipe, n_fits=1)
    try:
        with limited(_LIMIT):
            case = make_case(name, recipe.build())
    except Refused as refusal:
        outcome.refusal = str(refusal)
        return outcome
    except Violation as violation:
        outcome.failures["fit"] = str(violation)
        return outcome
    for invariant in invariants:
        try:
            with limited(_LIMIT):
                check_any(case, invariant)
            outcome.held.append(invariant)
        except NotAsked:
            outcome.not_asked.append(invariant)
        except Violation as violation:
            # What broke the first of them most often breaks all.
            if str(violation) not in outcome.failures.values():
                outcome.failures[invariant] = str(violation)
    outcome.n_fits = case.n_fits
    return outcome


class _Worker:
    """A process that runs one case at a time.

    It has a pipe of its own: one that is killed would take the lock of a shared queue
    with it, and others would wait for that for ever.
    """

    def __init__(self, seed: int, names: list[str]):
        context = multiprocessing.get_context("fork")
        self.pipe, inner = context.Pipe()
        job = (seed, names, inner)
        self.process = context.Process(target=_work, args=job, daemon=True)
        self.process.start()
        inner.close()

    def give(self, number: int) -> None:
        self.number, self.since = number, time.monotonic()
        with suppress(BrokenPipeError):
            self.pipe.send(number)

    def take(self) -> Outcome | None:
        with suppress(EOFError, ConnectionResetError):
            return self.pipe.recv()
        return None

    def is_lost(self) -> str | None:
        if not self.process.is_alive():
            return "the process dies"
        if time.monotonic() - self.since > _KILL:
            return f"the process hangs for {_KILL:g} seconds"
        return None


def _work(seed: int, names: list[str], pipe: Connection) -> None:
    # Ctrl-C is for the one that prints.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        number = pipe.recv()
        pipe.send(run_case(number, *draw_case(seed, number, names)))


def search(
    names: list[str], seed: int, n_fits: int, seconds: float, n_processes: int = 2
) -> Iterator[Outcome]:
    """Yield the outcome of one case after the other.

    Parameters
    ----------
    names : list of str
        Models, of `tests.fuzz.models.MODELS` and of `tests.fuzz.mixed.MIXED`.
    seed : int
        Of the cases.
    n_fits, seconds : int, float
        When to stop.
    n_processes : int
        Processes that share the cases.
    """
    began, number, workers = time.monotonic(), 0, []
    for number in range(n_processes):
        workers.append(_Worker(seed, names))
        workers[-1].give(number)
    try:
        while workers:
            ready = wait([worker.pipe for worker in workers], timeout=1.0)
            for worker in workers.copy():
                done = worker.take() if worker.pipe in ready else None
                if done is not None:
                    outcome = done
                elif how := worker.is_lost():
                    worker.process.kill()
                    name, recipe, _ = draw_case(seed, worker.number, names)
                    failures = {"process": how}
                    outcome = Outcome(worker.number, name, recipe, 1, failures=failures)
                    workers[workers.index(worker)] = worker = _Worker(seed, names)
                else:
                    continue
                yield outcome
                n_fits -= outcome.n_fits
                if n_fits <= 0 or time.monotonic() - began > seconds:
                    worker.process.kill()
                    workers.remove(worker)
                else:
                    number += 1
                    worker.give(number)
    finally:
        for worker in workers:
            worker.process.kill()


def main() -> int:
    """Search, and print what is found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--fits", type=int, default=10**9, help="stop after so many")
    add("--minutes", type=float, default=60.0, help="or after so long")
    add("--seed", type=int, default=0, help="of the cases")
    add("--model", action="append", choices=[*MODELS, *MIXED], help="only these")
    add("--processes", type=int, default=2, help="that share the cases")
    add("--shrink", type=float, default=10.0, help="seconds for each reproducer")
    add("--case", type=int, help="run one case, in this process")
    args = parser.parse_args()
    names, report = args.model or [*MODELS, *MIXED], Report()
    began = time.monotonic()
    if args.case is not None:
        case = draw_case(args.seed, args.case, names)
        print(*case)
        outcomes = iter([run_case(args.case, *case)])
    else:
        limits = args.fits, 60.0 * args.minutes, args.processes
        outcomes = search(names, args.seed, *limits)
    with suppress(KeyboardInterrupt):
        for outcome in outcomes:
            report.add(outcome)
    report.print(time.monotonic() - began)
    report.print_reproducers(args.shrink)
    return int(bool(report.causes))


if __name__ == "__main__":
    sys.exit(main())

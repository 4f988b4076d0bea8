"""What a search has found: counts by invariant, by cause, and reproducers."""

from collections import Counter
from dataclasses import dataclass, field

from tests.fuzz.frames import FrameRecipe
from tests.fuzz.invariants import INVARIANTS, REFITS
from tests.fuzz.mixed import FRAME_INVARIANTS
from tests.fuzz.shrink import cause_of, reproducer
from tests.fuzz.tables import Recipe

__all__ = ["Outcome", "Report"]


@dataclass
class Outcome:
    """What came of a case.

    Parameters
    ----------
    number : int
        Number of the case.
    name : str
        The model.
    recipe : Recipe or FrameRecipe
        The table.
    n_fits : int
        Number of fits.
    held, not_asked : list of str
        Invariants that held, and that could not be asked.
    refusal : str or None
        The error by which the table was refused.
    failures : dict of str to str
        What is wrong, by invariant; "fit" and "process" where it did not come to any.
    """

    number: int
    name: str
    recipe: Recipe | FrameRecipe
    n_fits: int = 0
    held: list[str] = field(default_factory=list)
    not_asked: list[str] = field(default_factory=list)
    refusal: str | None = None
    failures: dict[str, str] = field(default_factory=dict)


class Report:
    """Add up outcomes; print each cause of failure when it is first seen."""

    def __init__(self) -> None:
        self.n_cases = self.n_fits = 0
        self.counts = {what: Counter() for what in ("held", "failed", "not asked")}
        self.refusals: Counter[str] = Counter()
        # By invariant and cause, how often for each model.
        self.causes: dict[tuple[str, str], Counter[str]] = {}
        self.first: dict[tuple[str, str, str], Recipe | FrameRecipe] = {}

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.n_cases += 1
        self.n_fits += outcome.n_fits
        self.counts["held"].update(outcome.held)
        self.counts["not asked"].update(outcome.not_asked)
        self.counts["failed"].update(outcome.failures.keys())
        if outcome.refusal is not None:
            self.refusals[cause_of(outcome.refusal)] += 1
        for invariant, message in outcome.failures.items():
            cause = cause_of(message)
            self.causes.setdefault((invariant, cause), Counter())[outcome.name] += 1
            if (key := (outcome.name, invariant, cause)) not in self.first:
                self.first[key] = outcome.recipe
                where = f"case {outcome.number} {outcome.name}"
                print(f"{where}: {invariant}: {message}", flush=True)

    def print(self, seconds: float) -> None:
        """Print the counts."""
        rate = self.n_fits / seconds
        print(f"\n{self.n_cases} cases, {self.n_fits} fits, {rate:.1f} fits a second\n")
        print(f"{'invariant':20s} {'held':>7s} {'failed':>7s} {'not asked':>10s}")
        names = ("fit", "process", *INVARIANTS, *REFITS, *FRAME_INVARIANTS)
        for invariant in dict.fromkeys(names):
            held, failed, not_asked = (n[invariant] for n in self.counts.values())
            print(f"{invariant:20s} {held:7d} {failed:7d} {not_asked:10d}")
        print(f"\nTables refused with a clear error: {self.refusals.total()}")
        for message, n in self.refusals.most_common():
            print(f"{n:5d} × {message}")
        print(f"\nCauses of failure: {len(self.causes)}")
        for (invariant, cause), who in sorted(
            self.causes.items(), key=lambda item: -item[1].total()
        ):
            print(f"{who.total():5d} × {invariant}: {cause}")
            names = ", ".join(f"{name} ({n})" for name, n in who.most_common())
            print(f"        {names}")

    def print_reproducers(self, seconds: float) -> None:
        """Print code for each model and cause, on which to spend so many seconds."""
        for (name, invariant, cause), recipe in self.first.items():
            # Where the process is lost, this one would be as well.
            if invariant != "process":
                print()
                print(reproducer(name, recipe, invariant, cause, seconds), flush=True)

"""Tables of papers, with their protocols, beside what this package reaches."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import discrete

__all__ = ["add_arguments", "run"]

# A study is a module with a docstring and `run(args)`, which gives the exit code.
STUDIES = {"dtf": discrete}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this job."""
    about = "; ".join(
        f"{name}: {(study.__doc__ or '').splitlines()[0]}"
        for name, study in STUDIES.items()
    )
    parser.add_argument("study", choices=STUDIES, help=about)
    parser.add_argument("--quick", action="store_true", help="one fold: only a try")
    parser.add_argument(
        "--output", type=Path, default=Path("results"), metavar="DIR", help="where to"
    )


def run(args: argparse.Namespace) -> int:
    """Run the study that is asked for."""
    return STUDIES[args.study].run(args)

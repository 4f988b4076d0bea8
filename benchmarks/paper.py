"""Papers: their experiments run again, their figures beside ours."""

from __future__ import annotations

import argparse

from benchmarks import paper_ddd, paper_debd, paper_dtf, paper_iaf, paper_sinf

__all__ = ["add_arguments", "run"]

# A paper is a module with a docstring and `run(args)`, which returns the exit code.
PAPERS = {
    "ddd": paper_ddd,
    "debd": paper_debd,
    "dtf": paper_dtf,
    "iaf": paper_iaf,
    "sinf": paper_sinf,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this job."""
    about = ", ".join(
        f"{name}: {(paper.__doc__ or '').splitlines()[0]}"
        for name, paper in PAPERS.items()
    )
    parser.add_argument("paper", choices=list(PAPERS), help=about)
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="only these experiments"
    )
    parser.add_argument("--quick", action="store_true", help="few rows: only a try")


def run(args: argparse.Namespace) -> int:
    """Run the experiments of a paper."""
    return PAPERS[args.paper].run(args)

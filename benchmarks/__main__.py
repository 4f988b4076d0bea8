"""Command line: a job and its options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import (
    anomaly,
    calibration,
    cold,
    conditional,
    density,
    information,
    localized,
    many,
    marginals,
    paper,
    samples,
    scaling,
    speed,
    tables,
)
from benchmarks.registry import ChoiceError

# A job is a module with a docstring, `add_arguments(parser)` and `run(args)`, which
# returns the exit code. The first is the main job: what runs if none is named.
JOBS = {
    "density": density,
    "speed": speed,
    "scaling": scaling,
    "cold": cold,
    "many": many,
    "marginals": marginals,
    "calibration": calibration,
    "information": information,
    "localized": localized,
    "anomaly": anomaly,
    "samples": samples,
    "tables": tables,
    "conditional": conditional,
    "paper": paper,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a job.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments; by default those of the process.

    Returns
    -------
    code : int
        Exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the package. Without the name of a job, the first runs.",
    )
    jobs = parser.add_subparsers(title="jobs", metavar="JOB", required=True)
    parsers = {}
    for name, job in JOBS.items():
        about = (job.__doc__ or "").splitlines()[0]
        parsers[name] = jobs.add_parser(name, help=about, description=about)
        job.add_arguments(parsers[name])
        parsers[name].add_argument(
            "--output",
            type=Path,
            default=Path("results"),
            metavar="DIR",
            help="where to",
        )
        parsers[name].set_defaults(job=name)
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help")):
        words.insert(0, next(iter(JOBS)))
    args = parser.parse_args(words)
    try:
        return JOBS[args.job].run(args)
    except ChoiceError as error:
        parsers[args.job].error(str(error))


if __name__ == "__main__":
    sys.exit(main())

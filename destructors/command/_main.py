"""The command line: what it asks for, and what it answers to mistakes."""

import argparse
import ast
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from destructors import __version__
from destructors.command import _jobs
from destructors.command._arguments import count, seconds, seed

_FAILED, _INTERRUPTED = 1, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments; by default those of the process.

    Returns
    -------
    code : int
        0; 1 where files or data are at fault; 130 after an interrupt. Wrong arguments
        end the process with 2, as argparse has it.
    """
    args = _make_parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            args.run(args)
    except (ValueError, TypeError, OSError, ImportError, MemoryError) as error:
        reason = str(error) or type(error).__name__
        print(f"destructors: error: {reason}", file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        print("destructors: interrupted, nothing was saved.", file=sys.stderr)
        return _INTERRUPTED
    return 0


def _show_warning(message: Any, category: type, *place: Any, **more: Any) -> None:
    print(f"destructors: {category.__name__}: {message}", file=sys.stderr)


# ---------------------------------------------------------------------- arguments


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m destructors",
        description="Fit densities to tables in files, score rows, and draw new ones.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    fit = _add(commands, "fit", _jobs.fit)
    fit.add_argument("data", type=Path, help="CSV, Parquet, .npy or .npz of rows")
    fit.add_argument("--output", "-o", type=Path, required=True, metavar="MODEL.npz")
    fit.add_argument(
        "--model",
        choices=list(_jobs.MODELS),
        help="what to fit (default: tree-flow to numbers, discrete-tree-flow to text, "
        "mixture to both)",
    )
    fit.add_argument("--columns", nargs="+", metavar="NAME", help="these columns only")
    fit.add_argument("--drop", nargs="+", metavar="NAME", help="all columns but these")
    fit.add_argument("--weight", metavar="NAME", help="column of weights of the rows")
    fit.add_argument("--validation", type=Path, metavar="DATA", help="rows to stop by")
    fit.add_argument("--max-time", type=seconds, metavar="SECONDS")
    fit.add_argument(
        "--set",
        nargs="+",
        default=[],
        type=_setting,
        metavar="NAME=VALUE",
        help="parameters of the model, such as max_iter=20",
    )
    fit.add_argument("--random-state", type=seed, default=0, metavar="SEED")
    fit.add_argument("--quiet", action="store_true", help="print no progress")

    score = _add(commands, "score", _jobs.score)
    score.add_argument("model", type=Path)
    score.add_argument("data", type=Path)
    score.add_argument(
        "--output", "-o", type=Path, help="file for the log density of each row"
    )

    sample = _add(commands, "sample", _jobs.sample)
    sample.add_argument("model", type=Path)
    sample.add_argument("--n-samples", "-n", type=count, default=1, metavar="N")
    sample.add_argument(
        "--output", "-o", type=Path, help="file (default: CSV to standard output)"
    )
    sample.add_argument("--random-state", type=seed, metavar="SEED")

    info = _add(commands, "info", _jobs.info)
    info.add_argument("model", type=Path)

    _add(commands, "compile", _jobs.compile_kernels)
    return parser


def _add(commands: Any, name: str, run: Any) -> argparse.ArgumentParser:
    about = (run.__doc__ or "").splitlines()[0]
    parser = commands.add_parser(name, help=about, description=about)
    parser.set_defaults(run=run)
    return parser


def _setting(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text} is not of the form name=value")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value

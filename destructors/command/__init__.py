"""The command line: fit, score, sample and look at densities of files."""

from destructors.command._main import main

__all__ = ["main"]

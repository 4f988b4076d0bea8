"""Compile the kernels when the package is installed, so that the first fit need not."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

from setuptools import Command, Distribution, setup
from setuptools.command.build import build


class build_kernels(Command):
    """Put what ``python -m destructors compile`` makes into the package.

    Without it everything works, and the first fit compiles what it needs. So does a fit
    on a processor other than this one.
    """

    description = "compile the kernels"
    user_options: ClassVar[list[tuple[str, str, str]]] = []
    build_lib: str | None = None
    editable_mode = False

    def initialize_options(self) -> None:
        """Nothing is asked for."""

    def finalize_options(self) -> None:
        """Build where the modules go."""
        self.set_undefined_options("build_py", ("build_lib", "build_lib"))

    def run(self) -> None:
        """Compile, and copy; say so where it fails."""
        root = Path.cwd() if self.editable_mode else Path(self.build_lib).absolute()
        folder = root / "destructors" / "kernels"
        if not self.editable_mode:
            # What an earlier build has left would be found, and not be made again.
            shutil.rmtree(folder, ignore_errors=True)
        with tempfile.TemporaryDirectory() as made:
            # Where pip builds, packages lie in a place of their own.
            places = os.pathsep.join([str(root), *filter(None, sys.path)])
            own = {
                "PYTHONPATH": places,
                "NUMBA_CACHE_DIR": made,
                "OMP_NUM_THREADS": "1",
            }
            done = subprocess.run(
                [sys.executable, "-m", "destructors", "compile"],
                env=os.environ | own,
                cwd=made,
                check=False,
            )
            if done.returncode:
                self.warn("kernels were not compiled; the first fit will do it")
                return
            folder.mkdir(exist_ok=True)
            for path in Path(made).rglob("*.kernel"):
                shutil.copy(path, folder)

    def get_source_files(self) -> list[str]:
        """Return nothing: they are made of the modules."""
        return []

    def get_outputs(self) -> list[str]:
        """Return the files of a package that is built."""
        folder = Path(self.build_lib, "destructors", "kernels")
        return [] if self.editable_mode else [*map(str, folder.glob("*.kernel"))]

    def get_output_mapping(self) -> dict[str, str]:
        """Return nothing: no file stands for one of the sources."""
        return {}


class _OfOneMachine(Distribution):
    """The package holds machine code."""

    def has_ext_modules(self) -> bool:
        """Name the platform in the wheel."""
        return True


build.sub_commands.append(("build_kernels", None))
setup(cmdclass={"build_kernels": build_kernels}, distclass=_OfOneMachine)

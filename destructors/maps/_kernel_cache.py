"""What numba makes of kernels, and the folder where it is kept.

numba would keep it beside the sources, or not at all where these cannot be written to.
Files beside the sources outlive an uninstallation, and get in the way of the next
installation. So compiled kernels go to the user's cache folder, each in a file of its
own whose name tells everything that it depends on: the code of the kernel and of those
it calls, their constants, the types of its arguments, numba, Python and the processor.
What is not found under its name is compiled, so nothing stale is ever loaded, and
several versions, environments and machines can share a folder. An installation brings
those that it has compiled, in a folder that is looked into first and only read.

Only this module is imported with numba, and only here and in `_callees` are names of
numba that it does not document. Where they have changed nothing is kept, and all else
works.
"""

import gc
import hashlib
import logging
import os
import pickle
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from types import CodeType, ModuleType
from typing import Any

import numba
from numba import types
from numba.extending import typeof_impl

from destructors import __version__
from destructors.maps._jit import Kernel

try:
    from numba.core import event
    from numba.core.caching import NullCache
    from numba.core.compiler import CompileResult
    from numba.core.serialize import dumps
except ImportError:  # pragma: no cover
    NullCache = None
try:
    from destructors.maps import _callees
except ImportError:  # pragma: no cover
    _callees = None  # type: ignore[assignment]

# Seconds of compilation after which a user is told what takes so long.
_PATIENCE = 1.0
# Threads run side by side; nothing is compiled that only C code would call.
_OPTIONS = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
# Products added without rounding; and sums in any order, which is other brackets too.
_FUSED, _ANY_ORDER = {"contract"}, {"reassoc", "contract"}


def compile_lazily(kernel: Kernel) -> Any:
    """Return numba's function, which compiles once it knows the types."""
    function = numba.njit(**_options(kernel))(kernel.loops)
    if hasattr(function, "_cache") and NullCache is not None:
        function._cache = KernelCache(kernel)
    return function


def compile_callee(kernel: Kernel) -> Any:
    """Return what other kernels call. It becomes part of their code, so it is not kept,
    and Python, which cannot call it, needs no entry.
    """
    options = {**_options(kernel), "no_cpython_wrapper": True}
    if _callees is None:
        return numba.njit(**options)(kernel.loops)
    return _callees.compile_callee(kernel.loops, options)


def _options(kernel: Kernel) -> dict[str, Any]:
    if kernel.any_order:
        return {**_OPTIONS, "fastmath": _ANY_ORDER}
    return {**_OPTIONS, "fastmath": _FUSED} if kernel.fused else _OPTIONS


@typeof_impl.register(Kernel)
def _typeof_kernel(kernel, context):
    """Kernels can call kernels."""
    return types.Dispatcher(kernel.callee)


# ---------------------------------------------------------------- the folders

# What `python -m destructors compile` wrote when the package was installed.
INSTALLED = os.path.join(os.path.dirname(os.path.dirname(__file__)), "kernels")


def cache_folder() -> str:
    """Return the folder of compiled kernels: below ``NUMBA_CACHE_DIR`` if that is set,
    else where the user's programs keep what they can make again.
    """
    root = numba.config.CACHE_DIR
    if not root and sys.platform == "win32":
        root = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif not root and sys.platform == "darwin":
        root = "~/Library/Caches"
    elif not root:
        root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return os.path.join(os.path.expanduser(root), "destructors", __version__)


# ---------------------------------------------------------------- what a kernel is


def _code(kernel: Kernel) -> Iterator[object]:
    """List what a kernel is compiled from: code and constants, its own and those of the
    kernels it calls; no names of files, no lines.
    """
    seen: set[str] = set()
    kernels = [kernel]
    while kernels:
        kernel = kernels.pop()
        function: Any = kernel.loops
        name = f"{function.__module__}.{function.__qualname__}"
        if name in seen:
            continue
        seen.add(name)
        yield name, function.__defaults__, kernel.any_order, kernel.fused
        codes, scopes = [function.__code__], [function.__globals__]
        while codes:
            code = codes.pop()
            yield code.co_code, code.co_names, code.co_varnames
            for constant in code.co_consts:
                if isinstance(constant, CodeType):
                    codes.append(constant)
                else:
                    yield constant
            for name in code.co_names:
                for value in [scope[name] for scope in scopes if name in scope]:
                    if isinstance(value, Kernel):
                        kernels.append(value)
                    elif not isinstance(value, ModuleType):
                        # Of classes and functions the name must do.
                        yield name, getattr(value, "__qualname__", value)
                    elif value.__name__.startswith("destructors."):
                        # Kernels and constants of another module: they are next.
                        scopes.append(vars(value))


# ---------------------------------------------------------------- numba's side


if NullCache is not None:

    class _WithoutCollection(event.Listener):
        """No garbage is collected while a kernel compiles: the collector would go
        through a million living objects again and again, a seventh of the time.
        """

        # numba compiles one at a time; those that a kernel calls, inside.
        _n_inside, _was_enabled = 0, False

        def on_start(self, event: Any) -> None:
            """Switch the collector off for the first."""
            if self._n_inside == 0:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._n_inside += 1

        def on_end(self, event: Any) -> None:
            """Switch it on again after the last."""
            self._n_inside -= 1
            if self._n_inside == 0 and self._was_enabled:
                gc.enable()

    event.register("numba:compile", _WithoutCollection())

    class KernelCache(NullCache):
        """What numba asks before it compiles a kernel, and tells afterwards."""

        # Of all kernels, which numba compiles one after the other: when the last one
        # was begun, and what those before it took.
        _begin, _seconds = 0.0, 0.0
        _is_told, _is_error_told = False, False

        def __init__(self, kernel: Kernel):
            digest = hashlib.sha256()
            for part in _code(kernel):
                digest.update(repr(part).encode())
            python = sys.implementation.cache_tag, getattr(sys, "abiflags", "")
            digest.update(repr((numba.__version__, python)).encode())
            self._name, self._digest = kernel.loops.__name__, digest
            self._folder = cache_folder()

        @property
        def cache_path(self) -> str:
            """Folder of the files."""
            return self._folder

        def _file_name(self, signature: Any, codegen: Any) -> str:
            digest = self._digest.copy()
            digest.update(repr((str(signature), codegen.magic_tuple())).encode())
            return f"{self._name.strip('_')}-{digest.hexdigest()[:32]}.kernel"

        def load_overload(self, signature: Any, target: Any) -> Any:
            """Return the compiled kernel, or None where it must be compiled."""
            target.refresh()
            name = self._file_name(signature, target.codegen())
            for folder in (INSTALLED, self._folder):
                try:
                    with open(os.path.join(folder, name), "rb") as file:
                        return CompileResult._rebuild(target, *pickle.load(file))
                except Exception:
                    # None, half a file, or none that we may read: it is made again.
                    continue
            self._tell_time()
            return None

        def save_overload(self, signature: Any, result: Any) -> None:
            """Keep a kernel that was compiled."""
            common = KernelCache
            common._seconds += time.perf_counter() - common._begin
            name = self._file_name(signature, result.codegen)
            try:
                self._write(os.path.join(self._folder, name), result)
            except OSError as error:
                self._tell_error(error)

        @staticmethod
        def _tell_time() -> None:
            """Say what takes so long, once, when it does."""
            common = KernelCache
            common._begin = time.perf_counter()
            if common._seconds > _PATIENCE and not common._is_told:
                common._is_told = True
                # A log is never an error, and can be switched off.
                logging.getLogger("destructors").warning(
                    "destructors compiles what it needs, once on this machine; "
                    "this takes some seconds."
                )

        def _tell_error(self, error: OSError) -> None:
            """Say that kernels are not kept, once."""
            if not KernelCache._is_error_told:
                KernelCache._is_error_told = True
                warnings.warn(
                    f"Compiled kernels cannot be kept in {self._folder} "
                    f"({error.strerror}), so that each process compiles its own. Set "
                    "the environment variable NUMBA_CACHE_DIR to a folder that can be "
                    "written to.",
                    RuntimeWarning,
                    stacklevel=2,
                )

        def _write(self, path: str, result: Any) -> None:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            data = dumps(result._reduce())
            # Others may read at the same time: they see all of it or nothing.
            handle, part = tempfile.mkstemp(dir=self._folder)
            try:
                with open(handle, "wb") as file:
                    file.write(data)
                os.replace(part, path)
            except BaseException:
                os.unlink(part)
                raise

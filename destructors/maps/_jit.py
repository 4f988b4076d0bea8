"""Hot kernels: compiled by numba when they are first called, plain where it is missing.

A kernel is a function on arrays made of loops. numba is imported when the first of them
is called, and compiles it for the types of its arguments; what it compiles is kept on
disk, see `destructors.maps._kernel_cache`. Where numba is missing, or told not to
compile, the plain form of the kernel runs, which is vectorised, or the loops themselves
as Python where they are short.

Compilation is what the first fit on a machine waits for, and its time grows with the
code. Kernels are therefore plain loops over contiguous arrays, of one type each: a
slice or a NumPy function costs as much as ten lines of loops, since numba compiles what
it does inside.
"""

import warnings
from collections.abc import Callable
from functools import cache, cached_property, partial, update_wrapper
from typing import Any

from numpy.typing import NDArray


@cache
def has_numba() -> bool:
    """Return whether kernels are compiled; warn, once, where numba is missing."""
    try:
        from numba import config
    except ImportError:
        warnings.warn(
            "numba cannot be imported: destructors works without its compiled "
            "kernels, several times more slowly. Install it with: pip install numba",
            RuntimeWarning,
            stacklevel=2,
        )
        return False
    # Where compilation is switched off numba's decorators return what they get.
    return not config.DISABLE_JIT


class Kernel:
    """A function on arrays that is compiled when it is first called.

    Parameters
    ----------
    loops : callable
        What is compiled. It may call other kernels.
    plain : callable
        What runs where numba is missing.
    any_order : bool, default=False
        Whether sums may be added up in any order, as vector registers do it.
    fused : bool, default=False
        Whether products may be added without rounding first, which is faster where the
        processor does both at once. Their last bits then differ from the plain form's.
    """

    def __init__(
        self,
        loops: Callable[..., Any],
        plain: Callable[..., Any],
        any_order: bool = False,
        fused: bool = False,
    ):
        update_wrapper(self, loops)
        self.loops, self.plain = loops, plain
        self.any_order, self.fused = any_order, fused

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the kernel."""
        return self._run(*args, **kwargs)

    @cached_property
    def _run(self) -> Callable[..., Any]:
        return self.compiled if has_numba() else self.plain

    @cached_property
    def compiled(self) -> Any:
        """The function that numba dispatches by types of arguments."""
        from destructors.maps._kernel_cache import compile_lazily

        # Threads that come here together must not compile twice.
        return self.__dict__.setdefault("compiled", compile_lazily(self))

    @cached_property
    def callee(self) -> Any:
        """The same for calls from other kernels, which become part of these."""
        from destructors.maps._kernel_cache import compile_callee

        return self.__dict__.setdefault("callee", compile_callee(self))


def jit(
    loops: Callable[..., Any],
    plain: Callable[..., Any] | None = None,
    any_order: bool = False,
    fused: bool = False,
) -> Callable[..., Any]:
    """Return the kernel of loops; without a plain form they run as Python."""
    return Kernel(loops, loops if plain is None else plain, any_order, fused)


jit_fused = partial(jit, fused=True)


def are_starts(starts: NDArray, n: int, shortest: int = 0) -> bool:
    """Return whether n things are parted where each part ends: compiled loops follow
    such numbers without looking.
    """
    listed = starts.ndim == 1 and starts.dtype.kind == "i" and len(starts) > 0
    if not listed or starts[0] != 0 or starts[-1] != n:
        return False
    # Differences of numbers from afar would go round to positive ones.
    inside = bool(((starts >= 0) & (starts <= n)).all())
    return inside and bool((starts[1:] - starts[:-1] >= shortest).all())

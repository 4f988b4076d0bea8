"""Compilation of the hot kernels, where numba can be imported.

Kernels are compiled without the GIL (threads scale) and cached on disk. Where numba is
missing the same functions run as plain Python; a module with a kernel over rows gives a
vectorised path for that case.
"""

import warnings
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

try:
    from numba import config, njit

    # Kernels run as plain Python where compilation is switched off, too.
    HAS_NUMBA = not config.DISABLE_JIT
except ImportError:
    HAS_NUMBA = False
    warnings.warn(
        "numba cannot be imported: destructors works without its compiled kernels, "
        "several times more slowly. Install it with: pip install numba",
        RuntimeWarning,
        stacklevel=2,
    )


def jit(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel on arrays with numba, or leave it as it is."""
    if not HAS_NUMBA:
        return kernel
    return njit(nogil=True, cache=True, error_model="numpy")(kernel)


def are_starts(starts: NDArray, n: int, shortest: int = 0) -> bool:
    """Return whether n things are parted where each part ends: compiled loops follow
    such numbers without looking.
    """
    listed = starts.ndim == 1 and starts.dtype.kind == "i" and len(starts) > 0
    if not listed or starts[0] != 0 or starts[-1] != n:
        return False
    return bool((starts[1:] - starts[:-1] >= shortest).all())

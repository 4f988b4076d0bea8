"""Kernels that only other kernels call: part of their code, and no more than that.

numba would compile a callee once for each constant that it is called with, optimise it,
turn it into machine code that nobody runs, and then optimise it again inside each of
its callers. Here it is compiled once a type, and the callers optimise the whole. That
takes a third of the time, and loops are the faster for it, since the compiler sees them
in one piece.

The names of numba used here are not documented; without them all works as it does in
numba.
"""

import weakref
from typing import Any

import numba
from numba import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler


class _CalleeLibrary(JITCodeLibrary):
    """Code that is to be linked into other code, and is not run."""

    @property
    def codegen(self) -> Any:
        # It is asked to bind code to Python's globals, which callees don't see.
        return self

    def set_env(self, name: str, env: Any) -> None:
        """Bind nothing."""

    def _optimize_final_module(self) -> None:
        """Leave that to the callers."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._final_module.__library = weakref.proxy(self)
        self._finalized = True


class _CalleeCompiler(Compiler):
    def __init__(self, *args: Any):
        super().__init__(*args)
        self.state.library = _CalleeLibrary(self.state.targetctx.codegen(), "callee")


def compile_callee(loops: Any, options: dict[str, Any]) -> Any:
    """Return numba's function for calls from others."""
    function = numba.njit(pipeline_class=_CalleeCompiler, **options)(loops)
    resolve, general = function.get_call_template, types.unliteral
    function.get_call_template = lambda args, kws: resolve(
        [general(arg) for arg in args], {name: general(kws[name]) for name in kws}
    )
    return function

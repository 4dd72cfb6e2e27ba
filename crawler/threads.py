"""One thread for products of matrices: with more the sums are rounded in another order, and small ones are slower."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager[Any]:
    """Keep the products of NumPy and SciPy within to one thread."""
    limited: AbstractContextManager[Any] = _find_libraries().limit(limits=1, user_api="blas")
    return limited


@cache
def _find_libraries() -> ThreadpoolController:
    """Return the libraries that are loaded: to look for them takes milliseconds, each time."""
    import scipy.linalg  # noqa: F401 # it brings a library of its own, which is to be found

    return ThreadpoolController()

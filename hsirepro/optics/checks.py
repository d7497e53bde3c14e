"""Checks shared by the operators: a ratio is a whole number above one, a width is positive."""

from __future__ import annotations

import math
import operator

from hsirepro.errors import ParameterError


def check_ratio(ratio: int, name: str = "ratio", least: int = 2) -> int:
    """Return ``ratio`` as an int, or say why it cannot be a ratio of sampling distances.

    ``name`` and ``least`` are for the sampling step of an operator, which may be 1.

    Raises
    ------
    ParameterError
        If ``ratio`` is not a whole number of at least ``least``.

    Examples
    --------
    >>> check_ratio(4)
    4
    """
    advice = f"give a whole number of at least {least}, such as {name}=4"
    try:
        whole = operator.index(ratio)
    except TypeError:
        whole = None
    if whole is None or isinstance(ratio, bool):
        raise ParameterError(
            f"{name}={ratio!r} is not a whole number ({type(ratio).__name__}).", next_step=advice
        )
    if whole < least:
        raise ParameterError(f"{name}={whole} has to be at least {least}.", next_step=advice)
    return whole


def check_number(name: str, value: float, unit: str, *, positive: bool) -> float:
    """Return ``value`` as a float, or say why ``name`` cannot take it.

    Raises
    ------
    ParameterError
        If ``value`` is not a finite number, or not above 0 where ``positive`` asks for that.
    """
    advice = f"give {name} as a number in {unit}"
    if isinstance(value, (str, bytes, bool)):
        raise ParameterError(
            f"{name}={value!r} is not a number ({type(value).__name__}).", next_step=advice
        )
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ParameterError(f"{name}={value!r} is not a number.", next_step=advice) from None
    if not math.isfinite(number) or (positive and number <= 0):
        wanted = "a finite number above 0" if positive else "a finite number"
        raise ParameterError(f"{name}={number:g} has to be {wanted}.", next_step=advice)
    return number

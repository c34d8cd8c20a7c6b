# ruff: noqa: D105  # arithmetic says itself what it does
"""Dual numbers x + x' e with e^2 = 0, e > 0 beyond all measure: derivatives exact to rounding.

Comparisons look at the value first and then at the slope, as e > 0 asks for. A function with a bend
therefore takes the branch just above: its derivative from above.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from flownet.queues.numerics import harmonic_sum

Scalar = Any  # a float, a complex number, or a dual number of either


class Dual:
    """A value and its derivative; both floats, or both complex."""

    __slots__ = ("slope", "value")
    __array_ufunc__ = None  # numpy's scalars leave the arithmetic to this class
    __hash__ = None  # type: ignore[assignment]  # like every mutable number: not a key

    def __init__(self, value: Scalar, slope: Scalar) -> None:
        self.value = value
        self.slope = slope

    def __add__(self, other: Scalar) -> Dual:
        if isinstance(other, Dual):
            return Dual(self.value + other.value, self.slope + other.slope)
        return Dual(self.value + other, self.slope)

    __radd__ = __add__

    def __sub__(self, other: Scalar) -> Dual:
        if isinstance(other, Dual):
            return Dual(self.value - other.value, self.slope - other.slope)
        return Dual(self.value - other, self.slope)

    def __rsub__(self, other: Scalar) -> Dual:
        return Dual(other - self.value, -self.slope)

    def __mul__(self, other: Scalar) -> Dual:
        if isinstance(other, Dual):
            slope = self.slope * other.value + self.value * other.slope
            return Dual(self.value * other.value, slope)
        return Dual(self.value * other, self.slope * other)

    __rmul__ = __mul__

    def __truediv__(self, other: Scalar) -> Dual:
        if not isinstance(other, Dual):
            return Dual(divided(self.value, other), divided(self.slope, other))
        value = divided(self.value, other.value)
        return Dual(value, divided(self.slope - value * other.slope, other.value))

    def __rtruediv__(self, other: Scalar) -> Dual:
        value = divided(other, self.value)
        return Dual(value, divided(-value * self.slope, self.value))

    def __floordiv__(self, other: Scalar) -> Scalar:
        return self.value // value_of(other)

    def __pow__(self, power: int) -> Dual:
        return Dual(self.value**power, power * self.value ** (power - 1) * self.slope)

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.slope)

    def __abs__(self) -> Scalar:
        if isinstance(self.value, complex):
            size = abs(self.value)
            return Dual(size, divided((self.value.conjugate() * self.slope).real, size))
        return -self if self < 0.0 else self

    def __int__(self) -> int:
        return int(self.value)

    @property
    def real(self) -> Dual:
        """The real part."""
        return Dual(self.value.real, self.slope.real)

    def _before(self, other: Scalar) -> float:
        """Return a number below 0, of 0 or above 0 as this number is below, at or above another."""
        if self.value != value_of(other):
            return float(self.value - value_of(other))
        return float(self.slope - slope_of(other))

    def __lt__(self, other: Scalar) -> bool:
        return self._before(other) < 0.0

    def __le__(self, other: Scalar) -> bool:
        return self._before(other) <= 0.0

    def __gt__(self, other: Scalar) -> bool:
        return self._before(other) > 0.0

    def __ge__(self, other: Scalar) -> bool:
        return self._before(other) >= 0.0

    def __eq__(self, other: object) -> bool:
        return bool(self.value == value_of(other) and self.slope == slope_of(other))


def value_of(number: Scalar) -> Scalar:
    """Return the value of a number, dual or not."""
    return number.value if isinstance(number, Dual) else number


def slope_of(number: Scalar) -> Scalar:
    """Return the derivative of a number; that of a plain one is 0."""
    return number.slope if isinstance(number, Dual) else 0.0


def divided(number: Scalar, by: Scalar) -> Scalar:
    """Return a quotient of plain numbers as compiled code has it: inf or nan by 0."""
    if by == 0.0:
        return math.nan if number == 0.0 or math.isnan(number) else math.copysign(math.inf, number)
    return number / by


def lifted(function: Callable[[Any], Any], slope: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Return a function of dual numbers from one of plain numbers and its derivative f'(x, f)."""

    def evaluated(x: Any) -> Any:
        try:
            return function(x)
        except OverflowError:
            return math.inf
        except ValueError:
            return -math.inf if x == 0.0 else math.nan

    def of_dual(x: Scalar) -> Scalar:
        if not isinstance(x, Dual):
            return evaluated(x)
        value = evaluated(x.value)
        factor = slope(x.value, value)
        return Dual(value, factor * x.slope if x.slope != 0.0 and factor != 0.0 else 0.0)

    return of_dual


def _of_value(function: Callable[[Any], Any]) -> Callable[[Scalar], Any]:
    return lambda x: function(value_of(x))


def _objects(*arguments: Any) -> Any:
    """Return zeros that may become dual numbers; whole numbers where these are asked for."""
    if len(arguments) > 1 and arguments[1] is np.int64:
        return np.zeros(*arguments)
    zeros = np.empty(arguments[0], object)
    zeros.fill(0.0)
    return zeros


def _complex(real: Scalar, imaginary: Scalar) -> Scalar:
    """Return a complex number of two numbers, dual or not."""
    return Dual(
        complex(value_of(real), value_of(imaginary)), complex(slope_of(real), slope_of(imaginary))
    )


def _digamma(x: float) -> float:
    """Return the derivative of ln Gamma: ln N - sum of 1/(x + i) over 0 <= i < N - x, N large."""
    far = 1e8  # where 1/(2 x) + 1/(12 x^2) is all that is left
    return math.log(x + far) - 0.5 / (x + far) - harmonic_sum(x - 1.0, far)


MATH = SimpleNamespace(
    exp=lifted(math.exp, lambda _, f: f),
    log=lifted(math.log, lambda x, _: divided(1.0, x)),
    log1p=lifted(math.log1p, lambda x, _: divided(1.0, 1.0 + x)),
    expm1=lifted(math.expm1, lambda _, f: f + 1.0),
    sqrt=lifted(math.sqrt, lambda _, f: divided(0.5, f)),
    sinh=lifted(math.sinh, lambda x, _: math.cosh(x)),
    cosh=lifted(math.cosh, lambda x, _: math.sinh(x)),
    erfc=lifted(math.erfc, lambda x, _: -2.0 / math.sqrt(math.pi) * math.exp(-x * x)),
    lgamma=lifted(math.lgamma, lambda x, _: _digamma(x)),
    ceil=_of_value(math.ceil),
    isinf=_of_value(math.isinf),
    isfinite=_of_value(math.isfinite),
    inf=math.inf,
    nan=math.nan,
    pi=math.pi,
)
CMATH = SimpleNamespace(
    exp=lifted(cmath.exp, lambda _, f: f),
    log=lifted(cmath.log, lambda x, _: 1.0 / x),
    sqrt=lifted(cmath.sqrt, lambda _, f: 0.5 / f),
)
NUMPY = SimpleNamespace(
    floor=_of_value(lambda x: float(np.floor(x))),
    zeros=_objects,
    empty=_objects,
    ones=lambda shape: _objects(shape) + 1.0,
    int64=np.int64,
    inf=math.inf,
    where=lambda condition, one, other: one if condition else other,
    asarray=lambda x: x,
)
NAMES: dict[str, Any] = {
    "math": MATH,
    "cmath": CMATH,
    "np": NUMPY,
    "float": lambda x: x,
    "complex": _complex,
}

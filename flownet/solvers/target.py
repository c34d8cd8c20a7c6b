"""`Target`: what a measure is to reach, in plain words."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Final, Literal

from flownet.errors import Fault, ParameterError
from flownet.network.model import Network
from flownet.solvers.measures import Measure, as_measures

SHARES: Final = {
    "within", "occupancy", "utilization", "wait_probability", "probability_full",
    "probability_all_blocked", "blocking_probability", "loss_probability",
    "abandonment_probability", "served_probability",
}  # fmt: skip
"""Measures between 0 and 1; all others are at least 0."""
SIGNS: Final = {"<=": "<=", "≤": "<=", ">=": ">=", "≥": ">="}


@dataclasses.dataclass(frozen=True)
class Target:
    """A measure, and the most or the least that it may be.

    Attributes
    ----------
    text : str
        How it was said.
    measure : Measure
    sign : {'<=', '>='}
    bound : float
    """

    text: str
    measure: Measure
    sign: Literal["<=", ">="]
    bound: float

    def met(self, value: float) -> bool:
        """Return whether a value meets it; nan (no steady state, nobody there) does not."""
        return value <= self.bound if self.sign == "<=" else value >= self.bound


def as_target(given: str | Target, network: Network, where: str = "target") -> Target:
    """Return the target that a text says.

    ``within 4 >= 95 %``, ``wait_probability at Ward <= 1 in 20``, ``occupancy at Ward <= 0.92``.

    Parameters
    ----------
    given : str or Target
        A measure, a sign and a number.
    network : Network
        Whose services and classes the measure names.
    where : str
        Who asks: begins what an error says.

    Raises
    ------
    ParameterError
        Where it is no measure, sign and number, or a number that the measure never is.
    UnknownNameError
        Where the measure names nothing in the network.

    Examples
    --------
    >>> import flownet as fn
    >>> target = as_target("within 4 >= 19 in 20", fn.example("urgent_care"))
    >>> target.measure.name, target.sign, target.bound
    ('within', '>=', 0.95)
    """
    if isinstance(given, Target):
        return given
    parts = re.fullmatch(r"(.+?)\s*(<=|>=|≤|≥)\s*(.+)", given.strip())
    bound = _number(parts[3]) if parts else math.nan
    if parts is None or math.isnan(bound):
        message = "must be a measure, <= or >=, and a number: 'within 4 >= 95 %'"
        raise ParameterError([Fault(where, "target", f"'{given}'", message)])
    (measure,) = as_measures(parts[1], network)
    sign: Literal["<=", ">="] = "<=" if SIGNS[parts[2]] == "<=" else ">="
    most = 1.0 if measure.name in SHARES else math.inf
    if not (0.0 <= bound <= most and math.isfinite(bound)):
        range_of = "between 0 and 100 %" if most == 1.0 else "a finite number of at least 0"
        message = f"must be {range_of}: nothing else says anything of {measure.text}"
        raise ParameterError([Fault(where, "target", f"'{given}'", message)])
    return Target(given, measure, sign, bound)


def _number(text: str) -> float:
    """Return a number, a percentage, or one in so many; nan where it is none."""
    odds = re.fullmatch(r"(\d+(?:\.\d+)?)\s+in\s+(\d+(?:\.\d+)?)", text.strip())
    if odds and float(odds[2]) > 0:
        return float(odds[1]) / float(odds[2])
    share = text.strip().removesuffix("%")
    try:
        number = float(share)
    except ValueError:
        return math.nan
    return number / 100 if share != text.strip() else number

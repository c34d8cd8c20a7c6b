"""The measures of a solution as plain values for JSON, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from flownet.errors import Fault, InputError
from flownet.kernels.compiled import Measures
from flownet.network.values import shown

_WHOLE = {"blocked_by_from", "blocked_by_to"}


def plain_measures(measures: Measures) -> dict[str, Any]:
    """Return the measures as numbers and nested lists, with inf and nan as texts."""
    pairs = zip(Measures._fields, measures, strict=True)
    return {name: _listed(value) for name, value in pairs}


def measures_from(data: Any) -> Measures:
    """Return what `plain_measures` wrote.

    Raises
    ------
    InputError
        Where a measure is missing or holds something else, with every one of them.
    """
    if not isinstance(data, Mapping):
        raise InputError([Fault("solution", "measures", shown(data), "must be a table of arrays")])
    faults, values = [], {}
    for name in Measures._fields:
        if name not in data:
            if name not in Measures._field_defaults:
                faults.append(Fault("solution", f"measures.{name}", "", "is missing"))
            continue
        try:
            values[name] = _array(data[name], np.int64 if name in _WHOLE else np.float64)
        except (TypeError, ValueError):
            message = "must be a number or nested lists of numbers"
            faults.append(Fault("solution", f"measures.{name}", shown(data[name]), message))
    if faults:
        raise InputError(faults, "solution")
    return Measures(**values)


def _listed(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_listed(item) for item in value.tolist()] if value.ndim else value.item()
    if isinstance(value, list):
        return [_listed(item) for item in value]
    if isinstance(value, (int, np.integer)):
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else str(number)


def _array(value: Any, kind: type) -> Any:
    if not isinstance(value, list):
        return value if isinstance(value, int) else float(value)
    return np.asarray(value, dtype=np.float64).astype(kind)

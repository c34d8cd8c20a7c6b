"""The options of a simulation, checked: all that is wrong is said at once."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any, Final

from flownet.errors import Fault, ParameterError
from flownet.kernels.compiled import DELAY, PROCESSOR_SHARING
from flownet.network.compile import Compilation

ROUNDING: Final = 1e-9
ON_DEADLOCK: Final = ("exchange", "stop")


def number(value: Any) -> bool:
    """Return whether a value is a number, no truth value."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def whole(value: Any, least: int) -> bool:
    """Return whether a value is a whole number from `least` on."""
    return number(value) and bool(value >= least and value % 1 == 0)


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options of `simulate` that are out of range or of another kind."""
    horizon, warmup = options["horizon"], options["warmup"]
    start = 0.0 if warmup is None else warmup
    times = number(horizon) and number(start)
    targets, confidence = options["targets"], options["confidence"]
    listed = isinstance(targets, Sequence) and not isinstance(targets, (str, bytes))
    right: list[tuple[str, bool, str]] = [
        ("horizon", number(horizon) and 0.0 < horizon < math.inf, "must be a finite time above 0"),
        ("warmup", number(start) and 0.0 <= start < math.inf,
         "must be a finite time, at least 0, or None to have it found"),
        ("horizon", not times or not horizon <= start or horizon <= 0.0,
         f"must be longer than the warm-up of {start}: the horizon includes it"),
        ("replications", whole(options["replications"], 1), "must be a whole number from 1 on"),
        ("seed", whole(options["seed"], 0), "must be a whole number from 0 on"),
        ("confidence", number(confidence) and 0.0 < confidence < 1.0,
         "must lie above 0 and below 1"),
        ("targets", listed and all(number(t) and 0.0 < t < math.inf for t in targets),
         "must be a list of finite times above 0"),
        ("max_jobs", whole(options["max_jobs"], 1), "must be a whole number from 1 on"),
        ("trace_rows", whole(options["trace_rows"], 0), "must be a whole number from 0 on"),
        *((name, options[name] is None or (number(options[name]) and options[name] > 0.0),
           "must be a time above 0") for name in ("cycle", "step")),
        ("on_deadlock", options["on_deadlock"] in ON_DEADLOCK,
         f"must be {' or '.join(map(repr, ON_DEADLOCK))}"),
        ("executor", options["executor"] is None or hasattr(options["executor"], "submit"),
         "must be a concurrent.futures.Executor, or None for threads"),
        ("progress", options["progress"] in (None, True, False) or callable(options["progress"]),
         "must be a function of the number done and of all, True, False or None"),
    ]  # fmt: skip
    faults = [
        Fault("simulate", name, repr(options[name]), message)
        for name, fine, message in right
        if not fine
    ]
    if faults:
        raise ParameterError(faults)


def check_precision(relative_half_width: Any, max_replications: Any) -> None:
    """Refuse what `until` cannot be asked for."""
    right = [
        ("relative_half_width", relative_half_width,
         number(relative_half_width) and 0.0 < relative_half_width < 1.0,
         "must lie above 0 and below 1"),
        ("max_replications", max_replications, whole(max_replications, 1),
         "must be a whole number from 1 on"),
    ]  # fmt: skip
    faults = [
        Fault("until", name, repr(value), message)
        for name, value, fine, message in right
        if not fine
    ]
    if faults:
        raise ParameterError(faults)


def check_probabilities(probabilities: Any) -> None:
    """Refuse what is no list of probabilities of quantiles."""
    listed = isinstance(probabilities, Sequence) and not isinstance(probabilities, (str, bytes))
    if not listed or not all(number(p) and 0.0 < p < 1.0 for p in probabilities):
        message = "must be a list of numbers above 0 and below 1"
        raise ParameterError([Fault("quantiles", "probabilities", repr(probabilities), message)])


def check_whole(compilation: Compilation) -> None:
    """Refuse broken numbers of servers and places; shared servers may be broken."""
    arrays, calendars = compilation.arrays, compilation.calendars
    unlimited = (arrays.discipline == PROCESSOR_SHARING) | (arrays.discipline == DELAY)
    message = "must be a whole number for a simulation"
    faults = []
    for i, name in enumerate(compilation.services):
        steps = [] if calendars is None else calendars.steps_of(i)
        follow = calendars is not None and bool(calendars.places_follow[i])
        given = [("server_calendar", value) for value in steps] or [("servers", arrays.servers[i])]
        given = [] if unlimited[i] and not follow else given
        places = arrays.capacity[i] - (arrays.servers[i] if follow else 0.0)
        given.append(("waiting_room" if follow else "capacity", places))
        faults += [
            Fault(f"service '{name}'", attribute, f"{value:g}", message)
            for attribute, value in given
            if math.isfinite(value) and abs(value - round(value)) > ROUNDING
        ]
    if faults:
        raise ParameterError(faults)

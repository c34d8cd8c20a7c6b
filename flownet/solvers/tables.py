"""From a kernel's measures to the labelled tables of a Solution, in the glossary's columns."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import pandas as pd

from flownet.kernels.compiled import Floats, Measures
from flownet.network.compile import Compilation
from flownet.solvers.journeys import Journeys, Leaving, leaving

UNITS: Final = {
    "servers": "server", "arrival_rate": "job/T", "throughput": "job/T", "offered_load": "erlang",
    "load_ratio": "-", "utilization": "-", "occupancy": "-", "number_present": "job",
    "number_waiting": "job", "number_in_service": "job", "number_blocked": "job",
    "number_held_in_transfer": "job", "number_outside": "job", "waiting_time": "T",
    "blocked_time": "T", "held_transfer_time": "T", "response_time": "T", "residence_time": "T",
    "outside_time": "T", "wait_probability": "-", "probability_full": "-",
    "probability_all_blocked": "-", "deadlock_rate": "1/T",
    "blocking_probability": "-", "loss_probability": "-", "loss_rate": "job/T",
    "overflow_rate": "job/T", "abandonment_rate": "job/T", "abandonment_probability": "-",
    "growth_rate": "job/T", "delay": "job", "visits": "-", "external_arrival_rate": "job/T",
    "in_transit": "job", "system_response_time": "T", "delay_time": "T", "arrival_scv": "-",
    "departure_scv": "-", "target": "T", "cost_capacity": "money/T", "cost_delay": "money/T",
    "cost_loss": "money/T", "cost": "money/T", "served_probability": "-",
}  # fmt: skip
"""Unit of every column; T is the network's time unit. It stands in each table's ``.attrs``."""


def ratio(top: Floats, bottom: Floats) -> Floats:
    """Return top / bottom with 0 where the bottom is 0."""
    return np.divide(top, bottom, out=np.zeros(np.shape(top)), where=np.asarray(bottom) > 0)


def unit_of(column: str, time_unit: str, currency: str) -> str:
    """Return the unit of a column in the network's own time unit and money.

    Examples
    --------
    >>> unit_of("cost", "day", "GBP")
    'GBP/day'
    """
    return UNITS[column].replace("T", time_unit).replace("money", currency or "money")


def _labelled(frame: pd.DataFrame, time_unit: str, currency: str) -> pd.DataFrame:
    frame.attrs["units"] = {
        column: unit_of(column, time_unit, currency) for column in frame.columns if column in UNITS
    }
    return frame


def state_columns(c: Compilation, m: Measures) -> dict[str, Floats]:
    """Return the columns by service and class, each an array (n, R)."""
    present = present_by_state(m)
    blocked_time = ratio(m.number_blocked, m.throughput)
    held_time = ratio(m.number_held_in_transfer, m.throughput)
    serving = ratio(m.number_in_service, m.throughput)
    admitted = m.arrival_rate - m.loss_rate - m.overflow_rate
    return {
        "arrival_rate": m.arrival_rate,
        "throughput": m.throughput,
        "offered_load": m.arrival_rate * c.arrays.service_time,
        "number_present": present,
        "number_waiting": m.number_waiting,
        "number_in_service": m.number_in_service,
        "number_blocked": m.number_blocked,
        "number_held_in_transfer": m.number_held_in_transfer,
        "number_outside": m.number_outside,
        "waiting_time": m.waiting_time,
        "blocked_time": blocked_time,
        "held_transfer_time": held_time,
        "response_time": np.where(
            m.throughput > 0, m.waiting_time + serving + blocked_time + held_time, 0.0
        ),
        "outside_time": _outside_time(c, m),
        "loss_probability": ratio(m.loss_rate, m.arrival_rate),
        "loss_rate": m.loss_rate,
        "overflow_rate": m.overflow_rate,
        "abandonment_rate": m.abandonment_rate,
        "abandonment_probability": ratio(m.abandonment_rate, admitted),
        "growth_rate": m.growth_rate,
        "delay": delay_by_state(m),
    }


def present_by_state(m: Measures) -> Floats:
    """Return the mean number at each service, by class."""
    return m.number_waiting + m.number_in_service + m.number_blocked + m.number_held_in_transfer


def delay_by_state(m: Measures) -> Floats:
    """Return the mean number that is delayed at each service, by class."""
    return m.number_waiting + m.number_blocked + m.number_outside + m.number_held_in_transfer


def _outside_time(c: Compilation, m: Measures) -> Floats:
    """Return the mean time outside of jobs that come from there, else of those in transit."""
    external = c.arrays.external_arrival_rate - m.loss_rate - m.overflow_rate
    asking = np.where(c.arrays.external_arrival_rate > 0, external, m.arrival_rate)
    return np.where(np.isinf(m.number_outside), math.inf, ratio(m.number_outside, asking))


def class_state_table(c: Compilation, m: Measures, time_unit: str, currency: str) -> pd.DataFrame:
    """Return one row a service and class."""
    columns = state_columns(c, m)
    entering = c.arrays.external_arrival_rate.sum(axis=0)
    columns["visits"] = ratio(m.throughput, np.broadcast_to(entering, m.throughput.shape))
    columns["residence_time"] = _times(columns["visits"], columns["response_time"])
    index = pd.MultiIndex.from_product([c.services, c.classes], names=["service", "class"])
    frame = pd.DataFrame({name: array.ravel() for name, array in columns.items()}, index=index)
    return _labelled(frame, time_unit, currency)


def _times(a: Floats, b: Floats) -> Floats:
    """Return a * b with 0 wherever a is 0 (0 times infinity is nothing here)."""
    return np.where(a > 0, a * np.where(a > 0, b, 0.0), 0.0)


def service_columns(c: Compilation, m: Measures) -> dict[str, Floats]:
    """Return the columns by service, each an array (n,), summed or averaged over classes."""
    found = service_numbers(c, m) | service_times(c, m)
    before = [name for name in found if name not in {*_TIMES, "outside_time"}]
    place = before.index("wait_probability")
    order = [*before[:place], *_TIMES, "outside_time", *before[place:]]
    return {name: found[name] for name in order}


def service_numbers(c: Compilation, m: Measures) -> dict[str, Floats]:
    """Return the columns by service that are numbers, rates and shares, summed over classes."""
    servers = c.arrays.servers
    total = {name: getattr(m, name).sum(axis=1) for name in _SUMS}
    total["number_present"] = present_by_state(m).sum(axis=1)
    held = total["number_in_service"] + total["number_blocked"] + total["number_held_in_transfer"]
    offered = (m.arrival_rate * c.arrays.service_time).sum(axis=1)
    carried = total["arrival_rate"] - total["growth_rate"]
    load = ratio(offered, servers)
    growing = total["growth_rate"] > 0
    if growing.any():
        strain = np.where(growing & (carried > 0), ratio(total["arrival_rate"], carried), load)
        load = np.maximum(load, strain)
    admitted = total["arrival_rate"] - total["loss_rate"] - total["overflow_rate"]
    return {
        "servers": servers,
        "arrival_rate": total["arrival_rate"],
        "throughput": total["throughput"],
        "offered_load": offered,
        "load_ratio": load,
        "utilization": ratio(total["number_in_service"], servers),
        "occupancy": ratio(held, servers),
        **{name: total[name] for name in _NUMBERS},
        "wait_probability": m.wait_probability,
        "probability_full": m.probability_full,
        "probability_all_blocked": _or_none(m.probability_all_blocked, servers),
        "deadlock_rate": _or_none(m.deadlock_rate, servers),
        "blocking_probability": m.blocking_probability,
        "loss_probability": ratio(total["loss_rate"], total["arrival_rate"]),
        "loss_rate": total["loss_rate"],
        "overflow_rate": total["overflow_rate"],
        "abandonment_probability": ratio(total["abandonment_rate"], admitted),
        "growth_rate": total["growth_rate"],
        "delay": delay_by_state(m).sum(axis=1),
        "arrival_scv": m.arrival_scv,
        "departure_scv": m.departure_scv,
    }


def _or_none(values: Floats, like: Floats) -> Floats:
    """Return the values, 0 where a method has none since no job is ever blocked there."""
    return values if values.size else np.zeros_like(like)


def service_times(c: Compilation, m: Measures) -> dict[str, Floats]:
    """Return the columns by service that are times, averaged over those who are there."""
    by_state, external = state_columns(c, m), c.arrays.external_arrival_rate
    weights = by_state["throughput"]
    outside = np.where(external > 0, external, weights)
    return {
        **{name: _mean(by_state[name], weights) for name in _TIMES},
        "outside_time": _mean(by_state["outside_time"], outside),
    }


def service_table(
    c: Compilation, m: Measures, targets: list[float | None], time_unit: str, currency: str
) -> pd.DataFrame:
    """Return one row a service, summed or averaged over classes."""
    frame = pd.DataFrame(
        {"organisation": c.organisations, **service_columns(c, m)},
        index=pd.Index(c.services, name="service"),
    )
    if any(target is not None for target in targets):
        frame["target"] = [math.nan if target is None else target for target in targets]
    return _labelled(frame, time_unit, currency)


_NUMBERS = (
    "number_present", "number_waiting", "number_in_service", "number_blocked",
    "number_held_in_transfer", "number_outside",
)  # fmt: skip
_SUMS = (
    "number_waiting", "number_in_service", "number_blocked", "number_held_in_transfer",
    "number_outside", "arrival_rate", "throughput", "loss_rate", "overflow_rate",
    "abandonment_rate", "growth_rate",
)  # fmt: skip
_TIMES = ("waiting_time", "blocked_time", "held_transfer_time", "response_time")


def _mean(values: Floats, weights: Floats) -> Floats:
    """Return the mean over classes, weighted by their flows; classes without flow do not count."""
    return ratio(_times(weights, values).sum(axis=1), weights.sum(axis=1))


def class_columns(c: Compilation, m: Measures, journeys: Journeys) -> dict[str, Floats]:
    """Return the columns by class, each an array (R,), end to end."""
    external = c.arrays.external_arrival_rate
    out = leaving(c.arrays, m)
    return {
        "external_arrival_rate": external.sum(axis=0),
        "throughput": out.leaving_rate,
        "number_present": present_by_state(m).sum(axis=0),
        "in_transit": out.in_transit,
        "number_outside": m.number_outside.sum(axis=0),
        "system_response_time": journeys.system_response_time,
        "delay_time": journeys.delay_time,
        "served_probability": journeys.served_probability,
        "loss_rate": m.loss_rate.sum(axis=0),
        "overflow_rate": m.overflow_rate.sum(axis=0),
        "abandonment_rate": m.abandonment_rate.sum(axis=0),
        "growth_rate": m.growth_rate.sum(axis=0),
    }


def class_table(
    c: Compilation, m: Measures, journeys: Journeys, time_unit: str, currency: str
) -> pd.DataFrame:
    """Return one row a job class, end to end, by the class in which a job enters."""
    index = pd.Index(c.classes, name="class")
    frame = pd.DataFrame(class_columns(c, m, journeys), index=index)
    return _labelled(frame, time_unit, currency)


def system_totals(c: Compilation, m: Measures) -> dict[str, float]:
    """Return the totals of the whole network and its costs by name."""
    out: Leaving = leaving(c.arrays, m)
    late = delay_by_state(m)
    finite = np.isfinite(c.arrays.servers)
    capacity = float((c.cost_per_server * np.where(finite, c.arrays.servers, 0.0)).sum())
    delay = float(_times(c.cost_of_delay, late).sum())
    turned_away = m.loss_rate + m.overflow_rate + m.abandonment_rate
    priced = np.where(np.isnan(c.cost_of_loss), 0.0, c.cost_of_loss)
    loss = float(_times(priced, turned_away).sum())
    return {
        "external_arrival_rate": float(c.arrays.external_arrival_rate.sum()),
        "throughput": float(out.leaving_rate.sum()),
        "number_present": float(present_by_state(m).sum()),
        "in_transit": float(out.in_transit.sum()),
        "number_outside": float(m.number_outside.sum()),
        "delay": float(late.sum()),
        "loss_rate": float(m.loss_rate.sum()),
        "overflow_rate": float(m.overflow_rate.sum()),
        "abandonment_rate": float(m.abandonment_rate.sum()),
        "growth_rate": float(m.growth_rate.sum()),
        "cost_capacity": capacity,
        "cost_delay": delay,
        "cost_loss": loss,
        "cost": capacity + delay + loss,
    }


def system_series(totals: dict[str, float]) -> pd.Series[float]:
    """Return the totals of the whole network and its costs."""
    return pd.Series(totals, name="system")


def blocked_by_table(c: Compilation, m: Measures) -> pd.DataFrame:
    """Return who waits for whom: a row's jobs are blocked for a column's places; mean numbers."""
    matrix = np.zeros((len(c.services), len(c.services)))
    np.add.at(matrix, (m.blocked_by_from, m.blocked_by_to), m.blocked_by_number)
    index = pd.Index(c.services, name="blocked at")
    return pd.DataFrame(matrix, index=index, columns=pd.Index(c.services, name="waits for"))


def disagreement_table(c: Compilation, m: Measures) -> pd.DataFrame:
    """Return the number waiting by each of two blended methods, and their ratio."""
    both = np.stack([m.waiting_by_qna, m.waiting_by_robust], axis=1)
    index = pd.Index(c.services if len(both) else [], name="service")
    frame = pd.DataFrame(both, index=index, columns=["qna", "robust"])
    usable = np.isfinite(both).all(axis=1)
    waits = usable & (both[:, 0] > 0.0)
    frame["ratio"] = np.where(usable, 1.0, np.nan)
    frame.loc[waits, "ratio"] = both[waits, 1] / both[waits, 0]
    frame.loc[usable & (both[:, 0] == 0.0) & (both[:, 1] > 0.0), "ratio"] = np.inf
    return frame


def records(value: Any) -> Any:
    """Return tables, arrays and numbers as JSON holds them: inf and nan as texts, rows as lists."""
    if isinstance(value, pd.DataFrame):
        index = list(value.index.names)
        frame = value.reset_index() if index != [None] else value
        return [
            {str(key): records(item) for key, item in row.items()}
            for row in frame.to_dict(orient="records")
        ]
    if isinstance(value, (pd.Series, dict)):
        return {str(key): records(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [records(item) for item in value]
    if isinstance(value, np.generic):
        return records(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value

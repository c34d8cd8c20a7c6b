"""Build `CompiledNetwork` values for kernel tests from dense, readable arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from flownet.kernels.compiled import (
    DETERMINISTIC,
    EXPONENTIAL,
    HYPEREXPONENTIAL,
    LOST,
    MIXED_ERLANG,
    CompiledNetwork,
)


def _by_class(value: Any, shape: tuple[int, int]) -> np.ndarray:
    """Spread a scalar, one value a service, or one value a service and class over (n, R)."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim == 1:
        array = array[:, None]
    return np.array(np.broadcast_to(array, shape))


def _freeze(array: np.ndarray) -> np.ndarray:
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array


def build(
    service_time: Any,
    *,
    external: Any = 0.0,
    routing: Any = None,
    servers: Any = 1.0,
    capacity: Any = np.inf,
    discipline: Any = 0,
    when_full: Any = 0,
    external_when_full: Any = LOST,
    overflow_to: Any = -1,
    priority: Any = 0,
    service_scv: Any = 1.0,
    arrival_scv: Any = 1.0,
    patience: Any = np.inf,
    transfer_delay: Any = 0.0,
    holds_server: Any = False,
    entry_priority: Any = 1,
    places_left_free: Any = 0,
    external_entry_priority: Any = 1,
    external_places_left_free: Any = 0,
    family: Any = None,
) -> CompiledNetwork:
    """Build a network; `service_time` is (n,) or (n, R).

    `routing` is (n, n), the same for every class, (R, n, n) by class, or (S, S) over states where
    it is two-dimensional with more than n rows; the other attributes of routes likewise.
    """
    time = np.asarray(service_time, dtype=np.float64)
    time = time[:, None] if time.ndim == 1 else time
    n, classes = shape = time.shape
    states = n * classes

    def over_states(value: Any) -> np.ndarray:
        array = np.asarray(value, dtype=np.float64)
        if array.shape == (states, states) and classes > 1:
            return array
        array = np.broadcast_to(array, (classes, n, n))
        full = np.zeros((n, classes, n, classes))
        for k in range(classes):
            full[:, k, :, k] = array[k]
        return full.reshape(states, states)

    matrix = over_states(np.zeros((n, n)) if routing is None else routing)
    source, target = np.nonzero(matrix)
    delay, holds = over_states(transfer_delay), over_states(holds_server)
    scv = _by_class(service_scv, shape)
    if family is None:
        family = np.select(
            [scv == 0.0, scv == 1.0, scv < 1.0],
            [DETERMINISTIC, EXPONENTIAL, MIXED_ERLANG],
            HYPEREXPONENTIAL,
        )
    parameters = np.zeros((n, classes, 3))
    parameters[..., 0] = time

    def per_service(value: Any, kind: type) -> np.ndarray:
        return _freeze(np.array(np.broadcast_to(np.asarray(value, dtype=kind), n)))

    def of_routes(value: Any) -> np.ndarray:
        return _freeze(over_states(value)[source, target].astype(np.int64))

    return CompiledNetwork(
        servers=per_service(servers, np.float64),
        capacity=per_service(capacity, np.float64),
        discipline=per_service(discipline, np.int64),
        when_full=per_service(when_full, np.int64),
        external_when_full=per_service(external_when_full, np.int64),
        overflow_to=per_service(overflow_to, np.int64),
        priority=_freeze(_by_class(priority, shape).astype(np.int64)),
        service_time=_freeze(time),
        service_scv=_freeze(scv),
        external_arrival_rate=_freeze(_by_class(external, shape)),
        arrival_scv=_freeze(_by_class(arrival_scv, shape)),
        patience=_freeze(_by_class(patience, shape)),
        route_start=_freeze(np.searchsorted(source, np.arange(states + 1)).astype(np.uint32)),
        route_to=_freeze(target.astype(np.uint32)),
        route_probability=_freeze(matrix[source, target]),
        transfer_delay=_freeze(delay[source, target]),
        holds_server=_freeze(holds[source, target].astype(np.bool_)),
        entry_priority=of_routes(entry_priority),
        places_left_free=of_routes(places_left_free),
        external_entry_priority=_freeze(_by_class(external_entry_priority, shape).astype(int)),
        external_places_left_free=_freeze(_by_class(external_places_left_free, shape).astype(int)),
        service_family=_freeze(np.array(np.broadcast_to(family, shape), dtype=np.int64)),
        service_parameters=_freeze(parameters),
        samples=_freeze(np.zeros(0)),
    )

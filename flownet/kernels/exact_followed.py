"""The time that one job spends in the network, by following it through the chain.

A job that arrives at a random moment finds the network in its steady state (Poisson arrivals). From
then on it belongs to a class of its own, in everything like the class that it came from, and the
chain is followed until it has left. The states of this chain are those of the network times the
places where the job can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from flownet.errors import MethodError, ParameterError
from flownet.kernels import exact_tables as col
from flownet.kernels.compiled import PREEMPTIVE, CompiledNetwork, Floats, Integers
from flownet.kernels.exact_access import chance, next_choices
from flownet.kernels.exact_layout import Layout, Limits, lay_out
from flownet.kernels.exact_moves import ask
from flownet.kernels.exact_patience import absorb
from flownet.kernels.exact_solution import at_times, check, solve_steady
from flownet.kernels.exact_space import Chain, chain_of, follow_all
from flownet.kernels.exact_store import find_or_add, new_store
from flownet.kernels.exact_tables import pack, scratch_for
from flownet.kernels.exact_transient import distributions
from flownet.kernels.exact_walk import end_of_followed

Number = TypeVar("Number", np.float64, np.int64)

NEGLIGIBLE = 1e-15
"""States that are rarer are not followed."""


class TimeInSystem(NamedTuple):
    """How long a job is in the network, from asking for its first place to its end."""

    served: float
    """Probability that it leaves after service."""
    lost: float
    gave_up: float
    mean: float
    """Of those who leave after service, in T; with the time outside, where they wait there."""
    variance: float
    times: Floats
    left: Floats
    """Probability to have left after service within each of the times."""
    states: int


def with_twins(compiled: CompiledNetwork) -> tuple[CompiledNetwork, Integers]:
    """Return the network with a second class like each class, and the origin of its routes."""
    n, classes = compiled.service_time.shape

    def twice(array: NDArray[Number]) -> NDArray[Number]:
        return np.concatenate([array, array], axis=1)

    starts, routes = [0], []
    first = compiled.route_start.astype(np.int64)
    for i in range(n):
        for twin in (0, 1):
            for k in range(classes):
                pair = i * classes + k
                for route in range(first[pair], first[pair + 1]):
                    target, label = divmod(int(compiled.route_to[route]), classes)
                    routes.append((route, target * 2 * classes + twin * classes + label))
                starts.append(len(routes))
    old = np.array([route for route, _ in routes], dtype=np.int64)
    twins = compiled._replace(
        priority=twice(compiled.priority),
        service_time=twice(compiled.service_time),
        service_scv=twice(compiled.service_scv),
        external_arrival_rate=np.hstack(
            [compiled.external_arrival_rate, np.zeros_like(compiled.external_arrival_rate)]
        ),
        arrival_scv=twice(compiled.arrival_scv),
        patience=twice(compiled.patience),
        route_start=np.array(starts, dtype=np.uint32),
        route_to=np.array([target for _, target in routes], dtype=np.uint32),
        route_probability=compiled.route_probability[old],
        transfer_delay=compiled.transfer_delay[old],
        holds_server=compiled.holds_server[old],
        entry_priority=compiled.entry_priority[old],
        places_left_free=compiled.places_left_free[old],
        external_entry_priority=twice(compiled.external_entry_priority),
        external_places_left_free=twice(compiled.external_places_left_free),
        service_family=twice(compiled.service_family),
        service_parameters=twice(compiled.service_parameters),
    )
    return twins, old


class _Translation(NamedTuple):
    """How a state of the network is written in the chain with twins."""

    plain: Integers
    """(any, 2) slots with the same content: from, to."""
    lists: list[tuple[int, int, int, int, dict[int, int]]]
    """Lists: slot and only item from, slot and only item to, and what the items become."""


def _translation(old: Layout, new: Layout, pairs: Integers, routes: Integers) -> _Translation:
    """Compare the tables of the network with those of the network with twins."""
    a, b = old.tables, new.tables
    plain = [
        (int(a.service[i, c]), int(b.service[i, c]))
        for i in range(len(a.service))
        for c in (col.HELD, col.WAITING)
    ]
    for pair, twin in enumerate(pairs):
        plain += [
            (int(a.pair[pair, col.PHASE]) + h, int(b.pair[twin, col.PHASE]) + h)
            for h in range(int(a.pair[pair, col.PHASES]))
        ]
        if a.pair[pair, col.ARRIVAL_PHASE] >= 0:
            plain.append(
                (int(a.pair[pair, col.ARRIVAL_PHASE]), int(b.pair[twin, col.ARRIVAL_PHASE]))
            )
    for route, twin in enumerate(routes):
        if a.route[route, col.TRANSFER] >= 0:
            plain.append((int(a.route[route, col.TRANSFER]), int(b.route[twin, col.TRANSFER])))
    places = {tuple(kind): number for number, kind in enumerate(b.kind.tolist())}
    kinds = {}
    for number, (source, target, *rest) in enumerate(a.kind.tolist()):
        origin = int(pairs[source]) if source >= 0 else source
        kinds[number] = places[origin, int(pairs[target]), *rest]
    lists = []
    for number, row in enumerate(a.lists):
        owner = int(row[col.OWNER])
        if a.service[owner, col.DOOR] == number:
            match, items = int(b.service[owner, col.DOOR]), kinds
        else:
            items = {p: int(q) for p, q in enumerate(pairs) if a.pair[p, col.LINE] == number}
            match = int(b.pair[next(iter(items.values())), col.LINE])
        slots = int(row[col.SLOT]), int(row[col.ITEM])
        lists.append((*slots, int(b.lists[match, col.SLOT]), int(b.lists[match, col.ITEM]), items))
    return _Translation(np.array(plain, dtype=np.int64), lists)


def _write(translation: _Translation, state: Integers, w: Integers) -> None:
    """Write a state of the network into scratch memory as one of the chain with twins."""
    slots = w[col.STATE :]
    slots[: int(w[col.SLOTS])] = 0
    slots[translation.plain[:, 1]] = state[translation.plain[:, 0]]
    for slot, only, new_slot, new_only, items in translation.lists:
        length = int(state[slot])
        slots[new_slot] = length
        if new_only < 0:
            for place in range(1, length + 1):
                slots[new_slot + place] = items[only if only >= 0 else int(state[slot + place])]


def follow(
    compiled: CompiledNetwork,
    chain: Chain,
    limits: Limits,
    probability: Floats,
    pair: tuple[int, int],
    max_states: int,
) -> Chain:
    """Return the chain of a network with a job that has just arrived and is followed.

    Parameters
    ----------
    compiled : CompiledNetwork
    chain : Chain
        The chain of the network.
    limits : Limits
        At which the chain is cut off.
    probability : (N,) array
        Its stationary distribution.
    pair : (int, int)
        Service and class of the job.
    max_states : int

    Raises
    ------
    ParameterError
        Where there would be more than `max_states` states.
    """
    n, classes = compiled.service_time.shape
    twins, old = with_twins(compiled)
    joint = Limits(limits.present + 1, limits.outside + 1, (limits.transit + 1)[old])
    _, routes = np.unique(old, return_index=True)  # the first of each is of the old class
    start = np.zeros((n, 2 * classes), dtype=np.int64)
    start[pair[0], classes + pair[1]] = 1
    bare = lay_out(twins, joint, start)
    owner = np.concatenate([bare.owner, np.full(col.FATES, -1)])
    layout = bare._replace(slots=bare.slots + col.FATES, owner=owner)
    pairs = np.array([i * 2 * classes + k for i in range(n) for k in range(classes)])
    translation = _translation(chain.layout, layout, pairs, routes)
    return _begin(chain, layout, translation, probability, int(start.argmax()), max_states)


def _begin(
    chain: Chain,
    layout: Layout,
    translation: _Translation,
    probability: Floats,
    twin: int,
    max_states: int,
) -> Chain:
    """Let the followed job arrive in every state, and follow it."""
    packed = pack(layout.tables)
    scratch = scratch_for(layout.tables, layout.slots, cyclic=layout.cyclic)
    w = scratch.whole
    w[col.FATE] = layout.slots - col.FATES
    likely = np.flatnonzero(probability > NEGLIGIBLE)
    counts = (col.FOUND_FULL + len(layout.tables.service), len(layout.tables.pair))
    store = new_store(layout.slots, counts, 8 * len(likely) + 1024, 16384)
    starts = []
    for row in likely:
        state = chain.store.states[row].astype(np.int64)
        w[col.DEPTH] = 0
        while True:
            w[[col.CURSOR, col.CUT, col.NOTES]] = 0
            _write(translation, state, w)
            ask(packed.whole, w, col.OUTSIDE, twin, col.NO_ROUTE)
            end_of_followed(packed.whole, w)
            number = int(find_or_add(store.states, store.table, store.size, w))
            weight = float(probability[row] * chance(packed.whole, packed.figures, w))
            starts.append((number, weight))
            if not next_choices(w):
                break
    return chain_of(layout, packed, scratch, follow_all(packed, scratch, store, max_states), starts)


def _expected(chain: Chain, gain: Floats) -> Floats:
    """Return, from each state, the expected sum of `gain` per T until the job's end."""
    total = np.where(chain.exit_rate > 0.0, chain.exit_rate, 1.0)
    start, target = chain.rates.indptr.astype(np.int64), chain.rates.indices.astype(np.uint32)
    value = np.zeros(chain.size)
    absorb(start, target, chain.rates.data, total, gain, value)
    return value


def _summary(chain: Chain, at: Sequence[float]) -> TimeInSystem:
    """Return the fates, the moments and the distribution of the time of a followed job."""
    first = int(chain.scratch.whole[col.FATE])
    ends = chain.store.states[: chain.size, first : first + col.FATES].astype(np.float64)
    fates = [_expected(chain, ends[:, fate].copy()) for fate in range(col.FATES)]
    served = fates[col.LEFT_SERVED]
    alive = 1.0 - ends.sum(axis=1)
    once = _expected(chain, alive * served)
    twice = _expected(chain, 2.0 * alive * once)
    weight = float(chain.first @ served)
    mean = float(chain.first @ once) / weight if weight > 0.0 else np.nan
    square = float(chain.first @ twice) / weight if weight > 0.0 else np.nan
    order = np.argsort(np.asarray(at, dtype=np.float64), kind="stable")
    times = np.asarray(at, dtype=np.float64)[order]
    spread = distributions(chain, times.tolist())
    left = np.zeros(len(times))
    left[order] = [float(p @ ends[:, col.LEFT_SERVED]) for p in spread]
    return TimeInSystem(
        served=weight,
        lost=float(chain.first @ fates[col.WAS_LOST]),
        gave_up=float(chain.first @ fates[col.HAD_GIVEN_UP]),
        mean=mean,
        variance=square - mean**2,
        times=np.asarray(at, dtype=np.float64),
        left=left,
        states=chain.size,
    )


def time_in_system(
    compiled: CompiledNetwork,
    service: int,
    job_class: int,
    *,
    at: Sequence[float] = (),
    max_states: int = 1_000_000,
    truncation_mass: float = 1e-12,
    fit: bool = False,
) -> TimeInSystem:
    """Return the distribution of the time in the network of a job that arrives from outside.

    ``P(T <= t) = sum over x of p(x) P(gone by t | arrived in x)``, p the steady state.

    Parameters
    ----------
    compiled : CompiledNetwork
    service, job_class : int
        Where, and as which class, the job arrives from outside.
    at : sequence of float
        Times in T, at least 0.
    max_states : int
        The most states of the chain of the network with the followed job, at least 1.
    truncation_mass, fit
        As for `solve_exact`.

    Returns
    -------
    TimeInSystem

    Raises
    ------
    MethodError
        Where a chain cannot hold the network, arrivals are not Poisson, jobs are interrupted, or
        it is overloaded.
    ParameterError
        Where there would be more than `max_states` states.

    Notes
    -----
    The time runs from the job's asking for a place to its end, so it holds the time outside. The
    chain has about as many states as that of the network times the number of places, in lines,
    services and transfers, where the job can be.

    Examples
    --------
    See `tests/kernels/test_exact_followed.py`.
    """
    n, classes = compiled.service_time.shape
    if not (0 <= service < n and 0 <= job_class < classes):
        message = f"service {service} and class {job_class} are not among {n} and {classes}"
        raise ParameterError(message, "service, job_class")
    if compiled.arrival_scv[service, job_class] != 1.0:
        raise MethodError("exact", ["a job can be followed only where arrivals are Poisson"])
    if (compiled.discipline == PREEMPTIVE).any():
        raise MethodError("exact", ["a job can be followed only where none is interrupted"])
    check(compiled, max_states=max_states, mass=truncation_mass, fit=fit)
    solved = solve_steady(compiled, max_states, truncation_mass, None)
    if (solved.chain.layout.tables.lists[:, col.DRAW] >= 0).any():
        raise MethodError("exact", ["in an overloaded network a job's time has no end"])
    chain = follow(
        compiled,
        solved.chain,
        solved.limits,
        solved.probability,
        (service, job_class),
        max_states,
    )
    return _summary(chain, at_times(at) if len(at) else [])

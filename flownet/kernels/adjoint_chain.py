"""Gradients of the exact chain: one linear solve, then one walk over the events of its states."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csc_array, csr_array, diags_array
from scipy.sparse.linalg import LinearOperator, gmres, spilu, splu

from flownet.jit import njit
from flownet.kernels import exact_tables as col
from flownet.kernels.adjoint import Gradient, Weights
from flownet.kernels.compiled import CompiledNetwork, Floats, Integers
from flownet.kernels.exact_access import chance, next_choices, of_list, of_route
from flownet.kernels.exact_events import list_events
from flownet.kernels.exact_measures import (
    BLOCKED,
    IN_LINE,
    IN_TRANSFER,
    NUMBERS,
    OUTSIDE,
    WORKING,
    Numbers,
    add_numbers,
)
from flownet.kernels.exact_solution import Solved, check, solve_steady
from flownet.kernels.exact_space import Chain
from flownet.kernels.exact_store import STATES, Store, find_or_add
from flownet.kernels.exact_tables import (
    ARRIVAL,
    CHANGE,
    CURSOR,
    CUT,
    DEPARTURE,
    DEPTH,
    EVENT_AT,
    EVENTS,
    FROM,
    GONE,
    ITEM,
    NOTE_AT,
    NOTES,
    PREPARATION,
    ROUTED,
    SLOT,
    SLOTS,
    STARTED,
    STATE,
    TRANSFERRED,
    Slots,
)
from flownet.kernels.exact_walk import happen

DIRECT = 30_000
"""Up to so many states the adjoint equations are factorized."""
SOLVED = 1e-11

# rows of the tally by state (service, class); those of the routes stand apart
ARRIVING, SERVING, LEAVING, GIVING_UP = 0, 1, 2, 3
TALLIES = 4


def chain_gradient(
    compiled: CompiledNetwork,
    weights: Weights,
    *,
    max_states: int = 1_000_000,
    truncation_mass: float = 1e-12,
    fit: bool = False,
) -> Gradient | None:
    r"""Return the gradient of a weighting of the measures of the exact chain.

    .. math:: \frac{dJ}{d\theta} = \pi \frac{\partial Q}{\partial\theta} \psi
              + \pi \frac{\partial g}{\partial\theta},\qquad Q \psi = J - g

    Parameters
    ----------
    compiled : CompiledNetwork
    weights : Weights
    max_states, truncation_mass, fit
        As for `solve_exact`.

    Returns
    -------
    Gradient or None
        Servers and waiting room, whose derivatives a chain does not have, are nan. None where a
        queue grows for ever or the adjoint equations are not solved.

    Notes
    -----
    g is what a state is worth per T, events at their rates included; psi how much more is to come
    from a state than from the average one (the bias; the group inverse of Q applied to -g).
    Every transition belongs to an event, and every event's rate is proportional to one parameter,
    so that one walk over all events gives every derivative.

    References
    ----------
    Schweitzer (1968), J. Appl. Probab. 5, 401 (perturbation of a finite chain); Meyer (1975), SIAM
    Rev. 17, 443 (group inverse).
    """
    start = check(compiled, max_states=max_states, mass=truncation_mass, fit=fit)
    solved = solve_steady(compiled, max_states, truncation_mass, start)
    chain = solved.chain
    if (chain.layout.tables.lists[:, col.DRAW] >= 0).any() or not solved.standing.converged:
        return None
    worth = _state_worth(chain, weights)
    rewards = _rewards(chain, weights)
    _tallied(chain, solved.probability, np.zeros(0), rewards, worth)
    bias = _bias(chain, solved, worth)
    if bias is None:
        return None
    by_pair, by_route = _tallied(chain, solved.probability, bias, rewards, np.zeros(0))
    return _collect(compiled, by_pair, by_route)


def _state_worth(chain: Chain, weights: Weights) -> Floats:
    """Return what each state is worth per T by the numbers in it."""
    pairs = chain.layout.tables.pair.shape[0]
    table = np.zeros((NUMBERS, pairs))
    for row, name in (
        (IN_LINE, "number_waiting"),
        (WORKING, "number_in_service"),
        (BLOCKED, "number_blocked"),
        (IN_TRANSFER, "number_held_in_transfer"),
        (OUTSIDE, "number_outside"),
    ):
        table[row] = getattr(weights, name).ravel()
    states = chain.store.states[: chain.size]
    most = int(states.max()) * 2 + 2
    services = chain.layout.tables.service.shape[0]
    numbers = Numbers(
        np.zeros((NUMBERS, pairs)),
        np.zeros((services, services)),
        np.zeros((services, most)),
        np.zeros((services, most)),
        np.zeros((services, most)),
        np.zeros(services, dtype=np.int64),
    )
    worth = np.zeros(chain.size)
    _fill_worth(chain.packed.whole, chain.packed.figures, states, numbers, table, worth)
    return worth


@njit
def _fill_worth(
    t: Integers, f: Floats, states: Slots, numbers: Numbers, table: Floats, worth: Floats
) -> None:
    """Weigh the numbers of every state by itself."""
    one = np.ones(1)
    for row in range(states.shape[0]):
        numbers.by_pair[:] = 0.0
        add_numbers(t, f, states[row : row + 1], one, numbers)
        worth[row] = np.sum(numbers.by_pair * table)


def _rewards(chain: Chain, weights: Weights) -> Floats:
    """Return what each kind of happening is worth, by counter and state of the network."""
    table = np.zeros((chain.store.happened.shape[0], chain.layout.tables.pair.shape[0]))
    for row, name in (
        (col.ARRIVED, "arrival_rate"),
        (col.COMPLETED, "throughput"),
        (col.LOSSES, "loss_rate"),
        (col.OVERFLOWS, "overflow_rate"),
        (col.ABANDONED, "abandonment_rate"),
    ):
        table[row] = getattr(weights, name).ravel()
    return table


def _tallied(
    chain: Chain, probability: Floats, bias: Floats, rewards: Floats, worth: Floats
) -> tuple[Floats, Floats]:
    """Walk over all events; return what they are worth by their parameters.

    With a `worth` that has one entry a state, what the events of each are worth per T is added
    to it instead.
    """
    tables = chain.layout.tables
    owner = np.full(chain.layout.slots, -1, dtype=np.int64)
    for pair, row in enumerate(tables.pair):
        if row[col.ACTIVE] == 1:
            owner[row[col.PHASE] : row[col.PHASE] + row[col.PHASES]] = pair
        if row[col.ARRIVAL_PHASE] >= 0:
            owner[row[col.ARRIVAL_PHASE]] = pair
    by_pair = np.zeros((TALLIES, tables.pair.shape[0]))
    by_route = np.zeros((2, tables.route.shape[0]))
    _walk(
        chain.packed.whole, chain.packed.figures, chain.scratch.whole, chain.scratch.rates,
        chain.store, probability, bias, rewards, owner, by_pair, by_route,
        worth,
    )  # fmt: skip
    return by_pair, by_route


@njit
def _walk(
    t: Integers,
    f: Floats,
    w: Integers,
    rates: Floats,
    store: Store,
    probability: Floats,
    bias: Floats,
    rewards: Floats,
    owner: Integers,
    by_pair: Floats,
    by_route: Floats,
    worth: Floats,
) -> None:
    """Run every event of every state; add what it is worth to the parameter of its rate."""
    for row in range(store.size[STATES]):
        state = store.states[row]
        list_events(t, f, w, rates, state)
        for event in range(w[EVENTS]):
            place = w[EVENT_AT] + 3 * event
            w[DEPTH] = 0
            while True:
                for slot in range(w[SLOTS]):
                    w[STATE + slot] = state[slot]
                w[CURSOR] = w[CUT] = w[NOTES] = w[STARTED] = w[GONE] = 0
                happen(t, w, w[place], w[place + 1], w[place + 2])
                if w[CUT] == 0:
                    gain = 0.0
                    for note in range(w[NOTE_AT], w[NOTE_AT] + 2 * w[NOTES], 2):
                        gain += rewards[w[note], w[note + 1]]
                    rate = rates[event] * chance(t, f, w)
                    if worth.size > 0:
                        worth[row] += rate * gain
                    else:
                        after = find_or_add(store.states, store.table, store.size, w)
                        value = probability[row] * rate * (bias[after] - bias[row] + gain)
                        _add(t, w, state, place, value, owner, by_pair, by_route)
                if not next_choices(w):
                    break


@njit
def _add(
    t: Integers,
    w: Integers,
    state: Slots,
    place: int,
    value: float,
    owner: Integers,
    by_pair: Floats,
    by_route: Floats,
) -> None:
    """Add a value to the parameter that an event's rate is proportional to."""
    what, a, b = w[place], w[place + 1], w[place + 2]
    if what == ARRIVAL:
        by_pair[ARRIVING, a] += value
    elif what == PREPARATION:
        by_pair[ARRIVING, owner[a]] += value
    elif what == CHANGE:
        by_pair[SERVING, owner[a]] += value
    elif what == DEPARTURE:
        by_pair[SERVING, a] += value
        by_pair[LEAVING, a] += value
    elif what == ROUTED:
        by_pair[SERVING, of_route(t, a, FROM)] += value
        by_route[0, a] += value
    elif what == TRANSFERRED:
        by_route[1, a] += value
    else:
        item = of_list(t, a, ITEM)
        if item < 0:
            item = state[of_list(t, a, SLOT) + 1 + b]
        by_pair[GIVING_UP, item] += value


def _bias(chain: Chain, solved: Solved, worth: Floats) -> Floats | None:
    """Solve Q psi = J - g with psi = 0 in the likeliest state; None where that fails."""
    size = chain.size
    kept = np.flatnonzero(np.arange(size) != int(np.argmax(solved.probability)))
    mean = float(solved.probability @ worth)
    bias = np.zeros(size)
    if not kept.size:
        return bias
    generator = csr_array(chain.rates - diags_array(chain.exit_rate))[kept][:, kept]
    right = mean - worth[kept]
    system = csc_array(generator)
    if size <= DIRECT:
        bias[kept] = splu(system).solve(right)
        return bias
    rough: Any = spilu(system, drop_tol=1e-4, fill_factor=8)
    guess = LinearOperator(system.shape, matvec=rough.solve, dtype=np.float64)
    answer, failed = gmres(system, right, M=guess, rtol=SOLVED, atol=0.0, restart=80, maxiter=40)
    bias[kept] = answer
    return None if failed else bias


def _collect(compiled: CompiledNetwork, by_pair: Floats, by_route: Floats) -> Gradient:
    """Return derivatives by parameter from values per relative change of a rate."""
    shape = compiled.service_time.shape

    def over(values: Floats, parameter: Floats, sign: float = 1.0) -> Floats:
        flat = parameter.ravel()
        good = np.isfinite(flat) & (flat > 0)
        return np.divide(sign * values, flat, out=np.zeros(flat.size), where=good).reshape(
            parameter.shape
        )

    source = np.repeat(np.arange(shape[0] * shape[1]), np.diff(compiled.route_start.astype(int)))
    going = np.bincount(source, compiled.route_probability, shape[0] * shape[1])
    leaving = np.where(1.0 - going > 1e-12, 1.0 - going, np.nan)
    return Gradient(
        servers=np.full(shape[0], np.nan),
        waiting_room=np.full(shape[0], np.nan),
        service_time=over(by_pair[SERVING], compiled.service_time, -1.0),
        external_arrival_rate=over(by_pair[ARRIVING], compiled.external_arrival_rate),
        patience=over(by_pair[GIVING_UP], compiled.patience, -1.0),
        routing_probability=over(by_route[0], compiled.route_probability)
        - (by_pair[LEAVING] / leaving)[source],
        transfer_delay=over(by_route[1], compiled.transfer_delay, -1.0),
    )

"""The law of one visit to a service: a wait with mass at zero, then service.

The shape of a wait comes from theory, its mean and the chance to wait from the measures of the
method that solved the network, so that means agree with its tables.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from flownet.kernels.compiled import (
    DELAY,
    PRIORITY,
    PROCESSOR_SHARING,
    CompiledNetwork,
    Floats,
    Integers,
    Measures,
)
from flownet.kernels.journey_impatience import Line, impatient_line, line_transform
from flownet.kernels.journey_laws import Complexes, service_transforms, third_moments
from flownet.kernels.journey_steps import (
    Steps,
    behind_full_room,
    left_of_step,
    longer_behind,
    standstills,
    step_ratio,
    steps_transform,
)

NONE, EXPONENTIAL, GENERAL, RANKED, STEPS, IMPATIENT, SHARED = range(7)
"""Nobody waits; exponential; of M/G/1; by rank; a bounded line; an impatient line; sharing."""
FEW_TERMS = 1e-13
MOST_TERMS = 4000


class Visits(NamedTuple):
    """What a visit to each state is made of; each (S,) over the states."""

    compiled: CompiledNetwork
    kind: Integers
    chance: Floats
    """Share of those served that wait."""
    mean: Floats
    """Of a positive wait, in T."""
    square: Floats
    """Its second moment, in T^2."""
    first: Floats
    """First parameter of the shape: load ratio, load of this rank and better, ratio, or load of
    the sharing service as one server."""
    second: Floats
    """Second parameter: load of the better ranks, places that wait, or mean service time of all."""
    share: Floats
    """Of this state in the flow through its service."""
    lines: dict[int, Line]
    """Impatient lines by service."""
    mixture: Floats
    """(3, n) moments of the classes' mixed service time at every service."""
    stopped: Floats
    standstill: Floats
    """As `Steps` has them, also where nobody waits inside."""
    step: Floats
    """Mean time in which a line at the service moves on by one, in T."""

    @property
    def classes(self) -> int:
        """Number of job classes."""
        return int(self.compiled.service_time.shape[1])


def ratio(top: Floats, bottom: Floats) -> Floats:
    """Return top / bottom, 0 where the bottom is 0."""
    return np.divide(top, bottom, out=np.zeros(np.shape(top)), where=np.asarray(bottom) > 0)


def sums(place: Integers, weights: Floats, size: int) -> Floats:
    """Return the sum of the weights at each place."""
    return np.asarray(np.bincount(place, weights, size), dtype=np.float64)


def visit_laws(compiled: CompiledNetwork, measures: Measures) -> Visits:
    """Choose the law of the wait at every state.

    Parameters
    ----------
    compiled : CompiledNetwork
    measures : Measures
        Of a converged method; states with infinite waits get no wait here.

    Returns
    -------
    Visits

    Notes
    -----
    First come, first served: the wait of those who wait is that of M/G/1 with the classes' mixed
    service law at the same load, scaled to the mean that the method found (exponential, and exact,
    for exponential service). By rank: that of M/M/c with non-preemptive ranks, likewise. In a
    bounded room: a truncated geometric number of exponential steps (exact for M/M/c/K). With
    patience: that of M/M/c/K+M, of those who are served. Shared servers: the response time of
    M/M/1 under processor sharing at the load that gives the mean found.

    References
    ----------
    Kella and Yechiali 1985 (ranks); Zeltyn and Mandelbaum 2005 (patience); Coffman, Muntz and
    Trotter 1970 (sharing).
    """
    shape = compiled.service_time.shape
    done = measures.throughput
    wait = np.where(done > 0.0, np.nan_to_num(measures.waiting_time, nan=0.0, posinf=0.0), 0.0)
    admitted = measures.arrival_rate - measures.loss_rate - measures.overflow_rate
    gone = ratio(np.minimum(measures.abandonment_rate, admitted), admitted)
    waits = np.nan_to_num(measures.wait_probability, nan=1.0)[:, None]
    chance = np.clip(ratio(waits - gone, 1.0 - gone), 0.0, 1.0)
    chance = np.where(wait > 0.0, np.where(chance > 0.0, chance, 1.0), 0.0)
    mean = ratio(wait, chance)
    share = ratio(done, np.broadcast_to(done.sum(axis=1, keepdims=True), shape))
    stopped, standstill, step = standstills(compiled, measures)
    kind, first, second, lines = _shapes(compiled, measures, chance, mean, stopped, standstill)
    visits = Visits(
        compiled,
        kind.reshape(-1),
        chance.reshape(-1),
        mean.reshape(-1),
        np.zeros(done.size),
        first.reshape(-1),
        second.reshape(-1),
        share.reshape(-1),
        lines,
        _mixture(compiled, share),
        np.repeat(stopped, shape[1]),
        np.repeat(standstill, shape[1]),
        np.repeat(step, shape[1]),
    )
    return visits._replace(square=_second_moments(visits))


def _shapes(
    compiled: CompiledNetwork,
    measures: Measures,
    chance: Floats,
    mean: Floats,
    stopped: Floats,
    standstill: Floats,
) -> tuple[Integers, Floats, Floats, dict[int, Line]]:
    """Return kind and two parameters of every state, and the impatient lines."""
    shape = mean.shape
    kind, first, second = np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape)
    held = measures.number_in_service + measures.number_blocked + measures.number_held_in_transfer
    servers = compiled.servers[:, None]
    load = np.minimum(np.nan_to_num(held / servers), 1.0)
    lines: dict[int, Line] = {}
    busy = (chance > 0.0).any(axis=1) & np.isfinite(compiled.servers)
    busy &= compiled.discipline != DELAY
    general = (np.abs(compiled.service_scv - 1.0) > 1e-9) & (measures.throughput > 0.0)
    mixed = general.any(axis=1) | _differ(compiled.service_time, measures.throughput > 0.0)
    for i in np.flatnonzero(busy).tolist():
        own = float(load[i].sum())
        if compiled.discipline[i] == PROCESSOR_SHARING:
            flow = measures.throughput[i]
            usual = float(flow @ compiled.service_time[i]) / float(flow.sum())
            stretch = ratio(chance[i] * mean[i], compiled.service_time[i])
            kind[i], first[i], second[i] = SHARED, stretch / (1.0 + stretch), usual
        elif np.isfinite(compiled.patience[i]).any():
            kind[i] = IMPATIENT
            lines[i] = impatient_line(compiled, measures, i)
        elif np.isfinite(compiled.capacity[i]):
            kind[i], second[i] = STEPS, max(compiled.capacity[i] - compiled.servers[i], 1.0)
            step = float(held[i].sum()) / float(measures.throughput[i].sum() * compiled.servers[i])
            step *= float(left_of_step(stopped[i], standstill[i]))
            first[i] = [step_ratio(each / step, second[i, 0]) for each in mean[i].tolist()]
        elif compiled.discipline[i] == PRIORITY and _ranked(compiled.priority[i], load[i]):
            kind[i] = RANKED
            rank = compiled.priority[i]
            first[i] = [min(float(load[i][rank <= own].sum()), 1.0 - 1e-9) for own in rank]
            second[i] = [float(load[i][rank < own].sum()) for own in rank]
        else:
            kind[i] = GENERAL if mixed[i] else EXPONENTIAL
            first[i] = min(own, 1.0 - 1e-9)
    kind[chance == 0.0] = NONE
    return kind, first, second, lines


def _differ(values: Floats, counted: np.ndarray) -> np.ndarray:
    """Tell at which services the counted values are not all the same."""
    low = np.where(counted, values, np.inf).min(axis=1)
    high = np.where(counted, values, -np.inf).max(axis=1)
    return np.asarray(high > low * (1.0 + 1e-12))


def _ranked(rank: Integers, load: Floats) -> bool:
    return bool(np.unique(rank[load > 0.0]).size > 1)


# ------------------------------------------------------------------------------ transforms


def wait_transforms(visits: Visits, points: Complexes) -> Complexes:
    """Return E[e^{-zW}] of a positive wait at every state, (S, K); 1 where nobody waits.

    All states at the same points (K,), or each at its own (S, K).
    """
    z = np.broadcast_to(points, (visits.kind.size, np.shape(points)[-1]))
    out = np.ones(z.shape, dtype=np.complex128)
    for kind, transform in (
        (EXPONENTIAL, _exponential), (RANKED, _ranked_wait), (STEPS, _steps), (GENERAL, _general),
        (IMPATIENT, _impatient),
    ):  # fmt: skip
        rows = np.flatnonzero(visits.kind == kind)
        if rows.size:
            out[rows] = transform(visits, rows, z[rows])
    return out


def _exponential(visits: Visits, rows: Integers, z: Complexes) -> Complexes:
    return np.asarray(1.0 / (1.0 + visits.mean[rows, None] * z))


def _ranked_wait(visits: Visits, rows: Integers, z: Complexes) -> Complexes:
    """Add up a geometric number of delay busy periods of the better ranks, one a step."""
    upto, before = visits.first[rows, None], visits.second[rows, None]
    u = z * visits.mean[rows, None] * (1.0 - upto) * (1.0 - before)
    middle = u + before + 1.0
    period = 2.0 / (middle + np.sqrt(middle * middle - 4.0 * before))
    return np.asarray((1.0 - upto) * period / (1.0 - upto * period))


def bounded_lines(visits: Visits, rows: Integers) -> Steps:
    """Return the bounded lines at these states."""
    return Steps(
        visits.first[rows], visits.second[rows], visits.chance[rows], visits.mean[rows],
        visits.stopped[rows], visits.standstill[rows],
    )  # fmt: skip


def _steps(visits: Visits, rows: Integers, z: Complexes) -> Complexes:
    return steps_transform(bounded_lines(visits, rows), z)


def last_in_line(visits: Visits, points: Complexes) -> Complexes:
    """Return what replaces the wait of a job that waited for its place and so comes last, (S, K).

    The transform of the wait behind a full waiting room, over that of the wait of all who come.
    """
    z = np.asarray(points)
    out = np.ones((visits.kind.size, z.size), dtype=np.complex128)
    rows = np.flatnonzero(visits.kind == STEPS)
    if rows.size:
        out[rows] = behind_full_room(bounded_lines(visits, rows), z)
    return out


def longer_for_last(visits: Visits) -> Floats:
    """Return by how much longer than all who come such a job waits on average, (S,)."""
    out = np.zeros(visits.kind.size)
    rows = np.flatnonzero(visits.kind == STEPS)
    if rows.size:
        out[rows] = longer_behind(bounded_lines(visits, rows))
    return out


def _general(visits: Visits, rows: Integers, z: Complexes) -> Complexes:
    """Pollaczek and Khinchine's (1 - rho) e(z) / (1 - rho e(z)), e that of the residual service."""
    service = rows // visits.classes
    first, load = visits.mixture[0][service], visits.first[rows, None]
    residual = 0.5 * visits.mixture[1][service] / first
    scaled = z * (visits.mean[rows] / residual)[:, None] * (1.0 - load)
    mixed = np.zeros(scaled.shape, dtype=np.complex128)
    for k in range(visits.classes):
        states = service * visits.classes + k
        share = visits.share[states, None]
        mixed += share * service_transforms(visits.compiled, scaled, states)
    rest = (1.0 - mixed) / (scaled * first[:, None])
    return np.asarray((1.0 - load) * rest / (1.0 - load * rest))


def _mixture(compiled: CompiledNetwork, share: Floats) -> Floats:
    """Return three moments of the classes' mixed service time at every service."""
    time = compiled.service_time
    square = (1.0 + compiled.service_scv) * time * time
    cube = third_moments(compiled).reshape(time.shape)
    return np.stack([(share * each).sum(axis=1) for each in (time, square, cube)])


def _impatient(visits: Visits, rows: Integers, z: Complexes) -> Complexes:
    out = np.empty(z.shape, dtype=np.complex128)
    for place, row in enumerate(rows.tolist()):
        line = visits.lines[row // visits.classes]
        out[place] = line_transform(line, z[place] * (visits.mean[row] / line.mean))
    return out


def visit_transforms(visits: Visits, points: Complexes) -> Complexes:
    """Return E[e^{-zV}] of a visit, wait and service, at every state, (S, K)."""
    z = np.asarray(points)
    chance = visits.chance[:, None]
    out = (1.0 - chance + chance * wait_transforms(visits, z)) * service_transforms(
        visits.compiled, z
    )
    rows = np.flatnonzero(visits.kind == SHARED)
    if rows.size:
        out[rows] = _shared(visits, rows, z)
    return np.asarray(out)


def _shared(visits: Visits, rows: Integers, z: Complexes) -> Complexes:
    r"""Return the response time of M/M/1 under sharing, its own service of any law.

    .. math:: \frac{(1-\rho)(1-\rho r^2)}{(1-\rho r)^2} \sum_j q^j \hat f(\lambda(1-r) + z + j\eta),
              \quad q = \rho \Big(\frac{1-r}{1-\rho r}\Big)^2, \quad
              \eta = \frac{\mu}{r} - \lambda r
    """
    load, mu = visits.first[rows, None], 1.0 / visits.second[rows, None]
    rate = load * mu
    middle = rate + mu + z
    r = 2.0 * mu / (middle + np.sqrt(middle * middle - 4.0 * rate * mu))
    front = (1.0 - load) * (1.0 - load * r * r) / (1.0 - load * r) ** 2
    q = load * ((1.0 - r) / (1.0 - load * r)) ** 2
    eta = mu / r - rate * r
    power, total = np.ones_like(q), np.zeros_like(q)
    for j in range(MOST_TERMS):
        term = power * service_transforms(visits.compiled, rate * (1.0 - r) + z + j * eta, rows)
        total += term
        power = power * q
        if np.abs(power).max() * max(np.abs(term).max(), 1e-3) < FEW_TERMS:
            break
    return np.asarray(front * total)


# -------------------------------------------------------------------------------- moments


def _second_moments(visits: Visits) -> Floats:
    """Return the second moment of a positive wait; where servers are shared, of the response."""
    mean = visits.mean
    square = 2.0 * mean * mean
    first, second, third = visits.mixture
    for row in np.flatnonzero(visits.kind >= GENERAL).tolist():
        kind, i, load = visits.kind[row], row // visits.classes, visits.first[row]
        if kind == GENERAL:
            one, two = 0.5 * second[i] / first[i], third[i] / (3.0 * first[i])
            whole = two / (1.0 - load) + 2.0 * load * (one / (1.0 - load)) ** 2
            square[row] = whole * (mean[row] * (1.0 - load) / one) ** 2
        elif kind == RANKED:
            before = visits.second[row]
            period = 1.0 / (1.0 - before)
            spread = 2.0 * period**3 - period**2
            number, pairs = 1.0 / (1.0 - load), (1.0 + load) / (1.0 - load) ** 2
            whole = number * spread + pairs * period**2
            square[row] = whole * (mean[row] / (number * period)) ** 2
        elif kind == SHARED:
            square[row] = _shared_square(visits, row)
        else:
            square[row] = _by_transform(visits, row)
    return square


def _shared_square(visits: Visits, row: int) -> float:
    """Return the second moment of the response time: E[x^2]/(1-rho)^2 + Var, see `_shared`."""
    c, load, usual = visits.compiled, float(visits.first[row]), float(visits.second[row])
    idle = 1.0 - load
    time, scv = c.service_time.reshape(-1)[row], c.service_scv.reshape(-1)[row]
    place = np.array([complex(idle / usual)])
    still = 1.0 - float(service_transforms(c, place, np.array([row]))[0, 0].real)
    spread = 2.0 * load * usual * (time / idle**3 - usual * still / idle**4)
    return float((1.0 + scv) * (time / idle) ** 2 + spread)


def _by_transform(visits: Visits, row: int) -> float:
    """Return the second moment of a short-tailed wait: (1 - Re E[e^{-ihW}]) 2/h^2, extrapolated."""
    h = 0.02 / float(visits.mean[row])
    rows = np.array([row])
    transform = _steps if visits.kind[row] == STEPS else _impatient
    one, two = 1.0 - transform(visits, rows, np.array([[1j * h, 2j * h]]))[0].real
    return float((16.0 * one - two) / (6.0 * h * h))

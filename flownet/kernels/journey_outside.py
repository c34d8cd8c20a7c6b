r"""What a job meets that has waited outside: a line that is slow, since many are blocked.

.. math:: E[O] = e + Q h, \quad h = s + p b, \quad e = s + p b \frac{b}{h}

Who waits outside finds Q jobs there on average, and what is left of the step under way; the line
moves on by steps h: service s and, with chance p, a standstill of mean b. E[O] and Q tell p,
which is more than on average, since lines are long when jobs are blocked. By as much more is such a
job itself likely to find its next service full.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from flownet.kernels.compiled import Floats
from flownet.kernels.journey_laws import Complexes
from flownet.kernels.journey_routes import Journey
from flownet.kernels.journey_steps import step_times, whole_step
from flownet.kernels.journey_waits import STEPS, Visits, bounded_lines, longer_for_last


class Late(NamedTuple):
    """What differs for jobs that have waited outside."""

    chance: Floats
    """(S,) that a step of the line meets a standstill."""
    usual: Floats
    """(S,) the same on average."""
    onward: Floats
    """(m,) by how much more likely they wait for a place along each route."""


def late_jobs(visits: Visits, journey: Journey) -> Late:
    """Return what follows from the mean time outside and the mean number outside.

    Parameters
    ----------
    visits : Visits
    journey : Journey
        Of the same network.
    """
    still, step = visits.standstill * visits.step, visits.step
    working, usual = step * (1.0 - visits.stopped), visits.stopped / visits.standstill
    wait, queue = journey.outside_wait, journey.outside_queue
    known = (visits.stopped > 0.0) & (queue > 0.0) & (wait > 0.0)
    rest = wait - working - still
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(rest * rest + 4.0 * queue * working * still)
        slow = (0.5 * (rest + root) / queue - working) / still
        more = np.where(known, np.clip(slow, usual, 1.0) / usual, 1.0)
    origin = np.repeat(np.arange(usual.size), np.diff(journey.start))
    onward = np.minimum(journey.chance * more[origin], 1.0) - journey.chance
    return Late(usual * more, usual, onward)


def behind_others(visits: Visits, late: Late, last: Complexes, z: Complexes) -> Complexes:
    """Return what replaces the wait inside of such jobs, (S, K); `last`: were the line as usual."""
    out = last.copy()
    rows = np.flatnonzero((visits.kind == STEPS) & (late.chance > late.usual))
    if rows.size:
        line = bounded_lines(visits, rows)
        slower = whole_step(line, z, late.chance[rows]) / whole_step(line, z, late.usual[rows])
        out[rows] *= slower ** line.most[:, None]
    return out


def longer_behind_others(visits: Visits, late: Late) -> Floats:
    """Return by how much longer than all who come they wait inside on average, (S,)."""
    out = longer_for_last(visits)
    rows = np.flatnonzero((visits.kind == STEPS) & (late.chance > late.usual))
    if rows.size:
        line = bounded_lines(visits, rows)
        more = (late.chance - late.usual)[rows] * line.standstill * step_times(line)
        out[rows] += line.most * more
    return out


def late_transforms(
    visits: Visits,
    journey: Journey,
    visit: Complexes,
    last: Complexes,
    z: Complexes,
    total: Complexes,
) -> Complexes:
    """Return E[e^{-zT}] from admission on of jobs that have waited outside, (S, K).

    Parameters
    ----------
    visit, last, total : (S, K) arrays
        Transforms of a visit, of what waiting for a place makes of it, and of all jobs from
        admission on.
    z : (K,) array
    """
    late = late_jobs(visits, journey)
    chosen = np.flatnonzero(late.onward > 0.0)
    found = total
    if chosen.size:
        origin = np.repeat(np.arange(journey.leave.size), np.diff(journey.start))[chosen]
        to = journey.to[chosen]
        weight, transfer = journey.weight[chosen, None], journey.transfer[chosen, None]
        blocked = 1.0 / (1.0 + z * journey.wait[chosen, None]) - 1.0
        way = weight / (1.0 + z * transfer) * late.onward[chosen, None] * blocked
        shape = (journey.leave.size, chosen.size)
        gather = csr_array((np.ones(chosen.size), (origin, np.arange(chosen.size))), shape=shape)
        found = total + visit * np.asarray(gather @ (way * last[to] * total[to]))
    return np.asarray(behind_others(visits, late, last, z) * found)


def late_mean(visits: Visits, journey: Journey, base: Floats, first: Floats) -> Floats:
    """Return the mean time from admission on of those jobs, times the chance to be served, (S,)."""
    late = late_jobs(visits, journey)
    origin = np.repeat(np.arange(journey.leave.size), np.diff(journey.start))
    extra = journey.weight * late.onward * journey.wait * base[journey.to]
    onward = np.bincount(origin, weights=extra, minlength=journey.leave.size)
    return np.asarray(first + longer_behind_others(visits, late) * base + onward)

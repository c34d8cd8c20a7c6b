"""Single stations, slow and obvious: 50-digit birth-death chains, sparse chains, a simulation."""

from __future__ import annotations

import functools
import heapq
import itertools
import math
from collections import Counter
from typing import NamedTuple

import mpmath as mp
import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

DIGITS = 50


def exactly(function):
    """Compute with 50 digits, or with more where the caller already does."""

    @functools.wraps(function)
    def precise(*arguments):
        with mp.workdps(max(DIGITS, mp.mp.dps)):
            return function(*arguments)

    return precise


class BirthDeath(NamedTuple):
    """Measures of a birth-death station, with 50 digits."""

    probabilities: list
    full: mp.mpf
    busy: mp.mpf  # all servers busy, a place free
    waiting: mp.mpf
    present: mp.mpf
    waiting_time: mp.mpf  # of the admitted, served or not
    served_wait: mp.mpf  # of the served
    abandoned: mp.mpf  # share of the offered


@exactly
def birth_death(rate, time, servers, places, patience=math.inf):
    """M/M/c/K+M from its balance equations, waits by adding up the stages ahead."""
    rate, mu = mp.mpf(rate), 1 / mp.mpf(time)
    leave = mp.mpf(0) if math.isinf(patience) else 1 / mp.mpf(patience)
    weights = [mp.mpf(1)]
    for n in range(1, places + 1):
        weights.append(weights[-1] * rate / (min(n, servers) * mu + max(n - servers, 0) * leave))
    total = mp.fsum(weights)
    p = [w / total for w in weights]
    waiting = mp.fsum((n - servers) * p[n] for n in range(servers, places + 1))
    admitted = 1 - p[places]
    served = mp.fsum(p[: min(servers, places)])
    wait, late, share = mp.mpf(0), mp.mpf(0), mp.mpf(1)
    for j in range(places - servers):  # finds c + j present: j + 1 departures ahead
        stage = servers * mu + (j + 1) * leave
        late += 1 / stage
        share *= (servers * mu + j * leave) / stage
        wait += p[servers + j] * share * late
        served += p[servers + j] * share
    return BirthDeath(
        p,
        p[places],
        mp.fsum(p[servers:places]),
        waiting,
        mp.fsum(n * q for n, q in enumerate(p)),
        waiting / (rate * admitted),
        wait / served,
        leave * waiting / rate,
    )


@exactly
def erlang_b(servers, load):
    """1/B = a e^a integral of e^(-a t) t^c over t > 1, as an incomplete gamma function."""
    servers, load = mp.mpf(servers), mp.mpf(load)
    return 1 / (mp.exp(load) * load**-servers * mp.gammainc(1 + servers, load))


@exactly
def erlang_b_recursive(servers, load):
    """The recursion 1/B_k = 1 + (k/a)/B_{k-1} from the fractional part, for large c."""
    load, part = mp.mpf(load), mp.mpf(servers) - mp.floor(servers)
    inverse = 1 / erlang_b(part, load) if part else mp.mpf(1)
    for k in range(1, int(servers) + 1):
        inverse = 1 + (part + k) / load * inverse
    return 1 / inverse


@exactly
def erlang_c(servers, load, loss):
    """Erlang C from Erlang B."""
    ratio = mp.mpf(load) / mp.mpf(servers)
    return loss / (1 - ratio * (1 - loss))


@exactly
def finite_source(rate, time, servers, sources, places):
    """P(full), loss, throughput, P(wait | admitted) and mean wait of M/M/c/K//N."""
    places = min(places, sources)
    weights = [mp.mpf(1)]
    for n in range(places):
        up = (sources - n) * mp.mpf(rate) * mp.mpf(time)
        weights.append(weights[-1] * up / min(n + 1, servers))
    total = mp.fsum(weights)
    p = [w / total for w in weights]
    asking = mp.fsum((sources - n) * p[n] for n in range(places + 1))
    refused = (sources - places) * p[places]
    throughput = mp.fsum(min(n, servers) * p[n] for n in range(places + 1)) / mp.mpf(time)
    meeting = mp.fsum((sources - n) * p[n] for n in range(servers, places))
    waiting = mp.fsum((n - servers) * p[n] for n in range(servers, places + 1))
    full = p[places] if places < sources else mp.mpf(0)
    return full, refused / asking, throughput, meeting / (asking - refused), waiting / throughput


def stationary(first, moves):
    """Stationary probabilities of the chain that `moves(state) -> [(state, rate)]` describes."""
    index, states = {first: 0}, [first]
    rows, columns, values = [], [], []
    for i, state in enumerate(states):  # grows while it is walked
        for to, rate in moves(state):
            j = index.setdefault(to, len(states))
            if j == len(states):
                states.append(to)
            rows += [j, i]
            columns += [i, i]
            values += [rate, -rate]
    n = len(states)
    balance = sparse.csr_matrix((values, (rows, columns)), shape=(n, n)).tolil()
    balance[0, :] = 1.0
    right = np.zeros(n)
    right[0] = 1.0
    return states, spsolve(balance.tocsc(), right)


def phases(scv):
    """(alpha, T) with mean 1: balanced H2, exponential, or two neighboring Erlang laws mixed."""
    if scv == 1.0:
        return [1.0], [[-1.0]]
    if scv > 1.0:
        p = 0.5 * (1 + math.sqrt((scv - 1) / (scv + 1)))
        return [p, 1 - p], [[-2 * p, 0.0], [0.0, -2 * (1 - p)]]
    k = math.ceil(1 / scv)
    skip = (k * scv - math.sqrt(k * (1 + scv) - k * k * scv)) / (1 + scv)
    rate = k - skip
    chain = [[-rate if i == j else rate * (j == i + 1) for j in range(k)] for i in range(k)]
    return [1 - skip, skip, *([0.0] * (k - 2))], chain


def starts(busy, beta):
    """The busy phases after one more service starts, with the probability of each."""
    return [(tuple(sorted((*busy, q))), b) for q, b in enumerate(beta) if b > 0.0]


def service_moves(queue, busy, beta, S):
    """What the servers may do: (queue, busy phases, rate)."""
    out = []
    for q, number in Counter(busy).items():
        rest = list(busy)
        rest.remove(q)
        done = -sum(S[q]) * number
        for r, rate in enumerate(S[q]):
            if r != q and rate > 0.0:
                out.append((queue, tuple(sorted((*rest, r))), number * rate))
        if queue and done > 0.0:
            out += [(queue - 1, after, done * b) for after, b in starts(rest, beta)]
        elif done > 0.0:
            out.append((0, tuple(rest), done))
    return out


def phase_station(load_ratio, servers, arrival_scv, service_scv, most):
    """P(wait) and mean wait of Ph/Ph/c with at most `most` present; service time 1.

    No arrivals come while `most` are present, which is no matter where that is rare.
    """
    states, p, leave = _phase_chain(load_ratio, servers, arrival_scv, service_scv, most)
    waiting = sum(q * s[0] for q, s in zip(p, states, strict=True))
    asking = sum(q * leave[s[1]] for q, s in zip(p, states, strict=True))
    busy = sum(q * leave[s[1]] for q, s in zip(p, states, strict=True) if len(s[2]) == servers)
    return busy / asking, waiting / asking


def limited_phase_station(load_ratio, servers, arrival_scv, service_scv, places, patience):
    """P(full), P(wait | admitted), number waiting of Ph/Ph/c/K+M, by arrivals; service time 1."""
    states, p, leave = _phase_chain(
        load_ratio, servers, arrival_scv, service_scv, places, patience, lost=True
    )
    seen = [q * leave[s[1]] for q, s in zip(p, states, strict=True)]
    full = sum(q for q, s in zip(seen, states, strict=True) if s[0] + len(s[2]) == places)
    busy = sum(q for q, s in zip(seen, states, strict=True) if len(s[2]) == servers)
    waiting = sum(q * s[0] for q, s in zip(p, states, strict=True))
    return full / sum(seen), (busy - full) / (sum(seen) - full), waiting


def _phase_chain(
    load_ratio, servers, arrival_scv, service_scv, most, patience=math.inf, *, lost=False
):
    """States (waiting, phase of the arrivals, busy phases), probabilities, arrivals by phase."""
    (alpha, T), (beta, S) = phases(arrival_scv), phases(service_scv)
    speed = load_ratio * servers
    leave = [-sum(row) * speed for row in T]

    def arrivals(queue, busy):
        if len(busy) == servers:
            if servers + queue < most:
                return [(queue + 1, busy, 1.0)]
            return [(queue, busy, 1.0)] if lost else []
        return [(0, after, b) for after, b in starts(busy, beta)]

    def moves(state):
        queue, phase, busy = state
        out = [((q, phase, b), rate) for q, b, rate in service_moves(queue, busy, beta, S)]
        out += [
            ((queue, j, busy), rate * speed)
            for j, rate in enumerate(T[phase])
            if j != phase and rate > 0.0
        ]
        out += [
            ((q, j, b), leave[phase] * start * share)
            for q, b, share in arrivals(queue, busy)
            for j, start in enumerate(alpha)
            if leave[phase] * start > 0.0 and (q, j, b) != state
        ]
        if queue and math.isfinite(patience):
            out.append(((queue - 1, phase, busy), queue / patience))
        return out

    states, p = stationary((0, 0, ()), moves)
    return states, p, leave


def two_classes(rates, times, servers, *, preemptive, most):
    """Mean delays of two classes, the first before the second, from the chain of their numbers."""
    mu = [1 / t for t in times]

    def place(busy, queue):
        busy, queue = list(busy), list(queue)
        if preemptive:
            first = min(servers, busy[0] + queue[0])
            second = min(servers - first, busy[1] + queue[1])
            return (first, second), (busy[0] + queue[0] - first, busy[1] + queue[1] - second)
        for k in range(2):
            start = min(queue[k], servers - sum(busy))
            busy[k] += start
            queue[k] -= start
        return tuple(busy), tuple(queue)

    def moves(state):
        busy, queue = state
        out = []
        for k in range(2):
            if queue[k] < most:
                more = tuple(q + (i == k) for i, q in enumerate(queue))
                out.append((place(busy, more), rates[k]))
            if busy[k]:
                fewer = tuple(b - (i == k) for i, b in enumerate(busy))
                out.append((place(fewer, queue), busy[k] * mu[k]))
        return out

    states, p = stationary(((0, 0), (0, 0)), moves)
    return [sum(q * s[1][k] for q, s in zip(p, states, strict=True)) / rates[k] for k in range(2)]


def simulated_waits(interarrivals, services, servers):
    """Waits, first come first served: each job takes the server that is free first."""
    free = [0.0] * servers
    waits = np.empty(len(services))
    for i, (now, service) in enumerate(
        zip(itertools.accumulate(interarrivals), services, strict=True)
    ):
        start = max(now, free[0])
        waits[i] = start - now
        heapq.heapreplace(free, start + service)
    return waits


def slope(function, at, step=1e-3):
    """Derivative by central differences, with an error of the eighth power of the step."""
    h = at * step
    weights = ((1, 4 / 5), (2, -1 / 5), (3, 4 / 105), (4, -1 / 280))
    return (
        sum(w * (np.asarray(function(at + k * h)) - function(at - k * h)) for k, w in weights) / h
    )


def sampled(generator, scv, size):
    """Draw from the law of `phases` with mean 1."""
    if scv >= 1.0:
        p = 0.5 * (1 + math.sqrt((scv - 1) / (scv + 1)))
        rates = np.where(generator.random(size) < p, 2 * p, 2 * (1 - p))
        return generator.exponential(size=size) / rates
    alpha, chain = phases(scv)
    count = len(alpha) - (generator.random(size) < alpha[1])
    return generator.gamma(count) / -chain[0][0]

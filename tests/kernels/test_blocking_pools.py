"""Larger networks in full: parts that count those blocked for several places together."""

from itertools import product

import numpy as np
import pytest

from flownet.kernels import blocking_full
from flownet.kernels.blocking_compressed import settle
from flownet.kernels.blocking_compressed_flows import lay_out
from flownet.kernels.blocking_full import FULL, MODES, iterate, solve_blocking, take_apart
from flownet.kernels.blocking_parts_chain import pooled
from flownet.kernels.exact import solve_exact
from flownet.kernels.simulation import measures, simulate_once
from oracles.compiled_networks import build


def fan(arms, servers=2.0):
    """Return a door that sends to services of very different stays, which meet again in one."""
    n = arms + 2
    share = np.linspace(1.0, 2.0, arms)
    share /= share.sum()
    routing = np.zeros((n, n))
    routing[0, 1 : n - 1] = share
    routing[1 : n - 1, n - 1] = 0.5
    time = np.array([0.8 * servers, *(0.6 * 4.0 ** np.arange(arms) / share / 4.0), 1.2])
    each = np.array([servers, *np.ones(n - 1)])
    external = np.where(np.arange(n) == 0, 1.0, 0.0)
    return build(time, external=external, routing=routing, servers=each, capacity=each)


def long_network(services, seed):
    """Return services of one to three servers with three routes each, some of them doors."""
    rng = np.random.default_rng(seed)
    routing = np.zeros((services, services))
    for i in range(services - 1):
        ends = i + 1 + rng.choice(min(5, services - i - 1), min(3, services - i - 1), replace=False)
        routing[i, ends] = rng.dirichlet(np.ones(ends.size)) * rng.uniform(0.6, 0.9)
    external = np.where(np.arange(services) % 5 == 0, 1.0, 0.0)
    flow = np.linalg.solve(np.eye(services) - routing.T, external)
    servers = rng.integers(1, 4, services).astype(np.float64)
    time = rng.uniform(0.5, 0.9, services) * servers / flow
    return build(time, external=external, routing=routing, servers=servers,
                 capacity=servers + rng.integers(0, 2, services))  # fmt: skip


def total_number(found):
    inside = found.number_waiting + found.number_in_service + found.number_blocked
    return float((inside + found.number_outside).sum())


def test_numbers_that_are_pooled_are_those_of_independent_ones():
    """By listing all ways in which those blocked divide among the routes."""
    rng = np.random.default_rng(4)
    routes, rows, top, width = 3, 4, 2, 4
    held = rng.uniform(0.1, 1.0, (routes, rows, top))
    free = rng.uniform(0.0, 2.0, (routes, rows, top, width))
    met, along = rng.uniform(0.0, 1.0, (routes, top, width)), rng.uniform(0.5, 2.0, routes)
    meets, released = pooled(held, free, met, along)
    for number, x, y in product(range(rows), range(top), range(width)):
        ways = [m for m in product(range(rows), repeat=routes) if sum(m) == number]
        weight = np.array([np.prod([held[h, m[h], x] for h in range(routes)]) for m in ways])
        others = [[min(y + number - m[h], width - 1) for h in range(routes)] for m in ways]
        rate = [
            sum(free[h, m[h], x, o[h]] for h in range(routes) if m[h])
            for m, o in zip(ways, others, strict=True)
        ]
        chance = [
            sum(along[h] * (1.0 if m[h] else met[h, x, o[h]]) for h in range(routes)) / along.sum()
            for m, o in zip(ways, others, strict=True)
        ]
        assert released[number, x, y] == pytest.approx(weight @ rate / weight.sum(), rel=1e-12)
        assert meets[number, x, y] == pytest.approx(weight @ chance / weight.sum(), rel=1e-12)


@pytest.mark.parametrize("servers", [1.0, 2.0])
def test_a_fan_whose_routes_are_pooled_is_within_the_bars(servers, monkeypatch):
    """Against its exact chain, with as few states as can be, and so all pooled."""
    network = fan(4, servers)
    truth = solve_exact(network).measures
    monkeypatch.setattr(blocking_full, "EACH", (1.0, 1.0))
    monkeypatch.setattr(blocking_full, "BUDGET", 1.0)
    found = solve_blocking(network, mode=FULL)
    assert MODES[found.variant] == FULL
    assert found.throughput.sum() == pytest.approx(truth.throughput.sum(), rel=0.05)
    apart = (found.number_blocked - truth.number_blocked).sum(axis=1) / network.servers
    assert np.abs(apart).max() < 0.06
    full = found.blocking_probability - np.nan_to_num(truth.blocking_probability)
    assert np.abs(full).max() < 0.08


def test_twenty_random_starts_agree_where_routes_are_pooled(monkeypatch):
    """The fixed point does not depend on where the search for it begins."""
    monkeypatch.setattr(blocking_full, "EACH", (1.0, 1.0))
    monkeypatch.setattr(blocking_full, "BUDGET", 1.0)
    network = fan(3)
    layout = lay_out(network)
    start, _ = settle(network, layout, 1e-6, 500)
    rng, found = np.random.default_rng(3), []
    for _ in range(20):
        none = np.zeros(network.servers.size, dtype=bool)
        problem, tables = take_apart(network, layout, start, none)
        assert any(piece.part.pooled.any() for piece in problem.pieces)
        for part in (tables.flow, tables.released):
            for key, values in part.items():
                part[key] = values * rng.uniform(0.3, 3.0, values.shape)
        for piece in problem.pieces:
            piece.p = rng.dirichlet(np.ones(piece.p.size))
        standing = iterate(problem, start.accepted, tables, 1e-11, 2000)
        assert standing.residual <= 1e-11
        found.append(np.concatenate([standing.figures[:, :5].ravel(), standing.tables.wait]))
    assert np.abs(np.array(found) - found[0]).max() < 1e-8 * max(1.0, np.abs(found[0]).max())


@pytest.mark.slow
def test_twenty_services_are_solved_in_full_and_agree_with_simulation():
    """Twenty services of one to three servers; half-width of the simulated throughput 0.2 %."""
    network = long_network(20, 5)
    found = solve_blocking(network, mode=FULL)
    assert MODES[found.variant] == FULL
    n = network.servers.size
    source = np.repeat(np.arange(n), np.diff(network.route_start.astype(np.int64)))
    carried = found.throughput[source, 0] * network.route_probability
    inside = np.bincount(network.route_to, weights=carried, minlength=n)
    asked = network.external_arrival_rate[:, 0] + inside
    assert found.arrival_rate[:, 0] == pytest.approx(asked, rel=1e-9)
    kept = found.arrival_rate - found.loss_rate
    assert found.throughput == pytest.approx(kept, rel=1e-9)
    held = (found.number_in_service + found.number_blocked).sum(axis=1)
    assert (held <= network.servers * (1 + 1e-6)).all()
    horizon = 3e5
    run = simulate_once(network, horizon=horizon, warmup=horizon / 20, seed=7)
    truth = measures(run)
    served, wanted = (m.arrival_rate.sum() - m.loss_rate.sum() for m in (found, truth))
    assert served == pytest.approx(wanted, rel=0.02)
    number = total_number(truth)
    assert total_number(found) == pytest.approx(number, rel=0.06)

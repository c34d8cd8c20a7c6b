"""The compiled chain against a slow one of Python values, on random small networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from flownet.errors import ParameterError
from flownet.kernels.compiled import BLOCKED_AFTER_SERVICE, LOST, OVERFLOW, WAIT_OUTSIDE
from flownet.kernels.exact_layout import Limits, lay_out
from flownet.kernels.exact_measures import (
    BLOCKED,
    IN_LINE,
    OUTSIDE,
    WORKING,
    event_rates,
    mean_numbers,
    probability_full,
)
from flownet.kernels.exact_space import build_chain
from flownet.kernels.exact_steady import stationary
from flownet.kernels.exact_tables import (
    ABANDONED,
    ARRIVED,
    COMPLETED,
    DELAYED,
    DOOR,
    ENTERED,
    EXCHANGED,
    FOUND_FULL,
    LOSSES,
    OVERFLOWS,
    ROOM,
)
from oracles import chain as slow
from oracles.compiled_networks import build

RULES = {
    "blocked": BLOCKED_AFTER_SERVICE,
    "lost": LOST,
    "overflow": OVERFLOW,
    "wait": WAIT_OUTSIDE,
}


@st.composite
def networks(draw, ranked=False):
    """Up to three services with few places, one class, every rule."""
    n = draw(st.integers(1, 3))
    part = st.floats(0.1, 1.0)
    services = []
    for _ in range(n):
        servers = draw(st.integers(1, 2))
        services.append(
            slow.Service(
                servers=servers,
                rate=draw(st.floats(0.4, 2.5)),
                capacity=servers + draw(st.integers(0, 2)),
                external=draw(st.one_of(st.just(0.0), part)),
                when_full=draw(st.sampled_from(["blocked", "blocked", "lost", "overflow"])),
                external_when_full=draw(st.sampled_from(["lost", "wait", "overflow"])),
                overflow_to=draw(st.integers(0, n - 1)),
                give_up_rate=draw(st.one_of(st.just(0.0), part)),
            )
        )
    if ranked:
        least = min(service.capacity for service in services)
        rank, free = st.integers(1, 3), st.sampled_from([0, 0, 0, least - 1])
        for service in services:
            service.rank, service.outside_rank = draw(rank), draw(rank)
            service.left_free, service.outside_left_free = draw(free), draw(free)
    if all(service.external == 0.0 for service in services):
        services[0].external = 0.7
    shares = [[draw(st.one_of(st.just(0.0), part)) for _ in range(n)] for _ in range(n)]
    routing = np.array(shares)
    total = np.maximum(routing.sum(axis=1, keepdims=True), 1e-9)
    return services, routing / total * np.minimum(total, 0.9)


def compiled(services, routing):
    return build(
        [1.0 / s.rate for s in services],
        servers=[s.servers for s in services],
        capacity=[np.inf if s.capacity is None else s.capacity for s in services],
        external=[s.external for s in services],
        routing=routing,
        when_full=[RULES[s.when_full] for s in services],
        external_when_full=[RULES[s.external_when_full] for s in services],
        overflow_to=[s.overflow_to for s in services],
        patience=[1.0 / s.give_up_rate if s.give_up_rate else np.inf for s in services],
        entry_priority=[[s.rank] * len(services) for s in services],
        places_left_free=[[s.left_free] * len(services) for s in services],
        external_entry_priority=[s.outside_rank for s in services],
        external_places_left_free=[s.outside_left_free for s in services],
    )


@given(networks())
@settings(max_examples=40)
def test_random_networks_agree_with_the_slow_chain(drawn):
    fast, slow_chain = agrees_with_the_slow_chain(*drawn, max_states=400)
    assert fast == slow_chain


@given(networks(ranked=True))
@settings(max_examples=40)
def test_random_networks_with_ranks_agree_with_the_slow_chain(drawn):
    """The slow chain keeps who asked first even among those of different rank: more states."""
    fast, slow_chain = agrees_with_the_slow_chain(*drawn, max_states=150)
    assert fast <= slow_chain


def agrees_with_the_slow_chain(services, routing, max_states):
    """Compare all measures; return the numbers of states."""
    network = compiled(services, routing)
    few = Limits(np.full(len(services), 9), np.full(len(services), 1), np.zeros(0, dtype=np.int64))
    layout = lay_out(network, few)
    for service, door in zip(services, layout.tables.service[:, DOOR], strict=True):
        service.door = int(layout.tables.lists[door, ROOM]) if door >= 0 else 0
    try:
        fast = build_chain(layout, max_states=max_states)
    except ParameterError:  # dense equations would take too long
        reject()
    solved = stationary(fast)
    numbers, rates = mean_numbers(fast, solved.probability), event_rates(fast, solved.probability)
    full = probability_full(network, numbers)
    oracle = slow.Chain(services, routing)
    for i, service in enumerate(services):
        found = {
            "waiting": numbers.by_pair[IN_LINE, i],
            "working": numbers.by_pair[WORKING, i],
            "blocked": numbers.by_pair[BLOCKED, i],
            "outside": numbers.by_pair[OUTSIDE, i],
            "full": full[i],
        }
        expected = {
            "waiting": oracle.mean(lambda p, i=i: p.waiting[i]),
            "working": oracle.mean(lambda p, i=i: p.working[i]),
            "blocked": oracle.mean(lambda p, i=i: p.blocked(i)),
            "outside": oracle.mean(lambda p, i=i: p.door[i].count(slow.OUTSIDE)),
            "full": oracle.mean(lambda p, i=i, s=service: p.present(i) == s.capacity),
        }
        assert found == pytest.approx(expected, abs=1e-10)
        counted = {
            "asked": rates[ARRIVED, i],
            "entered": rates[ENTERED, i],
            "delayed": rates[DELAYED, i],
            "completed": rates[COMPLETED, i],
            "lost": rates[LOSSES, i],
            "overflow": rates[OVERFLOWS, i],
            "gave up": rates[ABANDONED, i],
            "exchange": rates[EXCHANGED, i],
            "found full": rates[FOUND_FULL:, i].sum(),
        }
        assert counted == pytest.approx({key: oracle.rate(key, i) for key in counted}, abs=1e-10)
    return fast.size, len(oracle.index)


def test_deadlock_of_three_services_moves_one_job_along_each_arc():
    # a ring without waiting room: every job goes round, so that all three block each other
    ring = np.roll(np.eye(3), 1, axis=1) * 0.8
    services = [slow.Service(1, rate, 1, external=0.6) for rate in (1.0, 0.7, 1.6)]
    oracle = slow.Chain(services, ring)
    chain = build_chain(
        lay_out(compiled(services, ring), Limits(*(np.zeros(3, dtype=np.int64),) * 3)),
        max_states=1000,
    )
    rates = event_rates(chain, stationary(chain).probability)
    expected = [oracle.rate("exchange", i) for i in range(3)]
    assert min(expected) > 0.01
    assert rates[EXCHANGED] == pytest.approx(expected, abs=1e-12)


def test_an_unlimited_queue_before_a_blocking_service():
    services = [slow.Service(1, 1.0, None, 0.3, level=22), slow.Service(1, 1.1, 1)]
    routing = np.array([[0.0, 1.0], [0.2, 0.0]])
    oracle = slow.Chain(services, routing)
    chain = build_chain(
        lay_out(compiled(services, routing), Limits(np.full(2, 22), *(np.zeros(2, np.int64),) * 2)),
        max_states=1000,
    )
    numbers = mean_numbers(chain, stationary(chain).probability)
    assert numbers.by_pair[IN_LINE, 0] == pytest.approx(
        oracle.mean(lambda p: p.waiting[0]), abs=1e-6
    )
    assert numbers.by_pair[BLOCKED, 0] == pytest.approx(
        oracle.mean(lambda p: p.blocked(0)), abs=1e-6
    )

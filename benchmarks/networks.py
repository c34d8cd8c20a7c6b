"""From a description to a solution at scale, beside networkx's own way to a sparse matrix."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

import flownet as fn
from benchmarks.registry import Prepare, Spec, Task
from benchmarks.traffic import scattered
from flownet.kernels.compiled import CompiledNetwork
from flownet.kernels.decomposition import solve_decomposition
from flownet.kernels.product_form import solve_product_form
from flownet.kernels.traffic import solve_flows, solve_traffic
from flownet.network.columns import columns_of
from flownet.network.compile import compile_columns, compile_network

SIZES = (1_000, 10_000, 100_000)
LEAVING = 0.1


def tables(size: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return services with one to five servers, three to nine tenths busy, five routes each."""
    rng = np.random.default_rng(1)
    start, to, share, rate = scattered(size, LEAVING, rng)
    origin = np.repeat(np.arange(size), np.diff(start.astype(np.int64)))
    routes = pd.DataFrame({"from": origin, "to": to.astype(np.int64), "routing_probability": share})
    servers = rng.integers(1, 6, size)
    flow = solve_flows(start, to, share, rate)[3]
    services = pd.DataFrame(
        {
            "servers": servers,
            "service_time": servers * rng.uniform(0.3, 0.9, size) / flow,
            "external_arrival_rate": rate,
        }
    )
    return services, routes


def graph(size: int) -> nx.DiGraph:
    """Return the same as a caller's graph."""
    services, routes = tables(size)
    described = nx.DiGraph(time_unit="hour")
    described.add_nodes_from(enumerate(services.to_dict(orient="records")))
    ends = zip(routes["from"].tolist(), routes["to"].tolist(), strict=True)
    chances = routes["routing_probability"].tolist()
    described.add_edges_from(
        (u, v, {"routing_probability": chance})
        for (u, v), chance in zip(ends, chances, strict=True)
    )
    return described


def arrays(size: int) -> CompiledNetwork:
    """Return the same as arrays."""
    return compile_network(fn.Network.from_tables(*tables(size), time_unit="hour")).arrays


def general(size: int) -> CompiledNetwork:
    """Return the same with service of any variability, as arrays."""
    services, routes = tables(size)
    services["service_scv"] = np.random.default_rng(3).uniform(0.3, 3.0, size)
    return compile_network(fn.Network.from_tables(services, routes, time_unit="hour")).arrays


def other_arrivals(size: int) -> Task:
    """Prepare what a change of all arrivals from outside costs once a network was solved."""
    solution = fn.solve(fn.Network.from_graph(graph(size)))
    rates = solution.compilation.arrays.external_arrival_rate
    fewer = rates * np.random.default_rng(2).uniform(0.9, 1.0, rates.shape)
    changed = solution.compilation.arrays._replace(external_arrival_rate=fewer)

    def task() -> None:
        solution.again(changed)

    return task


def doing(function: Callable[[Any], object], prepare: Callable[[int], Any]) -> Prepare:
    """Return what prepares an input and then times a function of it."""

    def prepared(size: int) -> Task:
        given = prepare(size)

        def task() -> None:
            function(given)

        return task

    return prepared


sparse = doing(partial(nx.to_scipy_sparse_array, weight="routing_probability"), graph)
compiling = doing(lambda given: compile_columns(columns_of(given)), graph)
checking = doing(lambda given: compile_network(fn.Network.from_graph(given)), graph)
from_tables = doing(
    lambda given: compile_network(fn.Network.from_tables(*given, time_unit="hour")), tables
)
solved_first = doing(lambda given: fn.solve(fn.Network.from_graph(given)), graph)
solving = doing(solve_product_form, arrays)
traffic = doing(solve_traffic, arrays)
decomposing = doing(solve_decomposition, general)

PEER = "networkx, to_scipy_sparse_array"
SPECS = [
    Spec("network from a graph", "compile", compiling, sparse, PEER, SIZES),
    Spec("network from a graph, checked", "compile", checking, sparse, PEER, SIZES),
    Spec("network from tables, checked", "compile", from_tables, sparse, PEER, SIZES),
    Spec("open network", "solve", solving, traffic, "its traffic equations", SIZES),
    Spec("what-if of arrivals", "solve", other_arrivals, solved_first, "the first solve", SIZES),
    Spec("open network, any scv", "solve", decomposing, traffic, "its traffic equations", SIZES),
]

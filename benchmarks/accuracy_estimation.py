"""How honest the intervals of networks estimated from event logs are, by round trip."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import flownet as fn

LOGS = 320
CENSORED = 200
CASES = (1_000, 3_000)
FAMILIES = ("exponential", "gamma", "lognormal")


class Judged(NamedTuple):
    """One parameter, its estimate and the truth."""

    attribute: str
    truth: float
    estimate: float
    low: float
    high: float
    cases: int


def random_network(generator: np.random.Generator) -> fn.Network:
    """Return an open network of three to five services with feedback, at loads up to 0.85."""
    size = int(generator.integers(3, 6))
    routing = np.zeros((size, size))
    for i in range(size):
        for j in generator.choice(size, 2, replace=False):
            if i != j:
                routing[i, j] = generator.uniform(0.1, 0.4)
    external = np.where(np.arange(size) < 2, generator.uniform(0.5, 2.0, size), 0.0)
    for i in range(1, size):
        routing[i - 1, i] = max(routing[i - 1, i], 0.3)
    routing /= np.maximum(1.0, routing.sum(axis=1, keepdims=True) / 0.8)
    flow = np.linalg.solve(np.eye(size) - routing.T, external)
    services = []
    for i in range(size):
        family = FAMILIES[int(generator.integers(3))]
        mean = float(generator.uniform(0.5, 4.0))
        scv = float(generator.uniform(0.3, 1.5))
        law = {"family": family, "mean": mean}
        if family != "exponential":
            law["scv"] = scv
        servers = math.ceil(flow[i] * mean / generator.uniform(0.5, 0.85))
        row = {"name": f"s{i}", "servers": servers, "service_distribution": law}
        if external[i] > 0:
            row["external_arrival_rate"] = float(external[i])
        services.append(row)
    routes = [
        {"from": f"s{i}", "to": f"s{j}", "routing_probability": float(routing[i, j])}
        for i, j in zip(*np.nonzero(routing), strict=True)
    ]
    document = {"network": {"time_unit": "hour"}, "services": services, "routes": routes}
    return fn.Network.from_dict(document)


def truth_of(network: fn.Network) -> dict[tuple[str, str], float]:
    """Return the true value of every parameter by owner and attribute."""
    true: dict[tuple[str, str], float] = {}
    for name, data in network.graph.nodes(data=True):
        law = data["service_distribution"]
        true[name, "service_time"] = law["mean"]
        true[name, "service_scv"] = law.get("scv", 1.0)
        if "external_arrival_rate" in data:
            true[name, "external_arrival_rate"] = data["external_arrival_rate"]
    for start, end, data in network.graph.edges(data=True):
        true[f"{start} -> {end}", "routing_probability"] = data["routing_probability"]
    return true


def round_trip(seed: int, cases: int) -> list[Judged]:
    """Return estimates of a random network from a simulated log that ends in the midst of it."""
    network = random_network(np.random.default_rng(seed))
    rate = sum(data.get("external_arrival_rate", 0.0) for _, data in network.graph.nodes(data=True))
    drawn = 20.0 + cases / rate
    run = fn.simulate(
        network, horizon=1.2 * drawn + 100.0, warmup=0.0, replications=1, seed=seed,
        trace_rows=50 * cases,
    )  # fmt: skip
    estimated = fn.from_event_log(
        run.trace, case="case", activity="service", arrived="arrived", start="started",
        complete="finished", left="left", time_unit="hour", observed_from=20.0, censored_at=drawn,
        families=FAMILIES,
    )  # fmt: skip
    true = truth_of(network)
    return [
        Judged(
            row["attribute"], true[row["owner"], row["attribute"]], row["estimate"], row["low"],
            row["high"], cases,
        )
        for row in estimated.parameters.to_dict("records")
        if (row["owner"], row["attribute"]) in true and row["high"] > row["low"]
    ]  # fmt: skip


def pooled(count: int | None) -> str:
    """Return the table of coverage."""
    logs = count or LOGS
    found = [each for k in range(logs) for each in round_trip(k, CASES[k % len(CASES)])]
    table = pd.DataFrame(found)
    table["covered"] = (table["low"] <= table["truth"]) & (table["truth"] <= table["high"])
    table["error"] = (table["estimate"] / table["truth"] - 1.0).abs()
    lines = [
        "## networks from event logs, 95% intervals (against the truth of simulated logs)",
        "",
        "| parameter | number | covered | "
        + " | ".join(f"median error, {c:,} cases" for c in CASES)
        + " |",
        "| --- | --- | --- | --- | --- |",
    ]
    groups: list[tuple[str, Any]] = [*table.groupby("attribute"), ("all", table)]
    for name, group in groups:
        errors = " | ".join(
            f"{group.loc[group['cases'] == cases, 'error'].median():.2%}" for cases in CASES
        )
        lines.append(f"| {name} | {len(group):,} | {group['covered'].mean():.1%} | {errors} |")
    return "\n".join([
        *lines, "",
        f"{logs} random networks of 3 to 5 services with feedback, observed from time 20 on and "
        "cut off in the midst, so that stays are open at the end. Parameters whose law has no "
        "free spread (the scv of a law found exponential) have no interval and are not counted.",
    ])  # fmt: skip


def censored_log(seed: int, n: int) -> tuple[list[dict[str, float | str | int | None]], float]:
    """Return lognormal stays of mean 1 that begin within 5 means, about 20% open at the end."""
    generator = np.random.default_rng(seed)
    start = np.sort(generator.uniform(0.0, 5.0, n))
    spread = math.sqrt(math.log(2.0))
    end = start + generator.lognormal(-(spread**2) / 2.0, spread, n)
    rows = [
        {"case": k, "activity": "ward", "start": float(a), "complete": b if b < 5.0 else None}
        for k, (a, b) in enumerate(zip(start, end, strict=True))
    ]
    return rows, float((end >= 5.0).mean())


def open_stays(count: int | None) -> str:
    """Return how the mean stay fares where a fifth of the stays are open."""
    logs, kept, dropped, covered, shares = count or CENSORED, [], [], [], []
    for seed in range(logs):
        rows, share = censored_log(seed, 1_000)
        options: dict[str, Any] = {"time_unit": "day", "families": (*FAMILIES, "weibull")}
        found = fn.from_event_log(rows, observed_from=0.0, censored_at=5.0, **options)
        time = found.parameters.set_index("attribute").loc["service_time"]
        ended = [row for row in rows if row["complete"] is not None]
        naive = fn.from_event_log(ended, time_unit="day", families=())
        kept.append(time["estimate"] - 1.0)
        covered.append(time["low"] <= 1.0 <= time["high"])
        dropped.append(naive.network.graph.nodes["ward"]["service_time"] - 1.0)
        shares.append(share)
    return "\n".join([
        "## length of stay with open stays (against the truth)",
        "",
        "| estimate | mean bias | 95% interval covers |",
        "| --- | --- | --- |",
        f"| open stays counted as censored | {np.mean(kept):+.2%} | {np.mean(covered):.1%} |",
        f"| open stays dropped | {np.mean(dropped):+.2%} | - |",
        "",
        f"{logs} logs of 1,000 lognormal stays (scv 1) each, {np.mean(shares):.0%} open.",
    ])  # fmt: skip


SECTIONS = {"estimation, intervals": pooled, "estimation, open stays": open_stays}

"""How honest the intervals of networks estimated from event logs are, by round trip."""

from __future__ import annotations

import math
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

import flownet as fn
from flownet.network.distributions import law_from_table

RATE = "external_arrival_rate"
LOGS = 217
CENSORED = 200
CASES = {1_000: 1.0, 10_000: 0.15, 100_000: 0.02}
"""Numbers of cases of a log, and how many such logs there are as a share of the first."""
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
            row[RATE] = float(external[i])
        services.append(row)
    routes = [
        {"from": f"s{i}", "to": f"s{j}", "routing_probability": float(routing[i, j])}
        for i, j in zip(*np.nonzero(routing), strict=True)
    ]
    document = {"network": {"time_unit": "hour"}, "services": services, "routes": routes}
    return fn.Network.from_dict(document)


def by_class(value: Any, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return a figure or a law of each class."""
    if isinstance(value, dict) and set(value) <= set(classes):
        return dict(value)
    return dict.fromkeys(classes, value)


def truth_of(network: fn.Network) -> dict[tuple[str, str, str], float]:
    """Return the true value of every parameter that a log can tell by owner, attribute, class.

    Jobs that are lost or give up are in no log: rates of arrival and shares of jobs at services
    where that happens are left out.
    """
    classes = tuple(network.classes)
    true: dict[tuple[str, str, str], float] = {}
    closed = set()
    for name, data in network.graph.nodes(data=True):
        lost = {data.get("when_full"), data.get("external_when_full")} & {"lost", "overflow"}
        if "patience" in data or (lost and data.get("servers") != math.inf):
            closed.add(name)
        told = {c: law_from_table(law) for c, law in
                by_class(data.get("service_distribution"), classes).items() if law}  # fmt: skip
        for attribute in ("service_time", "service_scv"):
            for c, value in by_class(data.get(attribute, 1.0), classes).items():
                law = told.get(c)
                moment = value if law is None else (law.mean if attribute[8] == "t" else law.scv)
                true[name, attribute, c] = float(moment)
        if name not in closed:
            for c, rate in by_class(data.get(RATE, 0.0), classes).items():
                true[name, RATE, c] = float(rate)
    for start, end, data in network.graph.edges(data=True):
        if not {start, end} & closed:
            for c, share in by_class(data.get("routing_probability", 0.0), classes).items():
                true[f"{start} -> {end}", "routing_probability", c] = float(share)
    return true


def longest_stay(network: fn.Network) -> float:
    """Return the longest mean stay of a service."""
    true = truth_of(network)
    return max(mean for (_, attribute, _), mean in true.items() if attribute == "service_time")


def slowed(network: fn.Network, cases: int) -> fn.Network:
    """Return a packaged system at a demand at which a log lasts ten of its longest stays.

    Servers follow the demand, and are enough to be stable, for the log to be of all jobs.
    """
    document = network.to_dict()
    longest = max(
        v for (_, attribute, _), v in truth_of(network).items() if attribute[-4:] == "time"
    )
    classes = tuple(network.classes)
    rates = [by_class(row.get(RATE, 0.0), classes) for row in document["services"]]
    total = sum(sum(rate.values()) for rate in rates)
    factor = min(1.0, cases / (10.0 * longest * total))
    for row, rate in zip(document["services"], rates, strict=True):
        if sum(rate.values()):
            row[RATE] = {c: each * factor for c, each in rate.items()}
            if classes == ("all",):
                row[RATE] = rate["all"] * factor
    loads = fn.solve(network).services["offered_load"]
    for row in document["services"]:
        if row["servers"] != "inf":
            room = row.get("capacity", "inf")
            needed = math.ceil(factor * float(loads[row["name"]]) / 0.85)
            if room != "inf":
                row["capacity"] = room - row["servers"] + needed
            row["servers"] = needed
    return fn.Network.from_dict(document)


def round_trip(network: fn.Network, seed: int, cases: int) -> list[Judged]:
    """Return estimates of a network from a simulated log that ends in the midst of it."""
    true = truth_of(network)
    graph = network.graph
    classes = tuple(network.classes)
    rate = sum(
        sum(by_class(data.get(RATE, 0.0), classes).values()) for _, data in graph.nodes(data=True)
    )
    longest = longest_stay(network)
    begin, last = 5.0 * longest, 5.0 * longest + cases / rate
    run = fn.simulate(
        network, horizon=last + 30.0 * longest, warmup=0.0, replications=1, seed=seed,
        trace_rows=int(1.5 * (last + 30.0 * longest) * rate * len(graph)) + 1000,
    )  # fmt: skip
    trace = run.trace
    estimated = fn.from_event_log(
        trace[trace["arrived"] <= last], time_unit=network.time_unit, observed_from=begin,
        censored_at=last, families=FAMILIES,
    )  # fmt: skip
    return [
        Judged(
            row["attribute"], true[row["owner"], row["attribute"], row["class"]], row["estimate"],
            row["low"], row["high"], cases,
        )
        for row in estimated.parameters.to_dict("records")
        if (row["owner"], row["attribute"], row["class"]) in true and row["high"] > row["low"]
    ]  # fmt: skip


def numbered_trip(case: tuple[int, int]) -> list[Judged]:
    """Return the k-th round trip of a size: each fourth of a packaged system, others random."""
    cases, k = case
    names = list(fn.examples())
    if k % 4 == 3:
        network = slowed(fn.example(names[k // 4 % len(names)]), cases)
    else:
        network = random_network(np.random.default_rng([cases, k]))
    return round_trip(network, k, cases)


def all_round_trips(logs: int) -> pd.DataFrame:
    """Return estimates and truths, the round trips shared among the processors."""
    todo = [(cases, k) for cases, share in CASES.items() for k in range(number(logs, share))]
    with ProcessPoolExecutor() as workers:
        found = [each for trip in workers.map(numbered_trip, todo[::-1]) for each in trip]
    table = pd.DataFrame(found)
    table["covered"] = (table["low"] <= table["truth"]) & (table["truth"] <= table["high"])
    table["error"] = (table["estimate"] / table["truth"] - 1.0).abs()
    return table


def number(logs: int, share: float) -> int:
    """Return how many logs there are of a size."""
    return max(1, round(logs * share))


def pooled(count: int | None) -> str:
    """Return the table of coverage."""
    logs = count or LOGS
    table = all_round_trips(logs)
    sizes = list(CASES)
    lines = [
        "## networks from event logs, 95% intervals (against the truth of simulated logs)",
        "",
        "| parameter | number | covered | 99.9% band of 95% | "
        + " | ".join(f"median error, {c:,} cases" for c in sizes)
        + " | error falls as n to the |",
        "| --- | --- | --- | --- |" + " --- |" * (len(sizes) + 1),
    ]
    groups: list[tuple[str, Any]] = [*table.groupby("attribute"), ("all", table)]
    for name, group in groups:
        low, high = (stats.binom.ppf(p, len(group), 0.95) / len(group) for p in (5e-4, 1 - 5e-4))
        errors = group.groupby("cases")["error"].median().reindex(sizes)
        slope = np.polyfit(np.log(errors.index), np.log(errors), 1)[0]
        shown = " | ".join(f"{error:.2%}" for error in errors)
        lines.append(
            f"| {name} | {len(group):,} | {group['covered'].mean():.1%} | {low:.1%} to {high:.1%} "
            f"| {shown} | {slope:.2f} |"
        )
    numbers = ", ".join(f"{number(logs, share):,} logs of {c:,}" for c, share in CASES.items())
    return "\n".join([
        *lines, "",
        f"{numbers} cases; every fourth of a packaged system (with servers enough to be stable, "
        "and demand so low that the log lasts ten of its longest stays), the others of random "
        "networks of 3 to 5 services with feedback. Each log begins when the system is under way "
        "and is cut off in the midst, so that stays are late or open. Of jobs that are lost or "
        "give up a log knows nothing: rates and shares there are not counted; nor is the scv of a "
        "law found exponential, which has no free spread and no interval.",
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

"""Whether the stated probability of the constraint is calibrated, and its intervals cover."""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy import stats

import flownet as fn
from flownet.constraint.confidence import WEIBULL
from flownet.kernels.compiled import Floats

COUNT = 5_000
SAMPLES = 200
SERVICES = 3
OBSERVED = (30, 100, 300)
BINS = (0.34, 0.5, 0.65, 0.8, 0.9, 0.97, 1.0001)
BAND = 0.999
SEED = 7


def network_of(times: Floats, errors: Floats) -> fn.Network:
    """Return single servers side by side, each with one arrival per T."""
    services = [
        {"name": f"s{i}", "service_time": float(t), "external_arrival_rate": 1.0,
         "standard_error": {"service_time": float(e)}}
        for i, (t, e) in enumerate(zip(times, errors, strict=True))
    ]  # fmt: skip
    return fn.Network.from_dict({"network": {"time_unit": "hour"}, "services": services})


def elasticities(loads: Floats) -> Floats:
    """Return -d ln J / d ln mu of M/M/1 side by side, J the sum of r^2 / (1 - r); last axis."""
    queue = loads**2 / (1 - loads)
    return np.asarray(queue * (2 + loads / (1 - loads)) / queue.sum(axis=-1, keepdims=True))


def relief(loads: Floats) -> Floats:
    """Return what one more server takes away of the queue of M/M/1."""
    return np.asarray(loads**2 / (1 - loads) - loads**3 / (4 - loads**2))


def of_confidence(count: int | None) -> str:
    """Return the section: stated probabilities beside frequencies, coverage of intervals."""
    rng = np.random.default_rng(SEED)
    stated, right, covered, cells = [], [], [], []
    runs = count or COUNT
    for run in range(runs):
        # what is true: loads drawn from a wide law; what is seen: so many exponential times
        true = np.exp(rng.normal(math.log(0.35), 0.45, SERVICES)).clip(0.05, 0.95)
        n = OBSERVED[run % len(OBSERVED)]
        seen = true * rng.gamma(n, 1.0 / n, SERVICES)
        samples = fn.draw_samples(network_of(seen, seen / math.sqrt(n)), SAMPLES, seed=run)
        loads = np.asarray(samples.values)  # not a data frame
        # of a load of 1 and more the backlog grows, and nothing has more to gain
        good = np.where(loads < 1, loads, 1 - 1e-9)
        leads = np.argmax(elasticities(good), axis=1)
        chance = np.bincount(leads, minlength=SERVICES) / SAMPLES
        named = int(np.argmax(chance))
        stated.append(chance[named])
        right.append(named == int(np.argmax(elasticities(true))))
        low, high = np.quantile(relief(good), (0.05, 0.95), axis=0, method=WEIBULL)
        truth = relief(true)
        covered.append((low <= truth) & (truth <= high))
        cells.append(n)
    return report(np.array(stated), np.array(right), np.array(covered), np.array(cells))


def report(stated: Floats, right: Floats, covered: Floats, cells: Floats) -> str:
    """Return the tables."""
    rows = []
    for low, high in itertools.pairwise(BINS):
        chosen = (stated >= low) & (stated < high)
        if chosen.sum():
            rows.append(f"| {low:.0%} to {min(high, 1):.0%} | {chosen.sum()} | "
                        f"{stated[chosen].mean():.1%} | {right[chosen].mean():.1%} |")  # fmt: skip
    coverage = []
    for n in OBSERVED:
        part = covered[cells == n]
        band = stats.binom.interval(BAND, part.size, 0.9)
        coverage.append(f"| {n} | {part.mean():.1%} | {band[0] / part.size:.1%} to "
                        f"{band[1] / part.size:.1%} |")  # fmt: skip
    return "\n".join([
        "## How sure the constraint is (three single servers, times estimated from data)",
        "",
        f"{len(stated)} repetitions: true loads lognormal around 0.35 (spread 0.45), service times "
        f"estimated from {', '.join(map(str, OBSERVED))} exponential observations, {SAMPLES} "
        "samples each (`draw_samples`), elasticities in closed form.",
        "",
        "| stated probability of the named service | times | stated on average | right |",
        "| --- | --- | --- | --- |",
        *rows,
        "",
        f"All together: stated {stated.mean():.1%}, right {right.mean():.1%}.",
        "",
        "| observations | 90 % intervals of relief cover | 99.9 % band |",
        "| --- | --- | --- |",
        *coverage,
        "",
        f"Pooled: {covered.mean():.1%} of {covered.size}.",
    ])  # fmt: skip


SECTIONS = {"confidence": of_confidence}

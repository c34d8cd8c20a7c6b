"""Peaked arrivals at services that lose: what overflows from one group of servers to another.

The peakedness of a stream is the variance over the mean of the number of its jobs in endless
servers: 1 for Poisson arrivals, more for what overflows.
"""

from __future__ import annotations

from flownet.jit import njit
from flownet.queues.erlang import erlang_b_scalar


@njit
def equivalent_random(load: float, peak: float) -> tuple[float, float]:
    """Return load and servers of the primary group whose overflow has this mean and peakedness.

    Rapp's approximation of Wilkinson's (1956) equivalent random method, for a peak above 1.
    """
    primary = load * peak + 3.0 * peak * (peak - 1.0)
    return primary, primary * (load + peak) / (load + peak - 1.0) - load - 1.0


@njit
def peaked_loss(servers: float, load: float, peak: float) -> float:
    """Return the share that is lost of arrivals of this peakedness, without a waiting room.

    Peaked arrivals as the overflow of their equivalent primary group; smooth ones by Hayward's
    scaling (Fredericks 1980).
    """
    if peak <= 1.0 + 1e-9:
        return erlang_b_scalar(servers / peak, load / peak)
    primary, group = equivalent_random(load, peak)
    return min(1.0, primary * erlang_b_scalar(group + servers, primary) / load)


def overflow_peak(load: float, servers: float, mean: float, peak: float) -> float:
    """Return the peakedness of the overflow of mean `mean` erlang, on its own time scale."""
    if peak > 1.0 + 1e-9:
        primary, group = equivalent_random(load, peak)
        return 1.0 - mean + primary / (group + servers + 1.0 + mean - primary)
    scaled, part = servers / peak, mean / peak
    return peak * (1.0 - part + load / peak / (scaled + 1.0 + part - load / peak))


@njit
def overflow_transform(
    rate: float, time: float, servers: float, capacity: float, point: float
) -> float:
    """Return the transform of the times between overflows of M/M/c/K, state by state."""
    transform = rate / (rate + point)
    for n in range(1, int(capacity) + 1):
        leave = min(float(n), servers) / time
        transform = rate / (rate + point + leave * (1.0 - transform))
    return transform

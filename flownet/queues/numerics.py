"""Small numerical pieces that several formulas share: exact products, geometric sums, pmfs."""

from __future__ import annotations

import math

from flownet.jit import njit

SPLITTER = 134217729.0  # 2**27 + 1 (Veltkamp)
LARGEST_SPLIT = 1e300
NEAR = 0.25  # r |1 - ratio| below which geometric sums are expanded


@njit
def product_error(a: float, b: float) -> float:
    """Return the rounding error of ``a * b`` exactly (Dekker 1971): a b = (a * b) + error."""
    product = a * b
    if not (1e-250 < abs(product) < LARGEST_SPLIT and abs(a) < LARGEST_SPLIT):
        return 0.0
    if abs(b) >= LARGEST_SPLIT:
        return 0.0
    t = SPLITTER * a
    a_high = t - (t - a)
    a_low = a - a_high
    t = SPLITTER * b
    b_high = t - (t - b)
    b_low = b - b_high
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@njit
def spare_servers(arrival_rate: float, service_time: float, servers: float) -> float:
    """Return c - lambda E[S] with the product's rounding error put back."""
    load = arrival_rate * service_time
    if not math.isfinite(load):
        return -load
    return (servers - load) - product_error(arrival_rate, service_time)


@njit
def log_ratio(ratio: float, spare: float) -> float:
    """Return ln x where both x and 1 - x, `spare`, are known to full precision; -inf at 0."""
    if spare < 0.5:
        return math.log1p(-spare)
    return math.log(ratio) if ratio > 0.0 else -math.inf


@njit
def geometric_sum(ratio: float, spare: float, count: float) -> float:
    """Return ``sum(x**j for j in range(count))`` for x = ratio = 1 - spare, real ``count``."""
    if spare == 0.0:
        return count
    if count == 0.0:
        return 0.0
    return -math.expm1(count * log_ratio(ratio, spare)) / spare


@njit
def geometric_first_moment(ratio: float, spare: float, count: float) -> float:
    """Return ``sum(j * x**j for j in range(count))``, x = ratio = 1 - spare, for real ``count``."""
    if ratio <= 0.0:
        return 0.0
    if abs(count * spare) > NEAR:
        power = math.exp(count * log_ratio(ratio, spare))
        return (ratio * geometric_sum(ratio, spare, count) - count * power) / spare
    # where that cancels, the binomial expansion of d/dx sum(x**j):
    # the sum over k >= 1 of k C(count, k + 1) (-spare)**(k - 1)
    term = 0.5 * count * (count - 1.0)
    total = 0.0
    k = 1.0
    while True:
        total += term
        if abs(term) <= 1e-17 * abs(total):
            return total * ratio
        term *= -spare * (count - k - 1.0) * (k + 1.0) / (k * (k + 2.0))
        k += 1.0


@njit
def log_factorial_correction(n: float) -> float:
    """Return ln n! minus Stirling's leading term, the correction of Loader (2000)."""
    if n < 16.0:
        return (
            math.lgamma(n + 1.0) - (n + 0.5) * math.log(n) + n - 0.918938533204672741780329736406
            if n > 0.0
            else 0.0
        )
    square = n * n
    return (
        1.0 / 12.0
        - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / square) / square) / square)
        / square
    ) / n


@njit
def deviance(n: float, mean: float) -> float:
    """Return n ln(n/mean) + mean - n without cancellation (Loader 2000)."""
    if abs(n - mean) < 0.1 * (n + mean):
        v = (n - mean) / (n + mean)
        total = (n - mean) * v
        term = 2.0 * n * v
        k = 1.0
        while True:
            term *= v * v
            step = term / (2.0 * k + 1.0)
            if total + step == total:
                return total
            total += step
            k += 1.0
    return n * math.log(n / mean) + mean - n


@njit
def poisson_pmf(n: float, mean: float) -> float:
    """Return e^-mean mean^n / n! to full precision for any size (Loader 2000)."""
    if mean == 0.0:
        return 1.0 if n == 0.0 else 0.0
    if n == 0.0:
        return math.exp(-mean)
    return math.exp(-log_factorial_correction(n) - deviance(n, mean)) / math.sqrt(2.0 * math.pi * n)


@njit
def _digamma_rest(x: float) -> float:
    """Return digamma(x) - ln x for x >= 16 (asymptotic series)."""
    y = 1.0 / (x * x)
    series = 1.0 / 12.0 - y * (1.0 / 120.0 - y * (1.0 / 252.0 - y * (1.0 / 240.0 - y / 132.0)))
    return -0.5 / x - y * series


@njit
def harmonic_sum(offset: float, count: float) -> float:
    """Return ``sum(1 / (offset + i) for i in 1..count)`` in a bounded number of steps."""
    direct = min(count, 16.0)
    total = 0.0
    i = 1.0
    while i <= direct:
        total += 1.0 / (offset + i)
        i += 1.0
    rest = count - direct
    if rest <= 0.0:
        return total
    start = offset + direct + 1.0
    return total + math.log1p(rest / start) + _digamma_rest(start + rest) - _digamma_rest(start)


@njit
def normal_cdf(x: float) -> float:
    """Return P(Z <= x) of the standard normal law."""
    return 0.5 * math.erfc(-x / 1.4142135623730951)

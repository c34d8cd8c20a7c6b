"""What stands behind each formula, as a function of numbers: compiled kernels and their kin.

Plain functions, which `forward` runs with dual numbers; the formulas themselves run over arrays.
"""

from __future__ import annotations

import math
from typing import Any

from flownet.queues.abandonment import erlang_a_finite_measures
from flownet.queues.deterministic import mdc_measures
from flownet.queues.general import gigc_wait_probability, gigc_waiting_time
from flownet.queues.impatience import mmcg_measures
from flownet.queues.many_servers import ORDER, between_constant, boxma_weight
from flownet.queues.markov import mmc_waiting_time, mmck_measures
from flownet.queues.quasi import phphc_measures
from flownet.queues.quasi_limited import phphck_measures, waiting_levels
from flownet.queues.refined import gigc_refined_measures
from flownet.queues.states import number_probability_scalar


def exact_measures(rate: Any, time: Any, servers: Any, ca: Any, cs: Any) -> tuple[Any, ...]:
    """Return P(wait) and the mean wait of Ph/Ph/c."""
    if rate * time >= servers:
        return 1.0, math.inf
    return phphc_measures(rate, time, servers, ca, cs)


def places_measures(
    rate: Any, time: Any, servers: Any, capacity: Any, ca: Any, cs: Any, patience: Any
) -> tuple[Any, ...]:
    """Return the measures of Ph/Ph/c/K+M, in the order of `erlang_a_finite_measures`."""
    used = waiting_levels(rate, time, servers, ca, cs, capacity, patience)
    full, chance, waiting = phphck_measures(rate, time, servers, ca, cs, servers + used, patience)
    admitted = rate * (1.0 - full)
    gone = waiting / patience / rate
    wait = waiting / admitted
    served = wait if math.isinf(patience) else math.nan
    shown = full if servers + used == capacity else 0.0
    return chance, waiting, gone, wait, served, (admitted - gone * rate) * time, shown


def patient_measures(
    rate: Any, time: Any, servers: Any, patience: Any, scv: Any
) -> tuple[Any, ...]:
    """Return the measures of M/M/c+G, in the order of `erlang_a_finite_measures`."""
    if math.isinf(patience):
        return erlang_a_finite_measures(rate, time, servers, patience, math.inf)
    return (*mmcg_measures(rate, time, servers, patience, scv), 0.0)


def room_measures(rate: Any, time: Any, servers: Any, capacity: Any) -> tuple[Any, ...]:
    """Return P(full), the loss, throughput, P(wait) and the mean wait of M/M/c/K."""
    full, admitted, waiting, chance = mmck_measures(rate, time, servers, capacity)
    throughput = rate * admitted
    return full, full, throughput, chance, waiting / throughput


def formula_measures(rate: Any, time: Any, servers: Any, ca: Any, cs: Any) -> tuple[Any, ...]:
    """Return P(wait) and the mean wait of GI/G/c by the formulas."""
    wait = gigc_waiting_time(rate, time, servers, ca, cs)
    return gigc_wait_probability(rate, time, servers, ca, cs), wait


def one_formula_measures(rate: Any, time: Any, ca: Any, cs: Any) -> tuple[Any, ...]:
    """Return those of GI/G/1."""
    return formula_measures(rate, time, 1.0, ca, cs)


def kimura_measures(rate: Any, time: Any, servers: Any, cs: Any) -> tuple[Any, ...]:
    """Return those of M/G/c."""
    return formula_measures(rate, time, servers, 1.0, cs)


def cosmetatos_measures(rate: Any, time: Any, servers: Any, cs: Any) -> tuple[Any, ...]:
    """Return those of M/G/c with the mixture of Cosmetatos."""
    markov = mmc_waiting_time(rate, time, servers)
    wait = cs * markov + (1.0 - cs) * mdc_measures(rate, time, servers)[1]
    return gigc_wait_probability(rate, time, servers, 1.0, cs), wait


def boxma_measures(rate: Any, time: Any, servers: Any, cs: Any) -> tuple[Any, ...]:
    """Return those of M/G/c with the mixture of Boxma, Cohen and Huffels."""
    markov = mmc_waiting_time(rate, time, servers)
    constant = mdc_measures(rate, time, servers)[1]
    alpha = boxma_weight(servers, cs)
    wait = (1.0 + cs) * constant * markov / (2.0 * alpha * constant + (1.0 - alpha) * markov)
    return gigc_wait_probability(rate, time, servers, 1.0, cs), wait


def refined_measures(rate: Any, time: Any, servers: Any, ca: Any, cs: Any) -> tuple[Any, ...]:
    """Return those of GI/G/c as `gigc` has them by default."""
    return gigc_refined_measures(rate, time, servers, ca, cs, ORDER)


def refined_poisson_measures(rate: Any, time: Any, servers: Any, cs: Any) -> tuple[Any, ...]:
    """Return those of M/G/c as `mgc` has them: from M/D/c on where service is very smooth."""
    if not between_constant(servers, cs):
        return refined_measures(rate, time, servers, 1.0, cs)
    part = 1.0 - 2.0 * cs
    smooth = mdc_measures(rate, time, servers)
    half = refined_measures(rate, time, servers, 1.0, 0.5)
    return part * smooth[0] + (1.0 - part) * half[0], part * smooth[1] + (1.0 - part) * half[1]


def number_measures(*parameters: Any) -> tuple[Any, ...]:
    """Return P(n present)."""
    return (number_probability_scalar(*parameters),)

"""The station library: formulas of a single queueing station, each with its equation and source.

Every formula takes numbers or arrays that broadcast against each other, checks them, and returns
arrays in their common shape. The scalar kernels behind them are compiled and may be called from
other compiled code: `flownet.queues.erlang`, `.markov`, `.general`, `.abandonment`, `.priority`.
"""

from flownet.queues.abandonment import erlang_a, mmcg
from flownet.queues.derivatives import gradient
from flownet.queues.deterministic import mdc, mdc_gradient
from flownet.queues.erlang import erlang_b, erlang_b_gradient, erlang_c, erlang_c_gradient
from flownet.queues.finite_source import finite_source, finite_source_gradient
from flownet.queues.insensitive import mgcc, mminf, processor_sharing
from flownet.queues.limited_slopes import erlang_a_gradient, mmck_gradient
from flownet.queues.many_servers import gigc, gigc_gradient, mgc
from flownet.queues.markov import mmc, mmc_gradient, mmck
from flownet.queues.measures import Abandoning, ClassDelay, Delay, Limited
from flownet.queues.priority import priority_nonpreemptive, priority_preemptive
from flownet.queues.priority_slopes import priority_nonpreemptive_gradient
from flownet.queues.quasi import phphc
from flownet.queues.quasi_limited import phphck
from flownet.queues.single_server import WaitMoments, gig1, mg1, mg1_gradient, mg1_wait_moments
from flownet.queues.staffing import fewest_servers, largest_arrival_rate, square_root_servers
from flownet.queues.states import number_probability
from flownet.queues.waits import wait_percentile, wait_tail

__all__ = [
    "Abandoning",
    "ClassDelay",
    "Delay",
    "Limited",
    "WaitMoments",
    "erlang_a",
    "erlang_a_gradient",
    "erlang_b",
    "erlang_b_gradient",
    "erlang_c",
    "erlang_c_gradient",
    "fewest_servers",
    "finite_source",
    "finite_source_gradient",
    "gig1",
    "gigc",
    "gigc_gradient",
    "gradient",
    "largest_arrival_rate",
    "mdc",
    "mdc_gradient",
    "mg1",
    "mg1_gradient",
    "mg1_wait_moments",
    "mgc",
    "mgcc",
    "mmc",
    "mmc_gradient",
    "mmcg",
    "mmck",
    "mmck_gradient",
    "mminf",
    "number_probability",
    "phphc",
    "phphck",
    "priority_nonpreemptive",
    "priority_nonpreemptive_gradient",
    "priority_preemptive",
    "processor_sharing",
    "square_root_servers",
    "wait_percentile",
    "wait_tail",
]

"""Print the packaged systems' figures beside their sources: ``python -m benchmarks.published``.

The same figures are asserted in tests/golden.
"""

from __future__ import annotations

import flownet as fn
from flownet.queues.erlang import erlang_b_scalar

# Monks and others (2016), BMC Health Serv. Res. 16:530, table 2: probability of delay by beds
STROKE = {
    "ASU": {9: 0.19, 10: 0.14, 11: 0.09, 12: 0.06, 13: 0.04, 14: 0.02},
    "REHAB": {10: 0.20, 12: 0.11, 13: 0.08, 14: 0.05, 15: 0.03, 16: 0.02},
}
# PathSimR, Use Case Library, Obstetrics: average occupancy, 100 runs of 200 hours
OBSTETRICS = {
    "Triage": 5.576, "APM": 13.238, "APNM": 7.562, "LD": 8.797, "PP": 30.734, "PACU": 0.910,
    "MSW": 10.101,
}  # fmt: skip
# IPACS_params.xlsx, base scenario (Zenodo 7845908): arrivals a day, beds, mean stay in days
BEDS = {
    "P2_B": (3.06603488, 102, 42.79), "P2_NS": (2.34187712, 28, 38.28),
    "P2_SG": (2.13844539, 61, 34.06), "P3_B": (1.9462743, 72, 59.15),
    "P3_NS": (1.09323708, 39, 44.91), "P3_SG": (2.3160667, 37, 32.18),
}  # fmt: skip


def main() -> None:
    """Print one line a figure: ours, and the source's."""
    load = fn.solve(fn.example("stroke")).services["number_present"]
    print("stroke: probability of delay, ours and Monks 2016")
    for unit, published in STROKE.items():
        for beds, figure in published.items():
            ours = erlang_b_scalar(float(beds), float(load[unit]))
            print(f"  {unit:6} {beds:3} beds  {ours:.3f}  {figure:.2f}")
    held = fn.solve(fn.example("obstetrics")).services
    print("obstetrics: beds occupied, ours and PathSimR's 200 hours")
    for service, figure in OBSTETRICS.items():
        ours = held.loc[service, "occupancy"] * held.loc[service, "servers"]
        print(f"  {service:7} {ours:7.3f}  {figure:7.3f}")
    growth = fn.solve(fn.example("discharge_to_assess")).services["growth_rate"]
    print(
        "discharge_to_assess: growth of the backlog a day, ours and arrivals - beds / stay of IPACS"
    )
    for service, (arrivals, beds, stay) in BEDS.items():
        print(f"  {service:6} {growth[service]:.4f}  {arrivals - beds / stay:.4f}")


if __name__ == "__main__":
    main()

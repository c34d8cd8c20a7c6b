"""Monks et al. 2016, BMC Health Services Research 16:530, table 2, current admissions."""

import pytest
from scipy.stats import poisson

import flownet as fn

# Table 2: share of patients who would find n beds taken, P(N = n) / P(N <= n), by number of beds.
DELAY = {
    "ASU": {9: 0.19, 10: 0.14, 11: 0.09, 12: 0.06, 13: 0.04, 14: 0.02},
    "REHAB": {10: 0.20, 12: 0.11, 13: 0.08, 14: 0.05, 15: 0.03, 16: 0.02},
}
ROWS = [(unit, beds, share) for unit, rows in DELAY.items() for beds, share in rows.items()]

# Additional file 1: days between arrivals; mean stay (stroke patients without and with early
# supported discharge apart); shares that go on to rehabilitation and to early supported discharge.
BETWEEN = {
    "ASU": {"stroke": 1.2, "tia": 9.3, "neuro": 3.6, "other": 3.2},
    "REHAB": {"stroke": 21.8, "neuro": 31.7, "other": 28.6},
}
STAY = {
    "ASU": {"tia": 1.8, "neuro": 4.0, "other": 3.8, "stroke": 0.87 * 7.4 + 0.13 * 4.6},
    "REHAB": {"tia": 18.7, "neuro": 27.6, "other": 16.1, "stroke": 0.60 * 28.4 + 0.40 * 30.3},
}
ON_TO_REHAB = {"stroke": 0.24, "tia": 0.01, "neuro": 0.11, "other": 0.05}


def offered_load(unit: str) -> float:
    """Arrivals per day times mean stay, over the classes."""
    rate = {name: 1.0 / days for name, days in BETWEEN[unit].items()}
    if unit == "REHAB":
        for name, share in ON_TO_REHAB.items():
            rate[name] = rate.get(name, 0.0) + share / BETWEEN["ASU"][name]
    return sum(rate[name] * STAY[unit][name] for name in rate)


@pytest.fixture(scope="module")
def stroke():
    return fn.example("stroke")


@pytest.fixture(scope="module")
def occupancy(stroke):
    return fn.solve(stroke).services["number_present"]


@pytest.mark.parametrize("unit", ["ASU", "REHAB"])
def test_the_occupancy_is_the_load_that_the_published_inputs_give(unit, occupancy):
    assert occupancy[unit] == pytest.approx(offered_load(unit), rel=1e-8)


@pytest.mark.parametrize(("unit", "beds", "share"), ROWS)
def test_the_probability_of_delay_is_that_of_the_paper(unit, beds, share, occupancy):
    present = poisson(occupancy[unit])
    assert round(present.pmf(beds) / present.cdf(beds), 2) == share


@pytest.mark.parametrize(("unit", "beds", "share"), ROWS)
def test_a_unit_with_beds_loses_that_share(unit, beds, share, stroke):
    with_beds = stroke.replace(services={unit: {"servers": beds, "waiting_room": 0}})
    assert round(fn.solve(with_beds).services.loc[unit, "loss_probability"], 2) == share

"""The packaged systems against the figures that their sources publish."""

import csv
import math
from collections import defaultdict
from datetime import date

import pytest

import flownet as fn
from flownet.kernels.simulation import measures, simulate_once
from flownet.network.compile import compile_network

SYSTEMS = ("stroke", "obstetrics", "discharge_to_assess", "urgent_care")
STANDINGS = ("published", "estimated", "assumed")


def numeric(value) -> bool:
    """Whether an attribute holds a number: its own, by class, or in a law."""
    if isinstance(value, dict):
        return any(numeric(item) for item in value.values())
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def figures():
    """Every number of the packaged systems, with the place it stands at and its origin."""
    for system in SYSTEMS:
        document = fn.example(system).to_dict()
        rows = [(row["name"], row) for row in document["services"]]
        rows += [(f"{row['from']} -> {row['to']}", row) for row in document["routes"]]
        for place, row in rows:
            origin = row.get("origin", {})
            for name, value in row.items():
                if name != "origin" and (numeric(value) or value == "inf"):
                    yield system, place, name, origin.get(name, "")


def test_the_systems_are_those_of_the_package():
    assert set(fn.examples()) == set(SYSTEMS)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_figure_says_where_it_comes_from(system):
    own = [(place, name, origin) for named, place, name, origin in figures() if named == system]
    unsaid = [(place, name) for place, name, origin in own if not origin.startswith(STANDINGS)]
    assert own
    assert not unsaid


# ------------------------------------------------------------------------------------ obstetrics

# PathSimR, Use Case Library, Obstetrics, simulation tables: average occupancy in beds (100 runs of
# 200 hours), and a long-run event simulation of the same network (400 runs of 2,000 hours): mean
# and half-width of its 95 % interval. A bed is occupied by a patient who waits to leave it.
OCCUPIED = {
    "Triage": (5.57581947, 5.52757, 0.02474),
    "APM": (13.23770045, 13.50325, 0.09206),
    "APNM": (7.56230551, 7.57362, 0.06509),
    "LD": (8.79698563, 8.94447, 0.06673),
    "PP": (30.73368099, 31.36984, 0.09418),
    "PACU": (0.91032697, 0.87195, 0.00384),
    "MSW": (10.10121195, 9.94696, 0.0597),
}


@pytest.fixture(scope="module")
def obstetrics():
    return fn.solve(fn.example("obstetrics")).services


@pytest.mark.parametrize("service", OCCUPIED)
def test_obstetrics_occupies_the_beds_of_the_simulation(service, obstetrics):
    published, long_run, _ = OCCUPIED[service]
    occupied = obstetrics.loc[service, ["number_in_service", "number_blocked"]].sum()
    assert occupied == pytest.approx(long_run, rel=0.05)
    assert occupied == pytest.approx(published, rel=0.07)  # 200 hours: 1 to 4 % beside the long run


# --------------------------------------------------------------------------- discharge to assess

# IPACS_params.xlsx, base scenario: arrivals per day, capacity, median and mean of the stay in days.
# The lognormal law has mu = ln(median) and sigma^2 = 2 ln(mean / median), so its mean is the last.
BEDS = {
    "P2_B": (3.06603488, 102, 42.79),
    "P2_NS": (2.34187712, 28, 38.28),
    "P2_SG": (2.13844539, 61, 34.06),
    "P3_B": (1.9462743, 72, 59.15),
    "P3_NS": (1.09323708, 39, 44.91),
    "P3_SG": (2.3160667, 37, 32.18),
}

# IPACS, testing/visit_testing_using_IPACS_params.csv, base scenario: patients in the home service
# (places in use), mean of days 61 to 181; 0.6, 0 and 0 patients are delayed.
AT_HOME = {"P1_B": 76.4, "P1_NS": 33.7, "P1_SG": 43.1}


@pytest.fixture(scope="module")
def discharge():
    return fn.solve(fn.example("discharge_to_assess"))


def test_the_six_bed_services_are_overloaded_and_no_other(discharge):
    assert set(discharge.overloaded) == set(BEDS)


@pytest.mark.parametrize("service", BEDS)
def test_the_backlog_grows_by_arrivals_less_what_the_beds_take(service, discharge):
    arrivals, beds, stay = BEDS[service]
    row = discharge.services.loc[service]
    assert row["growth_rate"] == pytest.approx(arrivals - beds / stay, rel=1e-4)
    assert row["load_ratio"] == pytest.approx(arrivals * stay / beds, rel=1e-4)
    assert math.isinf(row["number_waiting"])


@pytest.mark.parametrize("service", AT_HOME)
def test_support_at_home_is_used_as_in_ipacs(service, discharge):
    """Within 10 %: IPACS counts visits and lets arrivals vary; the file counts patients."""
    assert discharge.services.loc[service, "number_in_service"] == pytest.approx(
        AT_HOME[service], rel=0.10
    )


# ----------------------------------------------------------------------------------- urgent care


@pytest.fixture(scope="module")
def urgent_care():
    return fn.solve(fn.example("urgent_care"))


@pytest.fixture(scope="module")
def roomy():
    """Urgent care with ten times the servers, so that nobody is turned away: the demand."""
    network = fn.example("urgent_care")
    more = {row["name"]: {"servers": 10 * row["servers"]} for row in network.to_dict()["services"]}
    return fn.solve(network.replace(more))


@pytest.fixture(scope="module")
def average_department(shared):
    """Attendances a day and share admitted of an average organisation, NHS England 2016 to 2019."""
    days, attendances, admissions = 0, 0.0, 0.0
    with (shared / "data" / "nhs_england_ae_attendances_2016_2019.csv").open() as file:
        for row in csv.DictReader(file):
            if row["type"] == "1":
                month = date.fromisoformat(row["period"])
                following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
                days += (following - month).days
                attendances += float(row["attendances"])
                admissions += float(row["admissions"])
    return attendances / days, admissions / attendances


def throughput(solution) -> dict:
    """Jobs per hour that complete each service, by service and class."""
    flows: dict = defaultdict(float)
    for (service, job_class), value in solution.service_classes["throughput"].items():
        flows[service, job_class] += value
    return flows


def test_urgent_care_is_stable(urgent_care):
    assert not urgent_care.overloaded
    assert urgent_care.converged


def test_a_quarter_of_an_average_department_attends(roomy, average_department):
    attendances, admitted = average_department
    flow = throughput(roomy)
    all_patients = sum(flow["Emergency department", name] for name in ("frail", "other"))
    assert 24 * all_patients == pytest.approx(attendances / 4, rel=1e-3)
    admissions = sum(flow["Assessment unit", name] for name in ("frail", "other"))
    assert admissions / all_patients == pytest.approx(admitted, rel=1e-3)


def test_the_published_shares_come_out(roomy):
    flow = throughput(roomy)
    frail, other = (flow["Emergency department", name] for name in ("frail", "other"))
    assert frail / (frail + other) == pytest.approx(0.14, rel=1e-3)  # FEED 2024
    by_ambulance = flow["Ambulance handover", "frail"] + flow["Ambulance handover", "other"]
    assert by_ambulance / (frail + other) == pytest.approx(1251095 / 4078857, rel=1e-3)
    admitted = flow["Assessment unit", "frail"] + flow["Assessment unit", "other"]
    stayed = flow["Frailty ward", "frail"] + flow["Medical ward", "other"]
    assert 1 - stayed / admitted == pytest.approx(0.316, rel=1e-3)  # SAMBA 2021


def test_the_queue_stands_outside_the_emergency_department():
    """By simulation: who has neither bed nor cubicle waits at the door, and not for its own sake.

    90 years after a warm-up of 10; the number at the door is 2.7 to 2.9 over seeds, so that 1 is
    far below.
    """
    network = fn.example("urgent_care")
    run = simulate_once(compile_network(network).arrays, horizon=8.8e5, warmup=8.8e4, seed=1)
    measured = measures(run)
    names = list(network.services)
    door = [names.index("Ambulance handover"), names.index("Waiting room")]
    assert measured.number_blocked[door].sum() > 1.0
    assert measured.number_waiting.sum() == 0
    assert measured.number_outside.sum() == 0
    waited_for = {
        names[end]
        for start, end in zip(measured.blocked_by_from, measured.blocked_by_to, strict=True)
        if start in door
    }
    assert waited_for == {"Emergency department"}


def test_the_constraint_is_neither_the_door_nor_the_department():
    """Nothing in the file says so: it comes out of the model, in care after hospital."""
    finding = fn.find_constraint(fn.example("urgent_care"))
    assert set(finding.constraint_set) <= {"Home care", "Community beds", "Care home"}


def test_planned_occupancy_follows_the_rules_of_the_notes():
    """Arithmetic of the notes: flow times treatment, on the wards also the wait to leave."""
    frail, other, discharges = 0.25934, 0.37219, 0.63153
    pathways = 0.5 * frail + 0.05 * other
    waiting = 1.3 * 24 * discharges
    planned = {
        "Frailty ward": (frail * 212.8 + waiting * 0.5 * frail / pathways, 0.92),
        "Medical ward": (other * 115.23 + waiting * 0.05 * other / pathways, 0.92),
        "Home care": (0.6148 * pathways * 18.07 * 24, 0.92),
        "Community beds": (0.2357 * pathways * 42.79 * 24, 0.92),
        "Care home": (0.1496 * pathways * 59.15 * 24, 0.92),
    }
    nodes = fn.example("urgent_care").graph.nodes
    fewest = {service: math.ceil(load / most) for service, (load, most) in planned.items()}
    assert fewest == {service: nodes[service]["servers"] for service in planned}

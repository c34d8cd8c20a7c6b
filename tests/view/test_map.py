"""The map: a place for each service at any width, names that fit, marks where the finding says."""

import itertools

import numpy as np
import pytest

import flownet as fn
from flownet.view.layout import grid, layers
from flownet.view.map import draw, fitted

WIDTHS = [400, 800, 1280]


def tree(size, branches=3, name="service {}"):
    names = [name.format(i) for i in range(size)]
    services = [{"name": each, "servers": 3, "service_time": 1.0} for each in names]
    services[0]["external_arrival_rate"] = 1.0
    routes = [
        {"from": names[(i - 1) // branches], "to": names[i], "routing_probability": 0.9 / branches}
        for i in range(1, size)
    ]
    document = {"network": {"time_unit": "day"}, "services": services, "routes": routes}
    return fn.Network.from_dict(document)


@pytest.fixture(scope="module")
def finding():
    return fn.find_constraint(fn.example("urgent_care"))


@pytest.fixture(scope="module")
def solutions(finding):
    star = tree(151, branches=150)
    return {
        "urgent_care": finding.solution,
        "overloaded": fn.solve(fn.example("discharge_to_assess")),
        "tree": fn.solve(tree(150)),
        "star": fn.solve(star),
        "line": fn.solve(tree(60, branches=1)),
        "one": fn.solve(tree(1)),
        "long names": fn.solve(tree(12, name="x" * 170 + " {} <b>日本</b>")),
    }


NAMES = ["urgent_care", "overloaded", "tree", "star", "line", "one", "long names"]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_no_two_services_overlap_and_all_are_on_the_map(solutions, name, width):
    drawn = draw(solutions[name], None, width)
    wide, high = drawn.box
    assert len(drawn.boxes) == len(solutions[name].services)
    for a, b in itertools.combinations(drawn.boxes, 2):
        assert abs(a.x - b.x) >= wide or abs(a.y - b.y) >= high
    assert min(box.x for box in drawn.boxes) >= 0
    assert max(box.x for box in drawn.boxes) + wide <= drawn.width
    assert max(box.y for box in drawn.boxes) + high <= drawn.height


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_the_lines_of_a_box_fit_into_it(solutions, name, width):
    drawn = draw(solutions[name], None, width)
    wide, high = drawn.box
    for box in drawn.boxes:
        lines = box.lines + box.details
        assert len(lines) * (drawn.letters + 2) <= high
        # bold letters of a sans serif face are about 0.6 em wide on average
        assert all(0.6 * drawn.letters * len(line) <= wide + 4 for line in lines)


def test_flows_go_right_but_those_that_return(finding):
    network = finding.network
    layer = layers(network.graph, ["Ambulance handover", "Waiting room"])
    returning = {(u, v) for u, v in network.graph.edges if layer[u] >= layer[v]}
    assert {v for _, v in returning} == {"Ambulance handover"}
    placed = grid(network.graph, ["Ambulance handover", "Waiting room"], 1100, 120)
    assert placed.bands == 1
    assert {placed.at[name][1] for name in network.services} == set(layer.values())


def test_a_map_that_is_too_narrow_goes_on_in_bands_below():
    network = tree(20, branches=1)
    placed = grid(network.graph, ["service 0"], 500, 100)
    assert (placed.columns, placed.bands) == (5, 4)


def test_the_map_marks_constraint_and_symptoms(finding):
    drawn = draw(finding.solution, finding)
    assert {box.name for box in drawn.boxes if box.constraint} == set(finding.constraint_set)
    assert {box.name for box in drawn.boxes if box.symptom} == set(finding.symptoms)


def test_the_widest_arrow_is_the_largest_flow():
    solution = fn.solve(tree(4, branches=3))
    drawn = draw(solution, None)
    inside = [arrow.width for arrow in drawn.arrows if not arrow.title.startswith("from outside")]
    assert np.ptp(inside) == 0.0  # three equal branches
    assert max(inside) < 1.2 + 8.8  # less than what comes in


@pytest.mark.parametrize("text", ["", " ", "x" * 500, "a b " * 100, "日本" * 50, "x" * 40 + " y"])
def test_a_text_is_cut_to_its_lines(text):
    lines = fitted(text, 100.0, 11.5, 2)
    assert 1 <= len(lines) <= 2


def test_what_returns_from_above_another_service_does_not_pass_behind_it():
    """Of two services in a column the upper one's return swings over, the lower one's below."""

    def arrows(back_from):
        network = fn.Network.from_dict({
            "network": {"time_unit": "hour"},
            "services": [
                {"name": "door", "service_time": 0.2, "external_arrival_rate": 1.0},
                {"name": "up", "service_time": 0.2},
                {"name": "down", "service_time": 0.2},
            ],
            "routes": [
                {"from": "door", "to": "up", "routing_probability": 0.5},
                {"from": "door", "to": "down", "routing_probability": 0.5},
                {"from": back_from, "to": "door", "routing_probability": 0.3},
            ],
        })  # fmt: skip
        drawn = draw(fn.solve(network))
        back = next(arrow for arrow in drawn.arrows if arrow.back)
        return back.middle[1], {box.name: box.y for box in drawn.boxes}

    ends = {name: arrows(name) for name in ("up", "down")}
    upper = min(("up", "down"), key=lambda name: ends["up"][1][name])
    lower = "down" if upper == "up" else "up"
    assert ends[upper][0] < ends[upper][1][upper]
    assert ends[lower][0] > ends[lower][1][lower]

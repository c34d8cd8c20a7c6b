"""In a browser, at two widths: no two labels of a plot overlap, and none is cut off."""

import itertools
import json
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from plotly.offline import get_plotlyjs

import flownet as fn
from flownet.study.ranking import Objective, front, tornado

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
WIDTHS = (1280, 800)
SLACK = 3.0  # pixels: boxes of letters are higher than the letters, and touch without harm
SCRIPT = """
const found = {};
const rect = (node) => { const r = node.getBoundingClientRect();
  return [r.left, r.top, r.right, r.bottom]; };
Promise.all(FIGURES.map(([name, figure]) => {
  const box = document.createElement("div");
  box.style.width = (figure.layout.width || WIDTH) + "px";
  document.body.append(box);
  return Plotly.newPlot(box, figure.data, figure.layout, {displayModeBar: false}).then(() => {
    const frame = rect(box);
    const texts = [...box.querySelectorAll("text")].filter((t) => t.textContent.trim() &&
      getComputedStyle(t).opacity !== "0");
    const lines = texts.flatMap((t) => { const rows = [...t.querySelectorAll("tspan.line")];
      return rows.length ? rows.map((r) => [r, t]) : [[t, t]]; });
    found[name] = {frame, texts: lines.map(([row, whole]) => [row.textContent, rect(row),
      texts.indexOf(whole), (whole.getAttribute("transform") || "").includes("rotate(-4")])};
  });
})).then(() => {
  document.body.replaceChildren();
  document.body.textContent = JSON.stringify(found);
});
"""


def many(size):
    names = [f"Service of the {i}th kind" for i in range(size)]
    services = [{"name": each, "servers": 3, "service_time": 1.0} for each in names]
    services[0]["external_arrival_rate"] = 1.0
    routes = [
        {"from": names[(i - 1) // 3], "to": names[i], "routing_probability": 0.3}
        for i in range(1, size)
    ]
    document = {"network": {"time_unit": "day"}, "services": services, "routes": routes}
    return fn.Network.from_dict(document)


def mixed(classes):
    """Return three services, each of which works longest for another class."""
    rows = [
        {"name": f"Place where class {k} stays long", "servers": 4,
         "service_time": {name: 1.0 + 2.0 * (j == k) for j, name in enumerate(classes)},
         "external_arrival_rate": dict.fromkeys(classes, 0.1)}
        for k in range(3)
    ]  # fmt: skip
    document = {"network": {"time_unit": "day"}, "classes": {name: {} for name in classes}}
    return fn.Network.from_dict(document | {"services": rows})


def weekly():
    """Return a clinic with a week: days, nights, and a quieter weekend."""

    def rates(day, night, weekend):
        return [
            {"start": 24 * d + a, "end": 24 * d + b, "value": night if a != 8 else level}
            for d, level in enumerate([day] * 5 + [weekend] * 2)
            for a, b in ((0, 8), (8, 20), (20, 24))
        ]

    services = [
        {"name": "Reception of the outpatient clinic", "servers": 2, "service_time": 0.1,
         "external_arrival_calendar": rates(14, 3, 6)},
        {"name": "Doctor", "service_time": 0.5, "server_calendar": rates(8, 3, 2)},
    ]  # fmt: skip
    routes = [{"from": services[0]["name"], "to": "Doctor", "routing_probability": 0.9}]
    document = {"network": {"time_unit": "hour"}, "services": services, "routes": routes}
    return fn.Network.from_dict(document)


@pytest.fixture(scope="module")
def plots():
    view, network = fn.view, fn.example("urgent_care")
    finding = fn.find_constraint(network)
    clinic = fn.Network.from_dict({
        "network": {"time_unit": "hour"},
        "services": [
            {"name": "triage", "servers": 2, "service_time": 0.3, "external_arrival_rate": 5.0,
             "target": 0.25},
            {"name": "doctor", "servers": 4, "service_time": 0.9, "target": 1.0},
        ],
        "routes": [{"from": "triage", "to": "doctor", "routing_probability": 0.8}],
    })  # fmt: skip
    solved = fn.solve(clinic)
    better = network.replace(services={"Home care": {"servers": 48}})
    rng = np.random.default_rng(2)
    goals = Objective("cost", "GBP/day", "smaller"), Objective("delay", "job", "smaller")
    outcomes = pd.DataFrame(
        {"cost": np.arange(14.0), "delay": np.sort(rng.uniform(1, 9, 14))[::-1]},
        index=[f"{k} more places in home care" for k in range(14)],
    )
    rows = {
        f"stay in service {k}": dict.fromkeys(("low_setting", "high_setting"), "")
        | {"low": 4.0 - k, "high": 9.0 + k}
        for k in range(4)
    }
    change = fn.TestOfChange(
        [21, 19, 22, 20, 18, 21, 20, 23, 19, 20, 22, 21], "two more beds",
        fn.Prediction(13, 17, measure="patients waiting"), [15, 14, 16, 13, 15, 16, 14, 15],
    )  # fmt: skip
    clinic_week = weekly()
    run = fn.simulate(clinic_week, horizon=168.0 * 4, warmup=168.0, replications=2, seed=5)
    hours = fn.constraint_week(clinic_week)
    groups = ["elderly people with frailty", "children", "all others"]
    return lambda width: {
        "week": view.week(run, "Doctor"),
        "constraint week": view.constraint_week(hours),
        "mix of two": view.saturation_map(fn.saturation_regions(mixed(groups[:2]))),
        "mix of three": view.saturation_map(fn.saturation_regions(mixed(groups))),
        "map of few": view.network_map(finding, width=width),
        "map of many": view.network_map(fn.solve(many(150)), width=width),
        "heat map": view.delay_heatmap(finding),
        "ribbon": view.delay_ribbon(finding),
        "relief": view.relief_bars(finding),
        "relief per money": view.relief_bars(finding, "relief_per_money"),
        "times": view.time_distribution(finding.solution, [4.0, 4.2, 12.0]),
        "waits": view.wait_distribution(solved),
        "numbers": view.occupancy_distribution(solved, "doctor"),
        "slopes": view.slope_chart(fn.compare(network, better)),
        "organisations": view.slope_chart(fn.compare(network, better), by="organisations"),
        "front": view.frontier(front(outcomes, *goals)),
        "tornado": view.tornado_chart(tornado(goals[1], 5.0, rows, "one factor at a time")),
        "sensitivities": view.sensitivity_bars(fn.sensitivities(network)),
        "values": view.xmr_chart(fn.xmr(rng.normal(50, 3, 40), measure="beds")),
        "test of change": view.xmr_chart(change),
        "relief so far": view.relief_curve(fn.constraint_path(clinic, stages=2, most=4)),
    }


def measured(figures, width, folder):
    """Draw the figures in a browser; return the frame and the texts of each, with their boxes."""
    pairs = ",".join(f"[{json.dumps(name)}, {fig.to_json()}]" for name, fig in figures.items())
    page = folder / "page.html"
    page.write_text(
        f"<!DOCTYPE html><meta charset='utf-8'><body><script>{get_plotlyjs()}</script>"
        f"<script>const WIDTH = {width}; const FIGURES = [{pairs}];{SCRIPT}</script>",
        encoding="utf-8",
    )
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--dump-dom",
             f"--window-size={width + 40},900", "--virtual-time-budget=30000")  # fmt: skip
    result = subprocess.run(
        [CHROMIUM, *flags, f"--user-data-dir={folder / 'profile'}", page.as_uri()],
        capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    text = re.search(r"<body>(\{.*\})</body>", result.stdout, re.DOTALL)
    assert text is not None, result.stdout[-500:]
    return json.loads(text[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))


def overlaps(texts):
    """Return pairs of lines that cover each other; slanted ones are boxes of air, and left out."""
    return [
        (a[0], b[0])
        for a, b in itertools.combinations(texts, 2)
        if not (a[3] or b[3])
        and min(a[1][2], b[1][2]) - max(a[1][0], b[1][0]) > SLACK
        and min(a[1][3], b[1][3]) - max(a[1][1], b[1][1]) > SLACK + (2 if a[2] == b[2] else 0)
    ]


def outside(frame, texts):
    left, top, right, bottom = frame
    return [
        text
        for text, (x0, y0, x1, y1), *_ in texts
        if x0 < left - 1 or x1 > right + 1 or y0 < top - 1 or y1 > bottom + 1
    ]


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_labels_neither_overlap_nor_leave_the_plot(plots, tmp_path, width):
    if CHROMIUM is None:
        pytest.skip("no chromium or google-chrome is installed to draw in")
    found = measured(plots(width), width, tmp_path)
    assert {name: overlaps(plot["texts"]) for name, plot in found.items()
            if overlaps(plot["texts"])} == {}  # fmt: skip
    assert {name: outside(**plot) for name, plot in found.items() if outside(**plot)} == {}
    assert all(plot["texts"] for plot in found.values())

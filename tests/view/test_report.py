"""The page: whole, harmless, offline, and without errors in a browser."""

import base64
import hashlib
import itertools
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

import flownet as fn
from flownet.errors import ParameterError
from flownet.view.map import LEVELS
from flownet.view.page import stored

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-logging=stderr", "--v=0",
)  # fmt: skip
NAMES = ["hostile", "urgent_care", "overloaded", "estimated"]
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "Übergangspflege «Süd» 日本",
    "x" * 200,
]


def chain(names, beds=6, load=0.8, **room):
    services = [
        {"name": name, "servers": beds, "service_time": beds * load} | (room or {"waiting_room": 0})
        for name in names
    ]
    services[0] |= {"external_arrival_rate": 0.9, "external_when_full": "wait_outside"}
    services[-1]["cost_per_server"] = 100.0
    routes = [
        {"from": a, "to": b, "routing_probability": 0.99} for a, b in itertools.pairwise(names)
    ]
    return fn.Network.from_dict(
        {"network": {"name": "a <b>chain</b>", "time_unit": "day"}, "services": services,
         "routes": routes}
    )  # fmt: skip


def from_log(folder):
    """Write the page of a network that a simulated log gave, with the simulation."""
    network = chain(["door", "ward"], beds=4, load=0.7)
    options = {"horizon": 400.0, "warmup": 0.0, "replications": 1, "seed": 11}
    log = fn.simulate(network, **options, trace_rows=5_000).trace
    data = fn.from_event_log(
        log, case="case", activity="service", arrived="arrived", start="started",
        complete="finished", left="left", time_unit="day", families=("exponential",),
    )  # fmt: skip
    simulated = fn.simulate(data.network, **(options | {"replications": 3, "warmup": 20.0}))
    return fn.report(
        data.network, path=folder / "estimated.html", data=data, simulation=simulated,
        finding=fn.find_constraint(data.network),
    )  # fmt: skip


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    pytest.importorskip("surpyval", reason="one page shows a log, whose laws an extra fits")
    folder = tmp_path_factory.mktemp("pages")
    network = chain(HOSTILE)
    finding = fn.find_constraint(network)
    plan = fn.reallocate(network, budget=100.0)
    hostile = fn.report(network, finding=finding, plan=plan, path=folder / "hostile.html")
    system = fn.example("urgent_care")
    urgent = fn.report(system, finding=fn.find_constraint(system), path=folder / "urgent_care.html")
    overloaded = fn.report(fn.example("discharge_to_assess"), path=folder / "overloaded.html")
    estimated = from_log(folder)
    return {
        "estimated": estimated,
        "hostile": hostile,
        "urgent_care": urgent,
        "overloaded": overloaded,
    }


class Outline(HTMLParser):
    """Collect tags, tables, what scripts hold, and the attributes that load something."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.loads, self.programs, self.attributes = [], [], [], []
        self._script = None
        self.tables, self._rows, self._cell = {}, [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))
        self.loads += [
            value for name, value in attrs if name in {"src", "href", "action", "xlink:href"}
        ]
        if tag == "script":
            self._script = dict(attrs).get("type", "program")
        if tag == "table":
            self._rows, self._caption = [], ""
        if tag in {"tr", "caption", "th", "td"}:
            self._cell = "" if tag != "tr" else None
            self._rows += [[]] if tag == "tr" else []

    def handle_data(self, data):
        if self._cell is not None:
            self._cell += data
        if self._script == "program":
            self.programs.append(data)

    def handle_endtag(self, tag):
        if tag == "script":
            self._script = None
        if tag == "caption":
            self._caption = self._cell
        if tag in {"th", "td"}:
            self._rows[-1].append(self._cell)
        if tag == "table":
            self.tables[self._caption] = self._rows[1:]
        self._cell = self._cell if tag not in {"caption", "th", "td"} else None


@pytest.mark.parametrize("name", NAMES)
def test_the_page_loads_nothing_from_outside(pages, name):
    text = pages[name].read_text(encoding="utf-8")
    outline = Outline(text)
    places = {attributes["id"] for _, attributes in outline.attributes if "id" in attributes}
    for load in outline.loads:
        assert load == "data:," or load.removeprefix("#") in places
    own = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"url\((?!#)|@import", own)
    assert len(text.encode("utf-8")) < 8_000_000


@pytest.mark.parametrize("name", NAMES)
def test_only_our_scripts_may_run(pages, name):
    outline = Outline(pages[name].read_text(encoding="utf-8"))
    policy = next(
        attributes["content"]
        for tag, attributes in outline.attributes
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")
    allowed = policy.partition("script-src ")[2].split()
    hashes = [
        "'sha256-" + base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() + "'"
        for each in outline.programs
    ]
    assert hashes == ([] if allowed == ["'none'"] else allowed)
    assert len(hashes) == (2 if "figure" in outline.tags else 0)


def test_names_are_texts_and_nothing_else(pages):
    text = pages["hostile"].read_text(encoding="utf-8")
    outline = Outline(text)
    assert "img" not in outline.tags
    assert not any("alert" in program for program in outline.programs)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "Übergangspflege «Süd» 日本" in text
    assert "a &lt;b&gt;chain&lt;/b&gt;" in text


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_built_for_reading_aloud(pages, name):
    text = pages[name].read_text(encoding="utf-8")
    outline = Outline(text)
    assert 'lang="en"' in text
    assert outline.tags.count("h1") == 1
    levels = [int(tag[1]) for tag in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert outline.tags.count("caption") == outline.tags.count("table")
    assert outline.tags.count("figcaption") == outline.tags.count("figure")
    for tag, attributes in outline.attributes:
        if attributes.get("role") in {"img", "region"}:
            assert attributes.get("aria-label") or attributes.get("aria-labelledby"), tag
        if attributes.get("role") == "region":  # what scrolls can be scrolled by the keyboard
            assert attributes["tabindex"] == "0"
    identifiers = [attributes["id"] for _, attributes in outline.attributes if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))


def luminance(color):
    """Return the relative luminance of WCAG 2.2."""
    parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_texts_have_the_contrast_that_wcag_asks_for():
    css = stored("report.css")
    named = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", css))
    for name in ("ink", "soft", "blue"):
        assert contrast(named[name], "#ffffff") >= 4.5  # WCAG 2.2, 1.4.3
    for color in re.findall(r"(?:color|fill): (#[0-9a-f]{6})", css):
        assert contrast(color, "#ffffff") >= 4.5
    for _, fill, ink, _ in LEVELS:
        assert contrast(fill, ink) >= 4.5


def test_the_case_is_whole(pages):
    text = pages["hostile"].read_text(encoding="utf-8")
    for heading in ("Summary", "Evidence", "Who gains and who loses", "Assumptions",
                    "What was not modelled", "Versions and seeds"):  # fmt: skip
        assert re.search(rf"<h[23][^>]*>{heading}", text), heading
    for heading in ("In which order", "What limits then", "Times and waits"):
        assert re.search(rf"<h[23][^>]*>{heading}", text), heading
    data = pages["estimated"].read_text(encoding="utf-8")
    assert "Quality of the data" in data
    assert "rows of the log were read" in data
    assert "seed 11, 3 replications" in data


def test_a_plan_is_told_step_by_step_and_what_limits_then(tmp_path):
    network = chain(["triage", "doctor", "ward"], waiting_room="inf")
    plan = fn.reallocate(network, budget=300.0)
    finding = fn.find_constraint(network)
    text = fn.report(network, finding, plan, tmp_path / "page.html").read_text(encoding="utf-8")
    rows = Outline(text).tables["The plan, step by step"]
    assert [row[0] for row in rows] == [str(k + 1) for k in range(len(plan.steps))]
    assert [float(row[3]) for row in rows] == pytest.approx(
        plan.steps["gain_so_far"].tolist(), rel=5e-3
    )  # three digits
    assert "The constraint is" in text.partition("What limits then")[2].partition("<section")[0]


def test_times_and_targets_of_a_page_are_those_of_the_solution(tmp_path):
    services = [{"name": "desk", "service_time": 1.0, "external_arrival_rate": 0.5, "target": 2.0}]
    network = fn.Network.from_dict({"network": {"time_unit": "hour"}, "services": services})
    page = fn.report(network, path=tmp_path / "page.html", targets=[4.0])
    tables = Outline(page.read_text(encoding="utf-8")).tables
    # M/M/1 at load 0.5: P(T <= 4) = 1 - e^-2, P(W <= 2) = 1 - e^-1 / 2, P(n) = 2^-(n + 1)
    assert tables["Time from admission to exit"][0][-1] == "86.5%"
    assert tables["Waits inside, service by service"][0][-2:] == ["2 hours", "81.6%"]
    assert tables["How many are present"][2] == ["2", "12.50%"]
    with pytest.raises(ParameterError, match="finite times above 0"):
        fn.report(network, path=tmp_path / "none.html", targets=[-4.0])
    with pytest.raises(ParameterError, match="finite times above 0"):
        fn.report(network, path=tmp_path / "none.html", targets=["soon"])
    assert not (tmp_path / "none.html").exists()


def test_calendars_are_told_hour_by_hour(tmp_path):
    def rates(night, day):
        return [{"start": 0, "end": 12, "value": night}, {"start": 12, "end": 24, "value": day}]

    desk = {"service_time": 0.1}
    services = [
        desk | {"name": "a", "external_arrival_calendar": rates(2, 8)},
        desk | {"name": "b", "external_arrival_calendar": rates(6, 4)},
    ]
    network = fn.Network.from_dict({"network": {"time_unit": "hour"}, "services": services})
    page = fn.report(network, fn.find_constraint(network), path=tmp_path / "page.html")
    text = page.read_text(encoding="utf-8")
    # each M/M/1 by itself: its wait is longer where its load is larger
    assert Outline(text).tables["The constraint by time of the cycle"] == [
        ["00:00", "12:00", "b", "the hour's own queues"],
        ["12:00", "00:00", "a", "the hour's own queues"],
    ]
    assert "the calendars enter as their means" in text


def test_a_result_of_another_network_is_refused(tmp_path):
    network, other = (chain(["a", "b"], beds, waiting_room="inf") for beds in (6, 7))
    with pytest.raises(ParameterError, match="another network"):
        fn.report(network, fn.find_constraint(other), path=tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


def test_a_large_network_has_a_page_of_bounded_size(tmp_path):
    names = [f"service {i}" for i in range(600)]
    services = [{"name": name, "servers": 3, "service_time": 1.0} for name in names]
    services[0]["external_arrival_rate"] = 1.0
    routes = [
        {"from": names[(i - 1) // 3], "to": names[i], "routing_probability": 0.3}
        for i in range(1, 600)
    ]
    network = fn.Network.from_dict(
        {"network": {"time_unit": "day"}, "services": services, "routes": routes}
    )
    text = fn.report(network, path=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "too many for a map" in text
    assert "300 more rows are not shown" in text


def test_the_map_rings_the_constraint_and_marks_the_symptoms(pages):
    text = pages["urgent_care"].read_text(encoding="utf-8")
    finding = fn.find_constraint(fn.example("urgent_care"))
    assert text.count('class="ring"') == len(finding.constraint_set)
    assert text.count("▲ SYMPTOM") == len(finding.symptoms)


def test_an_overloaded_system_has_an_honest_page(pages):
    text = pages["overloaded"].read_text(encoding="utf-8")
    assert "is overloaded" in text
    assert "unlimited" in text


def browse(page, folder, *flags):
    if CHROMIUM is None:
        pytest.skip("no chromium or google-chrome is installed to open the page in")
    return subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={folder}", *flags, page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip


@pytest.mark.parametrize("name", [*NAMES[:3], pytest.param(NAMES[3], marks=pytest.mark.slow)])
def test_a_browser_opens_the_page_without_an_error_on_its_console(pages, tmp_path, name):
    result = browse(pages[name], tmp_path, "--virtual-time-budget=5000", "--dump-dom")
    assert "<h1>" in result.stdout
    charts = Outline(pages[name].read_text(encoding="utf-8")).tags.count("figure")
    assert len(re.findall(r'class="[^"]*drawn', result.stdout)) == charts
    console = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
    assert console == []


@pytest.mark.slow
def test_the_page_does_not_scroll_sideways_on_a_narrow_screen(pages, tmp_path):
    text = pages["hostile"].read_text(encoding="utf-8")
    text = re.sub(r"<meta http-equiv=[^>]*>", "", text)  # the policy would stop our measure
    measure = "<script>document.title = 'wide ' + document.documentElement.scrollWidth</script>"
    copy = tmp_path / "copy.html"
    copy.write_text(text.replace("</body>", measure + "</body>"), encoding="utf-8")
    flags = ("--window-size=500,900", "--virtual-time-budget=5000", "--dump-dom")
    found = re.search(r"<title>wide (\d+)", browse(copy, tmp_path / "profile", *flags).stdout)
    assert found is not None
    assert int(found[1]) <= 500


def test_the_page_prints(pages, tmp_path):
    target = tmp_path / "page.pdf"
    browse(pages["urgent_care"], tmp_path, f"--print-to-pdf={target}")
    assert target.read_bytes().startswith(b"%PDF")

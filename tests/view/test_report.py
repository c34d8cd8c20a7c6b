"""The page: whole, harmless, offline, and without errors in a browser."""

import itertools
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

import flownet as fn

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-logging=stderr", "--v=0",
)  # fmt: skip
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "Übergangspflege «Süd» 日本",
    "x" * 200,
]


def chain(names, beds=6, load=0.8):
    services = [
        {"name": name, "servers": beds, "waiting_room": 0, "service_time": beds * load}
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


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    network = chain(HOSTILE)
    finding = fn.find_constraint(network)
    plan = fn.reallocate(network, budget=100.0)
    hostile = fn.report(network, finding=finding, plan=plan, path=folder / "hostile.html")
    system = fn.example("urgent_care")
    urgent = fn.report(system, finding=fn.find_constraint(system), path=folder / "urgent_care.html")
    overloaded = fn.report(fn.example("discharge_to_assess"), path=folder / "overloaded.html")
    return {"hostile": hostile, "urgent_care": urgent, "overloaded": overloaded}


class Outline(HTMLParser):
    """Collect tags, and the attributes that load something."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.loads = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [
            value for name, value in attrs if name in {"src", "href", "action", "xlink:href"}
        ]


@pytest.mark.parametrize("name", ["hostile", "urgent_care", "overloaded"])
def test_the_page_loads_nothing_from_outside(pages, name):
    text = pages[name].read_text(encoding="utf-8")
    outline = Outline(text)
    assert [load for load in outline.loads if load != "data:,"] == []
    assert "script" not in outline.tags
    assert not re.search(r"url\((?!#)|@import", text)
    assert len(text) < 8_000_000


def test_names_are_texts_and_nothing_else(pages):
    text = pages["hostile"].read_text(encoding="utf-8")
    outline = Outline(text)
    assert "img" not in outline.tags
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "Übergangspflege «Süd» 日本" in text
    assert "a &lt;b&gt;chain&lt;/b&gt;" in text


def test_the_page_is_built_for_reading_aloud(pages):
    text = pages["urgent_care"].read_text(encoding="utf-8")
    outline = Outline(text)
    assert 'lang="en"' in text
    assert outline.tags.count("h1") == 1
    assert outline.tags.count("caption") == outline.tags.count("table")
    assert 'role="img"' in text
    assert 'scope="col"' in text
    assert 'scope="row"' in text


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


@pytest.mark.parametrize("name", ["hostile", "urgent_care", "overloaded"])
def test_a_browser_opens_the_page_without_an_error_on_its_console(pages, tmp_path, name):
    result = browse(pages[name], tmp_path, "--dump-dom")
    assert "<h1>" in result.stdout
    console = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
    assert console == []


def test_the_page_prints(pages, tmp_path):
    target = tmp_path / "page.pdf"
    browse(pages["urgent_care"], tmp_path, f"--print-to-pdf={target}")
    assert target.read_bytes().startswith(b"%PDF")

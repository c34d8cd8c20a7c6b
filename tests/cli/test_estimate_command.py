"""The command ``flownet estimate``."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

import flownet as fn
from flownet.cli import app


@pytest.fixture
def log(tmp_path):
    pytest.importorskip("surpyval")
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(range(0, 600, 10), unit="min")
    path = tmp_path / "log.csv"
    frame = pd.DataFrame({"case": range(60), "activity": "desk", "start": start})
    frame["complete"] = frame["start"] + pd.to_timedelta(frame["case"] % 3 + 1, unit="min")
    frame.to_csv(path, index=False)
    return path


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_estimate_writes_a_network_and_reports_on_the_data(log, tmp_path):
    target = tmp_path / "network.toml"
    result = run("estimate", log, "--out", target, "--explain")
    assert result.exit_code == 0, result.output
    assert "60 rows read, 60 used, 0 refused" in result.stdout
    network = fn.read(target)
    assert network.time_unit == "minute"
    assert network.graph.nodes["desk"]["service_time"] == pytest.approx(2.0)
    assert network.graph.nodes["desk"]["origin"]["service_time"].startswith("estimated")


def test_estimate_prints_json_and_parameters(log):
    assert json.loads(run("estimate", log, "--json").stdout)["report"]["rows"]["timed"] == 60
    assert run("estimate", log, "--csv").stdout.startswith("owner,attribute,class,estimate")


def test_estimate_says_what_is_wrong(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("")
    result = run("estimate", path)
    assert result.exit_code == 1
    assert "is empty" in result.stderr


def test_a_column_that_is_not_there_is_named(log):
    result = run("estimate", log, "--case", "patient")
    assert result.exit_code == 1
    assert result.stderr.startswith("event log, case = 'patient': is no column")

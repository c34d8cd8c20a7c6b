"""Nonsense of every kind: an exit code and a sentence that names what is wrong, never a traceback.

``CliRunner`` keeps an exception that the command lets through: anything but ``SystemExit`` would
have been a traceback.
"""

import pytest
from typer.testing import CliRunner

from flownet.cli import app

FINE, FAULT, USAGE = 0, 1, 2
SOUND = """
[network]
time_unit = "day"
[[services]]
name = "front"
service_time = 0.25
servers = 10
external_arrival_rate = 20.0
cost_per_server = 10.0
[[services]]
name = "ward"
service_time = 4.0
servers = 30
cost_per_server = 100.0
[[routes]]
from = "front"
to = "ward"
routing_probability = 0.25
"""
COMMANDS = ("check", "solve", "find", "reallocate", "report")


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "sound.toml"
    path.write_text(SOUND)
    return path


@pytest.mark.parametrize(
    ("was", "becomes", "names"),
    [
        ("servers = 10", 'servers = "ten"', ("'front'", "servers = 'ten'", "number above 0")),
        ("servers = 10", "servers = true", ("'front'", "servers = True")),
        ("servers = 10", "servers = [1, 2]", ("'front'", "servers = [1, 2]")),
        ("servers = 10", "servers = 2024-01-01", ("'front'", "servers")),
        ("servers = 10", "servers = nan", ("'front'", "servers = nan")),
        ("servers = 10", "servers = 0", ("'front'", "servers = 0")),
        ("servers = 10", "servers = 1e300", ("'front'", "servers = 1e+300", "no more than")),
        ("20.0", "-20.0", ("'front'", "external_arrival_rate = -20.0", "at least 0")),
        ("20.0", "inf", ("'front'", "external_arrival_rate = inf", "finite")),
        ("service_time = 4.0", "service_time = 0.0", ("'ward'", "service_time = 0.0")),
        ("service_time = 4.0", "", ("'ward'", "service_time")),
        ("= 100.0", "= -100.0", ("'ward'", "cost_per_server = -100.0")),
        ("probability = 0.25", "probability = 1.5", ("'front' -> 'ward'", "1.5")),
        ("probability = 0.25", "probability = nan", ("'front' -> 'ward'", "nan")),
        ('to = "ward"', 'to = "wrad"', ("'wrad'", "did you mean 'ward'")),
        ('name = "ward"', 'name = "front"', ("'front'", "stands twice")),
        ('name = "ward"', 'name = "w\\nd"', ("printable",)),
        ('time_unit = "day"', "time_unit = 5", ("time_unit = 5",)),
        ("servers = 30", "bedz = 30", ("'ward'", "bedz")),
        ("servers = 30", "capacity = 0.5", ("'ward'", "capacity = 0.5")),
        ("servers = 30", 'discipline = "lifo"', ("'ward'", "discipline = 'lifo'", "fcfs")),
    ],
)
def test_a_wrong_value_is_named_with_its_service_and_what_is_right(sound, was, becomes, names):
    assert was in SOUND
    sound.write_text(SOUND.replace(was, becomes, 1))
    for command in ("check", "solve"):
        result = run(command, sound)
        assert result.exit_code == FAULT
        for name in names:
            assert name in result.output


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.toml", b"", "at least one service is needed"),
        ("binary.toml", bytes(range(256)), "cannot be read"),
        ("scalar.toml", b"network = 3\nservices = 'a'\n", "a table [network]"),
        ("digits.toml", b"x = " + b"9" * 5000, "is not TOML"),
        ("none.json", b"null", "must hold an object"),
        ("twice.json", b'{"network": 1, "network": 2}', "stands twice"),
        ("other.xyz", b"", "no known format"),
        ("services.csv", b"\xff\xfe\xfa", "cannot be read"),
        ("services.csv", b"", "is empty"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path, monkeypatch, command, name, content, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content)
    result = run(command, name)
    assert result.exit_code == FAULT
    assert says in result.output
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_file_is_named(tmp_path, command):
    result = run(command, tmp_path / "nowhere.toml")
    assert result.exit_code == FAULT
    assert "'nowhere.toml': does not exist" in result.output


def test_services_that_nobody_leaves_are_named(sound):
    back = '[[routes]]\nfrom = "ward"\nto = "front"\nrouting_probability = 1.0\n'
    forth = SOUND.replace("probability = 0.25", "probability = 1.0")
    sound.write_text(forth + back)
    result = run("check", sound)
    assert result.exit_code == FAULT
    assert "never leaves once it is among 'front', 'ward'" in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("reallocate", "--budget", "nan"), FAULT, "budget = nan"),
        (("reallocate", "--budget", "-5"), FAULT, "budget = -5"),
        (("report", "--budget", "-5"), FAULT, "budget = -5"),
        (("reallocate", "--budget", "much"), USAGE, "'--budget'"),
        (("reallocate", "--method", "magic"), USAGE, "magic"),
        (("reallocate", "--goal", "luck"), USAGE, "luck"),
        (("reallocate", "--exchanges", "nowhere.csv"), FAULT, "'nowhere.csv': does not exist"),
        (("solve", "--routes", "nowhere.csv"), FAULT, "holds its routes itself"),
        (("find", "--stages", "0"), FAULT, "stages"),
        (("find", "--samples", "0"), FAULT, "samples"),
        (("solve", "--within", "nan"), FAULT, "nan"),
        (("simulate", "--horizon", "nan"), FAULT, "horizon = nan"),
        (("simulate", "--horizon", "50", "--replications", "0"), FAULT, "replications = 0"),
        (("sweep", "--vary", "servers at wrad=1:3"), USAGE, "did you mean 'ward'"),
        (("sweep", "--vary", "servers at ward=5:3"), FAULT, "the lower end comes first"),
        (("sweep", "--vary", "servers at ward=1:2:0"), FAULT, "how many values"),
        (("sweep", "--vary", "servers at ward=1:99999999999"), FAULT, "more than"),
        (("sweep", "--vary", "servers at ward=1:2:99999999999"), FAULT, "how many values"),
        (("sweep", "--vary", "servers at ward=nan"), FAULT, "'nan' is not finite"),
        (("sweep", "--vary", "servers at ward=1:2", "--workers", "0"), USAGE, "'--workers'"),
        (("sweep", *(2 * ("--vary", "servers at ward=28:30"))), USAGE, "varied twice"),
    ],
)
def test_a_wrong_option_is_named(sound, tmp_path, monkeypatch, arguments, code, says):
    monkeypatch.chdir(tmp_path)
    command, *options = arguments
    result = run(command, sound, *options)
    assert result.exit_code == code, result.output
    assert says in result.output
    assert not (tmp_path / "report.html").exists()


def test_what_a_scenario_lacks_is_told_with_its_file(sound, tmp_path):
    scenario = tmp_path / "winter.toml"
    for text, says in (
        ("", "must have a name"),
        ("name = ", "is not TOML"),
        ('name = "a"\n[[changes]]\nkind = "set"\ntarget = "ward"\nservers = 3\n', "known are"),
    ):
        scenario.write_text(text)
        for command in (("study", sound, scenario), ("reallocate", sound, "--scenario", scenario)):
            result = run(*command)
            assert result.exit_code == FAULT
            assert "file 'winter.toml'" in result.output
            assert says in result.output

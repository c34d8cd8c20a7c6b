"""The distribution: what it needs, what it carries, and that importing it costs little."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import flownet

PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[\w.]+)( ; .+)?$")
RANGE = re.compile(r"^(?P<name>[\w.-]+)>=(?P<lower>[\d.]+),<(?P<cap>\d+)$")


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def pins(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    found = {}
    for line in lines:
        if line and not line.startswith("#"):
            pin = PIN.match(line)
            assert pin, f"{path.name}: not a pinned package: {line}"
            found[pin["name"]] = pin["version"]
    return found


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, object]:
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["project"]


@pytest.fixture(scope="module")
def needed(project) -> dict[str, re.Match[str]]:
    ranges = [RANGE.match(line) for line in project["dependencies"]]
    assert all(ranges), "each dependency has a lower bound and a cap"
    return {one["name"]: one for one in ranges}


def test_lower_bounds_are_the_versions_that_test_lower_tests(needed, repository):
    lowest = pins(repository / "requirements-lower.txt")
    for name, needs in needed.items():
        tested = numbers(lowest[name])
        bound = numbers(needs["lower"])
        assert tested[: len(bound)] == bound, name
        assert not any(tested[len(bound) :]), f"{name} is tested above its bound"


def test_development_set_has_every_dependency_within_its_range(needed, repository):
    pinned = pins(repository / "requirements-dev.txt")
    for name, needs in needed.items():
        assert numbers(needs["lower"]) <= numbers(pinned[name]) < numbers(needs["cap"]), name


def test_version_stands_in_one_place():
    try:
        installed = metadata.version("flownet-queueing")
    except metadata.PackageNotFoundError:
        pytest.skip("flownet is not installed: it is tested from its folder")
    assert installed == flownet.__version__


def test_importing_flownet_loads_none_of_the_heavy_packages():
    heavy = ("highspy", "jinja2", "numba", "pandas", "pulp", "pydantic", "rich", "scipy", "typer")
    program = f"import sys, flownet; print(*(set({heavy!r}) & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []


def test_wheel_carries_the_package_with_its_data(repository, tmp_path):
    pytest.importorskip("hatchling", reason="the build backend is not installed")
    build = "from hatchling.build import build_wheel; import sys; build_wheel(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)],
        check=True,
        capture_output=True,
        cwd=repository,
    )
    (wheel,) = tmp_path.glob("*.whl")
    carried = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("flownet/")}
    expected = {
        path.relative_to(repository).as_posix()
        for path in (repository / "flownet").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert carried == expected

"""Measure how wrong each approximation is, against exact chains and long simulations.

``python -m benchmarks.accuracy`` prints docs/accuracy.md; ``--write`` writes it; ``--only NAME``
measures one section and leaves the others as they stand; ``--list`` names them. A section is an
entry of `SECTIONS` in a module ``benchmarks/accuracy_*.py``.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import re
import sys
from collections.abc import Callable
from pathlib import Path

import benchmarks

PAGE = Path(__file__).resolve().parents[1] / "docs" / "accuracy.md"
HEAD = """# Accuracy

How wrong each approximation is, measured on networks that none of them was fitted to. Written by
`python -m benchmarks.accuracy --write`; nothing here is typed. Errors are absolute values;
percentages of probabilities are in points.
"""
MARK = "<!-- section: {} -->"

Section = Callable[[int | None], str]
"""Takes the number of cases (None: as many as the section finds right), returns its markdown."""


def sections() -> dict[str, Section]:
    """Return all sections by name, in the order of the modules' names."""
    found: dict[str, Section] = {}
    for module in sorted(pkgutil.iter_modules(benchmarks.__path__), key=lambda each: each.name):
        if module.name.startswith("accuracy_"):
            found |= importlib.import_module(f"benchmarks.{module.name}").SECTIONS
    return found


def standing(text: str) -> dict[str, str]:
    """Return the sections that a page holds."""
    parts = re.split(r"^<!-- section: (.*) -->$", text, flags=re.MULTILINE)[1:]
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


def main() -> None:
    """Print the page, or write it."""
    known = sections()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/accuracy.md")
    parser.add_argument("--count", type=int, help="cases in a section; each has its own default")
    parser.add_argument("--only", action="append", choices=known, help="measure only this section")
    parser.add_argument("--list", action="store_true", help="name the sections")
    arguments = parser.parse_args()
    if arguments.list:
        sys.stdout.write("\n".join(known) + "\n")
        return
    measured = {name: known[name](arguments.count).strip() for name in arguments.only or known}
    bodies = standing(PAGE.read_text(encoding="utf-8")) | measured
    shown = [f"{MARK.format(name)}\n\n{bodies[name]}\n" for name in known if name in bodies]
    text = "\n".join([HEAD, *shown])
    if arguments.write:
        PAGE.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()

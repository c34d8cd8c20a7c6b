"""The shell command: parse arguments, call one public function, print. No maths."""

from __future__ import annotations

from flownet.cli import describe, fronts, improve, shell, solving, studies
from flownet.cli.shell import app

__all__ = ["app", "main"]

for function in (
    describe.check,
    solving.solve,
    solving.simulate,
    describe.estimate,
    improve.find,
    improve.reallocate,
    fronts.pareto,
    fronts.budget_curve,
    solving.compare,
    studies.study,
    studies.sweep,
    studies.goal_seek,
    improve.report,
    describe.examples,
    describe.attributes,
):
    shell.register(function)


def main() -> None:
    """Run the command."""
    app()

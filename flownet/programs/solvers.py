"""Which solver, how it is called through PuLP 3 or 4, and what its status means."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pulp

from flownet.errors import Fault, ProgramError, UnknownNameError

OPTIONS: Final[dict[str, bool | float]] = {
    "output_flag": False,
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
    "mip_abs_gap": 1e-9,
    "mip_feasibility_tolerance": 1e-9,
}


def _highspy() -> Any:
    import highspy  # present wherever PuLP's HiGHS is

    return highspy


def set_integrality(model: Any, columns: Sequence[int], *, integer: bool) -> None:
    """Declare columns of a live HiGHS model whole numbers, or continuous."""
    if not columns:
        return
    types = _highspy().HighsVarType
    kind = types.kInteger if integer else types.kContinuous
    index = np.asarray(columns, dtype=np.int32)
    model.changeColsIntegrality(len(index), index, np.full(len(index), kind))


def choose_solver(name: str) -> str:
    """Return the solver that `name` stands for: 'highs', 'cbc' or a name that PuLP knows.

    Parameters
    ----------
    name : str
        ``auto``: HiGHS in this process, or CBC where highspy is missing and CBC is found.

    Raises
    ------
    UnknownNameError
        Where PuLP knows no such solver.
    ProgramError
        Where the solver, or with ``auto`` any solver, is missing.
    """
    known = name.lower()
    highs = importlib.util.find_spec("highspy") is not None
    if known in {"auto", "highs"} and highs:
        return "highs"
    if known in {"auto", "cbc"} and _cbc_path():
        return "cbc"
    if known == "auto":
        raise ProgramError("no solver is installed: install highspy, or CBC on the search path")
    if known in {"highs", "cbc"}:
        raise ProgramError(f"the solver '{known}' is not installed; 'auto' takes what there is")
    if name not in pulp.listSolvers():
        message = f"is not known; known are auto, highs, cbc and PuLP's {pulp.listSolvers()}"
        raise UnknownNameError([Fault("solver", "", repr(name), message)])
    if not pulp.getSolver(name, msg=False).available():
        raise ProgramError(f"the solver '{name}' is not installed; 'auto' takes what there is")
    return name


def _cbc_path() -> str:
    """Return where CBC is: on the search path, or inside PuLP 3; empty where nowhere."""
    solver = pulp.COIN_CMD(msg=False)
    if solver.available():
        return str(solver.path)
    bundled = getattr(pulp, "PULP_CBC_CMD", None)
    if bundled is not None and pulp.COIN_CMD(path=bundled.pulp_cbc_path, msg=False).available():
        return str(bundled.pulp_cbc_path)
    return ""


def make_solver(name: str, time_limit: float | None, gap: float | None, *, relaxed: bool) -> Any:
    """Return PuLP's solver object for a name from `choose_solver`."""
    limits = {"msg": False, "mip": not relaxed, "timeLimit": time_limit, "gapRel": gap}
    if name == "cbc":
        return pulp.COIN_CMD(path=_cbc_path(), **limits)
    return pulp.getSolver(name, **limits)

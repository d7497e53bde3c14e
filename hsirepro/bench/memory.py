"""Peak memory and time, measured in a process of its own so that nothing else counts."""

from __future__ import annotations

import subprocess
import sys
from typing import NamedTuple


class Cost(NamedTuple):
    """What a call took: its seconds, and the peak of its process in MB (10^6 bytes)."""

    seconds: float
    peak_mb: float


def peak_mb(module: str, call: str) -> float:
    """Return the peak resident memory of ``module.call``, in MB (10^6 bytes).

    Parameters
    ----------
    module : str
        What to import.
    call : str
        Python that follows the module's name and a dot.
    """
    return cost(module, call).peak_mb


def cost(module: str, call: str, before: str = "__name__") -> Cost:
    """Return seconds and peak of ``module.call``.

    Parameters
    ----------
    module : str
        What to import.
    call, before : str
        Python that follows the module's name and a dot. What ``before`` makes is not timed, but
        what it leaves in memory is part of the peak.
    """
    code = (
        f"import {module} as module, hsirepro.records as records\n"
        f"module.{before}\n"
        f"with records.Meter() as meter: module.{call}\n"
        "print(meter.wall_time_s, meter.peak_memory_mb)"
    )
    # Errors are not captured: they show on the terminal.
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seconds, peak = done.stdout.split()[-2:]
    return Cost(float(seconds), float(peak))

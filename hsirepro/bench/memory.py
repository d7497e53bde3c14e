"""Peak memory, measured in a process of its own so that nothing else counts."""

from __future__ import annotations

import subprocess
import sys


def peak_mb(module: str, call: str) -> float:
    """Return the peak resident memory of ``module.call``, in MB (10^6 bytes).

    Parameters
    ----------
    module : str
        What to import.
    call : str
        Python that follows the module's name and a dot.
    """
    code = (
        f"import {module} as module, hsirepro.records as records\n"
        f"with records.Meter() as meter: module.{call}\n"
        "print(meter.peak_memory_mb)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)

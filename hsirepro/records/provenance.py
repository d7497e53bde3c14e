"""What made a number: code, packages, hardware, data, time, memory.

Nothing here names a user, a host or a folder.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import hsirepro

PACKAGES = ("torch", "numpy", "xarray", "h5py", "lightning", "scipy")
SOURCES = {".py", ".toml", ".csv", ".txt"}
"""Files of the package that can change a number."""

_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")


def provenance(
    *, seed: int, data_sha256: str, wall_time_s: float, peak_memory_mb: float, device: str
) -> dict[str, Any]:
    """Describe the run that made a record.

    Parameters
    ----------
    seed : int
    data_sha256 : str
        Hash of the scene's pixels, ``cube.attrs["sha256"]``.
    wall_time_s, peak_memory_mb : float
        As :class:`Meter` measured them; s and MB (10^6 bytes) of host memory.
    device : str
        ``"cpu"``, ``"cuda"``, ``"cuda:1"`` ...

    Returns
    -------
    dict
        JSON-ready: the arguments, ``code_version``, ``code_hash``, ``git_commit`` and
        ``git_dirty`` (None outside a checkout), ``python``, ``packages``, ``hardware`` (one
        line), ``machine`` (the same, in parts), ``os`` and ``date`` (UTC, ISO 8601).
    """
    machine = _machine(device)
    commit, dirty = _git()
    return {
        "seed": seed,
        "data_sha256": data_sha256,
        "wall_time_s": round(wall_time_s, 3),
        "peak_memory_mb": round(peak_memory_mb, 1),
        "device": device,
        "code_version": hsirepro.__version__,
        "code_hash": code_hash(),
        "git_commit": commit,
        "git_dirty": dirty,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "hardware": _one_line(machine),
        "machine": machine,
        "os": _system(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


class Meter:
    """Measure wall time and peak memory of a block.

    The operating system keeps the highest resident memory of a process since its start. On Linux
    the mark is lowered to the present use on entry, so that the peak is that of the block. Where
    that is not permitted the peak covers the process up to the end of the block, and
    ``peak_covers`` says so.

    Attributes
    ----------
    wall_time_s : float
        Seconds.
    peak_memory_mb : float
        Highest resident memory, MB (10^6 bytes), of the whole process: interpreter, libraries
        and data that were there before the block included.
    peak_covers : {"block", "process"}

    Examples
    --------
    >>> with Meter() as meter:
    ...     squares = sum(i * i for i in range(1000))
    >>> meter.wall_time_s > 0, meter.peak_memory_mb > 1
    (True, True)
    """

    wall_time_s: float
    peak_memory_mb: float
    peak_covers: str

    def __enter__(self) -> Self:
        self.peak_covers = "process"
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
            self.peak_covers = "block"
        self._start = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.wall_time_s = time.perf_counter() - self._start
        self.peak_memory_mb = _peak_bytes() / 1e6


@functools.cache
def code_hash() -> str:
    """Return the SHA-256 of the package's sources, the same from a wheel and from a checkout.

    Line ends are normalised, and files are named by their place in the package, so neither the
    machine nor the way of installing changes it.
    """
    total = hashlib.sha256()
    root = Path(hsirepro.__file__).parent
    files = {p.relative_to(root).as_posix(): p for p in root.rglob("*") if p.suffix in SOURCES}
    for name, path in sorted(files.items()):
        content = path.read_bytes().replace(b"\r\n", b"\n")
        total.update(f"{name}\0{len(content)}\0".encode() + content)
    return total.hexdigest()


def _peak_bytes() -> float:
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
        if found:
            return int(found[1]) * 1024.0
    import resource  # not on Windows, which Meter does not support

    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git() -> tuple[str | None, bool | None]:
    """Return the commit of the checkout and whether the package differs from it."""
    package = Path(hsirepro.__file__).resolve().parent
    if not (package.parent / ".git").exists():
        return None, None
    try:
        commit = _git_says(package, "rev-parse", "HEAD")
        return commit, bool(_git_says(package, "status", "--porcelain", "--", "."))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git_says(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()


def _machine(device: str) -> dict[str, Any]:
    cpu = _cpu_info()
    words = set(cpu.get("flags", cpu.get("Features", "")).split())
    return {
        "cpu": cpu.get("model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": _threads(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "flags": [flag for flag in _FLAGS if flag in words],
        "gpu": _gpu(device),
    }


def _cpu_info() -> dict[str, str]:
    """Return the entries of the first processor in /proc/cpuinfo; empty where there is none."""
    try:
        first = Path("/proc/cpuinfo").read_text("utf-8").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def _threads() -> int | None:
    """Threads that torch computes with, or that OMP_NUM_THREADS allows where it is not loaded."""
    if "torch" in sys.modules:
        return int(sys.modules["torch"].get_num_threads())
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdigit() else os.cpu_count()


def _gpu(device: str) -> str | None:
    if not device.startswith("cuda"):
        return None
    import torch

    return str(torch.cuda.get_device_name(device))


def _one_line(machine: dict[str, Any]) -> str:
    gpu = f"{machine['gpu']}, " if machine["gpu"] else ""
    return (
        f"{gpu}{machine['cpu']} ({machine['threads']} of {machine['cores']} threads, "
        f"{machine['memory_gb']:g} GB)"
    )


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = platform.system()
    return f"{name} {platform.machine()}"

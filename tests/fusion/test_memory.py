"""Memory of the fusion methods: refused before it is taken, and tiles that leave no seam."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from hsirepro.errors import ResourceError
from hsirepro.fusion import METHODS, WHOLE_IMAGE, Outcome, fuse, hysure_admm, regression
from hsirepro.fusion.blocks import assemble, from_blocks, to_blocks
from hsirepro.optics import landsat8_oli, resample
from hsirepro.scenes import make_cube

RATIO, BANDS = 8, 60
SRF = landsat8_oli(np.linspace(430.0, 860.0, BANDS))
BRIEF = {
    "cnmf": {"iterations": 1},
    "g-somp": {"iterations": 1, "atoms": 6},
    "g-somp-pursuit": {"iterations": 1, "atoms": 6},
    "hysure": {"iterations": 2},
    "lanaras": {"iterations": 2},
    "usdn": {"hsi_iterations": 1, "fit_iterations": 1, "msi_iterations": 1},
    "hyconet": {"iterations": 1, "endmembers": 5},
}
TILED = tuple(name for name in METHODS if name not in WHOLE_IMAGE)


def module_of(name: str) -> ModuleType:
    """Return the module of a method: the package's attribute may be the method itself."""
    return importlib.import_module(METHODS[name].__module__)


def run(name: str, height: int, width: int, **settings: object) -> Outcome:
    """Fuse noise in the shapes of a pair, of ``height`` x ``width`` MSI pixels."""
    rng = torch.Generator().manual_seed(0)
    hsi = torch.rand(BANDS, height // RATIO, width // RATIO, generator=rng)
    msi = torch.rand(3, height, width, generator=rng)
    settings = {**BRIEF.get(name, {}), **settings}
    return METHODS[name](hsi, msi, ratio=RATIO, srf=SRF, psf=None, seed=0, device="cpu", **settings)


def peak_of_tensors(call: Callable[[], object], folder: Path) -> int:
    """Return the most bytes that the tensors which ``call`` makes take at once."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        call()
    trace = folder / "trace.json"
    seen.export_chrome_trace(str(trace))
    events = json.loads(trace.read_text())["traceEvents"]
    now = peak = 0
    for event in sorted((e for e in events if e["name"] == "[memory]"), key=lambda e: e["ts"]):
        now += event["args"]["Bytes"]
        peak = max(peak, now)
    return peak


def free(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Let the machine have ``size`` bytes of free memory."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=size))


@pytest.mark.parametrize("name", sorted(WHOLE_IMAGE))
def test_maps_that_do_not_fit_are_refused(monkeypatch, name):
    """A method that holds the image whole says what it needs, why, and what to do instead."""
    free(monkeypatch, 10**7)
    monkeypatch.setattr(module_of(name), "pair_optics", None)  # it is refused before any work
    with pytest.raises(ResourceError) as caught:
        run(name, 504, 400)
    first, why, step = str(caught.value).splitlines()
    assert first == f"{name} needs 0.1 GB for this pair; 0.0 GB are free."
    assert "maps" in why
    assert "the fused image" in why
    assert step.endswith("or take a method that works in tiles: gsa, sfim-hs, glp-hs")


@pytest.mark.parametrize("name", sorted(WHOLE_IMAGE))
def test_count_is_the_peak(monkeypatch, tmp_path, name):
    """What such a method asks for is what its tensors take at their peak."""
    asked: list[int] = []
    monkeypatch.setattr(module_of(name), "require_memory", lambda *given: asked.append(given[1]))
    # The count is for images beside which the chunks are small; this one is small itself.
    for module in (module_of("fuse"), hysure_admm):
        monkeypatch.setattr(module, "_PIXELS_AT_ONCE", 2**12)
    monkeypatch.setattr(module_of("lanaras"), "INNER", 2)
    peak = peak_of_tensors(lambda: run(name, 256, 240), tmp_path)
    assert len(asked) == 1
    assert 0.85 * peak < asked[0] < 1.2 * peak


@pytest.mark.parametrize("name", TILED)
def test_methods_in_tiles_ask_for_nothing(monkeypatch, name):
    """What works in tiles is not refused, however little memory is free."""
    free(monkeypatch, 0)
    assert run(name, 16, 24).image.shape == (BANDS, 16, 24)


@pytest.mark.parametrize(
    "name", ["bicubic", "g-somp", "glp-hs", "gsa", "mapsmm", "sfim-hs", "usdn"]
)
def test_memory_of_tiles_is_that_of_the_answer(monkeypatch, tmp_path, name):
    """An image of twice the size takes what its answer takes more, and at most a copy of it."""
    monkeypatch.setattr(regression, "PIXELS_AT_ONCE", 2**12)
    monkeypatch.setattr(resample, "_PIXELS_AT_ONCE", 2**15)
    heights = (256, 512)
    small, large = (peak_of_tensors(lambda h=h: run(name, h, 128), tmp_path) for h in heights)
    answer = (heights[1] - heights[0]) * 128 * BANDS * 4
    assert answer < large - small < 2.3 * answer


def test_answer_that_does_not_fit_is_refused(monkeypatch):
    """The door counts the answer, whatever the method is."""
    hsi, msi = make_cube(np.ones((100, 90, BANDS)), None), make_cube(np.ones((400, 360, 3)), None)
    free(monkeypatch, 10**7)
    with pytest.raises(ResourceError) as caught:
        fuse("gsa", hsi, msi, ratio=4)
    first, why, step = str(caught.value).splitlines()
    assert first == "gsa needs 0.1 GB for this pair; 0.0 GB are free."
    assert "the fused image" in why
    assert step.endswith("crop the pair, or fuse parts of it")


@pytest.mark.parametrize("name", ["glp-hs", "gsa", "sfim-hs"])
def test_bands_at_once_leave_no_seam(monkeypatch, name):
    """One band at a time or all at once, the pan-sharpened image is the same."""
    results = []
    for bands in (1, 7, BANDS):
        monkeypatch.setattr(module_of(name), "_BANDS_AT_ONCE", bands)
        results.append(run(name, 40, 48, regress_bands=False).image)
    for image in results[:2]:
        torch.testing.assert_close(image, results[2])


def test_regression_in_parts_leaves_no_seam(monkeypatch):
    """Gram matrix and prediction are sums over pixels, in whatever parts they are taken."""
    image = torch.rand(12, 20, 23, generator=torch.Generator().manual_seed(0))
    results = []
    for pixels in (1, 100, 2**16):
        monkeypatch.setattr(regression, "PIXELS_AT_ONCE", pixels)
        results.append(regression.denoise(image))
    for denoised in results[:2]:
        torch.testing.assert_close(denoised, results[2])


@pytest.mark.parametrize("at_once", [1, 4, 100])
def test_image_from_parts_is_the_image(at_once):
    """Parts of whole or broken rows of blocks go back to their places."""
    image = torch.rand(5, 15, 21, generator=torch.Generator().manual_seed(0))
    blocks = to_blocks(image, 3)
    assert torch.equal(assemble(torch.split(blocks, at_once), 5, 7, 3), image)
    assert torch.equal(from_blocks(blocks, 5, 7, 3), image)


def test_memory_is_told_in_gigabytes(monkeypatch):
    """A GB is 10^9 bytes, as everywhere in the book."""
    from types import SimpleNamespace

    import psutil

    from hsirepro.errors import ResourceError
    from hsirepro.fusion.memory import require_memory

    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8 * 10**9))
    with pytest.raises(ResourceError, match=r"x needs 20\.0 GB for this pair; 8\.0 GB are free"):
        require_memory("x", 20 * 10**9, "why")

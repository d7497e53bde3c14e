"""The chapter on one's own scene, run cell by cell on images that are not the planted default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jupytext
import numpy as np
import pytest

from hsirepro.book import ROOT
from hsirepro.errors import ParameterError
from hsirepro.papers.hyconet.own_pair import open_pair
from hsirepro.scenes import open_scene

SCRIPT = ROOT / "notebooks" / "hyconet" / "your_scene.py"


@pytest.fixture
def chapter(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Return a function that runs the chapter with parameters and returns what it displayed."""

    def run(**parameters: Any) -> list[Any]:
        shown: list[Any] = []
        monkeypatch.setattr("IPython.display.display", lambda *things: shown.extend(things))
        space: dict[str, Any] = {}
        for cell in jupytext.read(SCRIPT).cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, str(SCRIPT), "exec"), space)
                if "parameters" in cell.metadata.get("tags", []):
                    space |= parameters
        return shown

    return run


def own_files(folder: Path, size: int | None = None) -> dict[str, str]:
    """Store the planted pair as files of one's own: counts, and an MSI in other units."""
    pair = open_pair("planted", sigma=1.0)
    rows = slice(size)
    np.savez(
        folder / "hsi.npz",
        counts=np.rint(1e4 * pair.hsi.values[rows]).astype(np.uint16),
        other=pair.hsi.values[..., :3],
        wavelengths=pair.hsi.wavelength.values,
    )
    np.save(folder / "msi.npy", 0.02 + pair.msi.values[: None if size is None else 4 * size])
    centres = [f"{name}, {nm - 40:.0f}, {nm + 40:.0f}" for name, nm in zip(
        pair.names, pair.srf.centres, strict=True
    )]  # fmt: skip
    (folder / "bands.txt").write_text("\n".join(centres), "utf-8")
    return {"hsi": str(folder / "hsi.npz"), "hsi_key": "counts", "msi": str(folder / "msi.npy")}


def texts(shown: list[Any]) -> str:
    """Return all Markdown that was displayed."""
    return "\n".join(str(thing.data) for thing in shown if hasattr(thing, "data"))


def test_an_own_pair_runs_to_its_file(chapter, tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    """Two files in different units and a file of bands become scores, checks and a cube."""
    files = own_files(tmp_path)
    shown = chapter(
        **files,
        msi_bands=str(tmp_path / "bands.txt"),
        methods="bicubic,gsa",
        output=str(tmp_path / "fused.nc"),
    )
    said = texts(shown)
    assert "different units" in said
    assert "That is much" not in said
    assert "of 2," in said  # one step coarser, two methods were compared
    assert "There is none: this pair is your own." in capsys.readouterr().out
    fused = open_scene(tmp_path / "fused.nc")
    assert fused.shape == (48, 48, 60)
    assert 100 < float(fused.mean()) < 10_000  # in the counts of the HSI


def test_an_own_pair_too_small_to_reduce_is_fused_all_the_same(  # type: ignore[no-untyped-def]
    chapter, tmp_path, capsys
) -> None:
    """Without a coarser step there is no score, and the chapter says so and goes on."""
    shown = chapter(**own_files(tmp_path, size=8), methods="gsa")
    assert "too small to be degraded once more" in capsys.readouterr().out
    assert "nothing could be tried, so there is no score" in texts(shown)


def test_a_wrong_output_stops_before_any_image_is_opened(chapter, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """A method or file name that cannot be is told at once, not after the training."""
    with pytest.raises(ParameterError, match="does not exist"):
        chapter(hsi="gone.hdr", output=str(tmp_path / "gone" / "fused.nc"))
    with pytest.raises(ParameterError, match="no fusion method"):
        chapter(hsi="gone.hdr", methods="gso")

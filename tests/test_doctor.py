"""The doctor tells what this machine has, and the bench measures what it says."""

from __future__ import annotations

import importlib.metadata
import os

import numpy as np
import pytest
import torch

import hsirepro
from hsirepro import doctor
from hsirepro.bench import baselines, generation, large
from hsirepro.bench import hyconet as bench
from hsirepro.bench.memory import Cost
from hsirepro.fusion import METHODS
from hsirepro.fusion.hyconet_net import HyCoNet
from hsirepro.papers.hud import settings_of
from hsirepro.scenes.locate import scene_table


def test_report_names_versions_and_devices():
    """Package, Python, every needed library, processors and GPU have a line each."""
    lines = list(doctor.report())
    assert lines[0].startswith(f"hsirepro {hsirepro.__version__}, Python 3.")
    text = "\n".join(lines)
    for name in doctor.NEEDED:
        (line,) = (row for row in lines if row[2:].split()[0] == name)
        assert line.split()[-1] == importlib.metadata.version(name)
        assert line.startswith("  ")
    assert f"{os.cpu_count()}, {torch.get_num_threads()} threads used" in text
    assert "GPU" in text
    for line in lines[1:]:
        assert line[:2] in ("  ", "! ")


def test_missing_library_is_marked_with_how_to_get_it(monkeypatch):
    """What is not installed is marked, with the extra that brings it."""
    version = importlib.metadata.version

    def without(name):
        if name in ("rasterio", "torch"):
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without)
    lines = list(doctor.report())
    assert "! rasterio       missing; GeoTIFF files: pip install 'hsirepro[io]'" in lines
    assert "! torch          missing; needed: pip install hsirepro" in lines


def test_data_folders_are_shown(monkeypatch, tmp_path):
    """Data and record folders, and how many scenes are here, stand at the end."""
    monkeypatch.setenv("HSIREPRO_DATA", os.pathsep.join([str(tmp_path), str(tmp_path / "b")]))
    monkeypatch.setenv("HSIREPRO_RESULTS", str(tmp_path / "mine"))
    lines = list(doctor.report())
    there, missing = (row for row in lines if "HSIREPRO_DATA" in row)
    assert there == f"  HSIREPRO_DATA  {tmp_path}"
    assert missing == f"! HSIREPRO_DATA  {tmp_path / 'b'}: there is no such folder"
    here = sum(row.here for row in scene_table())
    assert f"  scenes         {here} of {len(scene_table())} are here; 'planted' always is" in lines
    assert lines[-1] == f"  records        {tmp_path / 'mine'}"


def test_unset_data_folder_is_marked(monkeypatch):
    """Without HSIREPRO_DATA the doctor says what can be opened all the same."""
    monkeypatch.setenv("HSIREPRO_DATA", "")
    text = "\n".join(doctor.report())
    assert "! HSIREPRO_DATA  not set: only 'planted' and fetched scenes can be opened" in text


@pytest.mark.parametrize("variant", bench.VARIANTS)
def test_bench_times_a_real_step(variant):
    """Every variant of the bench computes all six terms of HyCoNet's loss, with gradients."""
    terms = bench.step(2, 3, **bench.VARIANTS[variant])()
    assert list(terms) == ["z_a", "z_b", "y", "lr_msi", "sum_to_one", "sparsity"]
    assert all(torch.isfinite(term) for term in terms.values())


def test_bench_has_the_size_of_the_paper():
    """84 x 84 pixels of 103 bands at ratio 4: the network has the paper's parameters."""
    net = HyCoNet(
        bench.BANDS, bench.MSI_BANDS, bench.RATIO, bench.COVERAGE, bench.configure("paper")
    )
    assert sum(p.numel() for p in net.parameters()) - net.srf.numel() == 455_956
    assert (bench.PIXELS, bench.RATIO) == ((84, 84), 4)


def test_bench_measures_all_variants_in_turn(monkeypatch):
    """Times come sorted, one per round and variant, without the warm-up; memory is positive."""
    monkeypatch.setattr(bench, "PIXELS", (2, 3))
    taken = bench.times(rounds=3)
    assert list(taken) == list(bench.VARIANTS)
    for values in taken.values():
        assert len(values) == 3
        assert values == sorted(values)
        assert values[0] > 0
    assert bench.peak_memory_mb(2, 3) > 50


def test_bench_prints_ratios(monkeypatch, capsys):
    """The table holds a line per variant, with its ratio to the unchunked fp32 step."""
    monkeypatch.setattr(bench, "PIXELS", (2, 3))
    monkeypatch.setattr(bench, "peak_memory_mb", lambda *size, **settings: 123.0)
    bench.report(rounds=1, threads=1)
    lines = capsys.readouterr().out.splitlines()
    for name, line in zip(bench.VARIANTS, lines[1:], strict=False):
        assert name in line
        assert ", x" in line
        assert "123 MB" in line
    assert ", x1.0," in lines[1]
    assert "1 threads, 1 rounds" in lines[0]


def test_bench_times_every_baseline(monkeypatch, capsys):
    """Each of the ten methods gets a line with its seconds, share of products and peak."""
    monkeypatch.setattr(baselines, "SIZE", 32)
    monkeypatch.setattr(baselines, "TABLE_METHODS", ("gsa", "sfim-hs", "hyconet"))
    monkeypatch.setattr(baselines, "peak_mb", lambda *call: 123.0)
    baselines.pair.cache_clear()
    baselines.report(threads=1)
    lines = capsys.readouterr().out.splitlines()
    assert "4x4 / 32x32 x 48 bands" in lines[1]
    assert [line.split()[0] for line in lines[2:]] == ["gsa", "sfim-hs", "all"]
    assert all("share" in line and "123 MB" in line for line in lines[2:4])
    assert 0 < baselines.seconds_in_products("gsa") < 60
    baselines.pair.cache_clear()


def test_bench_of_a_large_pair_names_every_method(monkeypatch, capsys):
    """Every method has a line: tiles or whole image, peak, and seconds or an estimate of them."""
    costs = {1: Cost(30.0, 1234.0), 2: Cost(50.0, 1234.0)}
    monkeypatch.setattr(large, "cost", lambda module, call, before: costs[2 if "=2" in call else 1])
    large.report(threads=1)
    lines = capsys.readouterr().out.splitlines()
    assert "125x125 / 1000x1000 x 100 bands" in lines[1]
    assert [line.split()[0] for line in lines[2:]] == list(METHODS)
    rows = {line.split()[0]: line for line in lines[2:]}
    assert "whole image peak  1234 MB" in rows["hysure"]
    assert "2010 s (estimate" in rows["hysure"]  # 30 s, and 99 times the 20 s of a further share
    assert "tiles       peak  1234 MB      30.0 s" in rows["gsa"]


def test_bench_runs_every_method_on_its_pair(monkeypatch):
    """The pair of the bench has full rank and the sizes that it says, and each method takes it."""
    monkeypatch.setattr(large, "SIZE", 40)
    monkeypatch.setattr(large, "NM", large.NM[::4])
    monkeypatch.setattr(large, "FRACTION", dict.fromkeys(large.FRACTION, 10**6))
    large.pair.cache_clear()
    pair = large.pair()
    assert pair.hsi.shape == (5, 5, 25)
    assert pair.msi.shape == (40, 40, 3)
    assert np.linalg.matrix_rank(pair.hsi.values.reshape(25, 25)) == 25
    for name in METHODS:
        large.run(name, threads=torch.get_num_threads())
    large.pair.cache_clear()


def test_bench_draws_what_the_quick_profile_trains(monkeypatch, capsys):
    """A line for a step of training and one for every way of drawing, of the small network."""
    monkeypatch.setattr(generation, "COUNT", 2)
    monkeypatch.setattr(generation, "WAYS", (("ddim", 2), ("dpm-solver++", 2)))
    monkeypatch.setattr(generation, "ROUNDS", 1)
    generation.report(threads=1)
    lines = capsys.readouterr().out.strip().splitlines()
    quick = settings_of("hud", "quick", generation.ENDMEMBERS)
    assert quick == {"preset": "small", "endmembers": 9}  # what is timed is what quick trains
    assert "0.90 M weights" in lines[0]
    assert "a step of 16 tiles" in lines[1]
    assert ["2 tiles of 32x32, ddim 2" in line for line in lines[2:]] == [True, False]

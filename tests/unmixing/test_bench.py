"""The bench of FCLS solves what it says."""

from __future__ import annotations

import torch

from hsirepro.bench import unmixing as bench


def test_the_loop_and_fcls_solve_the_same_problem(monkeypatch):
    """Pixel by pixel through SciPy, and all at once, the abundances agree to 1e-6."""
    monkeypatch.setattr(bench, "SAMPLE", 60)
    pixels, endmembers = bench.problem(700)
    assert (pixels.shape, endmembers.shape) == ((102, 700), (102, 9))
    before = torch.get_num_threads()
    shares = bench.run(700, before)
    torch.testing.assert_close(shares[:, :60], bench.loop(700), rtol=0, atol=1e-6)
    # The noise is that of the title: what no abundances explain is 30 dB below the pixels.
    left = pixels - endmembers @ shares
    ratio = 10 * torch.log10(pixels.square().mean() / left.square().mean())
    assert abs(float(ratio) - bench.SNR_DB) < 0.7


def test_bench_says_what_was_extrapolated(monkeypatch, capsys):
    """The report names threads, the sample of the loop, ratios, and the peak."""
    monkeypatch.setattr(bench, "SAMPLE", 20)
    monkeypatch.setattr(bench, "ROUNDS", 1)
    monkeypatch.setattr(bench, "peak_mb", lambda module, call: 123.0)
    before = torch.get_num_threads()
    bench.report(1, 600)
    torch.set_num_threads(before)
    lines = capsys.readouterr().out.strip().splitlines()
    assert "9 endmembers, 102 bands, 600 pixels" in lines[0]
    assert "extrapolated from 20 pixels" in lines[1]
    assert all("us/pixel, x" in line for line in lines[2:4])
    assert "1 thread" in lines[3]
    assert "peak 123 MB" in lines[-1]

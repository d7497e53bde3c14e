"""Timings: ``make bench``, or ``python -m hsirepro.bench``.

All figures of one call come from one machine, in turn, so that their ratios hold even where the
machine's speed drifts. Nothing is asserted: timing belongs here, not in tests.
"""

"""Tables, figures and false colour: what the chapters show of cubes and records.

See :mod:`~hsirepro.report.figures` for scenes and fused images,
:mod:`~hsirepro.report.diagnostics` for what a method learned, :mod:`~hsirepro.report.colour` for
false colour by wavelength, and :mod:`~hsirepro.report.tables` for *paper | ours | difference |
profile*.
"""

from hsirepro.report.colour import colour_bands, false_colour, stretch_of
from hsirepro.report.diagnostics import plot_curves, plot_metric_by_band, plot_psf, plot_srf
from hsirepro.report.figures import plot_fusion, plot_scene, plot_spectra
from hsirepro.report.provenance import provenance_line
from hsirepro.report.runs import RunTable, plot_recorded, run_table
from hsirepro.report.tables import ComparisonTable, comparison_table

__all__ = [
    "ComparisonTable",
    "RunTable",
    "colour_bands",
    "comparison_table",
    "false_colour",
    "plot_curves",
    "plot_fusion",
    "plot_metric_by_band",
    "plot_psf",
    "plot_recorded",
    "plot_scene",
    "plot_spectra",
    "plot_srf",
    "provenance_line",
    "run_table",
    "stretch_of",
]

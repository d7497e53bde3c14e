"""Tables, figures and false colour: what the chapters show of cubes and records.

See :mod:`~hsirepro.report.figures` for scenes and fused images,
:mod:`~hsirepro.report.diagnostics` for what a method learned, :mod:`~hsirepro.report.colour` for
false colour by wavelength, and :mod:`~hsirepro.report.tables` for *paper | ours | difference |
profile*; :mod:`~hsirepro.report.scores` ranks methods. Records are drawn by
:mod:`~hsirepro.report.errormaps` and :mod:`~hsirepro.report.bands` (where and at which wavelengths
methods err), :mod:`~hsirepro.report.learned` (kernels and abundances),
:mod:`~hsirepro.report.terms` (what the loss is made of), :mod:`~hsirepro.report.studies` and
:mod:`~hsirepro.report.grid` (what settings change), and :mod:`~hsirepro.report.claims` says which
claims of a paper they bear out. :mod:`~hsirepro.report.own_pair` draws an image pair that has no
truth.
"""

from hsirepro.report.bands import plot_psnr_by_band
from hsirepro.report.claims import ClaimsBoard, ClaimsTable, claims_board, claims_table
from hsirepro.report.claims import summary as claims_summary
from hsirepro.report.colour import colour_bands, false_colour, stretch_of
from hsirepro.report.diagnostics import plot_curves, plot_metric_by_band, plot_psf, plot_srf
from hsirepro.report.errormaps import plot_error_maps
from hsirepro.report.figures import plot_fusion, plot_scene, plot_spectra
from hsirepro.report.grid import plot_grid
from hsirepro.report.learned import plot_abundances, plot_kernels
from hsirepro.report.own_pair import (
    colours_for,
    plot_coverage,
    plot_pair,
    plot_pair_spectra,
    plot_widths,
)
from hsirepro.report.provenance import provenance_line
from hsirepro.report.runs import RunTable, plot_recorded, run_table
from hsirepro.report.scores import angles_table, places_table, told_table, widths_table
from hsirepro.report.studies import (
    plot_against,
    plot_convergence,
    plot_variants,
)
from hsirepro.report.tables import ComparisonTable, comparison_table
from hsirepro.report.terms import loss_shares, plot_loss_shares

__all__ = [
    "ClaimsBoard",
    "ClaimsTable",
    "ComparisonTable",
    "RunTable",
    "angles_table",
    "claims_board",
    "claims_summary",
    "claims_table",
    "colour_bands",
    "colours_for",
    "comparison_table",
    "false_colour",
    "loss_shares",
    "places_table",
    "plot_abundances",
    "plot_against",
    "plot_convergence",
    "plot_coverage",
    "plot_curves",
    "plot_error_maps",
    "plot_fusion",
    "plot_grid",
    "plot_kernels",
    "plot_loss_shares",
    "plot_metric_by_band",
    "plot_pair",
    "plot_pair_spectra",
    "plot_psf",
    "plot_psnr_by_band",
    "plot_recorded",
    "plot_scene",
    "plot_spectra",
    "plot_srf",
    "plot_variants",
    "plot_widths",
    "provenance_line",
    "run_table",
    "stretch_of",
    "told_table",
    "widths_table",
]

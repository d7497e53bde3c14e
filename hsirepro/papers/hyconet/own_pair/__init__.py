"""A pair of one's own: opened and checked, degraded once more, fused, and judged without a truth.

Whoever brings an HSI Z and an MSI Y has nothing to compare the fused cube X with. The rooms follow
the way of the pair: :mod:`.pair` opens it, or simulates it where only an HSI is given, which then
is the truth; :mod:`.sensors` estimates what blurred and weighted the two images, and
:mod:`.coverage` which HSI bands an MSI band covers; :mod:`.fusing` fuses; :mod:`.judging` measures
what can be measured all the same; :mod:`.output` keeps the cube.
"""

from hsirepro.papers.hyconet.own_pair.coverage import coverage_from_file, estimated_coverage
from hsirepro.papers.hyconet.own_pair.fusing import methods_of, run_method
from hsirepro.papers.hyconet.own_pair.judging import consistency, hidden_change, reduced
from hsirepro.papers.hyconet.own_pair.pair import OwnPair, open_pair
from hsirepro.papers.hyconet.own_pair.parameters import PARAMETERS
from hsirepro.papers.hyconet.own_pair.sensors import Sensors, calibrated, estimate_sensors

__all__ = [
    "PARAMETERS",
    "OwnPair",
    "Sensors",
    "calibrated",
    "consistency",
    "coverage_from_file",
    "estimate_sensors",
    "estimated_coverage",
    "hidden_change",
    "methods_of",
    "open_pair",
    "reduced",
    "run_method",
]

"""What the chapter on one's own scene can be told."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hsirepro.papers.hyconet.experiments import PARAMETERS as TABLE_PARAMETERS
from hsirepro.params import Parameter

PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {
        "hsi": Parameter("str", "planted", "hyperspectral image: a path, or a catalogue name"),
        "msi": Parameter("str", "", "multispectral image of the same ground; none: simulated"),
        "hsi_key": Parameter("str", "", "variable inside the file of the HSI"),
        "msi_key": Parameter("str", "", "variable inside the file of the MSI"),
        "wavelengths": Parameter("str", "", "text file with the band centres of the HSI", "nm"),
        "part": TABLE_PARAMETERS["part"],
        "msi_bands": Parameter("str", "", "text file: name, first nm, last nm of each MSI band"),
        "ratio": Parameter("int", 0, "GSD ratio; 0: from the sizes, 4 if simulated", minimum=0),
        "sigma": Parameter(
            "float", 0.0, "PSF width; 0: estimated, 0.5 if simulated", "MSI pixels", minimum=0.0
        ),
        "methods": Parameter("str", "gsa,hyconet", "fusion methods, separated by commas"),
        **{name: TABLE_PARAMETERS[name] for name in ("profile", "seed", "device")},
        "output": Parameter("str", "", "NetCDF file for the cube of the last method"),
    }
)

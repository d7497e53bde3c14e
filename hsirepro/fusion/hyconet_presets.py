"""Every choice of HyCoNet, and the three sets of them that are known.

The paper and the authors' released code disagree in a dozen places, and the code of 2022 differs
from that of 2021. None of the three is obviously the one behind the published tables, so all are
here, by name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args, get_type_hints

from hsirepro.errors import ParameterError, suggest
from hsirepro.params import Kind, Parameter


@dataclass(frozen=True)
class HyCoNetConfig:
    """Every choice that the paper or a release makes.

    Parameters
    ----------
    endmembers : int
        p, the number of shared endmembers.
    iterations, hold : int
        Length of the run, and how long the learning rate stays constant before it falls
        linearly to 0.
    learning_rate : float
        Of the HSI encoder and the endmembers; the others follow by the factors below.
    rate_msi, rate_psf, rate_srf : float
        Factors on ``learning_rate`` for the MSI encoder, the PSF and the SRF.
    weight_za, alpha, beta, gamma : float
        Weights of |Z - Z_a|, |Z - Z_b|, |Y - Y^| and |PSF(Y) - SRF(Z)| in eq. 16.
    mu, nu : float
        Weights of sum-to-one (17) and sparsity (18) in eq. 19.
    abundance : {"clamp", "relu", "softmax"}
        Last activation of the encoders; ``softmax`` follows a ReLU, as released.
    clamp_images : bool
        Clamp reconstructed images to [0, 1] (paper) or only at 0 (release).
    sum_to_one_b : bool
        Whether A_h^b takes part in eq. 17.
    sparsity : {"bernoulli", "softmax"}
        Eq. 18 on the abundances, or on their softmax, as released.
    rho : float
        The sparsity parameter a of eq. 18.
    response : {"learned", "known"}
        Learn the response within its coverage, or use the one that is given.
    normalise_srf : bool
        Rescale the SRF weights to sum 1 after every step (release of 2021).
    precision : {"fp32", "bf16"}
        Of the matrix products during training; the answer is always computed in fp32.
    chunk_pixels : int
        Multispectral pixels per chunk, such that its activations fit the cache of a CPU; 0 is
        the whole image. A GPU, which wants large products, takes chunks of at least 2^18.
    """

    endmembers: int = 100
    iterations: int = 10_000
    hold: int = 0
    learning_rate: float = 5e-3
    rate_msi: float = 1.0
    rate_psf: float = 1.0
    rate_srf: float = 1.0
    weight_za: float = 1.0
    alpha: float = 10.0
    beta: float = 10.0
    gamma: float = 100.0
    mu: float = 1e-3
    nu: float = 1e-3
    abundance: Literal["clamp", "relu", "softmax"] = "clamp"
    clamp_images: bool = True
    sum_to_one_b: bool = True
    sparsity: Literal["bernoulli", "softmax"] = "bernoulli"
    rho: float = 1e-4
    response: Literal["learned", "known"] = "learned"
    normalise_srf: bool = False
    precision: Literal["fp32", "bf16"] = "fp32"
    chunk_pixels: int = 8192


_RELEASE_2021 = HyCoNetConfig(
    hold=2000,
    learning_rate=3e-3,
    rate_msi=0.5,
    rate_psf=0.2,
    rate_srf=0.2,
    weight_za=10.0,
    mu=0.01,
    nu=0.01,
    abundance="relu",
    clamp_images=False,
    sum_to_one_b=False,
    sparsity="softmax",
    rho=0.01,
    normalise_srf=True,
)
PRESETS: dict[str, HyCoNetConfig] = {
    "paper": HyCoNetConfig(),
    "release-2021": _RELEASE_2021,
    # The default command of 2022: known response, softmax on the abundances.
    "release-2022": replace(
        _RELEASE_2021, abundance="softmax", response="known", normalise_srf=False
    ),
}


def configure(preset: str = "paper", **settings: object) -> HyCoNetConfig:
    """Return a preset with some of its fields changed.

    Raises
    ------
    ParameterError
        If the preset or a field is unknown, with the nearest names; or a value is impossible.
    """
    if preset not in PRESETS:
        raise ParameterError(f"HyCoNet has no preset {preset!r}.", hint=suggest(preset, PRESETS))
    known = get_type_hints(HyCoNetConfig)
    checked = {}
    for name, value in settings.items():
        if name not in known:
            raise ParameterError(f"HyCoNet has no setting {name!r}.", hint=suggest(name, known))
        choices = get_args(known[name])  # of a Literal
        kind: Kind = "str" if choices else known[name].__name__
        default = getattr(PRESETS[preset], name)
        checked[name] = Parameter(kind, default, name, choices=choices, minimum=0).check(
            name, value
        )
    return replace(PRESETS[preset], **checked)  # type: ignore[arg-type]

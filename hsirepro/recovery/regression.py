"""Regression: spectra as quadratic functions of a pixel's colours. What no network may lose to.

The least squares fit of all bands to the ten monomials of red, green and blue up to the second
degree, over all training pixels [1]_. It knows no neighbours, no library and no atmosphere, and
takes a second. No paper compares with it; here it is the null model of recovery.

References
----------
.. [1] V. Heikkinen et al., "Regularized learning in reflectance recovery", J. Opt. Soc. Am. A, 24,
   2007.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from pathlib import Path

import torch
from torch import Tensor, nn

from hsirepro.errors import ParameterError
from hsirepro.recovery.model import Fitted, Recoverer
from hsirepro.recovery.pairs import Pairs
from hsirepro.recovery.training import band_psnr


class Regression(Recoverer):
    """The coefficients of one kind of image, shape (L, 10)."""

    reach = 0

    def __init__(self, *, bands: int) -> None:
        super().__init__()
        self.bands, self.shape = bands, {"bands": bands}
        self.coefficients = nn.Parameter(torch.zeros(bands, 10), requires_grad=False)

    def parts(self, rgb: Tensor) -> dict[str, Tensor]:
        """Return ``image`` alone."""
        return {"image": torch.einsum("lm,bmhw->blhw", self.coefficients, monomials(rgb))}


def monomials(rgb: Tensor) -> Tensor:
    """Return 1, the colours, and their products, shape (B, 3, H, W) to (B, 10, H, W)."""
    pairs = combinations_with_replacement(rgb.unbind(dim=1), 2)
    one = torch.ones_like(rgb[:, 0])
    return torch.stack([one, *rgb.unbind(dim=1), *(a * b for a, b in pairs)], dim=1)


def regression(
    pairs: Pairs,
    *,
    validation: Pairs | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
    checkpoint: Path | None = None,
    **settings: object,
) -> Fitted:
    """Fit the regression to pairs of images.

    Parameters
    ----------
    pairs, validation : Pairs
    seed, device, progress, checkpoint
        Of no use here: there is one solution, found at once.

    Returns
    -------
    Fitted
        Curve ``validation_psnr``, one value.

    Raises
    ------
    ParameterError
        If there is a setting: the regression has none.
    """
    if settings:
        raise ParameterError(f"The regression has no setting {next(iter(settings))!r}.")
    inputs = torch.cat([monomials(rgb[None])[0].flatten(1) for rgb in pairs.rgb], dim=1).double()
    spectra = torch.cat([hsi.flatten(1) for hsi in pairs.hsi], dim=1).double()
    model = Regression(bands=pairs.bands)
    # The pseudo-inverse also has an answer where colours depend on each other.
    normal = inputs @ inputs.T
    model.coefficients.data.copy_(
        (torch.linalg.pinv(normal, hermitian=True) @ inputs @ spectra.T).T
    )
    curves = {}
    if validation is not None:
        made = [model.reconstruct(rgb).image for rgb in validation.rgb]
        scores = [band_psnr(m, true) for m, true in zip(made, validation.hsi, strict=True)]
        curves["validation_psnr"] = torch.tensor([sum(scores) / len(scores)]).numpy()
    return Fitted(model.eval(), curves, {})

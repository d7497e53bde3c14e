"""The unmixing autoencoder: spectra to abundances and back, by endmembers that stay as they are.

The decoder is the linear mixing model with endmembers A, shape (L, p), found by vertex component
analysis,

    Y_hat = A X,

and the encoder gives the abundances X of pixels Y. Two are to choose from:

    fcls     min || Y - A X ||^2  subject to  X >= 0 and 1^T X = 1
    linear   X = (A^T A)^-1 A^T Y, then negative values to 0 and the rest scaled to sum one.

The second is a matrix product. Without its last step abundances would be negative or not sum to
one, and nothing built on the simplex could follow; the paper that proposes it leaves that open.

References
----------
.. [1] S. Shen, B. Pan, Z. Zhang, Z. Shi, "Hyperspectral image generation with unmixing guided
   diffusion model", eq. 1-3.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from hsirepro.errors import ParameterError, suggest
from hsirepro.unmixing.dimension import most_endmembers
from hsirepro.unmixing.sunsal import fcls
from hsirepro.unmixing.vca import vca

Encoder = Literal["fcls", "linear"]
ENCODERS = ("fcls", "linear")
RESTARTS = 20  # of VCA, of which the largest simplex is kept


class UnmixingAutoencoder(nn.Module):
    """Endmembers with both ways between spectra and abundances.

    Parameters
    ----------
    endmembers : Tensor, shape (L, p)
        In the units of the images. They take no gradients.
    encoder : {"fcls", "linear"}

    Examples
    --------
    >>> corners = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    >>> model = UnmixingAutoencoder(corners)
    >>> shares = model.encode(model.decode(torch.full((1, 2, 2, 2), 0.5))[0])
    >>> shares.shape, float(shares.min())
    (torch.Size([2, 2, 2]), 0.5)
    """

    endmembers: Tensor
    weight: Tensor  # of the linear encoder, shape (p, L)

    def __init__(self, endmembers: Tensor, encoder: Encoder = "fcls") -> None:
        super().__init__()
        if encoder not in ENCODERS:
            raise ParameterError(
                f"There is no encoder {encoder!r}.", hint=suggest(encoder, ENCODERS)
            )
        self.encoder = encoder
        self.register_buffer("endmembers", endmembers.float())
        self.register_buffer("weight", torch.linalg.pinv(endmembers.double()).float())

    def encode(self, image: Tensor) -> Tensor:
        """Return the abundances of an image, shape (L, H, W) to (p, H, W)."""
        pixels = image.flatten(1)
        if self.encoder == "fcls":
            shares = fcls(pixels.cpu(), self.endmembers.cpu())
        else:
            shares = renormalised(self.weight @ pixels)
        return shares.to(image).reshape(-1, *image.shape[1:])

    def decode(self, abundances: Tensor) -> Tensor:
        """Return the spectra that abundances mix to, shape (B, p, H, W) to (B, L, H, W)."""
        return mixed(self.endmembers, abundances)


def unmixing_autoencoder(
    pixels: Tensor, count: int, *, encoder: Encoder = "fcls", seed: int = 0
) -> UnmixingAutoencoder:
    """Find the endmembers of a scene and return its autoencoder.

    Parameters
    ----------
    pixels : Tensor, shape (L, N)
        Reflectance, not negative.
    count : int
        Endmembers p.
    encoder : {"fcls", "linear"}
    seed : int
        Of the random directions of VCA.

    Returns
    -------
    UnmixingAutoencoder

    Raises
    ------
    ParameterError
        If there are more endmembers than bands, than pixels, or than the pixels span.
    """
    most = most_endmembers(pixels)
    if not 2 <= count <= most:
        bands, number = pixels.shape
        raise ParameterError(
            f"{count} endmembers cannot be found in {number} pixels of {bands} bands"
            + (f", which differ in {most - 1} directions." if most < min(bands, number) else "."),
            next_step=f"ask for 2 to {most}" if most >= 2 else "take a scene that is not constant",
        )
    # Without much noise VCA divides pixels by their brightness first, and may end at dark corners
    # that, in shares which sum to one, explain nothing bright. So: the corners of the cloud itself.
    endmembers, _ = vca(pixels, count, seed=seed, restarts=RESTARTS, snr_db=-math.inf)
    # VCA answers with denoised pixels, which may dip below 0 where reflectance is near it.
    return UnmixingAutoencoder(endmembers.clamp_min(0.0), encoder)


def fine_tuned(
    model: UnmixingAutoencoder,
    pixels: Tensor,
    *,
    iterations: int,
    learning_rate: float = 1e-4,
    seed: int = 0,
) -> UnmixingAutoencoder:
    """Return the autoencoder after further training on the error of its reconstruction.

    The paper advises against it where there is one small scene. The linear encoder is then
    trained, too, and no longer the pseudo-inverse; with ``fcls`` only the endmembers move, for
    abundances that stay, and the encoder solves for the new ones afterwards.

    Parameters
    ----------
    model : UnmixingAutoencoder
    pixels : Tensor, shape (L, N)
    iterations : int
        Steps of Adam, each on 4,096 random pixels.
    learning_rate : float
        Relative to the largest endmember value.
    seed : int
        Of the choice of pixels.

    Returns
    -------
    UnmixingAutoencoder
    """
    generator = torch.Generator().manual_seed(seed)
    unit = float(model.endmembers.max())
    decoder = nn.Parameter(model.endmembers / unit)
    data = pixels.float() / unit
    shares = model.encode(pixels[:, :, None])[:, :, 0] if model.encoder == "fcls" else None
    weight = nn.Parameter(model.weight * unit)
    optimizer = torch.optim.Adam([decoder, weight], lr=learning_rate)
    for _ in range(iterations):
        some = torch.randint(data.shape[1], (4096,), generator=generator)
        mixed = shares[:, some] if shares is not None else renormalised(weight @ data[:, some])
        loss = (decoder @ mixed - data[:, some]).square().mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with torch.no_grad():
            decoder.clamp_(min=0.0)
    tuned = UnmixingAutoencoder(decoder.detach() * unit, model.encoder)
    tuned.weight.copy_(weight.detach() / unit)
    return tuned


def mixed(endmembers: Tensor, abundances: Tensor) -> Tensor:
    """Return A X for every pixel, shapes (L, p) and (B, p, H, W) to (B, L, H, W)."""
    return torch.einsum("lp,bphw->blhw", endmembers, abundances)


def renormalised(shares: Tensor, dim: int = 0) -> Tensor:
    """Clamp to non-negative and scale to sum one along an axis; where nothing is left, evenly.

    Examples
    --------
    >>> renormalised(torch.tensor([0.5, -0.25, 1.5]))
    tensor([0.2500, 0.0000, 0.7500])
    """
    kept = shares.clamp_min(0.0)
    total = kept.sum(dim=dim, keepdim=True)
    even = torch.full_like(kept, 1.0 / kept.shape[dim])
    return torch.where(total > 0, kept / total.clamp_min(torch.finfo(kept.dtype).tiny), even)

"""The unmixing autoencoder: what it encodes lies on the simplex, and mixtures come back."""

from __future__ import annotations

import pytest
import torch

from hsirepro.errors import ParameterError
from hsirepro.unmixing.autoencoder import (
    ENCODERS,
    UnmixingAutoencoder,
    fine_tuned,
    unmixing_autoencoder,
)


def planted(p: int = 4, bands: int = 20, noise: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return endmembers (L, p) and the pixels (L, N) that they mix to, pure ones among them."""
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(bands, p, generator=generator) + 0.1
    shares = torch.distributions.Dirichlet(torch.full((p,), 0.6))
    torch.manual_seed(1)
    mixed = torch.cat([torch.eye(p), shares.sample((500,)).T], dim=1)
    pixels = corners @ mixed
    return corners, pixels + noise * torch.randn(pixels.shape, generator=generator)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_abundances_lie_on_the_simplex(encoder: str) -> None:
    """Whatever the pixels, even black or far off: not negative, and summing to one."""
    corners, pixels = planted(noise=0.2)
    image = torch.cat([pixels.clamp_min(0.0), torch.zeros(20, 3), 9 * torch.rand(20, 3)], dim=1)
    shares = UnmixingAutoencoder(corners, encoder).encode(image.reshape(20, 5, -1))  # type: ignore[arg-type]
    assert shares.shape == (4, 5, 102)
    assert float(shares.min()) >= 0.0
    assert torch.allclose(shares.sum(dim=0), torch.ones(5, 102), atol=1e-6)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_mixtures_come_back(encoder: str) -> None:
    """Without noise, decoding the abundances of a mixture is the mixture."""
    corners, pixels = planted()
    model = UnmixingAutoencoder(corners, encoder)  # type: ignore[arg-type]
    image = pixels.reshape(20, 7, -1)
    assert torch.allclose(model.decode(model.encode(image)[None])[0], image, atol=1e-4)


def test_constrained_abundances_explain_better() -> None:
    """Of the two encoders, fcls solves for the smallest error, and so has it."""
    corners, pixels = planted(noise=0.1)
    errors = {}
    for encoder in ENCODERS:
        model = UnmixingAutoencoder(corners, encoder)  # type: ignore[arg-type]
        made = model.decode(model.encode(pixels[:, :, None])[None])[0, :, :, 0]
        errors[encoder] = float((made - pixels).square().mean())
    assert errors["fcls"] < errors["linear"]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_planted_endmembers_are_found(encoder: str) -> None:
    """Pure pixels of a scene become its endmembers, within a degree."""
    corners, pixels = planted(noise=1e-3)
    found = unmixing_autoencoder(pixels.clamp_min(0), 4, encoder=encoder).endmembers  # type: ignore[arg-type]
    unit = [m / m.norm(dim=0) for m in (corners, found)]
    angles = torch.rad2deg(torch.acos((unit[0].T @ unit[1]).clamp(max=1.0))).amin(dim=1)
    assert float(angles.max()) < 1.0


@pytest.mark.parametrize("encoder", ENCODERS)
def test_fine_tuning_lowers_the_error_and_keeps_reflectance(encoder: str) -> None:
    """From wrong endmembers, training on the reconstruction leads to better ones, none negative."""
    corners, pixels = planted(noise=0.01)
    start = UnmixingAutoencoder((corners + 0.2 * torch.rand(corners.shape)).clamp_min(0), encoder)  # type: ignore[arg-type]
    tuned = fine_tuned(start, pixels, iterations=200, learning_rate=3e-3)

    def error(model: UnmixingAutoencoder) -> float:
        made = model.decode(model.encode(pixels[:, :, None])[None])[0, :, :, 0]
        return float((made - pixels).square().mean())

    assert error(tuned) < 0.8 * error(start)
    assert float(tuned.endmembers.min()) >= 0.0
    assert not tuned.endmembers.requires_grad


@pytest.mark.parametrize(
    ("pixels", "count", "text"),
    [
        (torch.rand(5, 100), 6, "6 endmembers cannot be found in 100 pixels of 5 bands"),
        (torch.rand(20, 3), 4, "3 pixels of 20 bands(.|\n)*2 to 3"),
        (torch.ones(20, 100), 2, "not constant"),
        (torch.rand(2, 1) @ torch.rand(1, 50), 1, "1 endmembers"),
        (torch.rand(9, 1) @ (1 + torch.rand(1, 50)), 3, "differ in 1 directions(.|\n)*2 to 2"),
    ],
)
def test_impossible_numbers_of_endmembers_are_refused(
    pixels: torch.Tensor, count: int, text: str
) -> None:
    """The error says how many the pixels allow."""
    with pytest.raises(ParameterError, match=text):
        unmixing_autoencoder(pixels, count)


def test_unknown_encoder_is_refused() -> None:
    """The error offers the ones there are."""
    with pytest.raises(ParameterError, match="did you mean 'linear'"):
        UnmixingAutoencoder(torch.rand(5, 2), "linaer")  # type: ignore[arg-type]

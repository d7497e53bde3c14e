"""The 2-D CNN of INSS: six convolutions of 3 x 3 on patches of 9 x 9 pixels.

INSS classifies Salinas by "a 2D-CNN based network with six 3 x 3 convolutional layers with 9 x 9
patches input" [1]_, and says nothing else of it. Everything else is a choice of ours, the plainest
that those words allow:

    two convolutions to 64 channels, padded by one           9 x 9 pixels
    four to 128 channels, not padded                         7 x 7, 5 x 5, 3 x 3, one pixel
    dropout of one half, one linear layer, K + 1 outputs

with a ReLU behind every convolution. Four convolutions without padding reduce 9 x 9 to the pixel
in the middle, so no pooling is needed. There is no batch normalisation, as the last batch of an
epoch may hold a single patch. Weights start as He's normal numbers, biases as 0. With 204 bands
and 16 classes there are 673,297 numbers.

Adam, batches of 100 and 100 epochs are ours too: what DeepHyperX, from where INSS has its other
three classifiers, gives to networks that name nothing of their own. The rate, 5e-4, is half of what
it gives them, which was uneven on the planted scene. Accuracies of this method compare with the
2-D CNN of INSS in kind only.

Any number of channels will do, and no wavelengths are needed. Abundances, scale, border and what
the K + 1 outputs are: see :mod:`hsirepro.downstream.model`.

References
----------
.. [1] L. Liu, Z. Zou, Z. Shi, "Hyperspectral remote sensing image synthesis based on implicit
   neural spectral mixing models", IEEE TGRS 61, 2023, section IV-E.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from hsirepro.downstream.harness import Training, fit_classifier
from hsirepro.downstream.model import Classifier, Fitted
from hsirepro.downstream.samples import Cube, Labels, Maps, Pixels
from hsirepro.training import own_randomness, settled

WIDTHS = (64, 64, 128, 128, 128, 128)
PADDED = 2  # convolutions that keep the size of the patch

PRESETS = {
    "paper": Training(epochs=100, batch=100, learning_rate=5e-4, weight_decay=0.0),
    "small": Training(epochs=30, batch=20, learning_rate=5e-4, weight_decay=0.0),
}


class CNN2DNet(nn.Module):
    """Patches, shape (B, C, 9, 9), to outputs, (B, K + 1)."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise([channels, *WIDTHS])):
            layers += [nn.Conv2d(before, after, 3, padding=int(number < PADDED)), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.5))
        self.head = nn.Linear(WIDTHS[-1], outputs)
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, patches: Tensor) -> Tensor:
        """Return the outputs of patches."""
        outputs: Tensor = self.head(self.layers(patches))
        return outputs


class CNN2D(Classifier):
    """The 2-D CNN of one scene."""

    patch = 9

    @staticmethod
    def network(bands: int, endmembers: int, outputs: int) -> nn.Module:
        """Return the network; see :class:`CNN2DNet`."""
        return CNN2DNet(bands + endmembers, outputs)


@own_randomness()
def cnn2d(
    cube: Cube,
    labels: Labels,
    train: Pixels,
    *,
    abundances: Maps | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
    checkpoint: Path | None = None,
    preset: str = "small",
    **settings: object,
) -> Fitted:
    """Fit the 2-D CNN to some labelled pixels of a scene.

    Parameters
    ----------
    cube : DataArray, dims (y, x, wavelength), or Tensor, shape (L, H, W)
        In any unit.
    labels : ndarray or Tensor of int, shape (H, W)
        Class of each pixel, 0 where there is none.
    train : ndarray or Tensor
        Which pixels to learn from: a mask of bool, shape (H, W), or numbers of pixels, counted
        row by row. Those without a label are passed over.
    abundances : Tensor or ndarray, shape (p, H, W), optional
        Seen beside the bands.
    seed : int
        Seeds weights, batches and validation pixels; the same seed gives the same bytes on one
        CPU. The caller's random generators are left as they were.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    progress : bool
        Show a bar with loss and time left.
    checkpoint : Path, optional
        Resume from here, and keep the state here while training.
    preset : {"small", "paper"}
        One network; length and batches for a CPU, or those named above.
    **settings
        Fields of :class:`~hsirepro.downstream.harness.Training`, in place of the preset's.

    Returns
    -------
    Fitted

    Raises
    ------
    ParameterError
        If a setting is unknown or impossible, fewer than two classes can be learned, or the loss
        stops being finite.
    ShapeError, PixelError
        If cube, labels, training pixels and abundances do not fit, or values are not finite.
    """
    config = settled(PRESETS, preset, settings, "the 2-D CNN")
    return fit_classifier(
        CNN2D,
        lambda net: torch.optim.Adam(
            net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        ),
        cube,
        labels,
        train,
        abundances=abundances,
        config=config,
        seed=seed,
        device=device,
        progress=progress,
        checkpoint=checkpoint,
        title="2-D CNN",
    )

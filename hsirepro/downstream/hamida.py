"""Hamida's 3-D CNN: convolutions over bands and pixels alike, on patches of 5 x 5 pixels.

A patch is a volume of one channel, L bands deep, and every layer a 3-D convolution [1]_, here
written (depth, rows, columns). Two of 3 x 3 x 3 reduce 5 x 5 pixels to the one in the middle, and
convolutions of stride 2 in depth take the place of pooling:

    20 of (3, 3, 3)                  ReLU       (L - 2) x 3 x 3
    20 of (3, 1, 1), stride 2
    35 of (3, 3, 3)                  ReLU       one pixel
    35 of (3, 1, 1), stride 2
    35 of (3, 1, 1)                  ReLU
    35 of (2, 1, 1), stride 2        ReLU       about L / 8 deep
    one linear layer, K + 1 outputs

All but the first are padded by one in depth. Weights start as He's normal numbers, biases as 0.
With 204 bands and 16 classes there are 46,107 numbers.

The layers, and stochastic gradient descent without momentum, rate 0.01, weight decay 5e-4, batches
of 100, 100 epochs, are those of DeepHyperX [2]_, whose classifier INSS names; with 50 pixels of
each of 16 classes that is 800 small steps, and INSS prints an accuracy of 69 %. The preset
``small`` takes batches of 10 and fewer epochs: shorter, yet more steps.

Any number of channels from 3 on will do, and no wavelengths are needed. Abundances, scale, border
and what the K + 1 outputs are: see :mod:`hsirepro.downstream.model`.

References
----------
.. [1] A. Ben Hamida, A. Benoit, P. Lambert, C. Ben Amar, "3-D deep learning approach for remote
   sensing image classification", IEEE TGRS 56(8), 2018.
.. [2] N. Audebert, B. Le Saux, S. Lefèvre, "Deep learning for classification of hyperspectral
   data: a comparative review", IEEE Geosci. Remote Sens. Mag. 7(2), 2019.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from hsirepro.downstream.harness import Training, fit_classifier
from hsirepro.downstream.model import Classifier, Fitted
from hsirepro.downstream.samples import Cube, Labels, Maps, Pixels
from hsirepro.training import own_randomness, settled

PRESETS = {
    "paper": Training(epochs=100, batch=100, learning_rate=0.01, weight_decay=5e-4),
    "small": Training(epochs=40, batch=10, learning_rate=0.01, weight_decay=5e-4),
}


class HamidaNet(nn.Module):
    """Patches, shape (B, C, 5, 5), to outputs, (B, K + 1)."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(1, 20, 3),
            nn.ReLU(),
            _halving(20, 3),
            nn.Conv3d(20, 35, 3, padding=(1, 0, 0)),
            nn.ReLU(),
            _halving(35, 3),
            nn.Conv3d(35, 35, (3, 1, 1), padding=(1, 0, 0)),
            nn.ReLU(),
            _halving(35, 2),
            nn.ReLU(),
            nn.Flatten(),
        )
        with torch.no_grad():
            features = self.layers(torch.zeros(1, 1, channels, 5, 5)).shape[1]
        self.head = nn.Linear(features, outputs)
        for layer in self.modules():
            if isinstance(layer, (nn.Conv3d, nn.Linear)):
                nn.init.kaiming_normal_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, patches: Tensor) -> Tensor:
        """Return the outputs of patches."""
        outputs: Tensor = self.head(self.layers(patches[:, None]))
        return outputs


class Hamida(Classifier):
    """The 3-D CNN of one scene."""

    patch = 5
    fewest = 3

    @staticmethod
    def network(bands: int, endmembers: int, outputs: int) -> nn.Module:
        """Return the network; see :class:`HamidaNet`."""
        return HamidaNet(bands + endmembers, outputs)


@own_randomness()
def hamida(
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
    """Fit Hamida's 3-D CNN to some labelled pixels of a scene.

    Parameters
    ----------
    cube : DataArray, dims (y, x, wavelength), or Tensor, shape (L, H, W)
        In any unit; from 3 bands on.
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
        One network; length and batches for a CPU, or those of the toolbox.
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
    config = settled(PRESETS, preset, settings, "Hamida's 3-D CNN")
    return fit_classifier(
        Hamida,
        lambda net: torch.optim.SGD(
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
        title="3-D CNN",
    )


def _halving(width: int, depth: int) -> nn.Conv3d:
    return nn.Conv3d(width, width, (depth, 1, 1), stride=(2, 1, 1), padding=(1, 0, 0))

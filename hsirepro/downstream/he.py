"""He's multi-scale 3-D CNN: spectral filters of four lengths side by side, on 7 x 7 pixels.

A patch is a volume of one channel, L bands deep; kernels are written (depth, rows, columns). A
first convolution looks around and thins the bands; two multi-scale blocks then add up what
filters of 1, 3, 5 and 11 bands answer [1]_:

    16 of (11, 3, 3), stride 3 in depth                      ReLU
    sum of 16 each of (1, 1, 1) (3, 1, 1) (5, 1, 1) (11, 1, 1)    ReLU, twice
    16 of (3, 2, 2)                                          ReLU
    dropout of 60 %, one linear layer, K + 1 outputs

Filters of the blocks are padded to keep the depth. Weights start as He's uniform numbers (of
another He), biases as 0. With 204 bands and 16 classes there are 289,249 numbers, most of them
in the linear layer.

Steps of 3 from the first band on do not always reach the last: of 204 bands the last is not seen,
of 103 the last two. So it is in the original, and the count hangs on it. Abundances stand last and
would be what is lost; where there are some, up to two maps of zeros are put behind them, so that
all are seen.

Layers, Adagrad at 0.01 with weight decay 0.01, batches of 40 and 100 epochs are those of
DeepHyperX [2]_. The pooling of the paper's figure is defined there and never used, and is left
out here; the counts above are without. The preset ``small`` differs in its epochs alone.

From 17 channels on there is something left for the last convolution; no wavelengths are needed.
Abundances, scale, border and what the K + 1 outputs are: see :mod:`hsirepro.downstream.model`.

References
----------
.. [1] M. He, B. Li, H. Chen, "Multi-scale 3D deep convolutional neural network for hyperspectral
   image classification", ICIP, 2017.
.. [2] N. Audebert, B. Le Saux, S. Lefèvre, "Deep learning for classification of hyperspectral
   data: a comparative review", IEEE Geosci. Remote Sens. Mag. 7(2), 2019.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hsirepro.downstream.harness import Training, fit_classifier
from hsirepro.downstream.model import Classifier, Fitted
from hsirepro.downstream.samples import Cube, Labels, Maps, Pixels
from hsirepro.training import own_randomness, settled

WIDTH = 16
FIRST, STRIDE = 11, 3  # bands that the first convolution sees, and goes on by
DEPTHS = (1, 3, 5, 11)  # bands that the filters of a block see

PRESETS = {
    "paper": Training(epochs=100, batch=40, learning_rate=0.01, weight_decay=0.01),
    "small": Training(epochs=30, batch=40, learning_rate=0.01, weight_decay=0.01),
}


class MultiScale(nn.Module):
    """The sum of filters of several depths, and a ReLU; shape (B, 16, D, h, w) is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            nn.Conv3d(WIDTH, WIDTH, (depth, 1, 1), padding=(depth // 2, 0, 0)) for depth in DEPTHS
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the rectified sum."""
        return torch.stack([scale(x) for scale in self.scales]).sum(dim=0).relu()


class HeNet(nn.Module):
    """Patches, shape (B, C, 7, 7), with so many zeros behind, to outputs, (B, K + 1)."""

    def __init__(self, channels: int, outputs: int, zeros: int = 0) -> None:
        super().__init__()
        self.zeros = zeros
        self.layers = nn.Sequential(
            nn.Conv3d(1, WIDTH, (FIRST, 3, 3), stride=(STRIDE, 1, 1)),
            nn.ReLU(),
            MultiScale(),
            MultiScale(),
            nn.Conv3d(WIDTH, WIDTH, (3, 2, 2)),
            nn.ReLU(),
            nn.Flatten(),
        )
        with torch.no_grad():
            features = self.layers(torch.zeros(1, 1, channels + zeros, 7, 7)).shape[1]
        self.head = nn.Sequential(nn.Dropout(0.6), nn.Linear(features, outputs))
        for layer in self.modules():
            if isinstance(layer, (nn.Conv3d, nn.Linear)):
                nn.init.kaiming_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, patches: Tensor) -> Tensor:
        """Return the outputs of patches."""
        patches = F.pad(patches, (0, 0, 0, 0, 0, self.zeros))
        outputs: Tensor = self.head(self.layers(patches[:, None]))
        return outputs


class He(Classifier):
    """The multi-scale 3-D CNN of one scene."""

    patch = 7
    fewest = 17

    @staticmethod
    def network(bands: int, endmembers: int, outputs: int) -> nn.Module:
        """Return the network; see :class:`HeNet`."""
        channels = bands + endmembers
        return HeNet(channels, outputs, zeros=-(channels - FIRST) % STRIDE if endmembers else 0)


@own_randomness()
def he(
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
    """Fit He's multi-scale 3-D CNN to some labelled pixels of a scene.

    Parameters
    ----------
    cube : DataArray, dims (y, x, wavelength), or Tensor, shape (L, H, W)
        In any unit; from 17 bands and abundance maps on.
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
    config = settled(PRESETS, preset, settings, "He's multi-scale 3-D CNN")
    return fit_classifier(
        He,
        lambda net: torch.optim.Adagrad(
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
        title="multi-scale 3-D CNN",
    )

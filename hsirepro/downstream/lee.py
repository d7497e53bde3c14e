"""Lee's contextual CNN (3-D FCN): all bands at once, then nothing but 1 x 1 convolutions.

Two convolutions over all bands look at a pixel and at its 3 x 3 neighbourhood [1]_; behind them
everything is spectral, with two residual pairs:

    h = relu(lrn([conv3x3(x), conv1x1(x)]))          128 + 128 channels
    h = relu(lrn(conv1x1(h)))                        128
    h = relu(h + conv1x1(relu(conv1x1(h))))          twice
    h = dropout(relu(conv1x1(h)))                    twice, one half dropped
    outputs = conv1x1(h)                             K + 1

lrn is local response normalisation of C channels over a window of C, half of which lies beyond the
ends for the first and the last,

    y_i / (1 + 1e-4 sum_j y_j^2 / C)^0.75,     j from i - C/2 to i + C/2 - 1.

A 3-D convolution as deep as the patch, as the method's name has it, is the 2-D one over all bands:
the same numbers, 395,537 for 204 bands and 16 classes.

The network is fully convolutional: for a patch of 5 x 5 it answers with a map of 5 x 5, and the
loss is the mean over all pixels of a batch of patches that are training pixels. Labels of other
pixels are never seen. Layers, Adam at 1e-3, 200 epochs, batches of 100 and the first weights (He's
uniform numbers in the first two convolutions, torch's own behind) are those of DeepHyperX [2]_.
There the outputs of all patches that hold a pixel are added up, and in 16 of 25 the pixel lies at
the rim of its patch, where the 3 x 3 sees zeros. Here a pixel's class is that of the patch around
it.

Any number of channels will do, and no wavelengths are needed. Abundances, scale, border and what
the K + 1 outputs are: see :mod:`hsirepro.downstream.model`.

References
----------
.. [1] H. Lee, H. Kwon, "Contextual deep CNN based hyperspectral classification", IGARSS, 2016.
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

WIDTH = 128

PRESETS = {
    "paper": Training(epochs=200, batch=100, learning_rate=1e-3, weight_decay=0.0),
    "small": Training(epochs=50, batch=20, learning_rate=1e-3, weight_decay=0.0),
}


class ResponseNorm(nn.Module):
    """Local response normalisation of C channels, even, over a window of C.

    torch's own pools over the channels, which takes ten times as long as all convolutions.
    """

    window: Tensor  # (C, C): the mean over the window, as a matrix

    def __init__(self, width: int) -> None:
        super().__init__()
        ahead = torch.arange(width) - torch.arange(width)[:, None]  # j - i
        inside = (ahead >= -width // 2) & (ahead < width // 2)
        self.register_buffer("window", inside.float() / width, persistent=False)

    def forward(self, y: Tensor) -> Tensor:
        """Return the normalised channels, shape (B, C, h, w)."""
        mean = F.conv2d(y.square(), self.window[:, :, None, None])
        root = (1.0 + 1e-4 * mean).rsqrt()
        return y * root * root.sqrt()


class LeeNet(nn.Module):
    """Images, shape (B, C, h, w), to outputs, (B, K + 1, h, w)."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.around = nn.Conv2d(channels, WIDTH, 3, padding=1)
        self.within = nn.Conv2d(channels, WIDTH, 1)
        for layer in (self.around, self.within):
            nn.init.kaiming_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.norms = nn.ModuleList([ResponseNorm(2 * WIDTH), ResponseNorm(WIDTH)])
        self.enter = nn.Conv2d(2 * WIDTH, WIDTH, 1)
        self.pairs = nn.ModuleList(
            nn.Sequential(nn.Conv2d(WIDTH, WIDTH, 1), nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 1))
            for _ in range(2)
        )
        self.leave = nn.Sequential(
            nn.Conv2d(WIDTH, WIDTH, 1),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Conv2d(WIDTH, WIDTH, 1),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Conv2d(WIDTH, outputs, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the outputs of every pixel."""
        h = torch.cat([self.around(images), self.within(images)], dim=1)
        h = self.norms[0](h).relu()
        h = self.norms[1](self.enter(h)).relu()
        for pair in self.pairs:
            h = (h + pair(h)).relu()
        outputs: Tensor = self.leave(h)
        return outputs


class Lee(Classifier):
    """The contextual CNN of one scene."""

    patch = 5
    dense = True

    @staticmethod
    def network(bands: int, endmembers: int, outputs: int) -> nn.Module:
        """Return the network; see :class:`LeeNet`."""
        return LeeNet(bands + endmembers, outputs)

    def logits(self, patches: Tensor) -> Tensor:
        """Return the outputs for the pixels in the middle of patches, shape (B, K + 1)."""
        # The middle sees 3 x 3 pixels; the rest of the patch would be work for nothing.
        outputs: Tensor = self.net(patches[:, :, 1:-1, 1:-1])[:, :, 1, 1]
        return outputs


@own_randomness()
def lee(
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
    """Fit Lee's contextual CNN to some labelled pixels of a scene.

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
    config = settled(PRESETS, preset, settings, "Lee's contextual CNN")
    return fit_classifier(
        Lee,
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
        title="contextual CNN",
    )

r"""A small classifier of tiles, one per scene: the features that FID and its kin need.

The Inception network behind FID and IS has three bands and a thousand kinds of photographs. For a
hyperspectral scene HUD trains "a classification network on each dataset" [1]_ and says no more.
Here it is the smallest that sees both spectrum and texture: a 1 x 1 convolution mixes the bands,
two convolutions of stride 2 and one more look around, and the mean over the tile is the feature
vector,

    f = mean_p conv_3(conv_2(conv_1(mix((x_p - m) / s)))),     logits = W f + c,

with ReLU after every convolution and m, s the mean and deviation of each band over the scene. It
works on tiles of any size. The features are few, 32, because a Fréchet distance in D dimensions
asks for 2 D images and more.

It learns to tell the class of most labelled pixels of a crop. Classes are drawn alike often, then
places at random. A strip of the scene is held out, see :mod:`hsirepro.metrics.crops`, and the
accuracy is that of crops inside, none of whose pixels was learned from. It says whether the
features mean something in this scene, not how well the net would do in another.

Where a scene has no labels, the clusters of k-means on the unit spectra of its pixels take their
place. They are a fair guess of materials and no ground truth, and ``labels_from`` says so.

References
----------
.. [1] S. Shen, B. Pan, Z. Zhang, Z. Shi, "Hyperspectral image generation with unmixing guided
   diffusion model", arXiv:2506.02601, 2025, section IV-C.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hsirepro.errors import ParameterError, PixelError, ShapeError
from hsirepro.metrics.clusters import kmeans_labels
from hsirepro.metrics.crops import Split, split
from hsirepro.training import TrainingRun, fingerprint_of, launch, own_randomness, train

WIDTH = 32  # channels of every layer, and so of the features
LEAST_SIZE = 8  # pixels a side: after both strides there are still 2 x 2
BATCH, LEARNING_RATE = 16, 2e-3
_AT_ONCE = 2**18  # pixels of tiles that are described at a time
_TOLD = ("labels_from", "accuracy", "chance", "held_out")


class TileClassifier(nn.Module):
    """Tiles (N, L, h, w) to logits, and to the features under them.

    Parameters
    ----------
    bands : int
    classes : tuple of int
        Labels of the logits, in order.

    Attributes
    ----------
    classes : tuple of int
    labels_from : {"ground truth", "k-means"}
    accuracy : float
        Share of held-out crops whose class is found; NaN before training.
    chance : float
        What the constant answer would reach there: the share of the commonest class.
    held_out : str
        Which strip of the scene was held out, such as ``"rows 68:100"``.
    """

    mean: Tensor  # (L, 1, 1)
    deviation: Tensor  # (L, 1, 1)

    def __init__(self, bands: int, classes: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(bands, 1, 1))
        self.register_buffer("deviation", torch.ones(bands, 1, 1))
        self.describe = nn.Sequential(
            nn.Conv2d(bands, WIDTH, 1),
            nn.ReLU(),
            nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.head = nn.Linear(WIDTH, len(classes))
        self.classes = tuple(classes)
        self.labels_from = "ground truth"
        self.accuracy = self.chance = float("nan")
        self.held_out = ""

    def forward(self, tiles: Tensor) -> Tensor:
        """Return logits, shape (N, classes), with gradients."""
        logits: Tensor = self.head(self.describe((tiles - self.mean) / self.deviation))
        return logits

    def features(self, tiles: Tensor) -> Tensor:
        """Return the features of tiles, shape (N, 32), float32, without gradients.

        Parameters
        ----------
        tiles : Tensor, shape (N, L, h, w)
            In the unit of the scene that the net was trained on; at least 8 x 8 pixels.

        Raises
        ------
        ShapeError
            If the tiles are none, too small, or of other bands.
        """
        return self._in_parts(
            tiles, lambda part: self.describe((part - self.mean) / self.deviation)
        )

    def logits(self, tiles: Tensor) -> Tensor:
        """Return the logits of tiles, shape (N, classes), as :meth:`features` does."""
        return self._in_parts(tiles, self)

    @torch.no_grad()
    def _in_parts(self, tiles: Tensor, see: Callable[[Tensor], Tensor]) -> Tensor:
        bands = len(self.mean)
        if tiles.ndim != 4 or not len(tiles) or tiles.shape[1] != bands:
            raise ShapeError(
                f"The tiles have shape {tuple(tiles.shape)}; this net sees (N, {bands}, h, w).",
                next_step="a single tile is tile[None]; bands are those of the training scene",
            )
        if min(tiles.shape[2:]) < LEAST_SIZE:
            raise ShapeError(
                f"Tiles of {tiles.shape[2]} x {tiles.shape[3]} pixels are too small; "
                f"{LEAST_SIZE} x {LEAST_SIZE} is the least."
            )
        step = max(1, _AT_ONCE // (tiles.shape[2] * tiles.shape[3]))
        return torch.cat([see(part.to(self.mean)) for part in torch.split(tiles, step)])

    def get_extra_state(self) -> dict[str, Any]:
        """Return what ``state_dict`` holds beside the weights: numbers and strings."""
        return {name: getattr(self, name) for name in _TOLD} | {"classes": list(self.classes)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up what ``state_dict`` holds beside the weights."""
        for name in _TOLD:
            setattr(self, name, state[name])
        self.classes = tuple(state["classes"])

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TileClassifier:
        """Return the net whose ``state_dict()`` this is.

        Examples
        --------
        >>> net = TileClassifier(5, (1, 2))
        >>> TileClassifier.from_state(net.state_dict()).classes
        (1, 2)
        """
        net = cls(len(state["mean"]), tuple(state["_extra_state"]["classes"]))
        net.load_state_dict(state)
        return net


@own_randomness()
def train_classifier(
    image: Tensor,
    labels: Tensor | int,
    *,
    size: int = 32,
    seed: int = 0,
    iterations: int = 400,
    checkpoint: Path | None = None,
    device: str = "cpu",
    progress: bool = False,
) -> TileClassifier:
    """Train the feature net of one scene.

    Parameters
    ----------
    image : Tensor, shape (L, H, W)
        In the unit of the tiles that will be judged.
    labels : Tensor of int, shape (H, W), or int
        Class of each pixel, 0 where there is none. In their place a number asks for as many
        clusters of :func:`~hsirepro.metrics.kmeans_labels`, and ``labels_from`` tells.
    size : int
        Pixels a side of the crops, at least 8; the scene has to be two crops long.
    seed : int
        Seeds weights, crops and clusters; the same seed gives the same bytes on one CPU. The
        random generators of Python, NumPy and torch are left as they were.
    iterations : int
        Of 16 crops each.
    checkpoint : Path, optional
        Resume from here, and keep the state here while training.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"auto"``; the net stays there.
    progress : bool
        Show a bar with loss and time left.

    Returns
    -------
    TileClassifier
        In evaluation mode.

    Raises
    ------
    ParameterError
        If fewer than two classes can be learned, a setting is impossible, or the loss stops being
        finite.
    ShapeError, PixelError
        If image and labels do not fit, the scene is too small for ``size``, or pixels are not
        finite.
    """
    given = _checked(image, labels, size, iterations)
    fabric = launch(device, "fp32", seed)
    source = "ground truth" if isinstance(labels, Tensor) else "k-means"
    if not isinstance(labels, Tensor):
        labels = kmeans_labels(given, labels, seed=seed)
    labels = labels.cpu().long()
    crops = split(labels, size)
    net = TileClassifier(len(given), crops.classes)
    net.labels_from, net.held_out = source, crops.held_out
    net.mean.copy_(given.mean(dim=(1, 2))[:, None, None])
    net.deviation.copy_(_deviation(given)[:, None, None])
    net.to(fabric.device)
    # Bands last: a crop is then a few long rows of memory, and the first layer a matrix product.
    scene = fabric.to_device(given.permute(1, 2, 0).contiguous())
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    run = TrainingRun(
        net,
        optimizer,
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(1e-3, 1 - step / iterations)),
        iterations,
        fingerprint=fingerprint_of(
            {"size": size, "iterations": iterations, "labels_from": source}, seed, given, labels
        ),
        checkpoint=checkpoint,
        checkpoint_every=100,
    )

    def gradients() -> dict[str, Tensor]:
        classes, corners = crops.draw(BATCH)
        loss = F.cross_entropy(net(_crops(scene, corners, size)), classes.to(scene.device))
        loss.backward()  # type: ignore[no-untyped-call]
        return {"cross-entropy": loss.detach()}

    train(run, gradients, title="tile classifier", progress=progress)
    net.eval()
    _judge(net, scene, crops, size)
    return net


def _checked(image: Tensor, labels: Tensor | int, size: int, iterations: int) -> Tensor:
    """Return the image as float32 on the CPU if it can be learned from."""
    if image.ndim != 3 or not image.numel():
        raise ShapeError(
            f"The scene has shape {tuple(image.shape)}; (L, H, W) is needed, not empty.",
            next_step="hsirepro.scenes.to_tensor(cube) makes one from a cube",
        )
    if size < LEAST_SIZE or iterations < 1:
        raise ParameterError(
            f"size={size} and iterations={iterations}: crops have at least {LEAST_SIZE} pixels a "
            "side, and there is at least one iteration."
        )
    if not isinstance(labels, (Tensor, int)):
        raise ParameterError(
            f"The labels are a {type(labels).__name__}; a tensor (H, W) is needed, or a number of "
            "clusters.",
            next_step="torch.from_numpy(labels)",
        )
    if isinstance(labels, Tensor):
        if labels.shape != image.shape[1:]:
            raise ShapeError(
                f"The labels have shape {tuple(labels.shape)}, the scene {tuple(image.shape)}.",
                next_step="labels are (H, W), one per pixel",
            )
        if labels.is_floating_point() or int(labels.min()) < 0:
            raise ParameterError(
                f"The labels are {labels.dtype} from {labels.min()} on; whole numbers are needed, "
                "0 for pixels without one."
            )
    if not all(bool(torch.isfinite(extreme)) for extreme in torch.aminmax(image)):
        raise PixelError(
            "The scene holds NaN or infinite pixels.", next_step="fill them, with label 0"
        )
    return image.detach().cpu().float().contiguous()


def _deviation(image: Tensor) -> Tensor:
    """Return the standard deviation of each band, or 1 where it is constant."""
    deviation = image.std(dim=(1, 2))
    return deviation.where(deviation > 0, torch.ones_like(deviation))


def _crops(scene: Tensor, corners: Tensor, size: int) -> Tensor:
    """Cut crops (n, L, size, size) from a scene (H, W, L)."""
    crops = [scene[y : y + size, x : x + size] for y, x in corners.tolist()]
    return torch.stack(crops).permute(0, 3, 1, 2)


def _judge(net: TileClassifier, scene: Tensor, crops: Split, size: int) -> None:
    """Enter the accuracy on held-out crops; a class that was not learned is not found."""
    given = [
        net.logits(_crops(scene, some, size)).argmax(dim=1)
        for some in torch.split(crops.judged, 64)
    ]
    answer = torch.tensor(net.classes)[torch.cat(given).cpu()]
    net.accuracy = float((answer == crops.truth).double().mean())
    net.chance = float(crops.truth.bincount().max() / len(crops.truth))

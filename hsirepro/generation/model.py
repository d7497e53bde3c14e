"""What a fitted generative method is: it draws tiles, and can be kept in a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from hsirepro import training
from hsirepro.errors import ParameterError

Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True)
class Samples:
    """Tiles that a model has drawn.

    Parameters
    ----------
    tiles : Tensor, shape (n, L, size, size)
        In the units of the patches that the model was fitted to.
    abundances : Tensor, shape (n, p, size, size), optional
        Not negative, summing to one over p, where the method has them.
    """

    tiles: Tensor
    abundances: Tensor | None = None


class Generator(nn.Module, ABC):
    """A model of square tiles. ``shape`` rebuilds it empty; its state dictionary fills it."""

    #: Constructor arguments, plain numbers and texts, so that a file can hold them.
    shape: dict[str, object]
    #: Rows and columns of the tiles that it was fitted to.
    size: int
    #: The network that training changes.
    net: nn.Module

    @abstractmethod
    def sample(self, count: int, *, size: int | None = None, seed: int = 0, **how: Any) -> Samples:
        """Draw tiles.

        Parameters
        ----------
        count : int
            Number n of tiles, 1 or more.
        size : int, optional
            Rows and columns, where the method can draw others than it was fitted to.
        seed : int
            The same seed gives the same tiles on one machine.
        **how
            The method's own ways of drawing.

        Returns
        -------
        Samples

        Raises
        ------
        ParameterError
            If the method cannot draw such tiles.
        """


Fitted = training.Fitted[Generator]
"""A fitted generative model and how it came about."""


def check_count(count: int) -> None:
    """Raise ParameterError unless at least one tile is asked for."""
    if count < 1:
        raise ParameterError(f"{count} tiles cannot be drawn.", next_step="ask for 1 or more")


def fixed_size(model: Generator, size: int | None, name: str) -> None:
    """Raise ParameterError if a method of one tile size is asked for another."""
    if size is not None and size != model.size:
        raise ParameterError(
            f"{name} draws tiles of {model.size} x {model.size} pixels, not {size} x {size}.",
            next_step="fit it to patches of that size",
        )


def channels_last(net: Net) -> Net:
    """Return a network with its weights laid out as a CPU convolves fastest; none changes."""
    laid_out: Net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return laid_out


def no_other_ways(
    how: dict[str, Any], name: str, ways: str = "the count, size and seed only"
) -> None:
    """Raise ParameterError if a method is asked for a way of drawing that it does not have."""
    if how:
        raise ParameterError(
            f"{name} has no way {next(iter(how))!r} of drawing.",
            next_step=f"give {ways}",
        )

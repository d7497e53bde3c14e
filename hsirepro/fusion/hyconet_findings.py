"""What a trained HyCoNet has learned, brought into the form that figures show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from hsirepro.fusion.blocks import from_blocks

if TYPE_CHECKING:
    from hsirepro.fusion.hyconet_net import HyCoNet

BINS = 50  # of the histograms of abundances, over [0, 1]
SMALL = 0.01  # abundances below this count as absent
PART = 1024  # hyperspectral pixels at a time


@torch.no_grad()
def findings(net: HyCoNet, low: Tensor, high: Tensor, size: tuple[int, int]) -> dict[str, Tensor]:
    """Return the learned optics and endmembers, and what Fig. 9 shows of the abundances.

    Parameters
    ----------
    net : HyCoNet
    low : Tensor, shape (n, L)
        Hyperspectral pixels.
    high : Tensor, shape (n, ratio * ratio, l)
        The multispectral pixels inside each of them.
    size : (int, int)
        Rows and columns of the hyperspectral image.

    Returns
    -------
    dict of Tensor
        ``psf`` (ratio, ratio), ``srf`` (l, L), ``endmembers`` (L, p);
        ``abundance_histogram`` (3, BINS), the shares of A, A_h^a and A_h^b;
        ``abundance_sum_error`` and ``abundance_share_below_0.01`` of A;
        ``map:sum_error_a``, ``map:sum_error_a_h_a``, ``map:sum_error_a_h_b``: |1 - sum|, images.
    """
    ratio = round(high.shape[1] ** 0.5)
    names = ("a", "a_h_a", "a_h_b")
    counts = torch.zeros(len(names), BINS, device=low.device)
    sums: dict[str, list[Tensor]] = {name: [] for name in names}
    small = 0.0
    for start in range(0, len(low), PART):
        part = slice(start, start + PART)
        a = net.abundances(net.encode_msi, high[part].flatten(0, 1))
        blocks = a.reshape(len(high[part]), ratio * ratio, -1)
        three = (a, net.abundances(net.encode_hsi, low[part]), net.blur(blocks))
        small += float((a < SMALL).sum())
        for row, (name, values) in enumerate(zip(names, three, strict=True)):
            # A released preset does not clamp: what is above 1 is counted in the last bin.
            index = (values.clamp(0.0, 1.0) * BINS).long().clamp_max(BINS - 1)
            counts[row] += torch.bincount(index.flatten(), minlength=BINS)
            sums[name].append((values.sum(dim=1) - 1).abs())
    error = {name: torch.cat(parts) for name, parts in sums.items()}
    fine = error["a"].reshape(len(high), ratio * ratio, 1)
    srf = torch.zeros(high.shape[2], low.shape[1], device=low.device)
    srf[:, net.get_buffer("seen")] = net.response()
    learned = {
        "psf": net.psf.detach().reshape(ratio, ratio),
        "srf": srf,
        "endmembers": net.endmembers.detach(),
        "abundance_histogram": counts / counts.sum(dim=1, keepdim=True),
        "abundance_sum_error": error["a"].median(),
        "abundance_share_below_0.01": torch.tensor(small / float(counts[0].sum())),
        "map:sum_error_a": from_blocks(fine, *size, ratio)[0],
        "map:sum_error_a_h_a": error["a_h_a"].reshape(size),
        "map:sum_error_a_h_b": error["a_h_b"].reshape(size),
    }
    return {name: value.cpu() for name, value in learned.items()}

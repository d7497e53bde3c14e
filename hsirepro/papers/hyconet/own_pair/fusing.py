"""Fuse a pair of one's own with methods that are named, and told no more than the coverage."""

from __future__ import annotations

from hsirepro.errors import ParameterError, suggest
from hsirepro.fusion import ITERATIVE, METHODS, Fused, fuse
from hsirepro.optics import SpectralResponse
from hsirepro.papers.hyconet.experiments import PROFILES
from hsirepro.papers.hyconet.own_pair.pair import OwnPair


def methods_of(text: str) -> tuple[str, ...]:
    """Return the fusion methods named in ``text``, separated by commas.

    Raises
    ------
    ParameterError
        If there is none, one is unknown, or one is named twice.

    Examples
    --------
    >>> methods_of("gsa, hyconet")
    ('gsa', 'hyconet')
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in METHODS:
            raise ParameterError(
                f"There is no fusion method {name!r}.", next_step=suggest(name, METHODS)
            )
    if not names or len(set(names)) < len(names):
        raise ParameterError(
            f"methods={text!r} does not name each of one or more methods once.",
            next_step=f"such as methods='gsa,hyconet', any of: {', '.join(sorted(METHODS))}",
        )
    return names


def run_method(
    name: str,
    pair: OwnPair,
    cover: SpectralResponse,
    *,
    profile: str,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
) -> Fused:
    """Fuse a pair with one method, which is told no more than ``cover``.

    Parameters
    ----------
    name : str
        A key of ``hsirepro.fusion.METHODS``.
    pair : OwnPair
    cover : SpectralResponse
        Not zero on the bands that each MSI band covers.
    profile : str
        A key of ``PROFILES``: how long HyCoNet is trained.
    seed, device, progress
        As for :func:`hsirepro.fusion.fuse`.
    """
    settings: dict[str, object] = {"progress": progress} if name in ITERATIVE else {}
    if name == "hyconet":
        settings["iterations"] = PROFILES[profile].iterations
    return fuse(
        name,
        pair.hsi,
        pair.msi,
        ratio=pair.ratio,
        srf=cover,
        seed=seed,
        device=device,
        **settings,  # type: ignore[arg-type]
    )

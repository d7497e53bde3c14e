"""INSS, hyperspectral images from RGB through a neural mixing model: so far its library."""

from hsirepro.papers.inss.library import inss_library, title_hash

__all__ = ["inss_library", "title_hash"]

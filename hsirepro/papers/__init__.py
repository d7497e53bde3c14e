"""The papers: one folder each, with what it printed, what it claims and how we re-do it.

``published.csv`` holds the numbers that the paper prints, ``claims.toml`` what it says they show,
and ``experiments.py`` the settings of every table and figure, per profile. The numbers and
claims are read by :mod:`hsirepro.papers.published`.
"""

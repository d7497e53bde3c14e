"""Print all timings: ``python -m hsirepro.bench``."""

from __future__ import annotations

import argparse

import torch

from hsirepro.bench import baselines, hyconet


def main() -> None:
    """Read the options and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="of the HyCoNet step")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    hyconet.report(options.rounds, options.threads)
    baselines.report(options.threads)


if __name__ == "__main__":
    main()

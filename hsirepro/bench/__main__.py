"""Print all timings: ``python -m hsirepro.bench``."""

from __future__ import annotations

import argparse

import torch

from hsirepro.bench import baselines, fidelity, generation, hyconet, large, recovery, unmixing


def main() -> None:
    """Read the options and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="of the HyCoNet step")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--large",
        action="store_true",
        help="every method on 1000 x 1000 x 100, FCLS on a million pixels, metrics on all of Pavia "
        "Centre, instead (minutes)",
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.large:
        large.report(options.threads)
        unmixing.report(options.threads, unmixing.LARGE)
        fidelity.report(options.threads, large=True)
        return
    hyconet.report(options.rounds, options.threads)
    baselines.report(options.threads)
    unmixing.report(options.threads)
    fidelity.report(options.threads)
    generation.report(options.threads)
    recovery.report(options.threads)


if __name__ == "__main__":
    main()

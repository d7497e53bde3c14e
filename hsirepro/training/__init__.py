"""The training loop: one place for stepping, logging, checkpoints and resuming."""

from hsirepro.training.checkpoint import fingerprint_of, load_checkpoint, save_checkpoint
from hsirepro.training.ema import moving_average
from hsirepro.training.loop import TrainingRun, check_device, keep_freed_memory, launch, train
from hsirepro.training.randomness import own_randomness

__all__ = [
    "TrainingRun",
    "check_device",
    "fingerprint_of",
    "keep_freed_memory",
    "launch",
    "load_checkpoint",
    "moving_average",
    "own_randomness",
    "save_checkpoint",
    "train",
]

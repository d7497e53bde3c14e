"""The training loop: one place for stepping, logging, checkpoints and resuming."""

from hsirepro.training.checkpoint import fingerprint_of, load_checkpoint, save_checkpoint
from hsirepro.training.ema import moving_average
from hsirepro.training.fitted import Fitted
from hsirepro.training.loop import TrainingRun, check_device, keep_freed_memory, launch, train
from hsirepro.training.randomness import own_randomness
from hsirepro.training.settings import Length, rising_and_falling, settled

__all__ = [
    "Fitted",
    "Length",
    "TrainingRun",
    "check_device",
    "fingerprint_of",
    "keep_freed_memory",
    "launch",
    "load_checkpoint",
    "moving_average",
    "own_randomness",
    "rising_and_falling",
    "save_checkpoint",
    "settled",
    "train",
]

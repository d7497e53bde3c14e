"""Laws of the training loop: nothing of a run is lost, repeated or invented by a break."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from hsirepro.errors import ParameterError
from hsirepro.training import TrainingRun, launch, load_checkpoint, train


@pytest.fixture(autouse=True)
def _one_thread():
    """Sum in one order, so that bits can be compared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Stop(Exception):  # noqa: N818
    """The power went."""


def new_run(checkpoint: Path | None = None, **options) -> TrainingRun:
    """Return a small noisy regression: its data are drawn anew in every iteration."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / 60)
    defaults = {"iterations": 50, "checkpoint_every": 10, "log_every": 4, "fingerprint": "a run"}
    run = TrainingRun(
        model,
        optimizer,
        scheduler,
        checkpoint=checkpoint,
        project=lambda: model[0].weight.data.clamp_(min=-0.1),
        **{**defaults, **options},
    )
    return run


def gradients_of(run: TrainingRun, fail_at: int | None = None, value: float | None = None):
    """Return the ``gradients`` function of a run; at ``fail_at`` it stops or returns ``value``."""
    count = [None]

    def gradients():
        count[0] = run.done if count[0] is None else count[0] + 1
        if count[0] == fail_at and value is None:
            raise Stop
        x = torch.randn(16, 4)
        fit = (run.model(x) - x[:, :1]).square().mean()
        size = 1e-3 * run.model[0].weight.square().sum()
        if count[0] == fail_at:
            fit = fit * value
        (fit + size).backward()
        return {"fit": fit.detach(), "size": size.detach()}

    return gradients


def finish(run: TrainingRun) -> dict[str, np.ndarray]:
    return train(run, gradients_of(run))


def everything(run: TrainingRun) -> list[bytes]:
    """Return the bytes of all that a run ends with."""
    moments = run.optimizer.state_dict()["state"]
    tensors = [*run.model.state_dict().values()]
    tensors += [moments[i][name] for i in moments for name in sorted(moments[i])]
    tensors += [torch.get_rng_state()]
    numbers = [repr(run.curves), repr(run.scheduler.get_last_lr()), repr(run.done)]
    return [t.detach().numpy().tobytes() for t in tensors] + [n.encode() for n in numbers]


@pytest.fixture(scope="module")
def uninterrupted() -> list[bytes]:
    torch.set_num_threads(1)
    run = new_run()
    finish(run)
    return everything(run)


@pytest.mark.parametrize("breaks", [[3], [10], [11], [29], [30], [49], [13, 27, 41], [15, 15, 15]])
def test_resumed_is_uninterrupted(tmp_path, uninterrupted, breaks):
    """Broken off anywhere and resumed, a run ends with the same bytes: weights to curves."""
    for at in breaks:
        run = new_run(tmp_path / "run.ckpt")
        with pytest.raises(Stop):
            train(run, gradients_of(run, fail_at=at))
        torch.randn(7)  # the next process starts with other random numbers
    run = new_run(tmp_path / "run.ckpt")
    if run.checkpoint.exists():  # from there on its random numbers count, not the new ones
        torch.manual_seed(99)
    curves = finish(run)
    assert everything(run) == uninterrupted
    assert curves["iteration"].tolist() == [*range(4, 49, 4), 50]


def test_checkpoints_do_not_change_the_run(tmp_path, uninterrupted):
    """Saving is only looking."""
    run = new_run(tmp_path / "run.ckpt", checkpoint_every=1)
    finish(run)
    assert everything(run) == uninterrupted


def test_finished_run_is_not_run_again(tmp_path):
    """The last iteration is kept too: what is finished answers from its checkpoint."""
    run = new_run(tmp_path / "run.ckpt")
    expected = finish(run)
    again = new_run(tmp_path / "run.ckpt")
    curves = train(again, gradients_of(again, fail_at=50))
    assert {k: v.tolist() for k, v in curves.items()} == {
        k: v.tolist() for k, v in expected.items()
    }
    assert everything(again)[:-1] == everything(run)[:-1]


def test_time_of_a_resumed_run_is_that_of_all_its_legs(tmp_path):
    """A record of a run that was broken off would else show the last minute only."""
    hour = 3600.0
    for legs in (1, 2):
        run = new_run(tmp_path / "run.ckpt")
        run.started -= hour
        with pytest.raises(Stop):
            train(run, gradients_of(run, fail_at=15 * legs))
        state = load_checkpoint(tmp_path / "run.ckpt", "a run")
        assert legs * hour <= state["seconds"] < (legs + 0.5) * hour
    run = new_run(tmp_path / "run.ckpt")
    finish(run)
    assert 2 * hour <= run.earlier_s < 2.5 * hour


def test_constraints_hold_after_every_step():
    """The projection comes after the step, so that no weight leaves the feasible set."""
    run = new_run()
    finish(run)
    weight = run.model[0].weight.detach()
    assert float(weight.min()) == pytest.approx(-0.1)
    assert weight.max() > 0.1


def test_curves_add_up():
    """The loss that is shown is the sum of its terms, at the iterations that are named."""
    run = new_run()
    curves = finish(run)
    assert curves.keys() == {"iteration", "loss", "fit", "size"}
    np.testing.assert_allclose(curves["loss"], curves["fit"] + curves["size"])
    assert curves["loss"][-1] < curves["loss"][0]
    assert all(values.dtype == np.float64 for values in curves.values())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_loss_that_is_no_number_stops_the_run(tmp_path, value):
    """A diverged run says at which iteration and in which term, and keeps the last checkpoint."""
    run = new_run(tmp_path / "run.ckpt")
    with pytest.raises(ParameterError) as caught:
        train(run, gradients_of(run, fail_at=23, value=value))
    text = str(caught.value)
    assert f"The loss is {value} at iteration 24." in text
    assert "fit=nan" in text or "fit=inf" in text
    assert "size=" in text
    assert "lower the learning rate; the last checkpoint is kept" in text
    state = load_checkpoint(tmp_path / "run.ckpt", "a run")
    assert state["done"] == 20
    assert all(torch.isfinite(weights).all() for weights in state["model"].values())


def test_diverged_weights_replace_no_checkpoint(tmp_path):
    """If a checkpoint is due between two log entries, the loss is looked at first."""
    run = new_run(tmp_path / "run.ckpt", checkpoint_every=7, log_every=25)
    with pytest.raises(ParameterError, match="The loss is nan at iteration 14"):
        train(run, gradients_of(run, fail_at=9, value=float("nan")))
    state = load_checkpoint(tmp_path / "run.ckpt", "a run")
    assert state["done"] == 7
    assert all(torch.isfinite(weights).all() for weights in state["model"].values())


def test_progress_shows_the_loss_and_the_time_left(capfd):
    """The bar carries the title, the loss of the last log entry, and starts where it resumes."""
    import time

    run = new_run(log_every=1)
    step = gradients_of(run)

    def slowly():
        time.sleep(0.05)  # the bar is drawn every two seconds
        return step()

    train(run, slowly, title="Probe", progress=True)
    shown = capfd.readouterr().err
    assert "Probe" in shown
    assert "50/50" in shown
    assert "loss=" in shown
    assert "<" in shown  # elapsed<left
    run = new_run()
    finish(run)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"device": "gpu"}, "Unknown device 'gpu'.\n  hint  "),
        ({"device": "cdua"}, "Unknown device 'cdua'.\n  hint  did you mean 'cuda'?"),
        ({"precision": "bf61"}, "Unknown precision 'bf61'.\n  hint  did you mean 'bf16'?"),
        ({"precision": "fp64"}, "Unknown precision 'fp64'.\n  hint  "),
    ],
)
def test_unknown_devices_and_precisions_are_named(options, text):
    """A slip in device or precision is answered with what there is."""
    with pytest.raises(ParameterError) as caught:
        launch(**options)
    assert text in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_missing_gpu_is_said():
    """Without a GPU device='cuda' stops at once, with the way on."""
    with pytest.raises(ParameterError, match=r"no GPU is visible.\n.*use device='cpu'"):
        launch("cuda")


def test_launch_seeds_every_generator():
    """One seed reaches Python, NumPy and torch."""
    import random

    def draw():
        return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        launch(seed=5)
        first = draw()
        launch(seed=5)
        assert draw() == first
        launch(seed=6)
        assert all(a != b for a, b in zip(draw(), first, strict=True))


def test_the_schedule_is_stepped_once_per_iteration():
    """The learning rate falls with every iteration, and not before the first."""
    from hsirepro.training import TrainingRun, train

    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.zeros(1))
    model = torch.nn.ParameterList([weight])
    optimizer = torch.optim.SGD([weight], lr=1.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / 4)

    def gradients():
        weight.grad = -torch.ones(1)
        return {"fit": torch.ones(())}

    train(TrainingRun(model, optimizer, scheduler, 4), gradients)
    assert float(weight.detach()) == pytest.approx(1 + 0.75 + 0.5 + 0.25)
    assert optimizer.param_groups[0]["lr"] == 0.0

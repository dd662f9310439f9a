"""Every program of ``examples/``, run as a user runs it or by its ``main``."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from helpers import seeds_numpy
from helpers.seeds_data import noisy_prototypes, write_pickle
from helpers.seeds_tolerance import CONVERGED, LINE, SIGMOID, TRAINING, assert_ulp
from helpers.seeds_tolerance import assert_ulp_of_largest as assert_close

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
Example = Callable[[str], ModuleType]
Capture = pytest.CaptureFixture[str]

FLOATS = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.fixture
def example(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Example:
    """Import an example in an empty folder, without the user's data; floatX is put back."""
    config = importlib.import_module("arignote").config
    monkeypatch.setattr(config, "floatX", config.floatX)
    monkeypatch.delenv("ARIGNOTE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    return importlib.import_module


def is_png(file: Path) -> bool:
    return file.read_bytes().startswith(b"\x89PNG")


@FLOATS
def test_logistic_sgd(example: Example, tmp_path: Path, capsys: Capture, dtype: str) -> None:
    pytest.importorskip("matplotlib")
    data = noisy_prototypes()
    path = write_pickle(tmp_path, data)
    program = example("logistic_sgd")
    options = ["--dtype", dtype, "--epochs", "12", "--rate", "2", "--plot", "weights.png"]
    history = program.main(["--data", str(path), *options])

    run = seeds_numpy.logistic_sgd(data, dtype, seeds_numpy.Schedule(rate=2.0, n_epochs=12))
    assert (history.best_epoch, history.epochs) == (run.best_epoch, 12)
    assert history.best_validation_error == run.best_validation_error
    assert history.test_error == run.test_error
    assert history.validation_errors == run.checks
    assert history.test_errors == run.improvements

    images = data[2][0].astype(dtype)
    w, b = run.best_parameters
    labels = np.argmax(images @ w + b, axis=1)
    np.testing.assert_array_equal(program.predict(Path("best_model.pkl"), images), labels)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Data: pickle {path}"
    for epoch in range(12):
        cost = np.mean(run.costs[3 * epoch : 3 * epoch + 3])
        error = 100 * run.checks[epoch][1]
        start = f"epoch {epoch + 1:4d}  cost {cost:.6f}  validation error {error:f} %"
        assert lines[1 + epoch].startswith(start)
    assert re.fullmatch(r"12 epochs, [\d.]+ epochs/s\.", lines[14])
    assert lines[15] == f"First ten test images: {labels[:10]}"
    assert is_png(tmp_path / "weights.png")


def test_logistic_sgd_stops_when_patience_ends(
    example: Example, tmp_path: Path, capsys: Capture
) -> None:
    data = noisy_prototypes()
    path = write_pickle(tmp_path, data)
    history = example("logistic_sgd").main(["--data", str(path), "--patience", "8", "--rate", "2"])
    run = seeds_numpy.logistic_sgd(data, "float32", seeds_numpy.Schedule(rate=2.0, patience=8))
    assert history.epochs == run.epochs < 1000
    assert history.best_epoch == run.best_epoch


def test_logistic_sgd_on_the_small_digits(
    example: Example, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn")
    mnist_data = example("mnist_data")
    small = mnist_data.digits("float32")
    program = example("logistic_sgd")
    monkeypatch.setattr(program, "load", lambda *_: small)
    history = program.main(["--epochs", "60"])
    assert "Minibatches have 297 rows" in capsys.readouterr().out
    assert history.epochs == 60
    assert history.best_validation_error < 0.2


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--data", "nowhere"], "[load] path must be a folder or a file that exists: nowhere"),
        (["--epochs", "0"], "argument --epochs: must be at least 1: 0"),
        (["--batch-size", "many"], "argument --batch-size: invalid positive value: 'many'"),
        (["--dtype", "float16"], "argument --dtype: invalid choice: 'float16'"),
        (["--model", "."], "argument --model: must be a file, not a folder: ."),
        (["--model", "no/model"], "argument --model: must be in a folder that exists: no/model"),
        (["--plot", "no/x.png"], "argument --plot: must be in a folder that exists: no/x.png"),
    ],
)
def test_logistic_sgd_refuses(
    example: Example, capsys: Capture, options: list[str], text: str
) -> None:
    program = example("logistic_sgd")
    with pytest.raises(SystemExit) as caught:
        program.main(options)
    assert caught.value.code == 2
    assert text in capsys.readouterr().err


@pytest.mark.parametrize("name", ["binary_logistic", "linear_regression", "sigmoid_notebook"])
@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--steps", "-1"], "argument --steps: must be at least 1: -1"),
        (["--seed", "-1"], "argument --seed: must not be negative: -1"),
        (["--seed", "x"], "argument --seed: invalid seed value: 'x'"),
    ],
)
def test_the_small_programs_refuse(
    example: Example, capsys: Capture, name: str, options: list[str], text: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        example(name).main(options)
    assert caught.value.code == 2
    assert text in capsys.readouterr().err


@pytest.mark.parametrize("name", ["linear_regression", "sigmoid_notebook"])
def test_a_plot_needs_a_folder(example: Example, capsys: Capture, name: str) -> None:
    with pytest.raises(SystemExit):
        example(name).main(["--plot", "no/x.png"])
    text = "argument --plot: must be in a folder that exists: no/x.png"
    assert text in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everything")
@pytest.mark.parametrize("is_there", [False, True])
def test_a_place_without_the_right_to_write(
    example: Example, tmp_path: Path, capsys: Capture, is_there: bool
) -> None:
    file = tmp_path / "kept" / "plot.png"
    file.parent.mkdir()
    if is_there:
        file.touch(0o444)
    file.parent.chmod(0o555)
    with pytest.raises(SystemExit):
        example("linear_regression").main(["--plot", str(file)])
    assert f"argument --plot: must be writable: {file}" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("ARIGNOTE_DATA"), reason="ARIGNOTE_DATA does not name a copy of MNIST"
)
@FLOATS
def test_logistic_sgd_as_a_user_runs_it(tmp_path: Path, dtype: str) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "logistic_sgd.py"), "--dtype", dtype],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert (
        "Best validation error 7.500000 %, test error 7.489583 %, best epoch 73.\n" in done.stdout
    )
    assert "First ten test images: [7 2 1 0 4 1 4 9 6 9]" in done.stdout
    assert "100%" not in done.stderr
    assert "epoch/s" in done.stderr
    assert (tmp_path / "best_model.pkl").is_file()


def test_binary_logistic(example: Example, capsys: Capture) -> None:
    fit = example("binary_logistic").main(["--steps", "3000", "--seed", "4"])
    rng = np.random.default_rng(4)
    points, labels = rng.standard_normal((400, 784)), rng.integers(0, 2, 400)
    data, start = (points, labels), rng.standard_normal(784)
    run = seeds_numpy.binary_logistic(data, (start, 0.0), 3001)
    before = seeds_numpy.binary_logistic(data, (start, 0.0), 3000)
    assert_close(fit.w, before.w, TRAINING)
    assert_close(fit.b, before.b, TRAINING)
    assert_close(fit.loss, run.xent, TRAINING)
    np.testing.assert_array_equal(fit.prediction, labels)
    assert capsys.readouterr().out.startswith("400 of 400 labels reproduced, mean loss 0.0")


@FLOATS
def test_sigmoid_notebook(example: Example, tmp_path: Path, capsys: Capture, dtype: str) -> None:
    pytest.importorskip("matplotlib")
    program = example("sigmoid_notebook")
    costs = program.main(["--dtype", dtype, "--steps", "2001", "--plot", "sigmoid.png"])
    lines = capsys.readouterr().out.splitlines()
    exact = seeds_numpy.sigmoid(np.array([0.0, 1.0, -1.0, -2.0])).astype(dtype)
    for line in lines[:2]:
        printed = np.array(re.findall(r"[-\d.e]+\d", line.split(":")[1]), dtype)
        assert_ulp(printed, exact, SIGMOID)

    rng = np.random.default_rng(0)
    points, labels = rng.standard_normal((400, 784)), rng.integers(0, 2, 400)
    start = (rng.standard_normal(784), 0.0)
    run = seeds_numpy.binary_logistic((points, labels), start, 2001, dtype)
    assert costs.dtype == np.dtype(dtype)
    assert_close(costs, run.costs, TRAINING)
    assert_ulp(costs[-1:], run.costs[-1:], TRAINING)
    assert lines[-1] == "400 of 400 labels reproduced"
    assert is_png(tmp_path / "sigmoid.png")


@FLOATS
def test_linear_regression(example: Example, tmp_path: Path, capsys: Capture, dtype: str) -> None:
    pytest.importorskip("matplotlib")
    program = example("linear_regression")
    line = program.main(["--dtype", dtype, "--steps", "2000", "--plot", "line.png"])
    start = np.random.default_rng(0).standard_normal(2)
    run = seeds_numpy.linear_regression(
        (program.X, program.Y), (start[0], start[1]), 2000, dtype=dtype
    )
    assert_ulp(np.asarray(line.slope, dtype), run.m, LINE)
    assert_ulp(np.asarray(line.intercept, dtype), run.c, LINE)
    assert_ulp(line.costs, run.costs, LINE)
    assert is_png(tmp_path / "line.png")


def test_linear_regression_reaches_least_squares(example: Example, capsys: Capture) -> None:
    program = example("linear_regression")
    line = program.main(["--steps", "30000"])
    slope, intercept = np.polyfit(program.X, program.Y, 1)
    assert_ulp(np.asarray(line.slope), slope, CONVERGED)
    assert_ulp(np.asarray(line.intercept), intercept, CONVERGED)
    first, second = capsys.readouterr().out.splitlines()
    assert first.split(":")[1].split() == second.split(":")[1].split()


@pytest.mark.parametrize(
    "name", ["binary_logistic", "linear_regression", "logistic_sgd", "sigmoid_notebook"]
)
def test_help_of_each_program(name: str) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), "--help"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {name}.py")


@pytest.mark.parametrize("name", ["logistic_sgd", "linear_regression", "sigmoid_notebook"])
def test_a_plot_without_matplotlib_is_refused_before_training(
    example: Example, capsys: Capture, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit) as caught:
        example(name).main(["--plot", "x.png"])
    assert caught.value.code == 2
    assert "argument --plot: needs matplotlib: pip install" in capsys.readouterr().err

"""The four seed programs as they are written, held against plain NumPy loops."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from helpers import seeds_numpy
from helpers.seeds_data import Data, write_pickle
from helpers.seeds_numpy import Schedule, SoftmaxRun
from helpers.seeds_tolerance import (
    CONVERGED,
    LINE,
    PRINTED_SIGMOID,
    SIGMOID,
    TRAINING,
    assert_ulp,
    assert_ulp_of_largest,
)

PROGRAMS = Path(__file__).parent / "programs"
Program = Callable[[str], ModuleType]
Capture = pytest.CaptureFixture[str]


# Seed 000: softmax regression


def expected_lines(run: SoftmaxRun, data: Data, batch_size: int) -> list[str]:
    """Return what the tutorial prints of a run, up to its last line with results."""
    n_batches = len(data[0][1]) // batch_size
    test_errors, lines = dict(run.improvements), []
    for epoch, error in run.checks:
        at = f"epoch {epoch}, minibatch {n_batches}/{n_batches}"
        lines.append(f"{at}, validation error {100 * error:f} %")
        if epoch in test_errors:
            percent = 100 * test_errors[epoch]
            lines.append(f"     {at}, test error of best model {percent:f} %")
    best, test = 100 * run.best_validation_error, 100 * run.test_error
    lines.append(
        f"Optimization complete with best validation score of {best:f} %,"
        f"with test performance {test:f} %"
    )
    return lines


def printed_results(output: str) -> list[str]:
    return [line for line in output.splitlines() if "error" in line or "Optimization" in line]


def printed_labels(output: str) -> list[int]:
    return [int(digit) for digit in re.findall(r"\d", output.splitlines()[-1])]


def test_softmax_regression(
    program: Program,
    float_x: str,
    noisy_data: Data,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    write_pickle(tmp_path, noisy_data)
    monkeypatch.chdir(tmp_path)
    tutorial = program("logistic_sgd")
    tutorial.sgd_optimization_mnist(learning_rate=2.0, n_epochs=12)
    run = seeds_numpy.logistic_sgd(noisy_data, float_x, Schedule(rate=2.0, n_epochs=12))
    assert run.best_epoch < run.epochs
    output = capsys.readouterr().out
    assert printed_results(output) == expected_lines(run, noisy_data, 600)
    assert "The code run for 12 epochs, with " in output

    best = pickle.loads(Path("best_model.pkl").read_bytes())
    for shared, expected in zip((best.W, best.b), run.best_parameters, strict=True):
        assert shared.get_value().dtype == np.dtype(float_x)
        assert_ulp_of_largest(shared.get_value(), expected, TRAINING)

    tutorial.predict()
    w, b = run.best_parameters
    labels = np.argmax(noisy_data[2][0][:10] @ w + b, axis=1)
    assert printed_labels(capsys.readouterr().out) == labels.tolist()


@pytest.mark.alone
@pytest.mark.slow
def test_softmax_regression_on_mnist(
    program: Program,
    float_x: str,
    mnist: Data,
    mnist_loop: Callable[[str], SoftmaxRun],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    write_pickle(tmp_path, mnist)
    monkeypatch.chdir(tmp_path)
    tutorial = program("logistic_sgd")
    tutorial.sgd_optimization_mnist()
    lines = printed_results(capsys.readouterr().out)
    run = mnist_loop(float_x)
    assert lines == expected_lines(run, mnist, 600)
    # The document prints the figure of epoch 72 under the other label: it is the validation error.
    assert "epoch 72, minibatch 83/83, validation error 7.510417 %" in lines
    assert "     epoch 73, minibatch 83/83, test error of best model 7.489583 %" in lines
    assert lines[-1] == (
        "Optimization complete with best validation score of 7.500000 %,"
        "with test performance 7.489583 %"
    )
    assert run.best_epoch == 73
    tutorial.predict()
    assert printed_labels(capsys.readouterr().out) == [7, 2, 1, 0, 4, 1, 4, 9, 6, 9]


def test_errors_refuses_labels_of_another_rank(program: Program) -> None:
    tutorial = program("logistic_sgd")
    classifier = tutorial.LogisticRegression(tutorial.T.matrix("x"), 5, 3)
    y = tutorial.T.imatrix("y")
    with pytest.raises(TypeError, match="y should have the same shape as self") as caught:
        classifier.errors(y)
    assert caught.value.args[1] == ("y", y.type, "y_pred", classifier.y_pred.type)


def test_errors_refuses_labels_that_are_not_integers(program: Program) -> None:
    tutorial = program("logistic_sgd")
    classifier = tutorial.LogisticRegression(tutorial.T.matrix("x"), 5, 3)
    with pytest.raises(NotImplementedError):
        classifier.errors(tutorial.T.vector("y"))


# Seed 001: binary logistic regression


@pytest.mark.parametrize("steps", [50, pytest.param(10_000, marks=pytest.mark.slow)])
def test_binary_logistic_regression(
    program: Program, float_x: str, capsys: Capture, steps: int
) -> None:
    np.random.seed(11)
    seen = program("binary_logistic").main(steps)
    x, y = seen["D"]
    run = seeds_numpy.binary_logistic((x, y), (seen["w0"], 0.0), steps)
    assert (x.shape, x.dtype) == ((400, 784), np.float64)
    assert_ulp_of_largest(seen["w"].get_value(), run.w, TRAINING)
    assert_ulp_of_largest(seen["b"].get_value(), run.b, TRAINING)
    assert_ulp_of_largest(seen["err"], run.xent, TRAINING)
    np.testing.assert_array_equal(seen["pred"], run.prediction)
    assert (seen["pred"].dtype, seen["err"].dtype) == (np.bool_, np.float64)
    if steps == 10_000:
        np.testing.assert_array_equal(seen["predict"](x), y)
    assert capsys.readouterr().out.startswith("Initial model:\n")


# Seed 002: the notebook

PRINTED_DIGITS = {
    "out_3": [["0.5", "0.7310586"], ["0.26894143", "0.11920293"]],
    "out_5": [["0.5", "0.7310586"], ["0.26894143", "0.11920291"]],
}


@pytest.fixture
def notebook(program: Program) -> ModuleType:
    pytest.importorskip("matplotlib")
    return program("notebook_logistic")


@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
def test_both_forms_of_the_sigmoid(notebook: ModuleType, float_x: str, capsys: Capture) -> None:
    """The notebook's digits come from a GPU: the last one lies within an ulp of the exact value."""
    seen = notebook.sigmoid_cells()
    exact = seeds_numpy.sigmoid(np.array([[0.0, 1.0], [-1.0, -2.0]]))
    for name, printed in PRINTED_DIGITS.items():
        assert seen[name].dtype == np.dtype(float_x)
        assert_ulp(seen[name], exact.astype(float_x), SIGMOID)
        if float_x == "float32":
            assert_ulp(seen[name], np.array(printed, np.float32), PRINTED_SIGMOID)
    assert capsys.readouterr().out == f"{seen['out_3']!r}\n{seen['out_5']!r}\n"


@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
def test_the_plot_of_the_sigmoid(notebook: ModuleType, float_x: str, tmp_path: Path) -> None:
    axes = notebook.sigmoid_cells()["ax"]
    (line,) = axes.lines
    grid = np.linspace(-6, 6, 100)
    np.testing.assert_array_equal(line.get_xdata(), grid)
    expected = seeds_numpy.sigmoid(grid.astype(float_x))
    assert_ulp(np.asarray(line.get_ydata(), float_x), expected.astype(float_x), SIGMOID)
    axes.figure.savefig(tmp_path / "sigmoid.png")
    assert (tmp_path / "sigmoid.png").read_bytes().startswith(b"\x89PNG")
    notebook.plt.close("all")


@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
def test_only_allow_input_downcast_takes_wider_floats(notebook: ModuleType, float_x: str) -> None:
    seen = notebook.sigmoid_cells()
    notebook.plt.close("all")
    if float_x == "float64":
        assert seen["sigmoid2"](seen["X"]).shape == (1, 100)
    else:
        with pytest.raises(TypeError, match="Bad input argument to"):
            seen["sigmoid2"](seen["X"])


@pytest.mark.parametrize("iterations", [1500, pytest.param(10_001, marks=pytest.mark.slow)])
def test_the_notebooks_regression(
    notebook: ModuleType, float_x: str, capsys: Capture, iterations: int
) -> None:
    np.random.seed(12)
    seen = notebook.regression_cells(iterations)
    x, y = (array.astype(float_x) for array in seen["D"])
    start = (seen["w0"], 0.0)
    run, checks = seeds_numpy.notebook_logistic((x, y), start, iterations)
    lines = capsys.readouterr().out.splitlines()
    printed = [line for line in lines if line.startswith("iter")]
    assert printed == [f"iter {i:5d}, error {cost:f}" for i, cost in checks]
    assert_ulp_of_largest(seen["w"].get_value(), run.w, TRAINING)
    assert_ulp_of_largest(seen["b"].get_value(), run.b, TRAINING)
    assert_ulp_of_largest(seen["err"], run.costs[-1], TRAINING)
    if iterations == 10_001:
        plateau = [line.split()[-1] for line in printed[-5:]]
        assert len(set(plateau)) == 1
        assert checks[0][1] > 100 * checks[-1][1]
        np.testing.assert_array_equal(seen["predict"](seen["D"][0]), seen["D"][1])


# Seed 003: linear regression


@pytest.fixture
def line_program(program: Program) -> Iterator[ModuleType]:
    plt = pytest.importorskip("matplotlib.pyplot")
    np.random.seed(13)
    plt.close("all")  # others may have left a figure open
    yield program("linear_regression")
    plt.close("all")


def test_linear_regression(line_program: ModuleType, float_x: str, capsys: Capture) -> None:
    seen = line_program.main(allow_input_downcast=True)
    x, y = (seen[name].astype(float_x) for name in "XY")
    start = (seen["m_value"], seen["c_value"])
    run = seeds_numpy.linear_regression((x, y), start, rate=0.01)
    assert_ulp(seen["m"].get_value(), run.m, LINE)
    assert_ulp(seen["c"].get_value(), run.c, LINE)
    assert_ulp(seen["costM"], run.costs[-1], LINE)
    costs = np.array(capsys.readouterr().out.splitlines()[:10_000], dtype=np.float64)
    assert_ulp(costs, run.costs, LINE)
    check_line_plot(line_program, seen, float_x)


def check_line_plot(line_program: ModuleType, seen: dict[str, Any], float_x: str) -> None:
    points, line = line_program.plt.gca().lines
    np.testing.assert_array_equal(points.get_xydata(), np.stack([seen["X"], seen["Y"]], axis=1))
    grid = np.linspace(0, 10, 10)
    np.testing.assert_array_equal(line.get_xdata(), grid)
    rounded = grid.astype(float_x).astype(np.float64)
    expected = rounded * seen["m"].get_value() + seen["c"].get_value()
    assert_ulp(line.get_ydata(), expected, LINE)


def test_enough_steps_reach_least_squares(line_program: ModuleType, capsys: Capture) -> None:
    seen = line_program.main(30_000)
    capsys.readouterr()
    slope, intercept = np.polyfit(seen["X"], seen["Y"], 1)
    assert_ulp(seen["m"].get_value(), slope, CONVERGED)
    assert_ulp(seen["c"].get_value(), intercept, CONVERGED)


def test_as_written_linear_regression_refuses_float64_data_in_float32(
    line_program: ModuleType, float_x: str, capsys: Capture
) -> None:
    if float_x == "float64":
        assert line_program.main(3)["m"].get_value().dtype == np.float64
    else:
        with pytest.raises(TypeError, match="without risking loss of precision"):
            line_program.main(3)
    capsys.readouterr()


# From the command line, ``import theano`` untouched


def run_program(name: str, count: int, folder: Path, float_x: str) -> str:
    """Run a program as a user would, with a shorter loop, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "arignote", "run", str(PROGRAMS / f"{name}.py"), str(count)],
        cwd=folder,
        env={**os.environ, "ARIGNOTE_FLAGS": f"floatX={float_x}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("float_x", ["float64", "float32"], indirect=False)
def test_run_softmax_regression(float_x: str, noisy_data: Data, tmp_path: Path) -> None:
    write_pickle(tmp_path, noisy_data)
    output = run_program("logistic_sgd", 2, tmp_path, float_x)
    run = seeds_numpy.logistic_sgd(noisy_data, float_x, Schedule(n_epochs=2))
    assert printed_results(output) == expected_lines(run, noisy_data, 600)
    assert (tmp_path / "best_model.pkl").is_file()


@pytest.mark.parametrize("float_x", ["float64", "float32"], indirect=False)
def test_run_binary_logistic_regression(float_x: str, tmp_path: Path) -> None:
    output = run_program("binary_logistic", 3000, tmp_path, float_x)
    targets, predictions = output.split("target values for D:")[1].split("prediction on D:")
    found = [word == "True" for word in re.findall("True|False", predictions)]
    assert found == [word == "1" for word in re.findall("[01]", targets)]


@pytest.mark.parametrize("float_x", ["float64", "float32"], indirect=False)
def test_run_the_notebook(float_x: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    output = run_program("notebook_logistic", 2001, tmp_path, float_x)
    assert ("dtype=float32" in output) == (float_x == "float32")
    costs = [float(line.split()[-1]) for line in output.splitlines() if line.startswith("iter")]
    assert len(costs) == 3
    assert costs[0] > 10
    assert 1 > costs[1] > costs[2] > 0


def test_run_linear_regression(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    lines = run_program("linear_regression", 500, tmp_path, "float64").splitlines()
    costs: npt.NDArray[np.float64] = np.array(lines[:500], dtype=np.float64)
    assert (np.diff(costs) < 0).all()
    assert [lines[500], lines[502]] == ["Slope :", "Intercept :"]

"""How a device is named, opened and missed; its backend is one of these tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote import ops
from arignote.config import Config, config
from arignote.errors import DeviceError
from arignote.graph.op import NO_PARAMS, Call
from arignote.graph.type import tensor_type
from arignote.run import devices, native, shared
from arignote.run.build import Given, build_source
from arignote.run.compiled import Compiled, compile_source
from arignote.run.mode import Mode

NAME = "arignote._backend_of_a_test"
KERNELS = ["to_device", "to_host", "copy", "elementwise", "dot"]


class Backend(ModuleType):
    """A backend with two devices, which refuses what it is told to."""

    refusal: tuple[str, ...] | None = None
    folders: list[str] | None = None

    def set_library_folders(self, folders: list[str]) -> None:
        self.folders = folders

    def open(self, number: int) -> object:
        if self.refusal is not None:
            raise RuntimeError(*self.refusal)
        if number > 1:
            raise RuntimeError("number", "there are 2")
        return f"capsule {number}"

    def kernels(self) -> list[str]:
        return KERNELS


class PaperStorage:
    """What keeps the value of a shared variable, and where."""

    def __init__(self, array: np.ndarray[Any, Any], borrow: bool, capsule: object = None) -> None:
        self.array, self.borrow, self.capsule = array, borrow, capsule

    def copy(self) -> np.ndarray[Any, Any]:
        return self.array.copy()


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    """Put a module in the place of the CUDA backend's."""
    module = Backend(NAME)
    monkeypatch.setitem(sys.modules, NAME, module)
    monkeypatch.setattr(devices, "module", NAME)
    monkeypatch.setattr(devices, "_opened", {})
    monkeypatch.setattr(shared, "Storage", PaperStorage)
    yield module
    config.device = "cpu"


# --- names


@pytest.mark.parametrize(
    ("name", "opened"),
    [("cuda", "cuda0"), ("cuda0", "cuda0"), ("gpu", "cuda0"), ("gpu1", "cuda1")],
)
@pytest.mark.usefixtures("backend")
def test_names_of_devices(name: str, opened: str) -> None:
    config.device = name
    assert config.device == name
    device = devices.current_device()
    assert device is not None
    assert device.name == opened
    assert device.capsule == f"capsule {opened[-1]}"
    config.device = "cpu"
    assert devices.current_device() is None


@pytest.mark.parametrize("name", ["cud", "cuda-1", "gpu 0", "gpux", "CPU", "cpu0", "", 3])
def test_what_names_no_device(name: Any) -> None:
    with pytest.raises(ValueError, match=r'Invalid value .* "device". It must be cpu, cuda or'):
        config.device = name
    assert config.device == "cpu"


def test_a_backend_is_told_where_libraries_may_lie(backend: Backend) -> None:
    devices.open_device("cuda")
    assert backend.folders == devices.library_folders()


@pytest.mark.usefixtures("backend")
def test_a_device_is_opened_once() -> None:
    assert devices.open_device("cuda") is devices.open_device("gpu0")


@pytest.mark.usefixtures("backend")
def test_a_device_is_no_use_behind_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    devices.open_device("cuda")
    monkeypatch.setattr(os, "getpid", lambda: 1)
    for name in ("gpu", "cuda1"):
        with pytest.raises(DeviceError, match=r"forked from one that had opened a device.*spawn"):
            devices.open_device(name)


# --- what is missing


@pytest.mark.parametrize(
    ("refusal", "text"),
    [
        (("driver", "libcuda.so.1 is missing"), "there is no CUDA driver: libcuda.so.1 is missing"),
        (("old driver", "it is for CUDA 11.4"), "the CUDA driver is too old: it is for CUDA 11.4"),
        (("device", "none is visible"), "there is no CUDA device that works: none is visible"),
        (("number", "there is 1"), "there is no device of this number: there is 1"),
        (("something else",), "something else"),
    ],
)
def test_what_is_missing_is_said(backend: Backend, refusal: tuple[str, ...], text: str) -> None:
    backend.refusal = refusal
    wanted = rf'^\[config\] device="cuda0": {text}. Set force_device=False to run on the CPU'
    with pytest.raises(ValueError, match=wanted):
        config.device = "cuda0"
    assert config.device == "cpu"
    with (
        config.changed(force_device=False),
        pytest.warns(UserWarning, match=f"{text}. Running on the CPU.") as seen,
    ):
        config.device = "cuda0"
    assert [record.filename for record in seen] == [__file__]
    assert config.device == "cpu"
    assert theano.shared(np.ones(2)).container.device is None


def test_a_build_without_a_backend_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "module", "arignote._no_such_backend")
    with pytest.raises(DeviceError, match=r"has no CUDA backend; build it with `pip install \. -C"):
        config.device = "cuda"


def test_a_backend_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ImportError("libsomething.so is missing", name=name)

    monkeypatch.setattr(devices, "import_module", fail)
    with pytest.raises(DeviceError, match=r"cannot be loaded: libsomething\.so is missing"):
        config.device = "cuda"


def test_there_is_no_opencl() -> None:
    flags = Config()
    with pytest.raises(ValueError, match=r'device="opencl0:1": there is no OpenCL backend\. Set'):
        flags.device = "opencl0:1"
    flags.force_device = False
    with pytest.warns(UserWarning, match="no OpenCL backend. Running on the CPU"):
        flags.device = "opencl0:1"
    assert flags.device == "cpu"


# --- nothing is opened before it is used


def run(program: str, flags: str) -> subprocess.CompletedProcess[str]:
    """Run a program with flags in a fresh interpreter."""
    environment = {**os.environ, "ARIGNOTE_FLAGS": flags}
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("flags", ["", "device=cuda0"])
def test_import_touches_no_device(flags: str) -> None:
    done = run(
        "import sys, arignote, arignote.tensor as T; T.dot(T.matrix(), T.matrix());"
        "print(arignote.config.device, [n for n in sys.modules if '_cuda' in n or 'devices' in n])",
        flags,
    )
    assert done.stdout.split("\n")[0] == f"{flags[7:] or 'cpu'} []", done.stderr


def test_a_device_of_the_environment_is_missed_by_its_first_use() -> None:
    program = """
import arignote
from arignote.run import devices
devices.module = "arignote._no_such_backend"
print(arignote.shared(1.5).get_value(), arignote.config.device)
"""
    done = run(program, "device=gpu")
    assert "no CUDA backend" in done.stderr.splitlines()[-1]
    done = run(program, "force_device=False,device=gpu")
    assert done.stdout.split() == ["1.5", "cpu"]
    assert "Running on the CPU" in done.stderr


# --- what lies there and runs there


@pytest.mark.usefixtures("backend")
def test_shared_variables_lie_where_they_were_made() -> None:
    before = theano.shared(np.ones(2))
    with config.changed(device="cuda1"):
        there, count = theano.shared(np.ones(2)), theano.shared(3)
        assert there.container.storage.capsule == "capsule 1"
    assert devices.place_of(there) is devices.open_device("cuda1")
    for variable in (before, count, theano.shared(np.ones(2))):
        assert variable.container.storage.capsule is None


def compiled(inputs: list[Any], outputs: Any, updates: Any = None, **options: Any) -> Compiled:
    given = Given(inputs, outputs, updates, None, False, None)
    return compile_source(build_source(given, None, None, options), Mode())


@pytest.mark.usefixtures("backend")
def test_functions_run_where_their_variables_lie() -> None:
    x = T.dmatrix("x")
    with config.changed(device="cuda1"):
        w = theano.shared(np.ones((2, 2)), "w")
        assert compiled([x], T.dot(x, x)).device is devices.open_device("cuda1")
        assert compiled([x], T.dot(x, x), inside=True).device is None
    made = compiled([x], T.dot(x, w).sum(), [(w, w + x)])
    assert made.device is devices.open_device("cuda1")
    assert [step.device for step in made.plan.steps] == [True] * len(made.plan.steps)
    assert made.plan.on_device("w")
    assert compiled([x], T.dot(x, x)).device is None
    with config.changed(device="cuda0"):
        other = theano.shared(np.ones((2, 2)), "other")
    with pytest.raises(ValueError, match="must lie on one device: cuda0, cuda1"):
        compiled([], T.dot(other, w))


@pytest.mark.usefixtures("backend")
def test_what_a_device_has_no_kernel_for_runs_on_the_host() -> None:
    x = T.dmatrix("x")
    with config.changed(device="cuda"):
        w = theano.shared(np.ones((2, 2)), "w")
        plan = compiled([x], T.nnet.softmax(T.dot(x, w))).plan
    assert [(step.op, step.device) for step in plan.steps] == [
        ("to_device", True),
        ("dot", True),
        ("to_host", True),
        ("softmax", False),
    ]


@pytest.mark.usefixtures("backend")
def test_the_runtime_is_told_what_lies_there(monkeypatch: pytest.MonkeyPatch) -> None:
    x = T.dmatrix("x")
    with config.changed(device="cuda"):
        plan = compiled([x], [T.dot(x, x), x.shape[0]]).plan
    sent: list[Any] = []
    monkeypatch.setattr(native._core, "Program", lambda *given: sent.append(given))
    native.load(plan, {}, "capsule 0")
    ((spec, capsule),) = sent
    assert capsule == "capsule 0"
    loaded = native.loaded_buffers(plan)
    assert [item.get("device", False) for item in spec["buffers"]] == [
        plan.on_device(item.name) for item in loaded
    ]
    assert [item.get("device", False) for item in spec["steps"]] == [s.device for s in plan.steps]
    native.load(compiled([x], x + 1).plan, {})
    ((spec,),) = sent[1:]
    assert not any("device" in item for item in (*spec["buffers"], *spec["steps"]))


def test_a_device_takes_the_types_that_kernels_take() -> None:
    device = devices.OpenDevice("cuda0", None, frozenset(KERNELS))

    def call(dtype: str) -> Call:
        matrix = tensor_type(dtype, 2)
        return Call(NO_PARAMS, (matrix, matrix), (matrix,))

    assert device.supports(call("float32"), ops.dot_op)
    assert not device.supports(call("complex64"), ops.dot_op)
    assert not device.supports(call("float32"), ops.softmax_op)

"""The host's side of the device, on a driver that can be told to fail."""

from __future__ import annotations

import datetime
import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote import _core
from arignote.errors import DeviceError
from helpers.emulated import emulated, function_on
from helpers.spec import SpecBuilder
from helpers.values import Array

MEGABYTE = 1 << 20
LIMIT = 1 << 32
ILLEGAL_ADDRESS = 700


@pytest.fixture
def driver() -> Iterator[ModuleType]:
    """The module of the emulated device, whose driver is as new before and after."""
    module = emulated()
    gc.collect()
    module.trim(0)
    yield module
    module.mend()
    module.set_limit(LIMIT)
    module.set_devices(2, 13000)


def doubled(device: object) -> _core.Function:
    builder = SpecBuilder()
    x = builder.input("float64", 1)
    out = builder.like(x)
    builder.binary("add", x, x, out)
    builder.output(out)
    return function_on(device, builder)


def counted(device: object, state: _core.State) -> _core.Function:
    """Adds its input to the state, in the state's memory."""
    builder = SpecBuilder()
    x = builder.input("float64", 1)
    memory = builder.state("float64", 1)
    total = builder.like(memory, storage=memory)
    builder.binary("add", memory, x, total)
    builder.update(memory, total)
    return function_on(device, builder, state)


# --- opening


@pytest.mark.parametrize(
    ("devices", "version", "number", "kind", "text"),
    [
        (2, 0, 0, "driver", "this machine has no NVIDIA driver"),
        (0, 13000, 0, "device", "the driver finds no device"),
        (2, 13000, 7, "number", "there are 2 devices, numbered from 0: 7"),
        (2, 13000, -1, "number", "there are 2 devices, numbered from 0: -1"),
    ],
)
def test_a_device_that_cannot_be_opened_is_refused(
    driver: ModuleType, devices: int, version: int, number: int, kind: str, text: str
) -> None:
    # Device 0 is open for good once another test has opened it.
    number = number if number != 0 else 1
    driver.set_devices(devices, version)
    with pytest.raises(RuntimeError) as error:
        driver.open(number)
    assert error.value.args == (kind, text)


def test_a_driver_that_is_too_old_is_refused(driver: ModuleType) -> None:
    driver.set_devices(2, 11040)
    driver.let_fail("count_devices", error=35)
    with pytest.raises(RuntimeError) as error:
        driver.open(1)
    text = (
        "the driver is for CUDA 11.4, older than the CUDA 13.0 that this build of arignote is for"
    )
    assert error.value.args == ("old driver", text)


def test_a_driver_that_fails_is_refused(driver: ModuleType) -> None:
    driver.let_fail("count_devices", error=ILLEGAL_ADDRESS)
    with pytest.raises(RuntimeError) as error:
        driver.open(1)
    text = "the driver fails: an illegal memory access was encountered"
    assert error.value.args == ("device", text)


def test_a_device_that_is_too_old_is_refused(driver: ModuleType) -> None:
    driver.set_devices(2, 13000, capability=61)
    with pytest.raises(RuntimeError) as error:
        driver.open(1)
    text = "emulated has compute capability 6.1, and 7.5 is the least"
    assert error.value.args == ("device", text)


def test_info_is_what_the_driver_says(driver: ModuleType) -> None:
    assert driver.info(0) == {
        "name": "emulated",
        "capability": (9, 0),
        "memory": LIMIT,
        "driver": 13000,
        "runtime": 13000,
        "nvrtc": None,
        "cublaslt": "not found",
        "tf32": "not there: cuBLASLt is not used: not found",
    }
    with pytest.raises(ValueError, match="no device of number 9"):
        driver.info(9)


def test_a_capsule_of_something_else_is_refused(driver: ModuleType) -> None:
    with pytest.raises(TypeError, match="a device must be a capsule"):
        _core.State(np.zeros(3), device=3)
    with pytest.raises(ImportError, match="same build"):
        _core.State(np.zeros(3), device=datetime.datetime_CAPI)


# --- memory


def test_memory_is_kept_and_given_back(driver: ModuleType) -> None:
    device = driver.open(0)
    first = _core.State(np.zeros(MEGABYTE), device=device)
    used = driver.used()
    assert used >= 8 * MEGABYTE
    del first
    assert driver.used() == used
    second = _core.State(np.ones(MEGABYTE), device=device)
    assert driver.used() == used
    np.testing.assert_array_equal(second.array[:3], 1)
    del second
    assert driver.trim(0) >= 8 * MEGABYTE
    assert driver.used() <= used - 8 * MEGABYTE


def test_a_little_takes_no_large_piece(driver: ModuleType) -> None:
    device = driver.open(0)
    large = _core.State(np.zeros(MEGABYTE), device=device)
    del large
    used = driver.used()
    small = _core.State(np.zeros(10), device=device)
    assert driver.used() == used + 512
    np.testing.assert_array_equal(small.array, 0)


def test_what_is_kept_goes_back_before_memory_is_out(driver: ModuleType) -> None:
    device = driver.open(0)
    large = _core.State(np.zeros(4 * MEGABYTE), device=device)
    driver.set_limit(driver.used())
    del large
    several = [_core.State(np.full(MEGABYTE, n), device=device) for n in range(4)]
    for n, state in enumerate(several):
        assert (state.array == n).all()
    with pytest.raises(MemoryError):
        _core.State(np.zeros(MEGABYTE), device=device)
    assert (several[0].array == 0).all()


def test_threads_share_the_memory(driver: ModuleType) -> None:
    device = driver.open(0)

    def work(seed: int) -> bool:
        right = True
        for n in range(50):
            state = _core.State(np.full((seed * 31 + n * 17) % 700 + 1, seed), device=device)
            right &= bool((state.array == seed).all())
        return right

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))


def test_a_call_without_memory_leaves_states_as_they_were(driver: ModuleType) -> None:
    device = driver.open(0)
    state = _core.State(np.ones(MEGABYTE), device=device)
    function = counted(device, state)
    driver.trim(0)
    driver.set_limit(driver.used())
    with pytest.raises(MemoryError):
        function(np.ones(MEGABYTE))
    assert (state.array == 1).all()
    driver.set_limit(LIMIT)
    function(np.ones(MEGABYTE))
    assert (state.array == 2).all()


def test_functions_and_states_leave_nothing_behind(driver: ModuleType) -> None:
    device = driver.open(0)
    assert doubled(device)(np.ones(3))[0].sum() == 6
    _core.State(np.ones(3), device=device)  # by a stream that stays
    gc.collect()
    driver.trim(0)
    before = driver.used(), driver.streams(), driver.pinned()
    for length in (10, MEGABYTE):
        function = doubled(device)
        function(np.ones(length))
        state = _core.State(np.ones(length), device=device)
        counted(device, state)(np.ones(length))
        del function, state
    gc.collect()
    driver.trim(0)
    assert (driver.used(), driver.streams(), driver.pinned()) == before


def test_calls_at_the_same_time_have_streams_of_their_own(driver: ModuleType) -> None:
    function = doubled(driver.open(0))
    arrays = [np.full(10_000, n, "float64") for n in range(16)]
    with ThreadPoolExecutor(4) as pool:
        for array, (result,) in zip(arrays, pool.map(function, arrays), strict=True):
            np.testing.assert_array_equal(result, 2 * array)


def test_a_call_like_the_last_asks_the_driver_for_no_memory(driver: ModuleType) -> None:
    function = doubled(driver.open(0))
    function(np.ones(1_000))
    before = driver.calls()
    function(np.ones(1_000))
    after = driver.calls()
    for call in ("allocate", "release", "create_stream"):
        assert after.get(call) == before.get(call)
    assert after["copy"] == before["copy"] + 2


def test_the_host_waits_once_for_a_call(driver: ModuleType, on_device: None) -> None:
    """Also for one that may fail."""
    x, places = theano.shared(np.arange(6.0)), T.ivector()
    function = theano.function([places], x[places])
    function([1, 2])
    before = driver.calls()["synchronise"]
    np.testing.assert_array_equal(function([5, 0]), [5, 0])
    assert driver.calls()["synchronise"] == before + 1
    with pytest.raises(IndexError, match="index 6 is out of bounds"):
        function([5, 6])
    np.testing.assert_array_equal(function([3]), [3])


# --- copies


def summed(device: object, count: int) -> _core.Function:
    """Returns its arguments, and the sum of all."""
    builder = SpecBuilder()
    arguments = [builder.input("float64", 1) for _ in range(count)]
    total = arguments[0]
    for argument in arguments[1:]:
        out = builder.like(total)
        builder.binary("add", total, argument, out)
        total = out
        builder.output(out)
    return function_on(device, builder)


@pytest.mark.parametrize("length", [1, 1000, 9000, MEGABYTE // 8])
def test_arguments_travel_in_pinned_memory_while_there_is_room(
    driver: ModuleType, length: int
) -> None:
    function = summed(driver.open(0), 6)
    rng = np.random.default_rng(length)
    pinned = 0
    for _ in range(3):
        arguments = [rng.integers(-100, 100, length).astype("float64") for _ in range(6)]
        wanted = np.cumsum(arguments, axis=0)[1:]
        for found, want in zip(function(*arguments), wanted, strict=True):
            np.testing.assert_array_equal(found, want)
        pinned = pinned or driver.pinned()
        assert driver.pinned() == pinned


def test_without_pinned_memory_copies_are_the_drivers(driver: ModuleType) -> None:
    device = driver.open(0)
    before = driver.pinned()
    driver.let_fail("allocate_host", error=2)
    function = doubled(device)
    for _ in range(2):
        np.testing.assert_array_equal(function(np.arange(5.0))[0], 2 * np.arange(5.0))
    # The function that was refused does not ask again; others do.
    refused = driver.pinned() - before
    other = doubled(device)
    other(np.ones(3))
    assert driver.pinned() - before > refused


# --- failures


@pytest.mark.parametrize("call", ["copy", "synchronise"])
@pytest.mark.parametrize("after", range(4))
def test_a_call_that_fails_is_reported(driver: ModuleType, call: str, after: int) -> None:
    device = driver.open(0)
    state = _core.State(np.ones(100), device=device)
    function = doubled(device)
    assert function(np.ones(100))[0].sum() == 200
    before = driver.calls().get(call, 0)
    driver.let_fail(call, after)
    failed = 0
    for _ in range(5):
        try:
            function(np.ones(100))
        except RuntimeError as error:
            assert "cudaErrorIllegalAddress: an illegal memory access" in str(error)  # noqa: PT017
            failed += 1
    assert driver.calls()[call] > before + after
    assert failed == 1
    assert (state.array == 1).all()


def test_a_device_that_is_lost_has_not_run_out_of_memory(driver: ModuleType) -> None:
    device = driver.open(0)
    function = doubled(device)
    function(np.ones(3))
    driver.trim(0)
    for work in (
        lambda: function(np.ones(MEGABYTE)),
        lambda: _core.State(np.ones(MEGABYTE), device=device),
    ):
        driver.let_fail("allocate", for_ever=True)
        with pytest.raises((RuntimeError, DeviceError), match="cudaErrorIllegalAddress"):
            work()
        driver.mend()


@pytest.mark.parametrize("call", ["create_stream", "allocate", "copy"])
def test_a_function_for_a_device_that_is_lost_is_told_so(driver: ModuleType, call: str) -> None:
    device = driver.open(0)
    driver.trim(0)
    driver.let_fail(call, for_ever=True)
    with pytest.raises((RuntimeError, DeviceError), match="cudaErrorIllegalAddress"):
        doubled(device)(np.ones(3))


def test_after_a_failure_that_stays_every_call_says_so(driver: ModuleType) -> None:
    device = driver.open(0)
    state = _core.State(np.ones(100), device=device)
    function = doubled(device)
    function(np.ones(100))
    driver.let_fail("synchronise", for_ever=True)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="cudaErrorIllegalAddress"):
            function(np.ones(100))
        with pytest.raises(DeviceError, match="cudaErrorIllegalAddress"):
            _ = state.array
    driver.mend()
    assert function(np.ones(100))[0].sum() == 200


@pytest.mark.parametrize(
    ("number", "error", "text"),
    [(ILLEGAL_ADDRESS, DeviceError, r"\[device\] CUDA says cudaErrorIll"), (2, MemoryError, None)],
)
def test_what_fails_outside_of_calls_is_told_as_in_calls(
    driver: ModuleType, on_device: None, number: int, error: type[Exception], text: str | None
) -> None:
    w = theano.shared(np.zeros(100))
    for work in (
        w.get_value,
        lambda: w.set_value(np.ones(100)),
        lambda: theano.shared(np.ones(3)),
        lambda: theano.function([], w * np.arange(100.0)),
    ):
        driver.let_fail("copy", error=number)
        with pytest.raises(error, match=text):
            work()
    np.testing.assert_array_equal(w.get_value(), 0)


@pytest.mark.parametrize("call", ["create_stream", "copy", None])
def test_a_function_that_cannot_be_loaded_leaves_nothing(
    driver: ModuleType, call: str | None
) -> None:
    device = driver.open(0)
    doubled(device)(np.ones(3))
    gc.collect()
    driver.trim(0)
    used, streams = driver.used(), driver.streams()
    if call is None:
        driver.set_limit(used)
    else:
        driver.let_fail(call, error=2)
    with pytest.raises(MemoryError):
        doubled(device)(np.ones(3))
    gc.collect()
    driver.trim(0)
    assert (driver.used(), driver.streams()) == (used, streams)


def test_an_update_that_fails_leaves_the_state(driver: ModuleType) -> None:
    device = driver.open(0)
    state = _core.State(np.ones(100), device=device)
    function = counted(device, state)
    function(np.ones(100))
    driver.let_fail("copy")
    with pytest.raises(RuntimeError, match="cudaErrorIllegalAddress"):
        function(np.ones(100))
    assert (state.array == 2).all()
    function(np.ones(100))
    assert (state.array == 3).all()


@pytest.mark.parametrize("is_lost", [False, True])
def test_states_that_cannot_be_restored_are_told_of(driver: ModuleType, is_lost: bool) -> None:
    device = driver.open(0)
    state = _core.State(np.ones(100), device=device)
    function = counted(device, state)

    def fail(step: int, inputs: list[Array], outputs: list[Array]) -> None:
        if step == 1:
            if is_lost:
                driver.let_fail("copy")
            raise ValueError("a hook has failed")

    error, text = (RuntimeError, "cudaErrorIllegalAddress") if is_lost else (ValueError, "a hook")
    with pytest.raises(error, match=text):
        function._run_hooked((np.ones(100),), None, fail)
    np.testing.assert_array_equal(state.array, 2 if is_lost else 1)


def test_the_memory_in_use_and_the_most_of_it(driver: ModuleType) -> None:
    device = driver.open(0)
    gc.collect()
    now, _ = driver.memory(0, reset=True)
    state = _core.State(np.zeros(1000), False, device)
    assert driver.memory(0) == (now + 8192, now + 8192)
    del state
    assert driver.memory(0, reset=True) == (now, now + 8192)
    assert driver.memory(0) == (now, now)
    assert 0 < driver.time_copy(0, MEGABYTE) < 1
    with pytest.raises(ValueError, match="there are 2 devices"):
        driver.memory(7)


def test_the_op_whose_result_needs_the_memory_is_named(driver: ModuleType, on_device: None) -> None:
    """Not the step that brings it to the host, of which the user has written nothing."""
    n, w = T.lscalar("n"), theano.shared(np.ones(3))
    whole = theano.function([n], T.arange(n))
    window = theano.function([n], T.alloc(T.exp(w).sum(), n))
    for op, f, lengths in (("arange", whole, (2**45, 2**60)), ("elementwise", window, (2**60,))):
        assert f.plan.steps[-1].op == "to_host"
        for length in lengths:
            text = rf"^\[{op}\] an array of shape \({length},\)"
            with pytest.raises(MemoryError, match=text):
                f(length)
        assert len(f(3)) == 3


# --- the caller's device


def test_the_calling_thread_keeps_its_own_device(driver: ModuleType, on_device: None) -> None:
    driver.use_device(1)
    try:
        w = theano.shared(np.zeros(3), name="w")
        x, rows = T.dvector("x"), T.lvector("rows")
        f = theano.function([x, rows], T.dot(x, w) + x[rows].sum(), updates=[(w, w + x)])
        f(np.ones(3), [0])
        with pytest.raises(IndexError):
            f(np.ones(3), [7])
        f.map(np.ones((4, 3)), np.zeros((4, 1), "int64"))
        with pytest.raises(IndexError):
            f.map(np.ones((4, 3)), np.array([[0], [0], [9], [0]]))
        w.set_value(w.get_value() + 1)
        theano.explain(f)
        driver.let_fail("synchronise")
        with pytest.raises(DeviceError):
            f(np.ones(3), [0])
        driver.mend()
        del f, w, x, rows
        gc.collect()
        driver.trim(0)
        assert driver.current_device() == 1
    finally:
        driver.use_device(0)

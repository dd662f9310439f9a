"""Plans written by hand, as the runtime takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from arignote import _core

Spec = dict[str, Any]


class SpecBuilder:
    """Collects the parts of a spec; every method returns the id of what it adds."""

    def __init__(self) -> None:
        self.spec: Spec = {
            "dims": [],
            "checks": [],
            "buffers": [],
            "steps": [],
            "outputs": [],
            "updates": [],
        }

    # registers

    def dim(self, op: str, a: int = 0, b: int = 0) -> int:
        self.spec["dims"].append((op, a, b))
        return len(self.spec["dims"]) - 1

    def const_dims(self, *values: int) -> list[int]:
        return [self.dim("const", value) for value in values]

    def shape_of(self, buffer: int) -> list[int]:
        """The registers that a buffer names as its shape."""
        return list(self.spec["buffers"][buffer]["shape"])

    def check(self, kind: str, a: int, b: int = 0) -> None:
        self.spec["checks"].append((kind, a, b))

    # buffers

    def buffer(self, **fields: Any) -> int:
        self.spec["buffers"].append(fields)
        return len(self.spec["buffers"]) - 1

    def _source(self, kind: str, dtype: str, ndim: int, **fields: Any) -> int:
        number = len(self.spec["buffers"])
        shape = [self.dim("shape", number, axis) for axis in range(ndim)]
        return self.buffer(kind=kind, dtype=dtype, shape=shape, **fields)

    def input(
        self, dtype: str = "float64", ndim: int = 0, broadcastable: Sequence[bool] = ()
    ) -> int:
        flags = list(broadcastable) or [False] * ndim
        return self._source("input", dtype, ndim, broadcastable=flags)

    def state(self, dtype: str = "float64", ndim: int = 0) -> int:
        return self._source("state", dtype, ndim)

    def const(self, value: Any, dtype: str = "float64") -> int:
        array = np.array(value, dtype, order="C")
        shape = self.const_dims(*array.shape)
        return self.buffer(kind="const", dtype=dtype, shape=shape, array=array)

    def scalar(self, register: int, dtype: str = "int64") -> int:
        return self.buffer(kind="scalar", dtype=dtype, shape=[], value=register)

    def temp(self, dtype: str = "float64", shape: Sequence[int] = (), storage: int = -1) -> int:
        return self.buffer(kind="temp", dtype=dtype, shape=list(shape), storage=storage)

    def like(self, buffer: int, dtype: str | None = None, storage: int = -1) -> int:
        """A temp of another buffer's shape."""
        spec = self.spec["buffers"][buffer]
        return self.temp(dtype or spec["dtype"], spec["shape"], storage)

    def view(self, base: int, shape: Sequence[int], strides: Sequence[int], offset: int) -> int:
        return self.buffer(
            kind="view",
            dtype=self.spec["buffers"][base]["dtype"],
            shape=list(shape),
            base=base,
            offset=offset,
            strides=list(strides),
        )

    def reshape(self, base: int, shape: Sequence[int]) -> int:
        """A reshape, with the step that defines it."""
        dtype = self.spec["buffers"][base]["dtype"]
        made = self.buffer(kind="reshape", dtype=dtype, shape=list(shape), base=base)
        self.step("reshape", [base], [made])
        return made

    # steps

    def step(
        self, kernel: str, inputs: Sequence[int], outputs: Sequence[int], **fields: Any
    ) -> int:
        self.spec["steps"].append(
            {
                "kernel": kernel,
                "ints": [],
                "reals": [],
                "names": [],
                "dims": [],
                "inputs": list(inputs),
                "outputs": list(outputs),
                "guards": [],
                "host": None,
                **fields,
            }
        )
        return len(self.spec["steps"]) - 1

    def elementwise(
        self,
        inputs: Sequence[int],
        program: Sequence[tuple[str, str, Sequence[int]]],
        outputs: Sequence[tuple[int, int, str, int]],
        **fields: Any,
    ) -> int:
        """Instructions (operation, dtype, sources); outputs (buffer, register, reduction, mask)."""
        dtypes = _core.dtype_names()
        ints = [len(program)]
        for _, dtype, sources in program:
            ints += [dtypes.index(dtype), len(sources), *sources]
        for _, register, _, mask in outputs:
            ints += [register, mask]
        names = [name for name, _, _ in program] + [reduction for _, _, reduction, _ in outputs]
        return self.step(
            "elementwise",
            inputs,
            [buffer for buffer, *_ in outputs],
            ints=ints,
            names=names,
            **fields,
        )

    def binary(self, name: str, a: int, b: int, out: int, **fields: Any) -> int:
        """One operation of two operands of the output's dtype and rank."""
        dtype = self.spec["buffers"][out]["dtype"]
        return self.elementwise([a, b], [(name, dtype, [0, 1])], [(out, 2, "", 0)], **fields)

    def host(
        self, call: Callable[..., Any], inputs: Sequence[int], outputs: Sequence[int], **fields: Any
    ) -> int:
        return self.step("host", inputs, outputs, host=call, **fields)

    # the end

    def output(self, *buffers: int) -> None:
        self.spec["outputs"] += buffers

    def update(self, state: int, value: int) -> None:
        self.spec["updates"].append((state, value))

    def function(
        self,
        *states: _core.State,
        returns: Any = None,
        borrow: Sequence[bool] | None = None,
        type_: type[_core.Function] = _core.Function,
        conversion: Any = "exact",
    ) -> _core.Function:
        count = len(self.spec["outputs"])
        if returns is None:
            returns = "one" if count == 1 else "list"
        flags = [False] * count if borrow is None else borrow
        program = _core.Program(self.spec)
        return type_(program, states, returns, flags, [conversion] * program.n_inputs)

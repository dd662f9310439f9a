"""Text as plans: what :mod:`arignote.plan.text` writes is read back equal."""

from __future__ import annotations

import ast
import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from arignote.errors import PlanError
from arignote.graph import dtypes
from arignote.graph.dim import OPERATIONS, UNARY, Dim, Expr
from arignote.graph.op import Params
from arignote.graph.type import TensorType
from arignote.ops.program import Instruction, Program, Result
from arignote.plan.plan import (
    Buffer,
    Check,
    Const,
    Input,
    Plan,
    Reshaped,
    Scalar,
    State,
    Step,
    Temp,
    View,
    is_transfer,
)
from arignote.plan.text import ON_DEVICE

Names = Mapping[str, Dim]

# What Python raises for texts that nest too deeply for its own parser, or constants too large.
_TOO_LARGE = (RecursionError, MemoryError)


def parse_dim(text: str, names: Names) -> Dim:
    """Return the dim that a text stands for; ``names`` are those defined before.

    >>> parse_dim("max(x.0 - 1, 0)", {})
    max((shape(x, 0) - 1), 0)
    """
    # ``x.0`` is no Python: the axis becomes an attribute that is.
    source = re.sub(r"([A-Za-z_]\w*)\.(\d+)", r"\1.a\2", text)
    try:
        return _dim_of(ast.parse(source, mode="eval").body, names)
    except (SyntaxError, ValueError, KeyError, AttributeError, *_TOO_LARGE) as error:
        raise PlanError(f"[plan] a dim must be an integer expression: {text[:200]!r}") from error


def _dim_of(node: Any, names: Names) -> Dim:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _dim_of(node.operand, names)
        return -inner if isinstance(inner, int) else Expr("sub", (0, inner))
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        name, attribute = node.value.id, node.attr
        if attribute in ("value", "read"):
            return Expr(attribute, (name,))
        kind = {"a": "shape", "s": "stride"}[attribute[0]]
        return Expr(kind, (name, int(attribute[1:])))
    if isinstance(node, ast.BinOp):
        operations: dict[type, str] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul"}
        operations |= {ast.FloorDiv: "floordiv", ast.Mod: "mod"}
        sides = (_dim_of(node.left, names), _dim_of(node.right, names))
        return Expr(operations[type(node.op)], sides)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.keywords or len(node.args) != (1 if node.func.id in UNARY else 2):
            raise KeyError(node.func.id)
        if node.func.id not in OPERATIONS:
            raise KeyError(node.func.id)
        return Expr(node.func.id, tuple(_dim_of(arg, names) for arg in node.args))
    raise KeyError(ast.dump(node))


def _split(text: str) -> list[str]:
    """Return the parts of a list at its outermost commas."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def _parse_dims(text: str, names: Names) -> tuple[Dim, ...]:
    return tuple(parse_dim(part, names) for part in _split(text))


_HEAD = re.compile(
    r"(?P<name>\w+) (?P<dtype>\w+)\[(?P<dims>[^\]]*)\](?::(?P<marks>[1n]+))?(?P<rest>.*)"
)


def _parse_buffer(kind: str, text: str, names: Names) -> Buffer:
    match = _HEAD.fullmatch(text)
    if match is None:
        raise PlanError(f"[plan] a buffer must read 'name dtype[dims]': {text!r}")
    name, shape = match["name"], _parse_dims(match["dims"], names)
    marks = match["marks"] or "n" * len(shape)
    type_ = TensorType(match["dtype"], tuple(mark == "1" for mark in marks))
    rest = match["rest"].strip()
    device = rest.startswith(ON_DEVICE)
    rest = rest.removeprefix(ON_DEVICE).strip()
    if kind == "input":
        return Input(name, type_, shape)
    if kind == "state":
        return State(name, type_, shape, device)
    if kind == "const":
        value = _parse_array(rest.removeprefix("= "), type_.dtype, shape)
        return Const(name, type_, value, device)
    if kind == "scalar":
        return Scalar(name, type_, parse_dim(rest.removeprefix("= "), names), device)
    if kind == "view":
        base, _, place = rest.removeprefix("of ").partition(" at ")
        offset, _, strides = place.partition(" strides ")
        return View(
            name,
            type_,
            base,
            parse_dim(offset, names),
            shape,
            _parse_dims(strides[1:-1], names),
        )
    if kind == "reshaped":
        return Reshaped(name, type_, rest.removeprefix("of "), shape)
    return Temp(name, type_, shape, rest.removeprefix("in ") or None, device)


def _parse_array(text: str, dtype: str, shape: tuple[Dim, ...]) -> dtypes.Array:
    lengths = [int(dim) for dim in shape if isinstance(dim, int)]
    if text.startswith("base64:"):
        data = base64.b64decode(text.removeprefix("base64:"))
        return np.frombuffer(data, dtype).reshape(lengths)
    return np.full(lengths, ast.literal_eval(text), dtype)


def _parse_check(text: str, names: Names) -> Check:
    match = re.fullmatch(r"(\w+) (.*?) \[(\w*)\] (.*)", text)
    if match is None:
        raise PlanError(f"[plan] a check must read 'kind a, b [op] text': {text!r}")
    found, expected = _parse_dims(match[2], names)
    return Check(match[1], found, expected, match[3], match[4])


_STEP = re.compile(
    r"\d+ (?:(?P<place>host|device) )?(?P<op>\w+)(?: \{(?P<params>.*?)\})?(?: \((?P<dims>.*)\))?"
    r" (?P<inputs>[\w ]*)-> (?P<outputs>[\w ]*?)(?: when (?P<guards>.*))?"
)


def _parse_step(text: str, parts: Mapping[str, Any], names: Names) -> Step:
    match = _STEP.fullmatch(text)
    if match is None:
        raise PlanError(f"[plan] a step must read 'number op inputs -> outputs': {text!r}")
    params: dict[str, Any] = {}
    for item in _split(match["params"] or ""):
        key, _, value = item.partition("=")
        try:
            params[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError) as error:
            raise PlanError(f"[plan] this parameter cannot be read back: {item!r}") from error
    params.update(parts)
    guards = tuple(
        (item.removeprefix("not "), not item.startswith("not "))
        for item in (match["guards"].split(" and ") if match["guards"] else ())
    )
    step = Step(
        match["op"],
        Params(params),
        tuple(match["inputs"].split()),
        tuple(match["outputs"].split()),
        _parse_dims(match["dims"] or "", names),
        guards,
        match["place"] == "host",
        match["place"] == "device",
    )
    return replace(step, device=True) if is_transfer(step) and not step.host else step


def _parse_program(lines: list[str], inputs: list[str]) -> Program:
    instructions = []
    for line in lines[:-1]:
        match = re.fullmatch(r"r\d+ = (\w+)\(([r\d, ]*)\) (\w+)", line)
        if match is None:
            raise PlanError(f"[plan] an instruction must read 'r = op(registers) dtype': {line!r}")
        sources = tuple(int(item[1:]) for item in _split(match[2]))
        instructions.append(Instruction(match[1], sources, match[3]))
    results = []
    for item in _split(lines[-1].removeprefix("-> ")):
        match = re.fullmatch(r"(\w+)\(r(\d+)((?:, \d+)*)\)", item)
        if match is None:
            results.append(Result(int(item[1:])))
        else:
            axes = tuple(map(int, _split(match[3])))
            results.append(Result(int(match[2]), match[1], axes))
    return Program(tuple(inputs), tuple(instructions), tuple(results))


class _Parser:
    """Reads a plan line by line."""

    def __init__(self, text: str) -> None:
        self.lines = [line for line in text.splitlines() if line.strip()]
        self.buffers: list[Buffer] = []
        self.checks: list[Check] = []
        self.steps: list[Step] = []
        self.updates: list[tuple[str, str]] = []
        self.outputs: tuple[str, ...] = ()
        self.names: dict[str, Dim] = {}

    def run(self) -> Plan:
        if not self.lines or not self.lines[0].startswith("plan "):
            raise PlanError("[plan] the text must start with 'plan NAME'")
        name = self.lines.pop(0).removeprefix("plan ")
        while self.lines:
            line = self.lines.pop(0)
            try:
                self._line(line)
            except PlanError:
                raise
            except (SyntaxError, TypeError, ValueError, LookupError, *_TOO_LARGE) as error:
                raise PlanError(f"[plan] this line cannot be read: {line!r}") from error
        return Plan(
            name,
            tuple(self.buffers),
            tuple(self.checks),
            tuple(self.steps),
            self.outputs,
            tuple(self.updates),
        )

    def _line(self, line: str) -> None:
        kind, _, rest = line.partition(" ")
        rest = rest.strip()
        if kind in ("input", "state", "const", "scalar", "view", "reshaped", "temp"):
            self.buffers.append(_parse_buffer(kind, rest, self.names))
        elif kind == "dim":
            name, _, value = rest.partition(" = ")
            self.names[name] = parse_dim(value, self.names)
        elif kind == "check":
            self.checks.append(_parse_check(rest, self.names))
        elif kind == "update":
            state, arrow, value = rest.partition(" <- ")
            if not arrow:
                raise PlanError(f"[plan] an update must read 'state <- value': {rest!r}")
            self.updates.append((state, value))
        elif kind == "output":
            self.outputs = tuple(rest.split())
        elif kind.isdigit():
            self.steps.append(_parse_step(line, self._parts(line), self.names))
        else:
            raise PlanError(f"[plan] a line must start with what it defines: {line!r}")

    def _parts(self, line: str) -> dict[str, Any]:
        """Return the parameters that stand indented below a step."""
        body = []
        while self.lines and self.lines[0].startswith("    "):
            body.append(self.lines.pop(0)[4:])
        if not body:
            return {}
        if body[0].startswith("plan "):
            return {"body": _Parser("\n".join(body)).run()}
        match = _STEP.fullmatch(line)
        names = match["inputs"].split() if match is not None else []
        types = {buffer.name: buffer.type.dtype for buffer in self.buffers}
        return {"program": _parse_program(body, [types[name] for name in names])}


def parse(text: str) -> Plan:
    """Return the plan that a text describes.

    Raises
    ------
    PlanError
        If a line is not understood.
    """
    return _Parser(text).run()

"""Plans for a device: what is taken there and back.

A value is moved once each way, as a whole, and windows are cut where it has come to. Only a window
on a part of what is not needed whole is moved by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from dataclasses import replace

from arignote import ops
from arignote.graph.dim import Dim, Expr, contiguous_strides, substitute
from arignote.graph.op import NO_PARAMS, Params
from arignote.plan.by_rows import body_of
from arignote.plan.device_steps import Device, choose_steps
from arignote.plan.plan import (
    Buffer,
    Const,
    Input,
    Plan,
    Reshaped,
    Scalar,
    State,
    Step,
    Temp,
    View,
    is_condition,
    sizes_read,
)

Guards = tuple[tuple[str, bool], ...]


def place_on_device(
    plan: Plan, device: Device, states: Collection[str] = (), tf32: bool = False
) -> Plan:
    """Return a plan of the host's with the steps that a device supports there.

    Parameters
    ----------
    plan
        A plan whose temporaries have memory of their own.
    device
        The device.
    states
        The names of the states that lie on it.
    tf32
        Whether its products of float32 may be in TF32.
    """
    placed = _Placing(plan, choose_steps(plan, device, states), states).run()
    return _with_tf32(placed) if tf32 else placed


class _Placing:
    """One plan on its way to a device.

    ``placed`` holds the buffers of the new plan, by the name of the old one and by whether they lie
    on the device; ``new`` holds them by their own. Transfers and reshapes are made when something
    reads them; ``reads`` collects under which conditions, by the names of the new plan.
    """

    def __init__(self, plan: Plan, chosen: Sequence[bool], states: Collection[str]) -> None:
        self.plan = plan
        self.chosen = chosen
        self.taken = set(plan.by_name)
        self.sizes = sizes_read(plan.dims())
        self.steps: list[Step] = []
        self.made: list[int] = []
        self.copies: list[Temp] = []
        self.reads: dict[str, list[Guards]] = {}
        self.written = {name: step for step in plan.steps for name in step.outputs}
        self.home = dict.fromkeys(plan.by_name, False)
        self.home.update(dict.fromkeys(states, True))
        for step, device in zip(plan.steps, chosen, strict=True):
            self.home.update(dict.fromkeys(step.outputs, device))
        self.placed: dict[tuple[str, bool], Buffer] = {}
        self.new: dict[str, Buffer] = {}
        self.whole: set[tuple[str, bool]] = set()
        self.first: dict[Hashable, str] = {}
        for item in plan.buffers:
            if isinstance(item, State):
                device = item.name in states
                self._define(item.name, device, replace(item, device=device))
            elif isinstance(item, Input):
                self._define(item.name, False, item)
            elif isinstance(item, View):
                self.first.setdefault(_elements(item), item.name)

    def run(self) -> Plan:
        """Return the new plan."""
        plan = self.plan
        for step, device in zip(plan.steps, self.chosen, strict=True):
            self._note_whole(step.inputs, device)
        for step, device in zip(plan.steps, self.chosen, strict=True):
            if step.op != ops.reshape_op.name:
                self._step(step, device)
        updates = tuple((state, self._new_value(state, value)) for state, value in plan.updates)
        outputs = tuple(self._read(name, False, ()) for name in plan.outputs)
        self._guard_made()
        return replace(
            plan, buffers=self._buffers(), steps=tuple(self.steps), outputs=outputs, updates=updates
        )

    def _buffers(self) -> tuple[Buffer, ...]:
        keys = [(item.name, device) for item in self.plan.buffers for device in (False, True)]
        return (*(self.placed[key] for key in keys if key in self.placed), *self.copies)

    # Steps

    def _step(self, step: Step, device: bool) -> None:
        guards = self._guards(step.guards)
        if step.op == ops.copy_op.name and not self._is_there(step.inputs[0], device):
            source = self._read(step.inputs[0], not device, step.guards)
            placed = replace(_transfer(source, "", device), origin=step.origin)
        else:
            inputs = [
                self._read(name, device and not is_condition(step, position), step.guards)
                if position not in step.record.shape_only
                else self._read_dim(name, step.guards)
                for position, name in enumerate(step.inputs)
            ]
            placed = replace(
                step, inputs=tuple(inputs), host=step.host and not device, device=device
            )
        outputs = tuple(self._result(name, device) for name in step.outputs)
        self.steps.append(replace(placed, outputs=outputs, guards=guards))
        for name in step.outputs:
            if name in self.sizes:
                self._read(name, False, ())

    def _new_value(self, state: str, value: str) -> str:
        """Return what a state takes: on a device without gaps, so that its memory is copied."""
        name = self._read(value, self.home[state], ())
        view = self.new[name]
        if not (self.home[state] and isinstance(view, View)):
            return name
        self.copies.append(Temp(self._free(f"{name}_copy"), view.type, view.shape, device=True))
        copied = self.copies[-1].name
        self.steps.append(Step(ops.copy_op.name, NO_PARAMS, (name,), (copied,), device=True))
        return copied

    def _result(self, name: str, device: bool) -> str:
        buffer = self.plan.buffer(name)
        assert isinstance(buffer, Temp)
        return self._define(name, device, replace(buffer, device=device))

    def _guards(self, guards: Guards) -> Guards:
        """Return conditions with their new names; each is read under those before it."""
        return tuple(
            (self._read(name, False, guards[:number]), wanted)
            for number, (name, wanted) in enumerate(guards)
        )

    def _make(self, step: Step) -> None:
        self.made.append(len(self.steps))
        self.steps.append(step)

    # Buffers

    def _read(self, name: str, device: bool, guards: Guards) -> str:
        """Return the new name of a value that something reads under conditions."""
        writer = self.written.get(self._definer(name))
        extra = writer.guards if writer is not None else ()
        allowed = (*guards, *(guard for guard in extra if guard not in guards))
        if (name, device) not in self.placed:
            self._guards(allowed)
            self._place(name, device)
        self._note(self.placed[name, device], allowed)
        return self.placed[name, device].name

    def _read_dim(self, name: str, guards: Guards) -> str:
        """Return the new name of an integer that a step has as a dim, wherever it lies."""
        content = self.plan.content(name)
        device = not isinstance(content, Const | Scalar) and self.home[content.name]
        return self._read(name, device, guards)

    def _note(self, buffer: Buffer, guards: Guards) -> None:
        """Keep the conditions under which something is read; of a view, its base is."""
        name = buffer.base if isinstance(buffer, View) else buffer.name
        self.reads.setdefault(name, []).append(guards)

    def _place(self, name: str, device: bool) -> None:
        """Bring a value where it is not yet, and the windows through which it is seen."""
        missing: list[tuple[Buffer, str | None]] = []
        parent: str | None = name
        while parent is not None and (parent, device) not in self.placed:
            buffer = self.plan.buffer(parent)
            parent = self._parent(buffer, device)
            missing.append((buffer, parent))
        for buffer, parent in reversed(missing):
            if isinstance(buffer, Const | Scalar):
                self._define(buffer.name, device, replace(buffer, device=device))
            elif parent is None:
                self._move(buffer, device)
            elif isinstance(buffer, Reshaped):
                self._reshape(buffer, device)
            else:
                assert isinstance(buffer, View)
                self._view(buffer, parent, device)

    def _parent(self, buffer: Buffer, device: bool) -> str | None:
        """Return on what a buffer is a window there; None if its value is moved by itself."""
        if isinstance(buffer, Reshaped):
            return buffer.base
        if not isinstance(buffer, View):
            return None
        is_cut = not self._is_there(buffer.base, device) and (buffer.base, device) not in self.whole
        if not is_cut or self._shows_all(buffer):
            return buffer.base
        first = self.first[_elements(buffer)]
        return first if first != buffer.name else None

    def _move(self, buffer: Buffer, device: bool) -> None:
        self._place(buffer.name, not device)
        source = self.placed[buffer.name, not device]
        result = Temp("", buffer.type, buffer.shape, device=device)
        self._make(_transfer(source.name, self._define(buffer.name, device, result), device))

    def _view(self, view: View, parent: str, device: bool) -> None:
        source, base = self.plan.buffer(parent), self.placed[parent, device]
        moved = replace(view, base=base.name)
        if parent != view.base:
            assert isinstance(source, View)
            moved = _on_alike(moved, source)
        elif isinstance(source, Input | State) and isinstance(base, Temp):
            moved = _on_contiguous(moved, source)
        self._define(view.name, device, moved)

    def _reshape(self, buffer: Reshaped, device: bool) -> None:
        base = self.placed[buffer.base, device]
        name = self._define(buffer.name, device, replace(buffer, base=base.name))
        step = self.written[buffer.name]
        self._make(replace(step, inputs=(base.name,), outputs=(name,), guards=(), device=device))

    def _define(self, name: str, device: bool, buffer: Buffer) -> str:
        """Name a buffer: as before, unless the other place has the name or sizes are read there."""
        new = name
        is_taken = (name, not device) in self.placed
        if device if name in self.sizes else is_taken:
            new = self._free(f"{name}_device" if device else f"{name}_host")
        self.placed[name, device] = self.new[new] = replace(buffer, name=new)
        return new

    def _free(self, name: str) -> str:
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    # Questions

    def _definer(self, name: str) -> str:
        """Return the buffer on which a name is a view, or itself."""
        buffer = self.plan.buffer(name)
        return buffer.base if isinstance(buffer, View) else name

    def _is_there(self, name: str, device: bool) -> bool:
        """Return whether a value need not be moved."""
        content = self.plan.content(name)
        return (
            isinstance(content, Const | Scalar)
            or self.home[content.name] == device
            or (content.name, device) in self.placed
            or (name, device) in self.placed
        )

    def _note_whole(self, names: Sequence[str], device: bool) -> None:
        """Note what steps need as a whole, through windows that show all of it."""
        for name in names:
            buffer = self.plan.buffer(name)
            while isinstance(buffer, Reshaped) or (
                isinstance(buffer, View) and self._shows_all(buffer)
            ):
                self.whole.add((buffer.name, device))
                buffer = self.plan.buffer(buffer.base)
            if not isinstance(buffer, View):
                self.whole.add((buffer.name, device))

    def _shows_all(self, view: View) -> bool:
        """Return whether each dimension of the base is one of the view's, in whatever order."""
        shown = Counter(view.shape)
        return all(
            dim == 1 or count <= shown[dim]
            for dim, count in Counter(self.plan.buffer(view.base).shape).items()
        )

    def _guard_made(self) -> None:
        """Let transfers and reshapes run only where all that read them do."""
        for number in reversed(self.made):
            step = self.steps[number]
            first, *others = self.reads[step.outputs[0]]
            guards = tuple(item for item in first if all(item in other for other in others))
            named = tuple((self.placed[flag, False].name, wanted) for flag, wanted in guards)
            self.steps[number] = replace(step, guards=named)
            self._note(self.new[step.inputs[0]], guards)


def _with_tf32(plan: Plan, is_body: bool = False) -> Plan:
    """Return a plan whose products on the device, those of row blocks as well, may be in TF32."""
    steps = []
    for step in plan.steps:
        if not (step.device or is_body):
            steps.append(step)
            continue
        op = ops.with_tf32(step.record, plan.call(step))
        params = step.params
        if (body := body_of(params)) is not None:
            params = Params({**params, "body": _with_tf32(body, is_body=True)})
        steps.append(replace(step, op=op.name, params=params))
    return replace(plan, steps=tuple(steps))


def _transfer(source: str, result: str, device: bool) -> Step:
    op = ops.to_device_op if device else ops.to_host_op
    return Step(op.name, NO_PARAMS, (source,), (result,), device=True)


def _strides(buffer: Buffer) -> tuple[Dim, ...]:
    return contiguous_strides(buffer.shape, buffer.type.numpy_dtype.itemsize)


def _elements(view: View) -> Hashable:
    """Return what views have in common that show the same elements in another order."""
    pairs = Counter(zip(view.shape, view.strides, strict=True))
    return view.base, view.offset, frozenset(item for item in pairs.items() if item[0][0] != 1)


def _on_alike(view: View, other: View) -> View:
    """Return a view as one on the copy of another that shows the same elements."""
    left = list(zip(zip(other.shape, other.strides, strict=True), _strides(other), strict=True))
    strides: list[Dim] = []
    for pair in zip(view.shape, view.strides, strict=True):
        found = next((item for item in left if item[0] == pair and pair[0] != 1), (pair, 0))
        strides.append(found[1])
        if found in left:
            left.remove(found)
    return replace(view, offset=0, strides=tuple(strides))


def _on_contiguous(view: View, leaf: Input | State) -> View:
    """Return a view on an argument or state as one on its copy, which has no gaps."""
    strides = enumerate(_strides(leaf))
    known = {Expr("stride", (leaf.name, axis)): stride for axis, stride in strides}
    return replace(
        view,
        offset=substitute(view.offset, known),
        strides=tuple(substitute(stride, known) for stride in view.strides),
    )

"""Where buffers lie and steps run: the part of the verifier that plans for a device need."""

from __future__ import annotations

from typing import NoReturn

from arignote import ops
from arignote.errors import PlanError
from arignote.graph.dim import postorder
from arignote.plan.by_rows import body_of, does_without_host
from arignote.plan.plan import Plan, State, Step, Temp, is_condition, is_transfer


def verify_places(plan: Plan) -> None:
    """Check a plan that is sound otherwise.

    Raises
    ------
    PlanError
        If a step reads or writes what does not lie where it runs, or if the host is to read a size,
        a condition or an output from the device's memory.
    """
    _Places(plan).verify()


class _Places:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def verify(self) -> None:
        plan = self.plan
        for position, step in enumerate(plan.steps):
            self._step(f"step {position} ({step.op})", step)
        for dim in postorder(plan.dims()):
            if dim.op in ("value", "read"):
                self._lies("a size", str(dim.args[0]), False)
        for name in plan.outputs:
            self._lies("an output", name, False)
        for state, value in plan.updates:
            self._lies(f"the new value of {state}", value, plan.on_device(state))
        for buffer in plan.buffers:
            if isinstance(buffer, Temp) and buffer.storage is not None:
                owner = plan.buffer(buffer.storage)
                if isinstance(owner, State | Temp) and owner.device != buffer.device:
                    self._refuse(f"{buffer.name} cannot take the memory of {owner.name}")

    def _refuse(self, what: str) -> NoReturn:
        raise PlanError(f"[plan {self.plan.name}] {what}")

    def _lies(self, what: str, name: str, device: bool) -> None:
        if self.plan.on_device(name) != device:
            place = "device" if device else "host"
            self._refuse(f"{what} must lie on the {place}: {name}")

    def _step(self, label: str, step: Step) -> None:
        """Check one step.

        A transfer, which the device runs, has one side on the host. Conditions are the host's, and
        integers that a step has as dims may lie anywhere.
        """
        if is_transfer(step) and step.device == step.host:
            self._refuse(f"{label} must run on the device")
        if step.device and step.host:
            self._refuse(f"{label} must run on the host")
        body = body_of(step.params)
        if step.device and body is not None and not does_without_host(body):
            self._refuse(f"{label} must have a body that does without the host")
        reads = step.device and step.op != ops.to_device_op.name
        writes = step.device and step.op != ops.to_host_op.name
        for position, name in enumerate(step.inputs):
            if position not in step.record.shape_only:
                there = reads and not is_condition(step, position)
                self._lies(f"{label}: an operand", name, there)
        for name in step.outputs:
            self._lies(f"{label}: a result", name, writes)
        for name, _ in step.guards:
            self._lies(f"{label}: a condition", name, False)

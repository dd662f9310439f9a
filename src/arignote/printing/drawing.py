"""Graphs as drawings."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from arignote.graph import walk
from arignote.graph.variable import Apply, Constant, SharedVariable, Variable
from arignote.printing.tree import graph_outputs


def pydotprint(
    fct: Any,
    outfile: str | Path | None = None,
    compact: bool = True,
    format: str = "png",
    with_ids: bool = False,
    high_contrast: bool = True,
    max_label_size: int = 70,
    var_with_name_simple: bool = False,
    print_output_file: bool = True,
    return_image: bool = False,
) -> Any:
    """Draw a graph with Graphviz.

    Parameters
    ----------
    fct
        A variable, a compiled function, or a list of these.
    outfile
        File to write, ``arignote.<format>`` in the current directory by default.
    compact
        Whether to leave out intermediate variables that have no name.
    format
        Of the file, as Graphviz knows it: ``"png"``, ``"svg"``, ``"pdf"`` …; ``"dot"`` writes the
        text that Graphviz reads, and needs nothing installed.
    with_ids
        Whether labels begin with a number of their own.
    high_contrast
        Whether to fill the shapes with their color instead of drawing their outline in it.
    max_label_size
        Longer labels are cut.
    var_with_name_simple
        Whether a variable with a name is shown without its type.
    print_output_file
        Whether to print the name of the file written.
    return_image
        Whether to return an object that notebooks show, and write no file.

    Returns
    -------
    graphviz.Source or None
        The image if asked for.

    Raises
    ------
    ImportError
        If the Python package ``graphviz`` is needed and not installed.
    RuntimeError
        If the program ``dot`` of Graphviz is needed and not found.

    Examples
    --------
    >>> import arignote.tensor as T
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pydotprint(T.dscalar("x") + 1, outfile=f"{folder}/sum.dot", format="dot")
    The output file is available at ...sum.dot
    """
    style = _Style(compact, with_ids, high_contrast, max_label_size, var_with_name_simple)
    source = _Drawing(graph_outputs(fct)[0], style).source()
    if return_image:
        return _graphviz().Source(source)
    image = source.encode() if format == "dot" else _image(source, format)
    path = Path(outfile or f"arignote.{format}")
    path.write_bytes(image)
    if print_output_file:
        print("The output file is available at", path)  # noqa: T201
    return None


def _image(source: str, format: str) -> bytes:
    graphviz = _graphviz()
    try:
        image: bytes = graphviz.Source(source).pipe(format=format)
    except graphviz.ExecutableNotFound:
        raise RuntimeError(
            f"[pydotprint] the program dot of Graphviz must be installed to draw {format}; "
            "format='dot' writes the text that it reads and needs nothing installed"
        ) from None
    return image


def _graphviz() -> Any:
    try:
        return import_module("graphviz")
    except ImportError:
        raise ImportError(
            "[pydotprint] the package graphviz must be installed (pip install 'arignote[plot]'), "
            "but for format='dot'"
        ) from None


_COLORS: Final = {
    "input": "palegreen",
    "shared": "lightskyblue",
    "constant": "lightgray",
    "intermediate": "white",
    "output": "lightpink",
    "node": "lightyellow",
}


@dataclass(frozen=True)
class _Style:
    compact: bool
    with_ids: bool
    filled: bool
    longest_label: int
    simple_names: bool


@dataclass
class _Drawing:
    """A graph as the text that Graphviz reads: ellipses for nodes, boxes for variables."""

    outputs: list[Variable]
    style: _Style
    names: dict[Variable | Apply, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def source(self) -> str:
        """Return the whole text."""
        for node in walk.toposort(self.outputs):
            self._shape(node, node.label, "node")
            for position, variable in enumerate(node.inputs):
                number = f"{position} " if len(node.inputs) > 1 else ""
                self._edge(self._origin(variable), node, f"{number}{variable.type}")
        for output in self.outputs:
            self._origin(output)
        return "\n".join(["digraph arignote {", *self.lines, "}"]) + "\n"

    def _origin(self, variable: Variable) -> Variable | Apply:
        """Return what edges from a variable start at, drawn with the edge to it if it is new."""
        node = variable.owner
        shown = variable.name is not None or variable in self.outputs or not self.style.compact
        if node is not None and not shown:
            return node
        if variable not in self.names:
            self._shape(variable, self._label(variable), self._kind(variable))
            if node is not None:
                self._edge(node, variable, str(variable.index) if len(node.outputs) > 1 else "")
        return variable

    def _kind(self, variable: Variable) -> str:
        if variable in self.outputs:
            return "output"
        if variable.owner is not None:
            return "intermediate"
        if isinstance(variable, Constant):
            return "constant"
        return "shared" if isinstance(variable, SharedVariable) else "input"

    def _label(self, variable: Variable) -> str:
        if variable.name is None:
            return str(variable) if isinstance(variable, Constant) else str(variable.type)
        return variable.name if self.style.simple_names else f"{variable.name} {variable.type}"

    def _shape(self, item: Variable | Apply, label: str, kind: str) -> None:
        number = len(self.names)
        self.names[item] = f"n{number}"
        if self.style.with_ids:
            label = f"{number}: {label}"
        if len(label) > self.style.longest_label:
            label = label[: self.style.longest_label - 3] + "..."
        look = "style=filled, fillcolor" if self.style.filled else "color"
        outline = "ellipse" if kind == "node" else "box"
        self.lines.append(
            f"  n{number} [label={_quoted(label)}, shape={outline}, {look}={_COLORS[kind]}];"
        )

    def _edge(self, start: Variable | Apply, end: Variable | Apply, label: str) -> None:
        self.lines.append(f"  {self.names[start]} -> {self.names[end]} [label={_quoted(label)}];")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'

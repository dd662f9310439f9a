"""Graphs as formulas, trees and drawings, and printing at run time."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from arignote import printing
from arignote.printing import Print, debugprint, pp, pydotprint

# --- formulas


def test_formulas() -> None:
    x, y, i = T.dmatrix("x"), T.dvector("y"), T.lscalar("i")
    for variable, text in (
        (x + 2, "(x + TensorConstant{2})"),
        (-x, "(-x)"),
        (T.exp(x) / x**2, "(exp(x) / (x ** TensorConstant{2}))"),
        (T.dot(x, y), "(x \\dot y)"),
        (T.sum(x), "Sum(x)"),
        (T.sum(x, axis=0), "Sum{axis=[0]}(x)"),
        (x.T, "x.T"),
        (abs(x), "|x|"),
        (x[0:2, 1], "x[0:2, 1]"),
        (x[i:, ::-1], "x[i:, ::-1]"),
        (x[[0, 1]], "x[TensorConstant{[0 1]}]"),
        (T.eq(x, 1), "eq(x, TensorConstant{1})"),
        (T.switch(x > 0, x, 0), "switch(gt(x, TensorConstant{0}), x, TensorConstant{0})"),
        (T.cast(x, "int32"), "int32(x)"),
        (x.shape[0] // 2, "(x.shape[0] // TensorConstant{2})"),
        (y.dimshuffle(0, "x"), "DimShuffle{0, x}(y)"),
        (T.nnet.softmax(x), "Softmax(x)"),
        (T.fill(x, 1), "fill(x, TensorConstant{1})"),
        (x, "x"),
        (T.dmatrix(), "<TensorType(float64, matrix)>"),
        (y.nonzero()[0], "nonzero(y, Sum(neq(y, TensorConstant{0})))"),
        (x.nonzero()[1], "nonzero(x, Sum(neq(x, TensorConstant{0}))).1"),
    ):
        assert pp(variable) == text
    assert pp(x, y) == "x, y"
    assert arignote.pp is pp
    assert printing.pprint is pp


def test_names_stand_for_what_they_name() -> None:
    x = T.dscalar("x")
    z = T.exp(x)
    z.name = "z"
    assert pp(z) == "exp(x)"
    assert pp(z + 1) == "(z + TensorConstant{1})"


def test_formulas_of_deep_graphs() -> None:
    y = T.dscalar("x")
    for _ in range(3_000):
        y = -y
    assert pp(y) == "(-" * 3_000 + "x" + ")" * 3_000


def test_formulas_of_graphs_with_sharing() -> None:
    x = T.dvector("x")
    y = long = T.exp(sum([x] * 40, x))
    text = pp(y)
    assert pp(y * 2) == f"({text} * TensorConstant{{2}})"
    assert pp(y * y, -y) == f"(#1 * #1), (-#1)\n  #1 = {text}"
    long.name = "long"
    assert pp(long * long) == "(long * long)"


def test_short_parts_are_written_each_time() -> None:
    y, wanted = T.dvector("x"), "x"
    for _ in range(12):
        y, wanted = y + T.exp(y), f"({wanted} + exp({wanted}))"
    first, *lines = pp(y).splitlines()
    assert len(lines) > 1
    for line in reversed(lines):
        number, _, text = line.strip().partition(" = ")
        assert len(text) < 500
        first = re.sub(rf"{number}\b", text, first)
    assert first == wanted


def test_formulas_grow_with_the_graph() -> None:
    y = T.dvector("x")
    lengths = []
    for _ in range(3):
        for _ in range(1_000):
            y = y + y.sum()
        lengths.append(len(pp(y)))
    assert lengths[2] - lengths[1] == pytest.approx(lengths[1] - lengths[0], rel=0.1)


@pytest.mark.parametrize("value", [3, None, [T.dscalar()]])
def test_only_variables_have_formulas(value: object) -> None:
    with pytest.raises(TypeError, match=r"\[pp\] variables must be symbolic: "):
        pp(value)  # type: ignore[arg-type]


# --- trees


def test_trees() -> None:
    x = T.dscalar("x")
    y = T.exp(x)
    y.name = "y"
    assert debugprint(y * (y + x), file="str") == (
        "Elemwise{mul,no_inplace} [id A] ''\n"
        " |Elemwise{exp,no_inplace} [id B] 'y'\n"
        " | |x [id C]\n"
        " |Elemwise{add,no_inplace} [id D] ''\n"
        "   |Elemwise{exp,no_inplace} [id B] 'y'\n"
        "   |x [id C]\n"
    )


def test_options_of_trees(capsys: pytest.CaptureFixture[str]) -> None:
    x = T.dscalar("x")
    y = T.exp(x)
    y.name = "y"
    assert debugprint(y, file="str", print_type=True) == (
        "Elemwise{exp,no_inplace} [id A] <TensorType(float64, scalar)> 'y'\n"
        " |x [id B] <TensorType(float64, scalar)>\n"
    )
    assert debugprint(-y, file="str", ids="int", depth=2) == (
        "Elemwise{neg,no_inplace} [id 0] ''\n |Elemwise{exp,no_inplace} [id 1] 'y'\n"
    )
    assert debugprint(-y, file="str", ids="", stop_on_name=True) == (
        "Elemwise{neg,no_inplace} ''\n |Elemwise{exp,no_inplace} 'y'\n"
    )
    assert f"[id {id(x)}]" in str(debugprint(x, file="str", ids="id"))
    assert debugprint([x, y.owner], file="str") == (
        "x [id A]\nElemwise{exp,no_inplace} [id B] 'y'\n |x [id A]\n"
    )
    file = io.StringIO()
    assert debugprint(x, file=file) is file
    assert file.getvalue() == "x [id A]\n"
    assert debugprint(x) is None
    assert capsys.readouterr().out == "x [id A]\n"
    with pytest.raises(ValueError, match="ids must be 'CHAR', 'int', 'id' or ''"):
        debugprint(x, ids="letters")
    with pytest.raises(TypeError, match="obj must be a variable, a node, a function or a list"):
        debugprint(3)


def test_trees_of_functions_show_the_order() -> None:
    x = T.dvector("x")
    text = str(debugprint(arignote.function([x], T.dot(x, T.exp(x))), file="str"))
    assert [line[-1] for line in text.splitlines()] == ["1", "]", "0", "]"]


def test_trees_of_deep_graphs_and_many_names() -> None:
    y = T.dscalar("x")
    for _ in range(3_000):
        y = -y
    lines = str(debugprint(y, file="str")).splitlines()
    assert len(lines) == 3_001
    assert lines[25].endswith("[id Z] ''")
    assert lines[26].endswith("[id BA] ''")


def test_nodes_with_several_outputs_tell_which() -> None:
    rows, columns = T.dmatrix("x").nonzero()
    text = str(debugprint([rows, columns], file="str"))
    assert text.startswith("nonzero.0 [id A] ''\n")
    assert "\nnonzero.1 [id A] ''\n" in text


# --- drawings


def test_drawing_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x, w = T.dvector("x"), arignote.shared(np.ones(3), name="w")
    hidden = T.exp(x)
    y = hidden * w
    y.name = 'the "result"'
    path = tmp_path / "graph.dot"
    pydotprint(y, outfile=path, format="dot")
    assert capsys.readouterr().out == f"The output file is available at {path}\n"
    text = path.read_text()
    assert text.startswith("digraph arignote {\n")
    assert '"Elemwise{mul,no_inplace}", shape=ellipse' in text
    assert (
        '"w TensorType(float64, vector)", shape=box, style=filled, fillcolor=lightskyblue' in text
    )
    assert 'label="the \\"result\\" TensorType(float64, vector)"' in text
    assert text.count("shape=") == 5
    assert text.count("->") == 4
    pydotprint([y], path, format="dot", compact=False, with_ids=True, print_output_file=False)
    text = path.read_text()
    assert text.count("shape=") == 6
    assert 'label="0: Elemwise{exp,no_inplace}"' in text
    pydotprint(
        [y],
        path,
        format="dot",
        max_label_size=10,
        high_contrast=False,
        var_with_name_simple=True,
        print_output_file=False,
    )
    text = path.read_text()
    assert 'label="Elemwis..."' in text
    assert 'label="w", shape=box, color=' in text
    assert capsys.readouterr().out == ""


def test_drawing_a_function(tmp_path: Path) -> None:
    x = T.dvector("x")
    f = arignote.function([x], T.exp(x) + 1)
    path = tmp_path / "graph.dot"
    pydotprint(f, outfile=path, format="dot", print_output_file=False)
    assert "Elemwise{exp" in path.read_text()


def test_drawing_an_image_needs_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "graphviz", None)
    text = (
        r"\[pydotprint\] the package graphviz must be installed \(pip install 'arignote\[plot\]'\)"
    )
    with pytest.raises(ImportError, match=text):
        pydotprint(T.dvector("x"))


def test_drawing_an_image_needs_the_program_dot(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("graphviz")
    monkeypatch.setenv("PATH", str(tmp_path))
    text = r"^\[pydotprint\] the program dot of Graphviz must be installed .*format='dot' writes"
    with pytest.raises(RuntimeError, match=text) as caught:
        pydotprint(T.dvector("x"), tmp_path / "x.png")
    assert type(caught.value) is RuntimeError
    assert not (tmp_path / "x.png").exists()


def test_an_image_can_be_returned() -> None:
    graphviz = pytest.importorskip("graphviz")
    image = pydotprint(T.exp(T.dvector("x")), return_image=True)
    assert isinstance(image, graphviz.Source)
    assert "Elemwise{exp,no_inplace}" in image.source


# --- values


def test_print(capsys: pytest.CaptureFixture[str]) -> None:
    x = T.dvector("x")
    y = Print("hello", attrs=["__str__", "shape"])(x) * 2
    f = arignote.function([x], y)
    capsys.readouterr()
    assert f([1.0, 2.0]).tolist() == [2.0, 4.0]
    assert capsys.readouterr().out == "hello __str__ = [1. 2.]\nhello shape = (2,)\n"
    gradient = arignote.function([x], T.grad(y.sum(), x))
    assert gradient([1.0, 2.0]).tolist() == [2.0, 2.0]


def test_print_calls_another_function() -> None:
    seen = []

    def record(op: object, value: object) -> None:
        seen.append((getattr(op, "message", None), np.array(value).tolist()))

    x = T.dscalar("x")
    f = arignote.function([x], Print("now", global_fn=record)(x) + 1)
    assert f(1.5) == 2.5
    assert seen == [("now", 1.5)]

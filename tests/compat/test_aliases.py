"""Theano's module names, and programs run unchanged under them."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import arignote
import arignote.tensor as T
from arignote import aliases

# Every import that Theano programs of tier 1 are known to contain, and what they ask GPU modules.
IMPORTS = """
import theano
import theano.tensor as T
import theano.tensor.nnet as nnet
import theano.tensor.nnet.nnet
import theano.tensor.sharedvar
import theano.tensor.xlogx
from theano import Mode, In, Out, config, function, function_dump, grad, pp, shared, tensor, dot
from theano import Apply, Constant, Variable, clone, Lop, Rop, __version__
from theano import gpuarray, printing, gradient, compile, gof, scalar, misc, sandbox
from theano.compat.python2x import OrderedDict
from theano.compat import OrderedDict
from theano.compile import MonitorMode, SharedVariable, UnusedInputError
from theano.compile.debugmode import DebugMode
from theano.compile.function_module import UnusedInputError
from theano.compile.io import In
from theano.compile.mode import Mode, get_default_mode
from theano.compile.nanguardmode import NanGuardMode
from theano.compile.sharedvalue import SharedVariable, shared
from theano.configparser import change_flags
from theano.gof import Variable
from theano.gof.fg import MissingInputError
from theano.gof.graph import inputs, io_toposort, is_same_graph
from theano.gof.op import get_test_value
from theano.gradient import DisconnectedInputError, Lop, Rop, disconnected_grad, grad
from theano.gradient import grad_clip, hessian, jacobian, zero_grad, consider_constant, verify_grad
from theano.ifelse import ifelse
from theano.misc.pkl_utils import dump, load
from theano.printing import Print, debugprint, pp, pprint, pydotprint
from theano.sandbox.cuda import cuda_enabled
from theano.sandbox.cuda.dnn import dnn_available
from theano.sandbox.rng_mrg import MRG_RandomStreams
from theano.sandbox.softsign import softsign
from theano.scalar import upcast
from theano.scan_module.scan_utils import equal_computations
from theano.tensor import RandomStreams, shared_randomstreams
from theano.tensor import TensorConstant, TensorType, TensorVariable
from theano.tensor.basic import as_tensor_variable
from theano.tensor.blas import Gemm, Gemv
from theano.tensor.elemwise import DimShuffle, Elemwise, Sum
from theano.tensor.extra_ops import repeat, squeeze
from theano.tensor.shared_randomstreams import RandomStreams
from theano.tensor.sharedvar import TensorSharedVariable
from theano.tensor.subtensor import inc_subtensor, set_subtensor
from theano.tensor.type import TensorType
from theano.tensor.var import TensorVariable
"""


@pytest.fixture
def theano() -> Iterator[None]:
    """Let ``theano`` stand for arignote."""
    finders, modules = list(sys.meta_path), set(sys.modules)
    aliases.alias("theano")
    yield
    sys.meta_path[:] = finders
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] == "theano":
            del sys.modules[name]


@pytest.mark.usefixtures("theano")
@pytest.mark.parametrize("line", IMPORTS.strip().splitlines())
def test_import(line: str) -> None:
    names: dict[str, object] = {}
    exec(line, names)


@pytest.mark.parametrize("name", [*aliases.VIEWS, *aliases.ALIASES])
def test_every_name_of_the_tables_exists(name: str) -> None:
    module = importlib.import_module(f"arignote.{name}")
    for shown in getattr(module, "__all__", ()):
        assert getattr(module, shown) is not None
    parent, _, last = f"arignote.{name}".rpartition(".")
    assert getattr(importlib.import_module(parent), last) is module
    with pytest.raises(AttributeError, match="no_such_name"):
        module.no_such_name


@pytest.mark.usefixtures("theano")
def test_modules_are_the_same_under_both_names() -> None:
    import theano.tensor.archive  # type: ignore[import-not-found]
    import theano.tensor.nnet as nnet

    assert theano is arignote
    assert theano.tensor is T
    assert nnet is T.nnet
    module = sys.modules["theano.tensor.archive"]
    assert module is importlib.import_module("arignote.tensor.archive")
    assert module.__spec__ is not None
    assert module.__spec__.name == module.__name__ == "arignote.tensor.archive"
    with pytest.raises(ImportError):
        importlib.import_module("theano.no_such_module")
    with pytest.raises(ImportError):
        importlib.import_module("theano.tensor.no_such_module")


@pytest.mark.usefixtures("theano")
def test_attributes_without_an_import_of_their_own() -> None:
    import theano  # type: ignore[import-not-found]

    x = theano.tensor.vector("x")
    assert theano.printing.pp(x + x) == "(x + x)"
    assert theano.ifelse.ifelse is not None
    assert theano.gradient.jacobian is not None
    assert theano.compile.mode.get_default_mode() is not None
    assert theano.compile.nanguardmode.NanGuardMode is not None
    assert theano.gof.graph.inputs([x]) == [x]
    assert theano.compile.UnusedInputError is theano.compile.function_module.UnusedInputError
    assert isinstance(x, theano.gof.Variable)


def test_there_is_no_gpu_of_theanos_kind() -> None:
    gpuarray = importlib.import_module("arignote.gpuarray")
    cuda = importlib.import_module("arignote.sandbox.cuda")
    assert gpuarray.pygpu_activated is False
    assert cuda.cuda_enabled is False
    assert cuda.dnn.dnn_available() is False
    assert gpuarray.dnn.dnn_present("cuda0") is False


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="module 'arignote' has no attribute 'no_such_name'"):
        arignote.no_such_name
    with pytest.raises(ImportError, match="no_such_name"):
        exec("from arignote import no_such_name")
    with pytest.raises(AttributeError, match=r"module 'arignote.tensor' has no attribute 'conv2d'"):
        T.conv2d


def test_change_flags() -> None:
    @arignote.change_flags(floatX="float32")
    def dtype() -> str:
        return T.vector().dtype

    assert dtype() == dtype() == "float32"
    assert T.vector().dtype == "float64"


# --- op classes of compiled graphs


def test_op_classes() -> None:
    x, w = T.dmatrix("x"), T.dmatrix("w")
    f = arignote.function([x, w], T.nnet.softmax(T.dot(x, w)) * 2)
    nodes = f.maker.fgraph.toposort()
    names = [type(node.op).__name__ for node in nodes]
    assert "Gemm" in names
    assert "Softmax" in names
    assert "Elemwise" in names
    assert any(isinstance(node.op, T.nnet.Softmax) for node in f.maker.fgraph.apply_nodes)
    assert any(isinstance(node.op, T.Elemwise) for node in nodes)
    assert isinstance((x + 1).owner.op, T.Elemwise)
    assert isinstance(x.T.owner.op, T.elemwise.DimShuffle)
    assert not isinstance(T.dot(x, w).owner.op, T.Elemwise)


# --- archives


def test_archives(tmp_path: Path) -> None:
    pkl_utils = importlib.import_module("arignote.misc.pkl_utils")
    w = arignote.shared(np.arange(6.0).reshape(2, 3), name="w")
    b = arignote.shared(np.ones(3), name="b")
    twin = arignote.shared(np.zeros(2), name="b")
    array = np.array([7, 8])
    x = T.dmatrix("x")
    model = {"y": T.dot(x, w.T) + twin, "x": x, "b": b, "same": [array, array], "note": "text"}
    path = tmp_path / "model.zip"
    with path.open("wb") as file:
        pkl_utils.dump(model, file)
    with np.load(path) as arrays:
        found = {name: arrays[name].tolist() for name in arrays.files if name != "pkl"}
    assert found["w"] == w.get_value().tolist()
    assert sorted(found) == ["array", "b", "b_2", "w"]
    with path.open("rb") as file:
        again = pkl_utils.load(file)
    f = arignote.function([again["x"]], again["y"])
    assert f(np.ones((1, 3))).tolist() == [[3.0, 12.0]]
    assert again["same"][0] is again["same"][1]
    assert again["b"].get_value().tolist() == [1, 1, 1]
    with path.open("wb") as file, pytest.raises(ValueError, match="cannot be named 'pkl'"):
        pkl_utils.dump(arignote.shared(1.0, name="pkl"), file)


# --- the runner

PROGRAM = """
import pickle, sys
import theano
import theano.tensor as T
from theano.ifelse import ifelse

class Model(object):
    def __init__(self):
        self.w = theano.shared(2.0, name='w')
        self.x = T.dscalar('x')
        self.y = self.x * self.w

if __name__ == '__main__':
    model = pickle.loads(pickle.dumps(Model()))
    f = theano.function([model.x], model.y)
    print(sys.argv, __file__, type(model).__module__)
    print(float(f(3.0)))
    from helper import triple
    print(triple)
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "arignote", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"PYTHONPATH": ":".join(filter(None, sys.path)), "PATH": ""},
    )


def test_a_program_runs_as_it_is(tmp_path: Path) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "model.py").write_text(PROGRAM)
    (scripts / "helper.py").write_text("import theano\ntriple = theano.config.floatX\n")
    result = run(tmp_path, "run", "scripts/model.py", "--rate", "0.1", "-h")
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        f"['scripts/model.py', '--rate', '0.1', '-h'] {scripts / 'model.py'} __main__",
        "6.0",
        "float64",
    ]
    assert result.returncode == 0


def test_pickles_do_not_depend_on_the_alias(tmp_path: Path) -> None:
    (tmp_path / "save.py").write_text(
        "import pickle, theano, theano.tensor as T\n"
        "x = T.dvector('x')\n"
        "model = {'x': x, 'y': T.exp(x), 'f': T.tanh, 'mode': theano.compile.mode.Mode()}\n"
        "pickle.dump(model, open('model.pkl', 'wb'))\n"
    )
    assert run(tmp_path, "run", "save.py").stderr == ""
    model = pickle.loads((tmp_path / "model.pkl").read_bytes())
    assert model["f"] is T.tanh
    assert arignote.function([model["x"]], model["y"])([0.0]).tolist() == [1.0]

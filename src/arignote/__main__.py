"""``python -m arignote run script.py``, and ``python -m arignote bench``."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from arignote.aliases import alias


def run_script(path: str, arguments: Sequence[str]) -> int:
    """Run a program with ``theano`` standing for arignote, as ``python script.py`` would.

    Parameters
    ----------
    path
        Of the program, or of a folder that has a ``__main__.py``.
    arguments
        What it finds in ``sys.argv`` after its own name.

    Returns
    -------
    int
        Exit status: 2 if there is no such file; 1 after an exception (130 after an interrupt),
        which is printed without the frames of this function.
    """
    script = Path(path).absolute()
    if script.is_dir():
        if not (script / "__main__.py").is_file():
            return _refuse(f"can't find '__main__' module in {str(script)!r}", 1)
        script /= "__main__.py"
    try:
        with io.open_code(str(script)) as file:
            source = file.read()
    except OSError as error:
        return _refuse(
            f"can't open file {str(script)!r}: [Errno {error.errno}] {error.strerror}", 2
        )
    alias("theano")
    main = ModuleType("__main__")
    main.__file__ = str(script)
    sys.argv = [path, *arguments]
    sys.path[0] = str(script.resolve().parent)
    sys.modules["__main__"] = main
    try:
        exec(compile(source, str(script), "exec"), main.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        # Without this function's frame, the traceback is the program's own.
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        sys.excepthook(type(error), error, error.__traceback__)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _refuse(reason: str, status: int) -> int:
    sys.stderr.write(f"{sys.executable}: {reason}\n")
    return status


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m arignote",
        description="Run a Theano program as it is, or measure arignote.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run a Theano program as it is")
    run.add_argument("script", help="the program")
    run.add_argument("arguments", nargs=argparse.REMAINDER, help="the program's own arguments")
    run.set_defaults(start=lambda options: run_script(options.script, options.arguments))
    bench = commands.add_parser("bench", help="measure training steps, against their NumPy meaning")
    if sys.argv[1:2] == ["bench"]:
        from arignote.bench import command

        command.add_options(bench)
        bench.set_defaults(start=command.bench)
    options = parser.parse_args()
    status: int = options.start(options)
    return status


if __name__ == "__main__":
    sys.exit(main())

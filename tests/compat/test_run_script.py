"""``python -m arignote run`` ends as ``python`` itself does, whatever it is given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(*command: str) -> tuple[int, str, str]:
    """Return exit status, output and error output of Python with these arguments."""
    ended = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout, ended.stderr


def assert_like_python(path: Path, *arguments: str) -> tuple[int, str, str]:
    found = run("-m", "arignote", "run", str(path), *arguments)
    assert found == run(str(path), *arguments)
    return found


@pytest.mark.parametrize(
    "program",
    [
        "import sys; print(sys.argv[1:], __name__, __file__); sys.exit(7)",
        "import sys; sys.exit('a reason')",
        "import sys; sys.exit()",
        "raise SystemExit(True)",
        "x = = 1",
        "print 'python 2'",
        "def f():\n    return 1 / 0\n\nf()",
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise KeyError('a') from error",
        "import no_such_module",
        "import sys; sys.excepthook = lambda *found: print(found[0]); 1 / 0",
        "# coding: latin-1\nprint(len('\\xe9'))",
    ],
)
def test_programs_end_as_under_python(tmp_path: Path, program: str) -> None:
    script = tmp_path / "program.py"
    script.write_text(program, encoding="latin-1")
    assert_like_python(script, "--an", "option")


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    status, _, message = assert_like_python(tmp_path / "nosuch.py")
    assert status == 2
    assert len(message.splitlines()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_one_line(tmp_path: Path) -> None:
    script = tmp_path / "secret.py"
    script.touch(mode=0o000)
    assert assert_like_python(script)[0] == 2


def test_folder_runs_its_main(tmp_path: Path) -> None:
    status, _, message = assert_like_python(tmp_path)
    assert status == 1
    assert len(message.splitlines()) == 1
    (tmp_path / "__main__.py").write_text("import sys, beside; print(beside.name, sys.argv)")
    (tmp_path / "beside.py").write_text("name = __name__")
    assert assert_like_python(tmp_path)[0] == 0


def test_a_command_is_needed() -> None:
    assert run("-m", "arignote")[0] == 2


def test_text_that_is_not_utf8_is_a_syntax_error(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_bytes(b"x = '\xe9'\n")
    status, _, message = run("-m", "arignote", "run", str(script))
    assert status == 1
    assert "SyntaxError" in message
    assert str(script) in message
    assert "Traceback" not in message


def test_interrupt_shows_the_program_alone(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text("raise KeyboardInterrupt")
    status, _, message = run("-m", "arignote", "run", str(script))
    assert status == 130
    assert message == run(str(script))[2]

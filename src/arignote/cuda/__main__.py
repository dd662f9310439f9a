"""``python -m arignote.cuda info`` and ``python -m arignote.cuda selftest``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from arignote.config import config
from arignote.cuda import selftest
from arignote.errors import DeviceError
from arignote.run.devices import compiled, describe


def main(arguments: Sequence[str] | None = None) -> int:
    """Say what the device is, or try it.

    Returns
    -------
    int
        Exit status: 1 if there is no device, or if something on it is not as it should be.
    """
    parser = argparse.ArgumentParser(prog="python -m arignote.cuda", description=__doc__)
    parser.add_argument("command", choices=["info", "selftest"])
    parser.add_argument("--device", default="cuda", help="cuda, cuda0, cuda1, …; default: cuda")
    options = parser.parse_args(arguments)
    try:
        with config.changed(force_device=True, device=options.device):
            found = describe(options.device)
            _say(
                "\n".join(
                    f"{name}: {'none' if value is None else value}" for name, value in found.items()
                )
            )
            if options.command == "info":
                return 0
            status = selftest.run(_say)
            count, refused = compiled(options.device)
            _say("\n".join([f"programs compiled: {count}, refused: {len(refused)}", *refused[:1]]))
            return status
    except DeviceError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())

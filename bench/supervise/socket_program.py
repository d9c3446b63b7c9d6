"""A program that answers on a Unix socket, one connection after the other.

``python -m bench.supervise.socket_program MODEL SOCKET``
"""

from __future__ import annotations

import contextlib
import socketserver
import sys
from pathlib import Path

import msgspec

from bench.supervise.model import load


def main(name: str, path: Path) -> None:
    model = load(name)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            line = self.rfile.readline()
            if not line:
                return
            prompt, steps = msgspec.json.decode(line, type=tuple[str, int])
            try:
                said = ("", model.answer(prompt, steps))
            except Exception as error:
                said = (type(error).__name__, "")
            with contextlib.suppress(OSError):  # its caller has left
                self.wfile.write(msgspec.json.encode(said) + b"\n")

    path.unlink(missing_ok=True)
    with socketserver.UnixStreamServer(str(path), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

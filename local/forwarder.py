"""A TCP forwarder from an address that containers reach to the same machine's 127.0.0.1."""

import socket
import threading
from contextlib import suppress


class Forwarder:
    """Listens on a free port of ``address``, forwards to ``port`` of 127.0.0.1. Raises ``OSError`` if it cannot."""

    def __init__(self, address: str, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server((address, 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        try:
            callee = socket.create_connection(self._target, timeout=10)
        except OSError:
            caller.close()
            return
        callee.settimeout(None)
        with caller, callee:
            back = threading.Thread(target=_pump, args=(callee, caller), daemon=True)
            back.start()
            _pump(caller, callee)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)

"""A network between two programs that can be cut or swallow everything, at a word."""

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from billingsite.kafka_node import HOST, Node


class Proxy:
    """Listens on a port and passes on to another. `mode`: open, cut (refuses and drops), or hole.

    A hole takes everything and hands on nothing, until the network is open again: what was under way then arrives.
    """

    def __init__(self, listen: int, target: int) -> None:
        self.mode = "open"
        self.port = listen
        self._target = target
        self._flows = threading.Event()
        self._flows.set()
        self._listener = socket.create_server((HOST, listen))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def set(self, mode: str) -> None:
        self.mode = mode
        if mode == "cut":
            self._drop()
        (self._flows.clear if mode == "hole" else self._flows.set)()

    def close(self) -> None:
        self._listener.close()
        self.set("cut")

    def _drop(self) -> None:
        dropped, self._open = self._open, []
        for one in dropped:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.mode == "cut":
                client.close()
                continue
            try:
                server = socket.create_connection((HOST, self._target), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self._open += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                self._flows.wait()
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(listen: int, target: int) -> Iterator[Proxy]:
    made = Proxy(listen, target)
    try:
        yield made
    finally:
        made.close()


def second_door(node: Node, inside: int, outside: int) -> Mapping[str, object]:
    """Settings for a broker that is also reached at `outside`, where a proxy listens that passes on to `inside`.

    A broker tells its clients where it is: behind a proxy it has to name the proxy, or they go past it.
    """
    return {
        "listeners": f"PLAINTEXT://{HOST}:{node.port},PROXIED://{HOST}:{inside},CONTROLLER://{HOST}:{node.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{node.port},PROXIED://{HOST}:{outside}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
    }

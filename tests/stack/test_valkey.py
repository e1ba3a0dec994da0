"""The embedded Valkey: socket only, and what it keeps over a kill."""

import socket
from pathlib import Path

from stack.processes import is_alive
from stack.valkey import EmbeddedValkey


def ask(server: EmbeddedValkey, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server.socket))
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(200).decode()


def test_its_address_is_a_socket_and_it_has_no_port(valkey: EmbeddedValkey) -> None:
    assert valkey.url() == f"redis+socket://{valkey.socket}?virtual_host=0"
    assert "0" in ask(valkey, "CONFIG GET port").split()


def test_a_killed_server_comes_back_with_what_it_had(valkey: EmbeddedValkey) -> None:
    ask(valkey, "SET greeting hello")
    pid = valkey.pid
    valkey.kill()
    assert pid is not None
    assert not is_alive(pid)
    assert not valkey.is_ready()
    valkey.start()
    assert "hello" in ask(valkey, "GET greeting")


def test_a_server_that_need_keep_nothing_keeps_nothing(short_directory: Path) -> None:
    with EmbeddedValkey(short_directory / "v", short_directory / "s", durable=False) as server:
        ask(server, "SET greeting hello")
        server.restart_immediate()
        assert ask(server, "GET greeting") == "$-1\r\n"

"""The socket on which a server listens."""

import errno
import socket

from magpie.data.errors import BadSetting


def check_address(host: str, port: int) -> None:
    """Raises BadSetting for an address that cannot be listened on."""
    listen(host, port).close()


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to this address. Raises BadSetting where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise BadSetting(
                f"Port {port} of {host} is taken by another program; choose another with --port"
            ) from error
        raise BadSetting(
            f"{host}:{port} cannot be listened on ({error.strerror}); choose others with --host and --port"
        ) from error
    return listener

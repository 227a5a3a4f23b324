"""`magpie serve`: one gunicorn worker with threads, since the index is shared by all requests."""

import errno
import gc
import logging
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from magpie.data.database.connection import open_database
from magpie.data.errors import BadSetting
from magpie.data.home.locks import SERVING, lock_home
from magpie.data.pictures.url_rules import parse_rules
from magpie.data.settings import Settings
from magpie.web.middleware.cors import parse_origins
from magpie.web.middleware.rate_limits import RateLimits
from magpie.web.middleware.trusted_proxies import parse_networks
from magpie.web.unreadable import MAX_ADDRESS_CHARS

START_TIMEOUT_S = 300  # loading a large index may take this long before the worker first answers
STOP_TIMEOUT_S = 10
TAKE_OVER_S = 5
KEEP_ALIVE_S = 75
SWITCH_INTERVAL_S = 0.001  # a search must not wait the usual 5 ms for the thread that writes the log


def serve(settings: Settings, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT; requests being answered then are finished. Never returns.

    `on_ready` gets the page's address once searches can be answered; it runs in the worker process.
    Raises BadSetting for an address that cannot be had, HomeLocked where another server serves this home, and what
    opening the home raises, before anything starts.
    """
    check_address(host, port)
    _check_doors(settings)
    # a server that was killed leaves its worker for a moment; the lock is the worker's as well
    with lock_home(settings.home, SERVING, wait_s=TAKE_OVER_S):
        open_database(settings).close()
        _log_to_stderr(settings.log_level)
        _Server(settings, host, port, on_ready).run()


def _check_doors(settings: Settings) -> None:
    """Rates, proxies, origins and hosts are refused here, and not by a worker that is started again and again."""
    RateLimits(settings)
    parse_networks(settings.trusted_proxies or "")
    parse_origins(settings.allowed_origins or "")
    parse_rules(settings.picture_hosts or "")


def _log_to_stderr(level: str) -> None:
    """Our own messages from this level on, those of libraries from WARNING."""
    logging.basicConfig(level="WARNING", format="%(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("PIL").setLevel(logging.CRITICAL)  # damaged uploads are answered, and must not fill the log
    logging.getLogger("magpie").setLevel(level)


def check_address(host: str, port: int) -> None:
    """Gunicorn would try five times, and then end with a page of log."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise BadSetting(
                    f"Port {port} of {host} is taken by another program; choose another with --port"
                ) from error
            raise BadSetting(
                f"{host}:{port} cannot be listened on ({error.strerror}); choose others with --host and --port"
            ) from error


class _Server(BaseApplication):  # type: ignore[misc]
    """Gunicorn, set up from here instead of from its own files and command line."""

    def __init__(self, settings: Settings, host: str, port: int, on_ready: Callable[[str], None]) -> None:
        self._settings = settings
        self._host, self._port = host, port
        self._on_ready = on_ready
        super().__init__()

    def load_config(self) -> None:
        shared_memory = Path("/dev/shm")
        options: dict[str, Any] = {
            "bind": f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}",
            "workers": 1,
            "worker_class": "magpie.web.worker.BufferingWorker",
            "threads": self._settings.threads,
            "timeout": START_TIMEOUT_S,
            "graceful_timeout": STOP_TIMEOUT_S,
            "keepalive": KEEP_ALIVE_S,
            "sendfile": False,  # it would wait in the thread until a slow client has taken the whole picture
            "limit_request_line": MAX_ADDRESS_CHARS,
            "loglevel": "warning",
            "proc_name": "magpie",
            "control_socket_disable": True,
            # gunicorn's sign of life is a file: on a slow disk it would stall
            "worker_tmp_dir": str(shared_memory if shared_memory.is_dir() else tempfile.gettempdir()),
            "post_worker_init": self._announce,
            "worker_exit": _close,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        # imported here, in the worker: the parent stays small, and never holds a model's threads over a fork
        from magpie.web.app import create_app

        sys.setswitchinterval(SWITCH_INTERVAL_S)
        app = create_app(self._settings)
        opened = app.extensions["magpie"]
        opened.warm_up()
        for name in app.jinja_env.list_templates():
            app.jinja_env.get_template(name)  # compiled now: the first page would wait a sixth of a second for it
        gc.collect()
        gc.freeze()  # else a search now and then waits a quarter of a second while a million old objects are looked at
        app.extensions["line_limits"] = {
            "max_body_bytes": self._settings.max_upload_bytes,
            "max_waiting": self._settings.max_waiting,
            "on_refusal": opened.metrics.count_refusal,
        }
        return app

    def _announce(self, worker: Any) -> None:
        host = "localhost" if self._host in ("0.0.0.0", "::") else self._host
        self._on_ready(f"http://{f'[{host}]' if ':' in host else host}:{self._port}/")


def _close(arbiter: Any, worker: Any) -> None:
    app = getattr(worker, "wsgi", None)
    if app is not None:
        app.extensions["magpie"].close()

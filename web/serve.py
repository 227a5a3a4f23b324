"""`magpie serve`: a listening socket, and one process or several that answer what comes to it."""

import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial

from magpie.data.database.connection import open_database
from magpie.data.database.owner_token import make_owner_token
from magpie.data.errors import BadSetting
from magpie.data.home.locks import SERVING, lock_home
from magpie.data.pictures.url_rules import parse_rules
from magpie.data.settings import Settings, count_cores
from magpie.web.middleware.base_path import parse_base_path
from magpie.web.middleware.cors import parse_origins
from magpie.web.middleware.rate_limits import check_rates
from magpie.web.middleware.trusted_proxies import parse_networks
from magpie.web.server.http_server import Server
from magpie.web.server.listener import check_address, listen
from magpie.web.server.supervisor import Supervisor
from magpie.web.shared.state import SharedState

TAKE_OVER_S = 5
OPENMP = "OMP_NUM_THREADS"
SWITCH_INTERVAL_S = 0.001  # a search must not wait the usual 5 ms for the thread that writes the log


def serve(settings: Settings, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT; requests that have come by then are answered.

    `on_ready` gets the page's address once searches can be answered; with several workers it runs in the first.
    Raises BadSetting for an address that cannot be had, HomeLocked where another server serves this home, and what
    opening the home raises.
    """
    check_address(host, port)
    _check_doors(settings)
    # workers hold the lock too: those of a server that was killed end in a moment
    with lock_home(settings.home, SERVING, wait_s=TAKE_OVER_S):
        open_database(settings).close()
        make_owner_token(settings.home)  # before workers open the home, so that all of them know the same
        _log_to_stderr(settings.log_level)
        announce = partial(on_ready, _url(host, port, parse_base_path(settings.base_path or "")))
        with listen(host, port) as listener, closing(SharedState.among(settings.workers)) as shared:
            if settings.workers == 1:
                answer_requests(settings, listener, shared, announce)
            else:
                Supervisor(shared, partial(_be_one_of, settings, listener, shared, announce)).supervise()


def answer_requests(
    settings: Settings, listener: socket.socket, shared: SharedState, on_ready: Callable[[], None]
) -> None:
    """Opens the application and serves it on this socket until SIGTERM or SIGINT."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: sys.exit(0))
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with _cores_divided_by(shared.workers):
        # imported in the worker: the process that forks stays small, and never holds a library's threads
        from magpie.web.app import create_app

        app = create_app(settings, shared)
        opened = app.extensions["magpie"]
        opened.warm_up()
    for template in app.jinja_env.list_templates():
        app.jinja_env.get_template(template)  # compiled now: the first page would wait a sixth of a second for it
    gc.collect()
    gc.freeze()  # else a search now and then waits a quarter of a second while a million old objects are looked at
    server = Server(
        app,
        listener,
        threads=settings.threads,
        max_waiting=settings.max_waiting,
        max_body_bytes=settings.max_upload_bytes,
        on_refusal=opened.metrics.count_refusal,
        may_accept=partial(shared.connections.count, shared.number),
    )
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: server.stop())
    if shared.is_first:
        on_ready()
    server.run()
    server.close()
    opened.close()


@contextmanager
def _cores_divided_by(workers: int) -> Iterator[None]:
    """Libraries that are loaded meanwhile take so few threads of OpenMP that all workers together have one a core.

    Processes that are started later, such as rebuilds, take as many as ever.
    """
    if workers == 1 or OPENMP in os.environ:
        yield
        return
    os.environ[OPENMP] = str(max(1, count_cores() // workers))
    try:
        yield
    finally:
        del os.environ[OPENMP]


def _be_one_of(
    settings: Settings, listener: socket.socket, shared: SharedState, on_ready: Callable[[], None], number: int
) -> None:
    """What a forked worker does."""
    # before prometheus_client is imported, which chooses then where counters lie
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(shared.metrics_folder)
    answer_requests(settings, listener, shared.of_worker(number), on_ready)


def _check_doors(settings: Settings) -> None:
    """Rates, proxies, origins and hosts are refused here, before anything starts."""
    check_rates(settings)
    parse_base_path(settings.base_path or "")
    proxies = parse_networks(settings.trusted_proxies or "")
    if settings.trust_loopback and any(one.is_loopback for one in proxies):
        raise BadSetting(
            "MAGPIE_TRUST_LOOPBACK and MAGPIE_TRUSTED_PROXIES: what a proxy on this machine passes on comes from "
            "loopback, too; leave --trust-loopback out, and send a token"
        )
    parse_origins(settings.allowed_origins or "")
    parse_rules(settings.picture_hosts or "")


def _log_to_stderr(level: str) -> None:
    """Our own messages from this level on, those of libraries from WARNING."""
    logging.basicConfig(level="WARNING", format="%(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("PIL").setLevel(logging.CRITICAL)  # damaged uploads are answered, and must not fill the log
    logging.getLogger("magpie").setLevel(level)


def _url(host: str, port: int, base: str) -> str:
    host = "localhost" if host in ("0.0.0.0", "::") else host
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{base}/"

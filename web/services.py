"""The services that routes use (database, engine, event log, picture stores), opened once and closed together."""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from flask import current_app
from sqlalchemy import event

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.clock import now_ms
from magpie.data.database.connection import Database, open_database
from magpie.data.errors import MagpieError, NoIndex
from magpie.data.events.event_log import EventLog
from magpie.data.events.signed_query_ids import QueryIds, open_query_ids, read_signing_key
from magpie.data.home.opened_home import OpenedHome
from magpie.data.home.safe_traceback import safe_traceback
from magpie.data.settings import Settings
from magpie.data.spam.click_spam import filter_promotion, filter_recent_spam
from magpie.search.engine import SearchEngine
from magpie.search.personalisation.popularity import WINDOW_DAYS
from magpie.search.recommendations.recommender import Recommender
from magpie.search.reports.lost_comparison import withdraw_loser
from magpie.search.serving import SERVER_CATCH_UP_S, Upkeep
from magpie.search.status import not_ready
from magpie.web.background.auto_rebuild import AutoRebuild
from magpie.web.background.feed_schedule import FeedSchedule
from magpie.web.background.job_health import JobHealth
from magpie.web.background.query_logger import QueryLogWriter
from magpie.web.media.picture_store import PictureStore
from magpie.web.media.upload_store import UploadStore
from magpie.web.middleware.access import Access
from magpie.web.middleware.identity import Identities
from magpie.web.middleware.log_room import LogRoom
from magpie.web.middleware.metrics import Metrics
from magpie.web.middleware.rate_limits import RateLimits
from magpie.web.shared.state import SharedState

log = logging.getLogger(__name__)

PATIENCE_S = 3.0  # how long a request waits for the database's write lock; meanwhile its thread answers no search
REFRESH_INTERVAL_S = 0.5
TELL_INTERVAL_S = 1.0
STOP_WITHIN_S = 5.0
COUNTING_INTERVAL_S = 60.0
LEARNING_INTERVAL_S = 3_600.0
LATELY_MS = 7_200_000
DAY_MS = 86_400_000
COUNTING_SHARE = 0.02  # of the time, at most, that counting popularity may take


@dataclass(frozen=True)
class Services:
    """The opened services of one application.

    `status()` is the engine's status, with the alarms of the engine, the home, and all that is done in the background.
    """

    settings: Settings
    shared: SharedState
    home: OpenedHome
    database: Database
    catalogue: Catalogue
    engine: SearchEngine
    auto_rebuild: AutoRebuild
    feed_schedule: FeedSchedule
    refreshing: JobHealth
    counting: JobHealth
    recommender: Recommender
    event_log: EventLog
    query_ids: QueryIds
    query_log: QueryLogWriter
    pictures: PictureStore
    uploads: UploadStore
    metrics: Metrics
    status: Callable[[], dict[str, Any]]
    access: Access
    identities: Identities
    rate_limits: RateLimits
    log_room: LogRoom
    stopping: threading.Event
    background: list[threading.Thread]

    def warm_up(self) -> None:
        """Loads what the first search needs; an index that cannot be served is logged, and no error."""
        try:
            self.engine.warm_up()
        except NoIndex:
            pass
        except MagpieError as error:
            log.error("%s", error)

    def close(self) -> None:
        """Stops the background threads, writes what they still hold, and closes everything."""
        self.stopping.set()
        self.auto_rebuild.stop()
        self.feed_schedule.stop()
        self.query_log.close()
        until = time.monotonic() + STOP_WITHIN_S
        # a thread that runs in a C library when Python exits crashes the process
        for thread in self.background:
            thread.join(max(0.0, until - time.monotonic()))
        self.engine.close()
        self.database.close()


def open_services(settings: Settings, shared: SharedState | None = None) -> Services:
    """The opened services, their background threads started; without `shared` as the only worker.

    Raises MagpieError when the home cannot be used.
    """
    shared = shared or SharedState.among(1)
    database = open_database(settings, PATIENCE_S)
    home = _watch_home(settings, database)
    engine = SearchEngine(settings, database, Upkeep(SERVER_CATCH_UP_S, shared.is_first))
    catalogue = Catalogue(database, settings, engine.decoders.catalogue)
    event_log = EventLog(database)
    auto_rebuild = AutoRebuild(settings, partial(_status_to_rebuild, engine, home), shared.alarms)
    feed_schedule = FeedSchedule(settings)
    query_log = QueryLogWriter(event_log, has_others=shared.workers > 1)
    refreshing = JobHealth("Taking up changes and new indexes", 20 * REFRESH_INTERVAL_S)
    counting = JobHealth("Counting what people did", 3 * COUNTING_INTERVAL_S)
    log_room = LogRoom(settings, database, shared.counters)
    status = partial(
        _status, engine, (home, refreshing, counting, query_log, auto_rebuild, feed_schedule, log_room), shared
    )
    access = Access(settings, database)
    services = Services(
        settings=settings,
        shared=shared,
        home=home,
        database=database,
        catalogue=catalogue,
        engine=engine,
        auto_rebuild=auto_rebuild,
        feed_schedule=feed_schedule,
        refreshing=refreshing,
        counting=counting,
        recommender=Recommender(database, catalogue, engine),
        event_log=event_log,
        query_ids=open_query_ids(database),
        query_log=query_log,
        pictures=PictureStore(settings, catalogue, engine.decoders.catalogue),
        uploads=UploadStore(settings.max_picture_pixels, engine.decoders.uploads, shared.uploads),
        metrics=Metrics(status, shared.metrics_folder),
        status=status,
        access=access,
        identities=Identities(access, read_signing_key(database)),
        rate_limits=RateLimits(settings, shared.counters),
        log_room=log_room,
        stopping=threading.Event(),
        background=[],
    )
    jobs = [("refresh", partial(_watch_generations, services)), ("counting", partial(_count_behaviour, services))]
    if shared.workers > 1:
        jobs.append(("alarms", partial(_tell_alarms, services)))
    if shared.is_first:
        jobs.append(("auto-rebuild", partial(auto_rebuild.run, services.stopping)))
        jobs.append(("feeds", partial(feed_schedule.run, services.stopping)))
    for name, work in jobs:
        services.background.append(threading.Thread(target=work, name=f"magpie-{name}", daemon=True))
        services.background[-1].start()
    return services


def services() -> Services:
    """The services of the application that handles this request."""
    opened: Services = current_app.extensions["magpie"]
    return opened


class _HasAlarms(Protocol):
    @property
    def alarms(self) -> Sequence[str]: ...


def _status(engine: SearchEngine, watched: Sequence[_HasAlarms], shared: SharedState) -> dict[str, Any]:
    """The engine's status, with the alarms of what is watched here, and those that other workers have told."""
    status = engine.status()
    own = [alarm for one in watched for alarm in one.alarms]
    return {**status, "alarms": list(dict.fromkeys([*status["alarms"], *own, *shared.alarms_of_others()]))}


def _tell_alarms(services: Services) -> None:
    """Tells the other workers what goes wrong in the background of this one."""
    said: list[str] = []
    while not services.stopping.wait(TELL_INTERVAL_S):
        jobs = (services.refreshing, services.counting, services.query_log)
        alarms = [alarm for job in jobs for alarm in job.alarms]
        if alarms != said:
            services.shared.tell_alarms(alarms)
            said = alarms


def _watch_home(settings: Settings, database: Database) -> OpenedHome:
    """The home as it is now; SQLite opens no further connections once it is another one, nor makes a new database."""
    url = database.engine.url
    file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
    is_file = file is not None and file.is_file()  # neither in memory nor a URI
    home = OpenedHome(settings.home, file if is_file else None)
    if is_file:
        event.listen(database.engine, "do_connect", lambda *_: home.check())
    return home


def _status_to_rebuild(engine: SearchEngine, home: OpenedHome) -> dict[str, Any]:
    """The engine's status; not ready where the home was moved: a rebuild would make a new one in its place."""
    return not_ready(home.alarms[0]) if home.alarms else engine.status()


def _watch_generations(services: Services) -> None:
    """Loads newly published generations; logs an unusable one once and goes on serving the old one."""
    said = ""
    while not services.stopping.wait(REFRESH_INTERVAL_S):
        try:
            with services.refreshing.attempt():
                fault = _refresh(services)
            if fault and fault != said:
                log.warning("no newer index taken up: %s", fault)
            said = fault
        except Exception as error:
            if said != "unexpected":
                log.error("looking for a newer index failed\n%s", safe_traceback(error))
            said = "unexpected"


def _refresh(services: Services) -> str:
    """Takes up what is new; the named fault why that could not be, which the status tells as well, "" without one."""
    try:
        services.home.check()
        services.engine.refresh()
    except NoIndex:
        return ""
    except MagpieError as error:
        return str(error)
    return ""


def _count_behaviour(services: Services) -> None:
    """Filters spam and counts popularity, every minute or, when that takes long, less often; learns every hour how to
    recommend, and withdraws a ranker that people do not prefer."""
    pause, learned_s = 0.0, -math.inf
    while not services.stopping.wait(pause):
        try:
            started = time.monotonic()
            with services.counting.attempt():
                if services.shared.is_first:
                    filter_recent_spam(services.database, now_ms() - LATELY_MS)
                    filter_promotion(services.database, now_ms() - WINDOW_DAYS * DAY_MS)
                services.engine.popularity.refresh()
                if started - learned_s > LEARNING_INTERVAL_S:
                    learned_s = started
                    with suppress(NoIndex):
                        services.recommender.learn()
                    if (lost := withdraw_loser(services.settings, services.database)) is not None:
                        log.warning("ranker %s is withdrawn: people prefer the first stage", lost)
            pause = max(COUNTING_INTERVAL_S, (time.monotonic() - started) / COUNTING_SHARE)
        except Exception as error:
            log.error("summing up behaviour failed; trying again\n%s", safe_traceback(error))
            pause = COUNTING_INTERVAL_S

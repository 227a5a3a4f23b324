"""The settings: read once at an edge (environment, command line) and handed down, never global."""

import os
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from magpie.data.errors import BadSetting

MAX_WORKERS = 64


def count_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(BaseSettings):
    """Everything an owner may set; each field is read from the environment variable MAGPIE_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix="MAGPIE_", frozen=True, extra="ignore", protected_namespaces=())

    home: Path = Field(Path("var"), description="Folder for all state: database, index, uploads.")
    database_url: str | None = Field(
        None, description="SQLAlchemy URL of the catalogue and event log; by default SQLite in the home."
    )
    api_token: str | None = Field(
        None, description="Bearer token that opens everything, beside the owner's and those of `magpie token create`."
    )
    trust_loopback: bool = Field(
        False, description="Whether programs on this machine may write and read figures without a token."
    )
    rate_limit: str = Field(
        "500 per second", min_length=1, description="Most requests of one address, or of one token from anywhere."
    )
    client_rate_limit: str = Field(
        "500 per second", min_length=1, description="Most searches and events of one client or session, from anywhere."
    )
    log_limit_mb: int = Field(
        50_000,
        ge=0,
        description="Size of the database, in MB, from which on nothing more is logged; 0: no limit.",
    )
    log_per_day_mb: int = Field(
        2_000, ge=0, description="Most that is logged within a day without a token, in MB; 0: no limit."
    )
    log_per_address_mb: int = Field(
        200, ge=0, description="Most that is logged of one address within a day without a token, in MB; 0: no limit."
    )
    trusted_proxies: str | None = Field(
        None, description="Addresses and networks of proxies whose X-Forwarded headers are believed, with commas."
    )
    base_path: str | None = Field(
        None,
        description="Path below which a proxy serves Magpie, such as /shop/search, where the proxy does not say it.",
    )
    allowed_origins: str | None = Field(
        None, description="Origins of other sites whose pages may search and send events, with commas."
    )
    max_upload_bytes: int = Field(10_000_000, gt=0, description="Largest request body and uploaded picture, in bytes.")
    max_picture_pixels: int = Field(50_000_000, gt=0, description="Largest uploaded picture, in pixels.")
    picture_hosts: str | None = Field(
        None, description="Hosts from which pictures named by address are fetched, with commas; none: no address is."
    )
    threads: int = Field(4, ge=1, le=256, description="Threads that answer requests.")
    workers: int = Field(
        1, ge=1, le=MAX_WORKERS, description="Processes that answer requests; auto: one for each processor core."
    )
    max_waiting: int = Field(
        128, ge=0, le=10_000, description="Requests that may wait for a thread; the next ones are refused with 503."
    )
    model: str = Field("magpie-mini", min_length=1, description="Encoder: magpie-mini, an open_clip name, or a folder.")
    pretrained: str | None = Field(None, description="Weights for an open_clip name: a tag or a checkpoint's path.")
    language: str | None = Field(
        None, pattern="^[a-z]{2}$", description="Language of the catalogue's texts, such as de; none: it is guessed."
    )
    rebuild_after_changes: int = Field(
        5_000, ge=0, description="The server rebuilds the index by itself once so many items changed; 0: never."
    )
    rebuild_after_hours: int = Field(
        48, ge=0, description="The same once the index is so old and anything changed since; 0: never."
    )
    explore_share: float = Field(
        0.05, ge=0, le=0.5, description="Share of searches in which two hits change places, to measure positions."
    )
    explore_new_share: float = Field(
        0.02, ge=0, le=0.5, description="Share of searches in which an item that was hardly shown moves up."
    )
    explore_draw_share: float = Field(
        0.0, ge=0, le=0.5, description="Share of searches ordered by rates drawn from what the ranker believes of them."
    )
    min_clients: int = Field(
        5, ge=2, description="Different clients who must have searched something before others are shown it."
    )
    clicked_share: float = Field(
        0.1, ge=0, le=0.5, description="Most that the queries which led people to an item count in its vector; 0: none."
    )
    rerank_limit_ms: float = Field(
        20.0, ge=0, description="Longest that a search waits for re-ranking, in milliseconds; 0: as long as it takes."
    )
    conversion_weight: float = Field(
        1.0, ge=0, le=100, description="What putting into the cart or buying counts in learning, beside the click."
    )
    freshness_weight: float = Field(
        0.0, ge=0, le=1, description="Most that a new item gains, in standard deviations of the scores; 0: nothing."
    )
    freshness_half_life_days: float = Field(
        30.0, gt=0, le=10_000, description="Days after which an item's newness counts half."
    )
    compare: str | None = Field(
        None, description="Two rankings whose answers are interleaved, to see which one people click more."
    )
    log_level: str = Field(
        "INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least severe message that is logged."
    )

    @field_validator("workers", mode="before")
    @classmethod
    def _count_cores(cls, given: Any) -> Any:
        """For "auto" how many cores this process may use."""
        return min(count_cores(), MAX_WORKERS) if given == "auto" else given

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in use."""
        return self.database_url or f"sqlite:///{self.home.absolute() / 'magpie.db'}"

    @property
    def images_dir(self) -> Path:
        """The folder of pictures that Magpie downloaded or received."""
        return self.home / "images"

    @property
    def embeddings_dir(self) -> Path:
        """The folder of the embedding caches."""
        return self.home / "embeddings"

    @property
    def generations_dir(self) -> Path:
        """The folder of the generations, each a folder of its own."""
        return self.home / "generations"

    @property
    def live_dir(self) -> Path:
        """The folder of the indexed changes since a generation, a folder for each generation."""
        return self.home / "live"

    @property
    def current_file(self) -> Path:
        """The file that names the generation being served."""
        return self.home / "CURRENT"

    @property
    def rankers_dir(self) -> Path:
        """The folder of the rankers, each a folder of its own."""
        return self.home / "rankers"

    @property
    def feeds_file(self) -> Path:
        """The file of the feeds that the server imports by itself."""
        return self.home / "feeds.json"

    @property
    def feed_runs_file(self) -> Path:
        """The file with the record of their runs."""
        return self.home / "feed_runs.jsonl"

    @property
    def rejects_dir(self) -> Path:
        """The folder of the files with rejected rows and events."""
        return self.home / "rejects"


def read_settings(**given: Any) -> Settings:
    """The settings of the environment, with those that are given in their place (None: not given).

    Raises BadSetting that names the setting and what is wrong with it.
    """
    unknown = sorted(given.keys() - Settings.model_fields.keys())
    if unknown:
        raise BadSetting(f"{unknown[0]}: there is no such setting; docs/settings.md lists them")
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = "MAGPIE_" + "_".join(str(part) for part in first["loc"]).upper()
        raise BadSetting(f"{name}: {first['msg']} (it is {first['input']!r})") from error

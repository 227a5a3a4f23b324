"""The database schema: items, pictures, searches and events, as SQLAlchemy tables.

A change here needs a migration in `migrations/versions`; a test compares the two.
JSON is kept as text so that every SQLAlchemy backend takes it; times are UTC.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
    select,
    true,
    update,
)

metadata = MetaData()

# SQLite numbers rows by itself only when the column is exactly INTEGER
RowId = BigInteger().with_variant(Integer(), "sqlite")

items = Table(
    "items",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),  # the FAISS id: int64, never reused
    Column("item_id", String(512), nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("price", Float),
    Column("currency", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("attributes", Text, nullable=False),  # JSON object of raw values; `attribute_kinds` types them
    Column("content_hash", LargeBinary(16), nullable=False),
    Column("revision", BigInteger, nullable=False, index=True),
    Column("updated_at", Float, nullable=False),  # seconds since 1970
    Column("created_at", Float),  # since when the item is there, in seconds since 1970
    sqlite_autoincrement=True,
)

pictures = Table(
    "pictures",
    metadata,
    Column("item", RowId, ForeignKey("items.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("path", Text, nullable=False),  # absolute
    Column("size_bytes", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("status", String(8), nullable=False),
    sqlite_with_rowid=False,
)

labels = Table(  # inferred attribute values, never given ones
    "labels",
    metadata,
    Column("item", RowId, ForeignKey("items.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("name", String(256), primary_key=True),
    Column("value", Text, nullable=False),
    Column("confidence", Float, nullable=False),
    sqlite_with_rowid=False,
)

attribute_kinds = Table(  # how many items hold a value of this kind in this attribute
    "attribute_kinds",
    metadata,
    Column("name", String(256), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("num_items", BigInteger, nullable=False),
)

deletions = Table(
    "deletions",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    Column("item_id", String(512), nullable=False),
    Column("revision", BigInteger, nullable=False, index=True),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# The keys of the pseudonyms under which the log keeps clients, one for each span of 30 days since 1970
client_salts = Table(
    "client_salts",
    metadata,
    Column("span", BigInteger, primary_key=True, autoincrement=False),
    Column("salt", LargeBinary(32), nullable=False),
)

# Who may do what over HTTP: a token itself is shown once, when it is made, and kept nowhere
tokens = Table(
    "tokens",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),  # SHA-256
    Column("scopes", Text, nullable=False),  # separated by spaces
    Column("created_at", BigInteger, nullable=False),  # milliseconds since 1970
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("purpose", String(32), primary_key=True),
    Column("key", LargeBinary(32), nullable=False),
)

# Behaviour: names and meanings of OpenSearch User Behavior Insights 1.3
queries = Table(
    "queries",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("query_id", String(128), nullable=False, unique=True),
    Column("user_query", Text, nullable=False),
    Column("client_id", String(256), nullable=False, index=True),
    Column("session_id", String(256), nullable=False, index=True),
    Column("application", Text, nullable=False),
    Column("timestamp", BigInteger, nullable=False, index=True),  # milliseconds since 1970
    Column("query_attributes", Text, nullable=False),  # JSON object
    Column("extra", Text, nullable=False),  # JSON object: fields of the record that have no column
    Column("set_aside", Boolean, nullable=False, server_default=false()),
    Column("reason", Text, nullable=False),
    Column("address", String(32), nullable=False, server_default=""),  # keyed hashes: events/origin.py
    Column("block", String(32), nullable=False, server_default=""),
    Column("is_proved", Boolean, nullable=False, server_default=true()),  # whose name it carries
    sqlite_autoincrement=True,
)

impressions = Table(
    "impressions",
    metadata,
    Column("query", RowId, ForeignKey("queries.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),  # 1-based, as shown
    Column("item_id", String(512), nullable=False),
    Column("score", Float),
    Column("propensity", Float),
    Column("features", Text),  # JSON object: the ranker's inputs when it was shown
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("dedup_key", LargeBinary(16), nullable=False, unique=True),
    Column("event_id", String(256), nullable=False),
    Column("action_name", String(128), nullable=False),
    Column("query_id", String(128), nullable=False, index=True),
    Column("client_id", String(256), nullable=False, index=True),
    Column("session_id", String(256), nullable=False, index=True),
    Column("application", Text, nullable=False),
    Column("timestamp", BigInteger, nullable=False, index=True),  # milliseconds since 1970
    Column("object_id", String(512), nullable=False),
    Column("position", Integer),  # 1-based, as shown
    Column("event_attributes", Text, nullable=False),  # JSON object
    Column("message_type", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("extra", Text, nullable=False),
    Column("set_aside", Boolean, nullable=False, server_default=false()),
    Column("reason", Text, nullable=False),
    Column("address", String(32), nullable=False, server_default=""),  # keyed hashes: events/origin.py
    Column("block", String(32), nullable=False, server_default=""),
    Column("is_proved", Boolean, nullable=False, server_default=true()),  # whose name it carries
    sqlite_autoincrement=True,
)

Index("ix_events_object", events.c.object_id)

# Counts of what was shown and clicked, derived from the log day by day; a day whose log changed is counted anew
click_cells = Table(
    "click_cells",
    metadata,
    Column("day", Integer, nullable=False, index=True),  # days since 1970, UTC
    Column("ranker", Text, nullable=False),  # the version that ordered the hits, "" where the log does not say
    Column("layout", Text, nullable=False),
    Column("query_key", Text, nullable=False),
    Column("item_id", String(512), nullable=False),
    Column("position", Integer, nullable=False),  # 1-based, as shown
    Column("after", Integer, nullable=False),  # position of the last click above, 0 where there was none
    Column("impressions", Integer, nullable=False),
    Column("clicks", Integer, nullable=False),
    Column("conversions", Integer, nullable=False),
)

click_days = Table(
    "click_days",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("signature", Text, nullable=False),  # of the log's rows of that day when they were counted
    Column("searches", Integer, nullable=False),
    Column("capped", Integer, nullable=False),  # searches beyond what one source may weigh
)


# What the owner does not want to be suggested to anybody, in words that are normalised
blocked_phrases = Table(
    "blocked_phrases",
    metadata,
    Column("phrase", String(200), primary_key=True),
    Column("created_at", BigInteger, nullable=False),  # milliseconds since 1970
)


def take_revisions(connection: Connection, count: int) -> int:
    """The first of `count` new revision numbers of the catalogue, taken in the caller's transaction.

    Every change to an item takes one, so that an index knows what changed after it was built.
    """
    connection.execute(update(counters).where(counters.c.name == "revision").values(value=counters.c.value + count))
    last = connection.execute(select(counters.c.value).where(counters.c.name == "revision")).scalar_one()
    return int(last) - count + 1

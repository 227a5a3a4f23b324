"""Decides which column of a feed means what: by `--map`, by its maker's profile, by names, and by values.

The plan is what `--dry-run` prints and what rows are read by.
"""

import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from magpie.data.catalogue.items import KNOWN_FIELDS, MAX_NAME_CHARS
from magpie.data.errors import BadFeed
from magpie.data.feeds.cell_values import AS_TEXT, CUT_NUMBER, SIZE_AS_DATE, Way, find_way, has_month_first
from magpie.data.feeds.column_names import known_field, plain_name, preference
from magpie.data.feeds.nested_values import VARIANTS
from magpie.data.feeds.picture_paths import is_picture, looks_like_picture
from magpie.data.feeds.prices import Point, find_point, parse_price
from magpie.data.feeds.profiles import NOBODY, Pairs, Profile, comparable, find
from magpie.data.feeds.yes_and_no import NO, YES

ALIASES = {"item_id": "id", "name": "title", "image_path": "image", "picture": "image", "pictures": "images"}
MEANT = 0.5  # the share of a column's values that must be what its name says
_LEGACY_PICTURES = re.compile(r"(images?|pictures?|image_path)([ _-]?\d{1,3})?")
_PICTURE_WORD = re.compile(r"image|img|picture|photo|bild|foto", re.IGNORECASE)
_SMALLER = re.compile(r"small|thumb|icon|preview|swatch|logo|tiny|mini|avatar|favicon", re.IGNORECASE)
_INDEX = re.compile(r"(unnamed(: |_)?\d*|column_1|index|level_0|)", re.IGNORECASE)
_ADDRESS = re.compile(r"(https?:)?//\S+|www\.\S+", re.IGNORECASE)
_SLASH_PATH = re.compile(r"[^/>]+(/[^/>]+)+")
_OPINIONS = re.compile(r"(reviews?|comments?)\.", re.IGNORECASE)  # of people, whose names are nobody's business
_CODED = re.compile(r"(?i:(.*[\s_.-])?(id|no|nr|num|number|code|key|sku|uuid|guid))|.*[a-z](Id|ID|No|Nr)")
_BRACKETED = re.compile(r".*\[([^\[\]]+)\]")
_NAMES = re.compile(
    r"artist|author|creator|maker|name|designer|photographer|director|title|address|place|city|location|dimension",
    re.IGNORECASE,
)
_METAFIELD = re.compile(r"\s*\((product|variant)\.metafields?\.[^)]*\)")
_NOT = NO | {"0", "-1"}
_SO = YES | {"1"}
_UNSEEN = {"draft", "archived", "inactive", "disabled", "hidden", "private", "trash", "pending", "deleted"}
# columns that say whether a row is shown, and the values by which it is not
_HIDING: dict[str, Set[str]] = {
    **dict.fromkeys(("published", "is published", "active", "is active", "enabled", "visible", "is visible"), _NOT),
    **dict.fromkeys(
        ("hidden", "is hidden", "draft", "is draft", "deleted", "archived", "is deleted", "is archived"), _SO
    ),
    **dict.fromkeys(("status", "product status"), _UNSEEN),
    "visibility": {"hidden", "none", "not visible individually", "private", "draft"},
}
_SHOWING = _NOT | _SO | {"active", "published", "enabled", "visible", "publish", "public", "live", "catalog, search"}
_SHOWING |= {"catalog", "search", "both", "everywhere", "online", "available"}
_MERGING = {"item group id"}
_PARENTS = {"parent sku", "parent product id", "variant of", "parent id sku"}


@dataclass
class Plan:
    """Which columns (by number) have which role, and how their cells are read."""

    columns: Sequence[str]
    profile: Profile
    roles: dict[str, list[int]] = field(default_factory=dict)
    attributes: list[tuple[int, str]] = field(default_factory=list)
    options: list[tuple[int, int]] = field(default_factory=list)
    pairs: list[tuple[int, Pairs]] = field(default_factory=list)
    hidden: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    only_inside: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    continued_by: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    lists: dict[int, str] = field(default_factory=dict)
    ways: dict[int, Way] = field(default_factory=dict)
    point: Point = ""  # the decimal mark of prices
    id_from: list[int] = field(default_factory=list)  # columns that an id is made of, where none is the id
    picture_pattern: str = ""
    has_category_slashes: bool = False  # "Men/Tops/T-shirts" is a path
    notes: list[str] = field(default_factory=list)  # what was recognised, and what is in doubt
    warnings: list[str] = field(default_factory=list)
    samples: list[list[str]] = field(default_factory=list)  # by column texts of its cells, none empty
    num_sampled: int = 0
    typed: frozenset[int] = frozenset()  # columns that hold numbers or booleans as such, and so no texts

    def first(self, role: str) -> int | None:
        """The first column of a role."""
        return next(iter(self.roles.get(role, ())), None)

    def meanings(self) -> dict[str, str]:
        """By column its meaning, as `--dry-run` prints it."""
        found = dict.fromkeys(range(len(self.columns)), "unused")
        for index, name in self.attributes:
            found[index] = f"attribute {name}"
        for name_at, value_at in self.options:
            found[name_at] = f"unused (names {self.columns[value_at]})"
            found[value_at] = f"attribute (named by {self.columns[name_at]})"
        for index, _ in self.pairs:
            found[index] = "attribute (several, each with its name)"
        for index, _ in (*self.hidden, *self.only_inside):
            found[index] = "hidden"
        for index, _ in self.continued_by:
            found[index] = "group (continues the item above)"
        shown = {"parent": "group (the parent)", "children": "group (the variants)", "also_known_as": "attribute sku",
                 "variant_id": "attribute sku", "image_id": "unused (a picture's id; see --picture-pattern)",
                 "translation": "unused (translations)", "sale_only_if": "unused (whether it is on sale)"}  # fmt: skip
        for role in reversed(
            (
                "id",
                "title",
                "description",
                "category",
                "price",
                "currency",
                "url",
                "image",
                "group",
                "parent",
                "children",
                "stock",
                "in_stock",
                "image_id",
                "translation",
                "sale_only_if",
            )
        ):
            for index in self.roles.get(role, ()):
                if role in ("stock", "in_stock"):
                    found[index] = f"attribute {role}"
                else:
                    found[index] = shown.get(role, role)
        variants = next((n for n, name in enumerate(self.columns) if name == VARIANTS), None)
        if variants is not None:
            found[variants] = "group (the variants)"
        return {column: found[n] for n, column in enumerate(self.columns)}

    def described(self) -> list[dict[str, object]]:
        """By column its meaning, how it is read, a sample, and the share of rows that lack it."""
        meanings = self.meanings()
        return [
            {
                "column": column,
                "meaning": meanings[column],
                "type": self.ways.get(n, AS_TEXT).name,
                "sample": (self.samples[n][0] if self.samples[n] else "")[:60],
                "missing": round(1 - len(self.samples[n]) / max(1, self.num_sampled), 3),
            }
            for n, column in enumerate(self.columns)
        ]


@dataclass(frozen=True)
class Sample:
    """Rows from all over a feed, by column: the texts of cells that are not empty, and whether cells are lists."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    def typed(self) -> frozenset[int]:
        """The columns that hold a number or a boolean as such."""
        return frozenset(
            n for row in self.rows[:1_000] for n, value in enumerate(row) if isinstance(value, int | float)
        )

    def texts(self) -> list[list[str]]:
        """By column the texts of its cells, none empty; of lists their parts."""
        found: list[list[str]] = [[] for _ in self.columns]
        for row in self.rows:
            for n, value in enumerate(row):
                if value is None or value == "" or n >= len(found):
                    continue
                if isinstance(value, list):
                    if value and not isinstance(value[0], dict):
                        found[n].append(str(value[0]))
                elif text := str(value).strip():
                    found[n].append(text)
        return found


def make_plan(
    sample: Sample, mapping: Mapping[str, str], profile: Profile | None, name: str, is_there: Callable[[str], bool]
) -> Plan:
    """The plan of a feed with these columns and cells.

    `mapping` is {field or attribute: column}; `is_there` says whether a picture path leads to a file. Raises BadFeed
    for a mapped column that does not exist.
    """
    plan = Plan(
        sample.columns, profile or NOBODY, samples=sample.texts(), num_sampled=len(sample.rows), typed=sample.typed()
    )
    plan.point, in_doubt = "", False
    taken = _map(plan, mapping, name)
    if profile:
        _follow_profile(plan, profile, taken)
        plan.notes.append(f"recognised: {profile.title}; --profile none turns that off")
    else:
        _hide(plan, taken)
        taken.update(n for n, column in enumerate(plan.columns) if _OPINIONS.match(column))
    _by_name(plan, taken, is_there)
    _by_values(plan, taken, is_there)
    categories = [text for n in plan.roles.get("category", ()) for text in plan.samples[n]]
    plan.has_category_slashes = _share(categories, _SLASH_PATH.fullmatch) >= 0.6
    plan.point, in_doubt = find_point([text for n in plan.roles.get("price", ()) for text in plan.samples[n]])
    if in_doubt and plan.roles.get("price"):
        plan.point = ","
        plan.notes.append(
            "prices such as 1.299 are read as thousands, since no cell says which mark is the decimal one"
        )
    _attributes(plan, taken)
    _read_cells(plan, sample)
    if not plan.roles.get("id"):
        plan.id_from = _stable_columns(plan, sample)
        plan.notes.append(f"no column is the id; ids are made from {', '.join(plan.columns[n] for n in plan.id_from)}")
    _warn_of_pictures(plan, is_there)
    return plan


def _map(plan: Plan, mapping: Mapping[str, str], name: str) -> set[int]:
    lowered = [column.strip().casefold() for column in plan.columns]
    taken = set()
    for meaning, column in mapping.items():
        exact = [n for n, each in enumerate(plan.columns) if each.strip() == column]
        found = exact or [n for n, each in enumerate(lowered) if each == column.casefold()]
        if not found:
            raise BadFeed(f"{name}: --map {meaning}={column}: no such column; there are {_listed(plan.columns)}")
        target = meaning.strip().lower()
        if target in ("group", "hidden", "unused"):
            plan.roles.setdefault(target if target == "group" else "unused", []).append(found[0])
        elif target in KNOWN_FIELDS:
            plan.roles.setdefault("image" if target == "images" else target, []).append(found[0])
        else:
            plan.attributes.append((found[0], meaning.strip()))
        taken.add(found[0])
    return taken


def _follow_profile(plan: Plan, profile: Profile, taken: set[int]) -> None:
    columns = plan.columns
    mapped = set(plan.roles)
    used = set(taken)
    for role, names in profile.fields.items():
        if role in mapped:
            continue
        found = [n for each in names for n in find(columns, each) if n not in taken]
        if found:
            plan.roles[role] = list(dict.fromkeys(found))
            used.update(found if role not in ("variant_id", "also_known_as") else ())
    for name, value in profile.options.items():
        for n in range(1, 21) if "{n}" in name else (0,):
            pair = find(columns, name.replace("{n}", str(n))), find(columns, value.replace("{n}", str(n)))
            if pair[0] and pair[1] and not {pair[0][0], pair[1][0]} & used:
                plan.options.append((pair[0][0], pair[1][0]))
                used.update((pair[0][0], pair[1][0]))
    for rules, target in (
        (profile.hidden, plan.hidden),
        (profile.only_inside, plan.only_inside),
        (profile.continued_by, plan.continued_by),
    ):
        for each, values in rules.items():
            for n in find(columns, each)[:1]:
                if n not in taken:
                    target.append((n, frozenset(value.casefold() for value in values)))
                    used.add(n)
    for pairs in profile.pairs:
        for n in find(columns, pairs.column)[:1]:
            plan.pairs.append((n, pairs))
            used.add(n)
    for each, separator in profile.lists.items():
        plan.lists |= dict.fromkeys(find(columns, each), separator)
    for each, attribute in profile.attributes.items():
        for n in find(columns, each):
            if n not in used:
                plan.attributes.append((n, attribute))
                used.add(n)
    for each in profile.unused:
        used.update(n for n in find(columns, each) if _BRACKETED.fullmatch(columns[n]) is None)
    taken |= used


def _hide(plan: Plan, taken: set[int]) -> None:
    """Finds a column that says which rows are not to be shown: its name says so, and all its values are known."""
    for n, column in enumerate(plan.columns):
        hiding = _HIDING.get(plain_name(column))
        texts = [text.casefold() for text in plan.samples[n]]
        if hiding is None or n in taken or not texts or not set(texts) <= _SHOWING | hiding | {"active"}:
            continue
        share = sum(text in hiding for text in texts) / len(texts)
        if 0 < share < MEANT:
            plan.hidden.append((n, frozenset(hiding)))
            taken.add(n)
            plan.notes.append(f"rows are left out whose {column!r} is {', '.join(sorted(set(texts) & hiding))}")


def _by_name(plan: Plan, taken: set[int], is_there: Callable[[str], bool]) -> None:
    """Gives columns to the fields that they are named for, where their values do not contradict it."""
    columns = plan.columns
    exact = {n: _field_of(column) for n, column in enumerate(columns)}
    for field_name in ("id", "title", "description", "category", "price", "currency", "url"):
        if plan.roles.get(field_name):
            continue
        own = [
            n
            for n, found in exact.items()
            if found == field_name and n not in taken and columns[n].strip().casefold() == field_name
        ]
        # beside "id", "ID" is an attribute
        own.sort(key=lambda n: columns[n].strip() != field_name)
        own += [n for n, found in exact.items() if found == field_name and n not in taken and n not in own]
        if plan.profile is NOBODY:
            known = [
                n
                for n in range(len(columns))
                if n not in taken and n not in own and known_field(_last_part(columns[n])) == field_name
            ]
            own += sorted(
                (n for n in known if _is_meant(plan, field_name, n, is_there)),
                key=lambda n: (preference(_last_part(columns[n]), field_name), n),
            )
        elif field_name in ("currency", "price", "title", "id") and plan.profile.fields.get(field_name):
            own = []
        if own:
            plan.roles[field_name] = own[:1]
            taken.add(own[0])
    if "image" not in plan.roles:
        named = [
            n
            for n, column in enumerate(columns)
            if n not in taken and _LEGACY_PICTURES.fullmatch(column.strip().casefold())
        ]
        free = [n for n in range(len(columns)) if n not in taken and n not in named and plan.profile is NOBODY]
        known = [n for n in free if known_field(_last_part(columns[n])) == "image"]
        known = [n for n in known if _is_meant(plan, "image", n, is_there)]
        _take_pictures(plan, [*_in_order(columns, named), *known], taken)
    else:
        mapped = plan.roles["image"]
        numbered = [
            n
            for n, column in enumerate(columns)
            if n not in taken and re.fullmatch(r"(image|picture)[ _-]?\d{1,3}", column.strip().casefold())
        ]
        if plan.profile is NOBODY:
            plan.roles["image"] = [*mapped, *_in_order(columns, numbered)]
            taken.update(numbered)
    for n, column in enumerate(columns):
        name = plain_name(column)
        if n not in taken and plan.profile is NOBODY and name in _MERGING and "group" not in plan.roles:
            plan.roles["group"] = [n]
            taken.add(n)
        elif n not in taken and plan.profile is NOBODY and name in _PARENTS and "parent" not in plan.roles:
            plan.roles["parent"] = [n]
            taken.add(n)


def _field_of(column: str) -> str | None:
    lowered = column.strip().casefold()
    return lowered if lowered in KNOWN_FIELDS else ALIASES.get(lowered)


def _last_part(column: str) -> str:
    """The name of a nested column without that of what it is in; a pair's name is none of a field."""
    if _BRACKETED.fullmatch(column) and "." not in column and "[" in column and not column.endswith(" [Non Editable]"):
        return ""
    return column if "." not in column else ""


def _in_order(columns: Sequence[str], found: Sequence[int]) -> list[int]:
    """Picture columns, those without a number first, then by number."""

    def place(n: int) -> tuple[int, int]:
        number = re.search(r"(\d{1,3})$", columns[n].strip())
        return (int(number[1]) if number else -1, n)

    return sorted(found, key=place)


def _take_pictures(plan: Plan, found: Sequence[int], taken: set[int]) -> None:
    """Uses the columns as pictures, those of smaller copies only where there are no others."""
    large = [n for n in found if not _SMALLER.search(plan.columns[n])]
    used = large or list(found)[:1]
    if used:
        plan.roles["image"] = used
        taken.update(found)


def _is_meant(plan: Plan, field_name: str, n: int, is_there: Callable[[str], bool]) -> bool:
    """Whether a column's values can be what its name says."""
    texts = plan.samples[n]
    if not texts:
        return False
    if field_name == "id":
        return len(texts) == plan.num_sampled and len(set(texts)) == len(texts) and max(map(len, texts)) <= 200
    if field_name == "image":
        return _share(texts[:200], lambda text: is_picture(text) or is_there(text)) >= MEANT
    if field_name == "url":
        return _share(texts, lambda text: _ADDRESS.match(text) or text.startswith("/")) >= MEANT
    if field_name == "price":
        return _share(texts[:200], _is_price) >= MEANT
    if field_name == "currency":
        return _share(texts, lambda text: len(text) <= 4 and not text.isdecimal()) >= MEANT
    if field_name == "title":
        return _share(texts, lambda text: not _ADDRESS.match(text) and not _is_number(text)) >= MEANT
    if field_name == "category":
        return _share(texts, lambda text: len(text) <= 200 and not _is_number(text)) >= MEANT
    return _share(texts, lambda text: not _is_number(text) and not _ADDRESS.match(text)) >= MEANT


def _by_values(plan: Plan, taken: set[int], is_there: Callable[[str], bool]) -> None:
    """Fills fields that no name told, from columns whose values can be nothing else."""
    free = [n for n in range(len(plan.columns)) if n not in taken and n not in plan.typed and plan.samples[n]]
    if not plan.roles.get("image") and not plan.roles.get("image_id"):
        found = [
            n
            for n in free
            if _share(plan.samples[n][:200], lambda text: looks_like_picture(text) or is_there(text)) >= MEANT
        ]
        _take_pictures(plan, found, taken)
    elif plan.roles.get("image") and plan.profile is NOBODY:
        more = [n for n in free if _PICTURE_WORD.search(plan.columns[n]) and not _SMALLER.search(plan.columns[n])]
        more = [n for n in more if _share(plan.samples[n][:200], looks_like_picture) >= MEANT]
        plan.roles["image"] += more
        taken.update(more)
    free = [n for n in free if n not in taken]
    if not plan.roles.get("id") and plan.profile is NOBODY:
        every = [n for n in range(len(plan.columns)) if n not in taken and _CODED.fullmatch(plan.columns[n])]
        _take_first(plan, "id", [n for n in every if _is_meant(plan, "id", n, is_there)], taken)
    if not plan.roles.get("category") and plan.profile is NOBODY:
        named = [n for n in free if re.search("categor|kategor", plan.columns[n], re.IGNORECASE)]
        named = [n for n in named if n not in taken and _is_meant(plan, "category", n, is_there)]
        _take_first(plan, "category", sorted(named, key=lambda n: -_share(plan.samples[n], _has_path)), taken)
    free = [n for n in free if n not in taken]
    if not plan.roles.get("url") and plan.profile is NOBODY:
        found = [n for n in free if _share(plan.samples[n], _ADDRESS.match) >= 0.9 and _distinct(plan, n) > MEANT]
        found = [n for n in found if not _share(plan.samples[n][:200], looks_like_picture) >= MEANT]
        if len(found) == 1:
            plan.roles["url"] = found
            taken.add(found[0])
    if not plan.roles.get("price") and plan.profile is NOBODY:
        found = [n for n in free if n not in taken and _share(plan.samples[n][:200], _has_currency) >= MEANT]
        if found:
            plan.roles["price"] = found[:1]
            taken.add(found[0])
    if not plan.roles.get("title") and plan.profile is NOBODY:
        found = [n for n in free if n not in taken and _is_like_title(plan, n)]
        if found:
            best = max(found, key=lambda n: (round(_distinct(plan, n), 1), -n))
            plan.roles["title"] = [best]
            taken.add(best)


def _take_first(plan: Plan, role: str, found: Sequence[int], taken: set[int]) -> None:
    if found:
        plan.roles[role] = [found[0]]
        taken.add(found[0])


def _has_path(text: str) -> bool:
    return ">" in text or "/" in text or " | " in text


def _is_like_title(plan: Plan, n: int) -> bool:
    texts = plan.samples[n]
    words = sum(len(text.split()) for text in texts) / len(texts)
    is_filled = len(texts) >= 0.9 * plan.num_sampled
    return (
        is_filled
        and 1 <= words <= 20
        and _distinct(plan, n) > MEANT
        and _share(texts, _is_prose) >= 0.9
        and _BRACKETED.fullmatch(plan.columns[n]) is None
    )


def _is_prose(text: str) -> bool:
    return (
        any(letter.isalpha() for letter in text)
        and not _ADDRESS.match(text)
        and not looks_like_picture(text)
        and not re.fullmatch(r"[\w-]*\d[\w-]*", text)
    )


def _distinct(plan: Plan, n: int) -> float:
    return len(set(plan.samples[n])) / max(1, len(plan.samples[n]))


def _share(texts: Sequence[str], test: Callable[[str], object]) -> float:
    return sum(bool(test(text)) for text in texts) / max(1, len(texts))


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[-+]?\d+([.,]\d+)?", text))


def _is_price(text: str) -> bool:
    try:
        parse_price(text)
    except ValueError:
        return False
    return True


def _has_currency(text: str) -> bool:
    try:
        price = parse_price(text)
    except ValueError:
        return False
    return (
        price is not None and not _is_number(text) and (bool(price.currency) or any(sign in text for sign in "$€£¥₹"))
    )


def _attributes(plan: Plan, taken: set[int]) -> None:
    """Makes attributes of all columns that are left, but for running numbers without a name."""
    given = list(plan.attributes)
    used = {name for _, name in given}
    variants = next((n for n, name in enumerate(plan.columns) if name == VARIANTS), None)
    for n, column in enumerate(plan.columns):
        if n in taken or n == variants or _is_running_number(plan, n):
            continue
        inner = _BRACKETED.fullmatch(column)
        base = (
            inner[1]
            if inner and plan.samples[n] is not None and column.endswith("]") and "[Non" not in column
            else column
        ).strip()
        base = _METAFIELD.sub("", base)[: MAX_NAME_CHARS - 10] or f"column_{n + 1}"
        if base.lower() in KNOWN_FIELDS:
            base = f"feed_{base}"
        name, number = base, 1
        while name in used:
            number += 1
            name = f"{base}_{number}"
        used.add(name)
        given.append((n, name))
    plan.attributes = sorted(given)


def _is_running_number(plan: Plan, n: int) -> bool:
    """Whether it is the index that data frames write as a first column without a name."""
    texts = plan.samples[n]
    if n or not _INDEX.fullmatch(plan.columns[n]) or not texts or len(texts) < plan.num_sampled:
        return False
    return all(text.isdecimal() for text in texts) and len(set(texts)) == len(texts)


def _read_cells(plan: Plan, sample: Sample) -> None:
    """Finds how the cells of attributes are written, and says what spreadsheets have spoilt."""
    texts = {n: plan.samples[n] for n, _ in plan.attributes if plan.samples[n]}
    if plan.profile is NOBODY or plan.roles.get("price"):
        has_commas = plan.point == "," and any(
            "," in text for n in plan.roles.get("price", ()) for text in plan.samples[n]
        )
    else:
        has_commas = False
    month_first = any(
        has_month_first([text for text in column if len(text) < 30][:300])
        for column in texts.values()
        if _may_be_date(column)
    )
    typed = {n for n in texts for row in sample.rows[:200] if n < len(row) and isinstance(row[n], list)}
    for n, column in texts.items():
        if n in plan.lists:
            continue
        if n not in typed:
            may_list = not _NAMES.search(plan.columns[n])
            way = find_way(column[:1000], has_commas, month_first, may_list)
            if way is not AS_TEXT:
                plan.ways[n] = way
            if way.doubt:
                plan.notes.append(f"{plan.columns[n]}: {way.doubt}, since no cell says which it is")
        spoilt = next((text for text in column if CUT_NUMBER.fullmatch(text)), None)
        if spoilt:
            plan.notes.append(f"{plan.columns[n]}: {spoilt} was cut by a spreadsheet; its last digits are lost")
        spoilt = next((text for text in column if SIZE_AS_DATE.fullmatch(text)), None)
        if spoilt and _share(column, SIZE_AS_DATE.fullmatch) < MEANT:
            plan.notes.append(f"{plan.columns[n]}: {spoilt} looks like a size that a spreadsheet took for a date")


def _may_be_date(column: Sequence[str]) -> bool:
    return column[0][:1].isdecimal() and "/" in column[0][:6]


def _stable_columns(plan: Plan, sample: Sample) -> list[int]:
    """The columns of which ids are made: one that differs from row to row and seldom changes, else all of them."""
    unused = {n for n in range(len(plan.columns)) if _is_running_number(plan, n)}
    title, url = plan.first("title"), plan.first("url")
    sku = next((n for n, name in plan.attributes if name in ("sku", "SKU")), None)
    pictures = plan.roles.get("image", [])[:1]
    several = [[sku], [url], [title], [title, *pictures]]
    for columns in several:
        chosen = [n for n in columns if n is not None]
        if len(chosen) < len(columns):
            continue
        keys = [tuple(str(row[n]) if n < len(row) else "" for n in chosen) for row in sample.rows]
        if keys and len(set(keys)) == len(keys) and all(any(part not in ("", "None") for part in key) for key in keys):
            return chosen
    return [n for n in range(len(plan.columns)) if n not in unused]


def _warn_of_pictures(plan: Plan, is_there: Callable[[str], bool]) -> None:
    """Names the columns that look like pictures and are not used; of smaller copies nothing is said."""
    used = set(plan.roles.get("image", ()))
    for n, column in enumerate(plan.columns):
        if (
            n in used
            or (used and _SMALLER.search(column))
            or not plan.samples[n]
            or n in plan.roles.get("image_id", ())
        ):
            continue
        texts = plan.samples[n][:100]
        if _share(texts, lambda text: looks_like_picture(text) or is_there(text)) >= MEANT and not (
            plan.profile is not NOBODY and used
        ):
            plan.warnings.append(
                f"column {column!r} looks like pictures and is not used; use it with --map image={column}"
            )
    if not used and not plan.picture_pattern and not plan.roles.get("image_id"):
        ids = [
            plan.columns[n]
            for n in range(len(plan.columns))
            if re.search(r"image|picture|photo|img|bild", comparable(plan.columns[n])) and plan.samples[n]
        ]
        named = f"; {', '.join(map(repr, ids[:3]))} may name them: see --picture-pattern" if ids else ""
        plan.warnings.append(f"no column holds pictures{named}")
    elif plan.roles.get("image_id") and not plan.picture_pattern:
        names = [plan.columns[n] for n in plan.roles["image_id"]]
        example = f"--picture-pattern 'images/{{{names[0]}}}.jpg'"
        plan.warnings.append(f"{', '.join(names)}: ids of pictures, which are used with a pattern such as {example}")


def _listed(header: Sequence[str]) -> str:
    shown = ", ".join(repr(column[:60]) for column in header[:40])
    return shown + (f" and {len(header) - 40} more" if len(header) > 40 else "")

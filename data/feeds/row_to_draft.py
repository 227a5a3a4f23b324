"""Makes one draft of the rows that belong to an item, or rejects them with line and reason."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from magpie.data.catalogue.items import MAX_ATTRIBUTES, MAX_PICTURES, ItemDraft, Value
from magpie.data.errors import BadItem
from magpie.data.feeds.column_plan import Plan
from magpie.data.feeds.group_rows import Group
from magpie.data.feeds.row_parts import MAX_FEW, Part, PartReader, as_variant
from magpie.data.feeds.table import Row, as_raw


class Reject(NamedTuple):
    """A rejected row: the line where it starts (in Parquet its number), the reason, and the row; `item_id` if known."""

    line: int
    reason: str
    raw: str
    item_id: str = ""


class Taken(NamedTuple):
    """A draft, and how many rows of the feed it was made of beyond the first."""

    draft: ItemDraft
    num_merged: int = 0


class LeftOut(NamedTuple):
    """Rows that the feed says are not to be shown."""

    num_rows: int
    item_id: str


Outcome = Taken | Reject | LeftOut


class DraftMaker:
    """Makes the drafts of one feed."""

    def __init__(self, plan: Plan, reader: PartReader, keeps_variants: bool = False) -> None:
        self._plan, self._reader, self._keeps_variants = plan, reader, keeps_variants
        self._merges_equal_ids = bool(
            plan.options or plan.roles.get("group") or plan.roles.get("translation") or plan.continued_by
        )

    def outcomes(self, group: Group) -> Iterator[Outcome]:
        """What becomes of the rows of one group."""
        head = group.rows[0]
        if len(group.rows) == 1 and not group.name and not head.fault and (draft := self._reader.simple_draft(head)):
            try:
                draft.canonical  # noqa: B018  (raises BadItem for what cannot be stored)
            except BadItem as error:
                yield Reject(head.line, str(error), row_text(head), draft.item_id)
            else:
                yield Taken(draft)
            return
        if head.fault:
            for row in group.rows:
                yield Reject(row.line, row.fault, row.raw)
            return
        if self._reader.is_hidden(head) or (len(group.rows) == 1 and self._reader.is_only_inside(head)):
            yield LeftOut(len(group.rows), self._reader.id_of(head))
            return
        shown = [row for row in group.rows if row is head or not self._reader.is_hidden(row)]
        if len(shown) < len(group.rows):
            yield LeftOut(len(group.rows) - len(shown), "")
        parts = [self._reader.read(row, group.is_continued and n > 0) for n, row in enumerate(shown)]
        if len(parts) == 1:
            yield self._finish(parts[0], head, group.name, 0)
            return
        for outcome in self._of_several(parts, shown, group):
            yield outcome
            if isinstance(outcome, Reject) and not self._is_apart(group):
                yield from (
                    Reject(row.line, outcome.reason, row_text(row)) for row in shown if row.line != outcome.line
                )

    def _is_apart(self, group: Group) -> bool:
        plan = self._plan
        has_variants = group.name or plan.roles.get("parent") or plan.roles.get("children") or plan.options
        return self._keeps_variants and bool(has_variants)

    def _of_several(self, parts: Sequence[Part], shown: Sequence[Row], group: Group) -> Iterator[Outcome]:
        head = shown[0]
        if self._is_apart(group):
            yield from self._apart(parts, shown, group)
        elif group.name or self._merges_equal_ids or self._is_one_item(parts):
            yield self._finish(_merged(parts, self._plan), head, group.name, len(parts) - 1)
        else:
            last = parts[-1]
            last.notes.append(f"id {last.item_id!r} stands in {len(parts)} rows, of which the last is taken")
            yield self._finish(last, shown[-1], "", len(parts) - 1)

    def _is_one_item(self, parts: Sequence[Part]) -> bool:
        """Whether rows of one id describe one thing: they have one parent, or one title, and differ in something."""
        if len({part.item_id for part in parts}) > 1:
            return True
        titles = {part.title for part in parts if part.title}
        differ = any(part.attributes != parts[0].attributes or part.pictures != parts[0].pictures for part in parts[1:])
        return len(titles) <= 1 and differ

    def _apart(self, parts: Sequence[Part], rows: Sequence[Row], group: Group) -> Iterator[Outcome]:
        """Each variant as an item of its own, with `group_id`."""
        name = group.name or parts[0].item_id
        variants = [
            (part, row)
            for part, row in zip(parts, rows, strict=True)
            if part.options or part.price is not None or group.name
        ]
        if self._plan.roles.get("parent") or self._plan.roles.get("children"):
            variants = [(part, row) for part, row in variants if part is not parts[0]] or variants
        for n, (part, row) in enumerate(variants):
            shared = len({each.item_id for each, _ in variants}) < len(variants)
            given = replace(part, item_id=(part.variant_id or f"{part.item_id}-{n + 1}") if shared else part.item_id)
            filled = _merged(
                [
                    given,
                    replace(parts[0], options={}, variants=[], pictures=[] if given.pictures else parts[0].pictures),
                ],
                self._plan,
                keep=True,
            )
            filled.attributes["group_id"] = name
            yield self._finish(filled, row, "", 0)
        if len(variants) < len(parts):
            yield LeftOut(len(parts) - len(variants), "")

    def _finish(self, part: Part, row: Row, group_name: str, num_merged: int) -> Outcome:
        try:
            draft = as_draft(part, group_name)
        except BadItem as error:
            return Reject(row.line, str(error), row_text(row), group_name or part.item_id)
        return Taken(draft, num_merged)


def as_draft(part: Part, group_name: str = "") -> ItemDraft:
    """The draft of what rows say of an item. Raises BadItem for what cannot be stored."""
    item_id = group_name or part.item_id
    if not item_id:
        raise BadItem("the id is empty")
    attributes = part.attributes
    notes = part.notes
    if part.options or part.stock is not None or part.in_stock is not None:
        attributes = {**attributes, **_option_attributes(part.options)}
        if part.stock is not None:
            attributes["stock"] = int(part.stock) if part.stock.is_integer() else part.stock
        if part.in_stock is not None:
            attributes["in_stock"] = part.in_stock
    pictures = tuple(dict.fromkeys(part.pictures))
    if len(pictures) > MAX_PICTURES:
        notes = [*notes, f"has {len(pictures)} pictures, of which the first {MAX_PICTURES} are taken"]
    if len(attributes) > MAX_ATTRIBUTES:
        notes = [*notes, f"has {len(attributes)} attributes, of which the first {MAX_ATTRIBUTES} are taken"]
        attributes = dict(list(attributes.items())[:MAX_ATTRIBUTES])
    draft = ItemDraft(
        item_id=item_id,
        title=part.title,
        description=part.description,
        category=part.category,
        price=part.price,
        currency=part.currency,
        url=part.url,
        attributes=attributes,
        pictures=pictures[:MAX_PICTURES],
        line=part.line,
        notes=tuple(dict.fromkeys(notes)),
    )
    draft.canonical  # noqa: B018  (raises BadItem for what cannot be stored)
    return draft


def row_text(row: Row) -> str:
    """The row as the rejects file shows it."""
    return as_raw(",".join("" if value is None else str(value) for value in row.values))


def _option_attributes(options: dict[str, list[str]]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, values in options.items():
        shown = name if not name.startswith("\0") else "option"
        shown = f"feed_{shown}" if shown.lower() in _FIELDS else shown
        found[shown[:190]] = values[0] if len(values) == 1 else values[:MAX_FEW]
    return found


_FIELDS = {"id", "title", "description", "price", "currency", "url", "category", "image", "images"}


def _merged(parts: Sequence[Part], plan: Plan, keep: bool = False) -> Part:
    """One item of several rows: the first's fields, filled from the others; pictures joined, options listed, the least
    price. With `keep` the first row's own values stay as they are."""
    head = parts[0]
    names = {name for part in parts for name in part.options if not name.startswith("\0")}
    merged = replace(
        head, attributes=dict(head.attributes), options={}, pictures=[], notes=[], variants=list(head.variants)
    )
    firsts = [name for name in head.options if not name.startswith("\0")]
    fills = plan.roles.get("translation")
    for n, part in enumerate(parts):
        for name in ("title", "description", "category", "currency", "url", "item_id"):
            if not getattr(merged, name):
                setattr(merged, name, getattr(part, name))
        merged.pictures += part.pictures
        merged.notes += part.notes
        if (
            part.price is not None
            and not (keep and merged.price is not None)
            and (not merged.price or 0 < part.price < merged.price)
        ):
            merged.price, merged.currency = part.price, part.currency or merged.currency
        for place, (name, values) in enumerate(part.options.items()):
            # rows of further variants leave out the option's name, which the first row gave in the same place
            full = name if not name.startswith("\0") else (firsts[place] if place < len(firsts) else "option")
            own = merged.options.setdefault(full, [])
            if not (keep and n):
                own += [value for value in values if value not in own]
        for attribute, value in part.attributes.items():
            _merge_attribute(merged.attributes, attribute, value, keeps=bool(keep or fills))
        if n and part.stock is not None and not keep:
            merged.stock = (merged.stock or 0) + part.stock
        if part.in_stock is not None and not keep:
            merged.in_stock = bool(merged.in_stock) or part.in_stock
    if not keep:
        merged.variants += [as_variant(part) for part in parts if _is_variant(part, head, plan)]
    for name in names:
        merged.attributes.pop(name, None)
    return merged


def _is_variant(part: Part, head: Part, plan: Plan) -> bool:
    is_parent = part is head and bool(plan.roles.get("parent") or plan.roles.get("children"))
    return not is_parent and (bool(part.options) or part.price is not None or bool(part.variant_id))


def _merge_attribute(attributes: dict[str, Value], name: str, value: Value, keeps: bool) -> None:
    """Lists the different words of the rows; of numbers and long texts the first stays."""
    before = attributes.get(name)
    if before is None or before == value:
        attributes[name] = value
    elif not keeps and isinstance(before, str | list) and isinstance(value, str | list):
        own = before if isinstance(before, list) else [before]
        new = [each for each in (value if isinstance(value, list) else [value]) if each not in own]
        if len(own) + len(new) <= MAX_FEW and all(len(each) <= 100 and not _is_number(each) for each in (*own, *new)):
            attributes[name] = [*own, *new]


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace("-", "", 1).isdecimal() and len(text) < 7

"""Parses request bodies into models: JSON strictly; multipart forms with their texts converted."""

from collections.abc import Sequence
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, TypeAdapter
from werkzeug.exceptions import UnsupportedMediaType

from magpie.data.errors import BadInput
from magpie.web.api.json_text import parse_json

Model = TypeVar("Model", bound=BaseModel)
Anything = TypeVar("Anything")

JSON, TEXT, MULTIPART = "application/json", "text/plain", "multipart/form-data"
MAX_BODY_BYTES = 1 << 40  # the server bounds bodies, and werkzeug the texts of forms


def is_multipart() -> bool:
    """Whether the body is a form that may hold files."""
    return request.mimetype == MULTIPART


def json_body(
    adapter: TypeAdapter[Anything], kinds: Sequence[str] = (JSON,), most_bytes: int = MAX_BODY_BYTES
) -> Anything:
    """The JSON body as the adapter's type, sent as one of these media types or as `application/…+json`.

    Raises UnsupportedMediaType, pydantic's ValidationError, and what `parse_json` raises.
    """
    if not request.is_json and request.mimetype not in kinds:
        raise UnsupportedMediaType(f"Send application/json, not {request.mimetype or 'an untyped body'}.")
    return adapter.validate_python(parse_json(request.get_data(cache=False), most_bytes))


def form_body(model: type[Model], json_fields: Sequence[str] = (), list_fields: Sequence[str] = ()) -> Model:
    """The texts of a form as a model. Raises BadInput or pydantic's ValidationError.

    `json_fields` hold JSON; `list_fields` do as well, or are given once for each of their values.
    """
    fields: dict[str, Any] = {}
    for name, values in request.form.lists():
        if name in list_fields:
            is_json = len(values) == 1 and values[0].lstrip().startswith("[")
            fields[name] = parse_json(values[0], MAX_BODY_BYTES, name) if is_json else values
        elif len(values) > 1:
            raise BadInput(f"{name}: given {len(values)} times; give it once")
        else:
            fields[name] = parse_json(values[0], MAX_BODY_BYTES, name) if name in json_fields else values[0]
    return model.model_validate(fields, strict=False)


def uploaded_pictures(limit: int) -> list[bytes]:
    """The contents of the files named `image`. Raises BadInput for others, or more than `limit`."""
    strange = sorted(set(request.files) - {"image"})
    if strange:
        raise BadInput(f"{strange[0]}: unknown file field; name it image")
    if "image" in request.form:
        raise BadInput("image: came as text; send it as a file, with a filename")
    files = [file for file in request.files.getlist("image") if file.filename]
    if len(files) > limit:
        raise BadInput(f"image: {len(files)} files came; send at most {limit}")
    contents = [file.read() for file in files]
    for file in files:
        file.close()
    return contents

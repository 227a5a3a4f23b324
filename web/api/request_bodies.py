"""Parses request bodies into models: JSON strictly; multipart forms with their texts converted."""

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, TypeAdapter
from werkzeug.exceptions import UnsupportedMediaType

from magpie.data.errors import BadInput

Model = TypeVar("Model", bound=BaseModel)
Anything = TypeVar("Anything")

JSON, TEXT, MULTIPART = "application/json", "text/plain", "multipart/form-data"


def is_multipart() -> bool:
    """Whether the body is a form that may hold files."""
    return request.mimetype == MULTIPART


def json_body(adapter: TypeAdapter[Anything], kinds: Sequence[str] = (JSON,)) -> Anything:
    """The JSON body as the adapter's type, sent as one of these media types or as `application/…+json`.

    Raises UnsupportedMediaType, or pydantic's ValidationError.
    """
    if not request.is_json and request.mimetype not in kinds:
        raise UnsupportedMediaType(f"Send application/json, not {request.mimetype or 'an untyped body'}.")
    return adapter.validate_json(request.get_data(cache=False))


def form_body(model: type[Model], json_fields: Sequence[str] = (), list_fields: Sequence[str] = ()) -> Model:
    """The texts of a form as a model. Raises BadInput or pydantic's ValidationError.

    `json_fields` hold JSON; `list_fields` do as well, or are given once for each of their values.
    """
    fields: dict[str, Any] = {}
    for name, values in request.form.lists():
        if name in list_fields:
            is_json = len(values) == 1 and values[0].lstrip().startswith("[")
            fields[name] = _json(name, values[0]) if is_json else values
        elif len(values) > 1:
            raise BadInput(f"{name}: given {len(values)} times; give it once")
        else:
            fields[name] = _json(name, values[0]) if name in json_fields else values[0]
    return model.model_validate(fields, strict=False)


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadInput(f"{name}: must be JSON ({error})") from error


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

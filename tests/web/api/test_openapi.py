"""The OpenAPI document says what is there, and what is there keeps to it."""

import contextlib
import importlib
import json
import pkgutil
import re
import shutil
from io import BytesIO
from typing import Any

import hypothesis.strategies
import pytest
import schemathesis
import schemathesis.generation
import schemathesis.specs.openapi
import schemathesis.transport
from hypothesis import HealthCheck, given, strategies
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test
from PIL import Image
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection
from schemathesis.specs.openapi.schemas import OpenApiSchema

from magpie.data.pictures.decode import FORMATS
from magpie.data.settings import Settings
from magpie.web.app import create_app
from tests.support.serving import client_of

pytestmark = pytest.mark.slow

TOKEN = "the-owners-token"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
# Loaded with the test: pytest parses them to rewrite assertions, which Python 3.11 cannot do beside other threads.
for package in (schemathesis.generation, schemathesis.specs.openapi, schemathesis.transport, hypothesis.strategies):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        with contextlib.suppress(ImportError):  # what needs libraries that are not there
            importlib.import_module(module.name)


def picture(kind: str) -> bytes:
    """A small picture as a file of this format."""
    stream = BytesIO()
    Image.new("RGB", (9, 7), "teal").save(stream, kind)
    return stream.getvalue()


for kind in FORMATS:
    schemathesis.openapi.media_type(f"image/{kind.lower()}", strategies.just(picture(kind)))


@schemathesis.serializer("application/x-ndjson")
def as_sent(_context: Any, value: Any) -> Any:
    """Lines are texts already; what is none, such as a number, would be text once it is sent."""
    return value.encode("utf-8", "replace") if isinstance(value, str) else b""


def schema_of(app: Any) -> OpenApiSchema:
    """The document as schemathesis reads it.

    What suits the schema may still be refused for what no schema can say, with a status of its own: the item is in
    another state than If-Match names (412), or fields do not go together, or the catalogue has none of the name (422).
    """
    schema: OpenApiSchema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    right = schema.config.checks.positive_data_acceptance
    right.expected_statuses = [*right.expected_statuses, "412", "422"]
    return schema


@pytest.fixture(scope="module")
def app(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("openapi") / "home"
    shutil.copytree(shop.home, home)
    opened = create_app(shop.model_copy(update={"home": home}))
    yield opened
    opened.extensions["magpie"].close()


@pytest.fixture(scope="module")
def guarded(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same application where nobody is trusted by address."""
    home = tmp_path_factory.mktemp("guarded") / "home"
    shutil.copytree(shop.home, home)
    opened = create_app(shop.model_copy(update={"home": home, "api_token": TOKEN, "trust_loopback": False}))
    yield opened
    opened.extensions["magpie"].close()


@pytest.fixture(scope="module")
def document(app: Any) -> dict[str, Any]:
    found: dict[str, Any] = client_of(app).get("/openapi.json").get_json()
    return found


def test_every_route_for_programs_is_in_the_document(app: Any, document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    there = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    said = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert there <= said and ("/healthz", "get") in said and ("/readyz", "get") in said
    assert {path for path, _ in said - there} == {"/healthz", "/readyz", "/metrics"}


def test_answers_that_name_an_item_say_what_can_be_asked_of_it(document: dict[str, Any]) -> None:
    there = {operation["operationId"] for methods in document["paths"].values() for operation in methods.values()}
    links = document["paths"]["/api/items/{item_id}"]["put"]["responses"]["201"]["links"]
    assert len(links) == 5 and {link["operationId"] for link in links.values()} <= there


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert names and names <= set(document["components"]["schemas"])


def test_every_field_that_people_send_is_described(document: dict[str, Any]) -> None:
    for name in ("SearchBody", "ItemBody", "Event"):
        assert document["components"]["schemas"][name]["properties"]
    problems = [op["responses"]["400"]["content"] for methods in document["paths"].values() for op in methods.values()]
    assert all(list(content) == ["application/problem+json"] for content in problems)


def test_the_docs_need_no_network(app: Any, document: dict[str, Any]) -> None:
    page = client_of(app).get("/docs").get_data(as_text=True)
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    for path in document["paths"]:
        assert path in page


OPERATIONS = [
    "GET /api/search", "POST /api/search", "GET /api/suggest", "GET /api/facets/{field}",
    "GET /api/items/{item_id}/similar", "GET /api/recommend",
    "POST /api/events", "POST /api/clients", "GET /api/items/{item_id}", "PUT /api/items/{item_id}",
    "PATCH /api/items/{item_id}", "DELETE /api/items/{item_id}", "GET /api/items", "POST /api/items",
    "PATCH /api/items", "DELETE /api/items", "GET /healthz", "GET /readyz", "GET /metrics",
]  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_answers_keep_to_the_document(guarded: Any, name: str) -> None:
    """Whatever is sent, right or wrong: no server error, and only answers that the document announces."""
    method, path = name.split(" ")
    schema = schema_of(guarded)
    operation, answered = schema[path][method], set()

    @hypothesis_settings(
        max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
    )
    @given(operation.as_strategy(), strategies.booleans())
    def send(case: Any, asks_little: bool) -> None:
        if name == "GET /api/search" and case.meta.generation.mode.is_positive and asks_little:
            case.query = {"q": case.query.get("q", "red")}  # no item has an id or a field that is made up
        if "{field}" in path and case.meta.generation.mode.is_positive and asks_little:
            case.path_parameters, case.query = {"field": "colour"}, {"q": case.query.get("q", "red")}
        answered.add(case.call_and_validate(headers=HEADERS).status_code)

    send()
    assert min(answered) < 300 or ("{item_id}" in path and method != "PUT")  # ids of items nobody guesses


GUARDED = [
    "PUT /api/items/{item_id}",
    "PATCH /api/items/{item_id}",
    "DELETE /api/items/{item_id}",
    "POST /api/items",
    "PATCH /api/items",
    "DELETE /api/items",
    "POST /api/clients",
    "GET /metrics",
]


def test_the_document_says_what_needs_a_token(guarded: Any) -> None:
    paths = client_of(guarded).get("/openapi.json").get_json()["paths"]
    needs = [
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method, operation in methods.items()
        if operation.get("security") and {} not in operation["security"]
    ]
    assert sorted(needs) == sorted(GUARDED)


@pytest.mark.parametrize("name", GUARDED)
def test_a_token_is_asked_for_wherever_the_document_says_so(guarded: Any, name: str) -> None:
    """What the right token is answered is asked for again without one and with a wrong one (ignored_auth)."""
    method, path = name.split(" ")
    schema = schema_of(guarded)
    operation, answered = schema[path][method], []

    @hypothesis_settings(
        max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
    )
    @given(operation.as_strategy())
    def send(case: Any) -> None:
        answer = case.call(headers=HEADERS)
        case.validate_response(answer, checks=[ignored_auth], headers=HEADERS)
        answered.append(answer.status_code)

    send()
    assert 401 not in answered and (name.startswith(("DELETE", "PATCH /api/items/")) or min(answered) < 300)


def test_operations_after_each_other_keep_to_the_document(guarded: Any) -> None:
    """What one answer names is asked of the next operation."""
    bounded = hypothesis_settings(
        max_examples=15,
        stateful_step_count=5,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    machine = schema_of(guarded).as_state_machine()

    class Keeping(machine):  # type: ignore[misc,valid-type]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": HEADERS}

        def validate_response(self, response: Any, case: Any, additional_checks: Any = (), **options: Any) -> None:
            # with the recorder: what was deleted must not be found again, and what was made must be there
            # an empty list or object leaves no trace in a form, so what was wrong of it cannot be refused
            is_form = case.media_type == "multipart/form-data"
            case.validate_response(
                response,
                recorder=self.recorder,
                headers=HEADERS,
                excluded_checks=[negative_data_rejection] if is_form else [],
            )

    run_state_machine_as_test(Keeping, settings=bounded)


def test_items_that_suit_the_document_are_put_read_and_deleted(guarded: Any) -> None:
    """The sequences above begin with searches and hardly ever come to changing an item."""
    operations, gone = schema_of(guarded)["/api/items/{item_id}"], []

    @hypothesis_settings(
        max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
    )
    @given(operations["PUT"].as_strategy(generation_mode=GenerationMode.POSITIVE))
    def send(case: Any) -> None:
        put = case.call_and_validate(headers=HEADERS)
        if put.status_code >= 300:  # in another state than If-Match names, or a picture's address that gives none
            return
        named = {"path_parameters": {"item_id": put.json()["item_id"]}}
        read, deleted = operations["GET"].Case(**named), operations["DELETE"].Case(**named)
        assert read.call_and_validate(headers=HEADERS).json() == put.json()
        assert deleted.call_and_validate(headers=HEADERS).status_code == 204
        gone.append(read.call_and_validate(headers=HEADERS).status_code)

    send()
    assert set(gone) == {404}


def test_every_operation_is_tried(document: dict[str, Any]) -> None:
    there = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert there == set(OPERATIONS)

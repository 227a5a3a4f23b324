"""The OpenAPI document says what is there, and what is there keeps to it."""

import json
import re
import shutil
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.specs.openapi.checks import positive_data_acceptance

# Loaded with the test: pytest parses it to rewrite its assertions, which Python 3.11 cannot do beside other threads.
from schemathesis.specs.openapi.schemas import OpenApiSchema

from data.settings import Settings
from tests.serving import client_of
from web.app import create_app

# all checks but this one: that something is asked at all, or that a field to sort by exists, no schema can say
NOT_IN_A_SCHEMA = [positive_data_acceptance]


@pytest.fixture(scope="module")
def app(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("openapi") / "home"
    shutil.copytree(shop.home, home)
    opened = create_app(shop.model_copy(update={"home": home}))
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
    "GET /api/search", "POST /api/search", "GET /api/suggest", "GET /api/items/{item_id}/similar", "GET /api/recommend",
    "POST /api/events", "GET /api/items/{item_id}", "PUT /api/items/{item_id}", "DELETE /api/items/{item_id}",
    "POST /api/items", "GET /healthz", "GET /readyz", "GET /metrics",
]  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_answers_keep_to_the_document(app: Any, name: str) -> None:
    """Whatever is sent, right or wrong: no server error, and only answers that the document announces."""
    method, path = name.split(" ")
    schema: OpenApiSchema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    operation = schema[path][method]

    @hypothesis_settings(
        max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
    )
    @given(operation.as_strategy())
    def send(case: Any) -> None:
        case.call_and_validate(excluded_checks=NOT_IN_A_SCHEMA)

    send()


def test_operations_after_each_other_keep_to_the_document(app: Any) -> None:
    """What one answer names is asked of the next operation: items that were put are read, changed and deleted."""
    bounded = hypothesis_settings(
        max_examples=15,
        stateful_step_count=5,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    machine = schemathesis.openapi.from_wsgi("/openapi.json", app).as_state_machine()

    class Keeping(machine):  # type: ignore[misc,valid-type]
        def validate_response(self, response: Any, case: Any, additional_checks: Any = (), **options: Any) -> None:
            case.validate_response(response, excluded_checks=NOT_IN_A_SCHEMA)

    run_state_machine_as_test(Keeping, settings=bounded)


def test_every_operation_is_tried(document: dict[str, Any]) -> None:
    there = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert there == set(OPERATIONS)

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
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

# Loaded with the test: pytest parses it to rewrite its assertions, which Python 3.11 cannot do beside other threads.
from schemathesis.specs.openapi.schemas import OpenApiSchema

from data.settings import Settings
from tests.serving import client_of
from web.app import create_app

# of these no schema can say what is right: that something is asked at all, that a field to sort by exists, that a text
# is a time of this century, or that one at any depth holds no NUL
NOT_IN_A_SCHEMA = {"GET /api/search", "POST /api/search", "GET /api/recommend", "POST /api/events"}
TOKEN = "the-owners-token"


def schema_of(app: Any) -> OpenApiSchema:
    """The document as schemathesis reads it. That If-Match names another state is right as well, as is a conflict."""
    schema: OpenApiSchema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    right = schema.config.checks.positive_data_acceptance
    right.expected_statuses = [*right.expected_statuses, "412"]
    return schema


def excluded(operation: str) -> list[Any]:
    """The checks that cannot be asked of an operation: of all but four, none."""
    return [positive_data_acceptance] if operation in NOT_IN_A_SCHEMA else []


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
    schema = schema_of(app)
    operation = schema[path][method]

    @hypothesis_settings(
        max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
    )
    @given(operation.as_strategy())
    def send(case: Any) -> None:
        case.call_and_validate(excluded_checks=excluded(name))

    send()


@pytest.fixture(scope="module")
def guarded(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same application once there is a token."""
    home = tmp_path_factory.mktemp("guarded") / "home"
    shutil.copytree(shop.home, home)
    opened = create_app(shop.model_copy(update={"home": home, "api_token": TOKEN}))
    yield opened
    opened.extensions["magpie"].close()


GUARDED = ["PUT /api/items/{item_id}", "DELETE /api/items/{item_id}", "POST /api/items", "GET /metrics"]


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
    operation, headers, answered = schema[path][method], {"Authorization": f"Bearer {TOKEN}"}, []

    @hypothesis_settings(
        max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
    )
    @given(operation.as_strategy())
    def send(case: Any) -> None:
        answer = case.call(headers=headers)
        case.validate_response(answer, checks=[ignored_auth], headers=headers)
        answered.append(answer.status_code)

    send()
    assert 401 not in answered and (name.startswith("DELETE") or min(answered) < 300)


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
    machine = schema_of(app).as_state_machine()

    class Keeping(machine):  # type: ignore[misc,valid-type]
        def validate_response(self, response: Any, case: Any, additional_checks: Any = (), **options: Any) -> None:
            # with the recorder: what was deleted must not be found again, and what was made must be there
            case.validate_response(response, excluded_checks=excluded(case.operation.label), recorder=self.recorder)

    run_state_machine_as_test(Keeping, settings=bounded)


def test_every_operation_is_tried(document: dict[str, Any]) -> None:
    there = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert there == set(OPERATIONS)

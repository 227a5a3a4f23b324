"""The docs are true: all that exists is named in them, and what they name exists."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import click
import pytest
from flask import Flask

from magpie.data.settings import Settings
from magpie.web.app import create_app
from magpie.web.cli.main import cli
from tests.support.serving import COMMAND, client_of

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md", *DOCS]
CODE = ("data", "indexer", "search", "web", "magpie", "benchmarks", "tests")
CHEAP = ("--version", "--help")  # an option among these makes a command that is run here, not only parsed

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_LINK = re.compile(
    r'\]\(\s*<?([^)>\s]+)>?(?:\s+"[^"]*")?\s*\)|(?:src|href)="([^"]+)"|^\[[^\]]+\]:\s+(\S+)', re.MULTILINE
)
_PYTHON_FILE = re.compile(r"(?<![\w/.-])((?:[\w-]+/)*[\w-]+\.py)\b")
_PROMPT = re.compile(r"^\$ ", re.MULTILINE)


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _leaves(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that is no group, with the words that call it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        yield from _leaves(child, (*path, name))


COMMANDS = dict(_leaves(cli, ("magpie",)))


def _section(heading: str) -> str:
    """The text of docs/cli.md under the heading, up to the next one."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", _read("docs/cli.md"), re.MULTILINE | re.DOTALL)
    assert found, f"docs/cli.md has no section '## {heading}'"
    return found[1]


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_and_option_is_in_the_docs(words: tuple[str, ...]) -> None:
    section = _section(" ".join(words))
    parameters = [one for one in COMMANDS[words].params if isinstance(one, click.Option)]
    for option in (name for one in parameters for name in [*one.opts, *one.secondary_opts]):
        assert re.search(rf"`{re.escape(option)}(?![\w-])", section), f"{' '.join(words)} {option}"
    for argument in (one for one in COMMANDS[words].params if isinstance(one, click.Argument)):
        assert argument.make_metavar(click.Context(COMMANDS[words])).strip("[]") in section
    assert "\n```" in section, f"{' '.join(words)} has no example"


def test_every_global_option_is_in_the_docs() -> None:
    head = _read("docs/cli.md").split("\n## ")[0]
    for option in (name for one in cli.get_params(click.Context(cli)) for name in one.opts):
        assert f"`{option}" in head, option


def test_no_command_is_documented_that_is_not_there() -> None:
    headings = re.findall(r"^## (magpie .+)$", _read("docs/cli.md"), re.MULTILINE)
    assert sorted(headings) == sorted(map(" ".join, COMMANDS))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    opened = create_app(Settings(home=tmp_path_factory.mktemp("docs") / "home"))
    yield opened
    opened.extensions["magpie"].close()


def test_every_route_is_in_the_docs(app: Flask) -> None:
    text = _read("docs/api.md")
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            assert re.search(rf"\b{method} {re.escape(path)}(?![\w/{{])", text), f"{method} {path}"


def test_every_field_of_the_interface_is_in_the_docs(app: Flask) -> None:
    document: dict[str, Any] = client_of(app).get("/openapi.json").get_json()
    text = _read("docs/api.md")
    named = {name for code in _CODE.findall(text) for name in re.findall(r"\w+", code)}
    named |= {name for _, block in _FENCE.findall(text) for name in re.findall(r'"(\w+)"', block)}
    named |= {name for code in _CODE.findall(text) for name in re.findall(r"\w+(?:-\w+)+", code)}  # headers
    operations = [one for methods in document["paths"].values() for one in methods.values()]
    wanted = {parameter["name"] for one in operations for parameter in one.get("parameters", [])}
    wanted |= {name for one in document["components"]["schemas"].values() for name in one.get("properties", {})}
    assert len(wanted) > 50
    assert wanted <= named, sorted(wanted - named)


def test_every_setting_is_in_the_docs_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(MAGPIE_\w+)` \| ([^|]+?) \|", _read("docs/settings.md"), re.MULTILINE))
    defaults = {f"MAGPIE_{name.upper()}": field.default for name, field in Settings.model_fields.items()}
    assert rows == {name: "none" if value is None else f"`{value}`" for name, value in defaults.items()}


def test_every_place_in_the_home_is_in_the_docs(tmp_path: Path) -> None:
    text = _read("docs/settings.md")
    settings = Settings(home=tmp_path)
    properties = {name for name, value in vars(Settings).items() if isinstance(value, property)} - {"database"}
    places = {name: getattr(settings, name) for name in properties}
    assert len(places) > 5
    for name, place in places.items():
        assert f"`{place.name}" in text, name


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_resolve(page: Path) -> None:
    assert page.is_file(), f"{page.name} is missing"
    text = _CODE.sub("", _FENCE.sub("", page.read_text(encoding="utf-8")))
    for link in (next(filter(None, groups)) for groups in _LINK.findall(text)):
        parts = urlsplit(link)
        if parts.scheme in ("http", "https", "mailto"):
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        assert target.exists() and target.is_relative_to(ROOT), f"{page.name}: {link}"
        if parts.fragment:
            assert parts.fragment in _anchors(target), f"{page.name}: {link}: no such heading"


@pytest.mark.parametrize("page", [ROOT / "README.md", *DOCS], ids=_name)
def test_files_named_in_the_docs_exist(page: Path) -> None:
    """A path of the repository's code names a file; a bare `name.py` names one somewhere in it."""
    for path in set(_PYTHON_FILE.findall(page.read_text(encoding="utf-8"))):
        if "/" in path:
            assert (ROOT / path).is_file(), f"{page.name}: {path}"
        else:
            assert any(any((ROOT / folder).rglob(path)) for folder in CODE), f"{page.name}: {path}"


@pytest.mark.parametrize("page", [page for page in DOCS if page.read_text("utf-8").count("\n") > 150], ids=_name)
def test_long_pages_begin_with_their_contents(page: Path) -> None:
    """Nearly all sections (four in five) are linked before the first of them."""
    head, *sections = re.split(r"^## +(.+)\n", _FENCE.sub("", page.read_text(encoding="utf-8")), flags=re.MULTILINE)
    anchors = [_anchor(heading) for heading in sections[::2]]
    linked = [anchor for anchor in anchors if f"(#{anchor})" in head]
    assert len(linked) >= 0.8 * len(anchors), set(anchors) - set(linked)


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return {_anchor(heading) for heading in headings}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _shell_commands(page: Path) -> list[list[str]]:
    """The words of each command in the page's shell examples, in blocks of `bash` or after a `$ ` prompt."""
    commands = []
    for language, block in _FENCE.findall(page.read_text(encoding="utf-8")):
        if language in ("bash", "sh", "console"):
            commands += _split(block)
        elif not language and _PROMPT.search(block):
            for example in _PROMPT.split(block)[1:]:
                commands += _split(_command_of(example))
    return commands


def _command_of(example: str) -> str:
    """The first lines of a prompt's example: those that its quotes and backslashes hold together."""
    lines = example.splitlines()
    for count in range(1, len(lines) + 1):
        command = "\n".join(lines[:count])
        try:
            shlex.split(command)
        except ValueError:
            continue
        return command
    raise AssertionError(f"a quote is never closed: {example}")


def _split(script: str) -> list[list[str]]:
    """Its commands as words, without comments, assignments before a command, and redirections."""
    commands: list[list[str]] = []
    lexer = shlex.shlex(script.replace("\\\n", " ").replace("\n", "\n; "), posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word and set(word) <= set(";&|"):
            while words and re.match(r"[A-Z_]+=", words[0]):
                words = words[1:]
            if words:
                commands.append(words)
            words = []
        else:
            words.append(word)
    return [words[: next((n for n, word in enumerate(words) if word in ("<", ">", ">>")), None)] for words in commands]


EXAMPLES = [(_name(page), words) for page in PAGES if page.is_file() for words in _shell_commands(page)]


def _calls(program: str) -> list[Any]:
    found = [(page, words[1:]) for page, words in EXAMPLES if Path(words[0]).name == program]
    return [pytest.param(words, id=f"{page}: {program} {' '.join(words)}"[:100]) for page, words in found]


@pytest.mark.parametrize("words", _calls("magpie"))
def test_magpie_commands_in_the_docs_parse(words: list[str]) -> None:
    """By click's own parser: existing commands, existing options, nothing too much or too little."""
    command: click.Command = cli
    context = click.Context(cli, info_name="magpie")
    while isinstance(command, click.Group):
        _, rest, _ = command.make_parser(context).parse_args(words)
        assert rest or "--version" in words or "--help" in words, f"a command is missing after {context.command_path}"
        if not rest:
            return
        child = command.get_command(context, rest[0])
        assert child is not None, f"there is no command {context.command_path} {rest[0]}"
        command, words = child, rest[1:]
        context = click.Context(command, info_name=rest[0], parent=context)
    given, rest, _ = command.make_parser(context).parse_args(words)
    assert not rest, f"{rest} is too much"
    for parameter in command.params:
        value = given.get(parameter.name or "")
        assert not parameter.required or value is not None, f"{parameter.name} is missing"
        if isinstance(value, str) and not isinstance(parameter.type, click.Path):
            parameter.type.convert(value, parameter, context)


def test_cheap_commands_in_the_docs_run(tmp_path: Path) -> None:
    """The README's and the manual's `--version` and `--help`; what is heavy is only parsed."""
    named = [words[1:] for _, words in EXAMPLES if Path(words[0]).name == "magpie" and set(CHEAP) & set(words)]
    for words in [["--version"], ["--help"], *named]:
        subprocess.run([*COMMAND, *words], check=True, capture_output=True, cwd=tmp_path, timeout=120)


def test_the_version_is_the_package_s() -> None:
    printed = subprocess.run([*COMMAND, "--version"], check=True, capture_output=True, text=True, timeout=120).stdout
    version = re.search(r'^version = "(.+)"$', _read("pyproject.toml"), re.MULTILINE)
    assert version and printed == f"magpie {version[1]}\n"


@pytest.mark.parametrize("words", _calls("make"))
def test_make_targets_in_the_docs_exist(words: list[str]) -> None:
    targets = [word for word in words if not word.startswith("-") and "=" not in word]
    known = re.findall(r"^([\w-]+):", _read("Makefile"), re.MULTILINE)
    assert targets and set(targets) <= set(known)


@pytest.mark.parametrize("words", _calls("curl"))
def test_addresses_in_the_docs_exist(app: Flask, words: list[str]) -> None:
    """Each curl example goes to a route that takes its method, and names parameters that are there."""
    address = urlsplit(next(word for word in words if word.startswith(("http://127.0.0.1", "http://localhost"))))
    sends = any(word in ("-d", "--data", "--data-binary", "-F", "--form", "--json") for word in words)
    method = words[words.index("-X") + 1] if "-X" in words else "POST" if sends else "GET"
    rule, _ = app.url_map.bind("localhost").match(address.path, method, return_rule=True)
    document: dict[str, Any] = client_of(app).get("/openapi.json").get_json()
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
    described = document["paths"].get(path, {}).get(method.lower(), {})
    known = {parameter["name"] for parameter in described.get("parameters", []) if parameter["in"] == "query"}
    assert {name for name, _ in parse_qsl(address.query)} <= known


def test_readme_has_the_examples_that_are_checked_here() -> None:
    programs = {Path(words[0]).name for page, words in EXAMPLES if page == "README.md"}
    assert {"make", "magpie", "curl"} <= programs

"""The page's scripts, one file each: all that the modules say, in an order in which it works."""

from pathlib import Path

import pytest

from magpie.data.settings import Settings
from magpie.web.app import create_app
from magpie.web.page.assets import bundle_modules

SCRIPTS = Path(__file__).parents[3] / "web" / "page" / "scripts"


def write(folder: Path, **modules: str) -> Path:
    for name, source in modules.items():
        (folder / f"{name}.js").write_text(source)
    return folder


def test_modules_come_before_those_that_need_them_and_once(tmp_path: Path) -> None:
    bundled = bundle_modules(
        write(
            tmp_path,
            entry='import { b, c } from "./second.js";\nimport { a } from "./first.js";\nb(a + c);\n',
            second='import { a } from "./first.js";\nexport const b = (x) => x + a;\nexport class c {}\n',
            first="export async function a() {}\n",
        ),
        "entry",
    )
    assert bundled.count("async function a") == 1 and "import" not in bundled and "export" not in bundled
    places = [bundled.index(f"const {name}_js") for name in ("first", "second", "entry")]
    assert places == sorted(places)
    assert "return { b, c };" in bundled and "const { b, c } = second_js;" in bundled


@pytest.mark.parametrize(
    "source",
    [
        'import a from "./first.js";',
        'import * as a from "./first.js";',
        "export default 1;",
        "export { a };",
        "export let a;",
    ],
)
def test_other_forms_are_refused_by_name(tmp_path: Path, source: str) -> None:
    with pytest.raises(ValueError, match=r"entry\.js.*bundled"):
        bundle_modules(write(tmp_path, entry=f"{source}\n", first="export const a = 1;\n"), "entry")


def test_modules_that_need_each_other_are_refused(tmp_path: Path) -> None:
    write(tmp_path, one='import { b } from "./two.js";\nexport const a = b;\n')
    write(tmp_path, two='import { a } from "./one.js";\nexport const b = a;\n')
    with pytest.raises(ValueError, match="one → two → one"):
        bundle_modules(tmp_path, "one")


def test_the_pages_script_holds_every_module() -> None:
    page, forgotten = bundle_modules(SCRIPTS, "page"), bundle_modules(SCRIPTS, "forgotten")
    for path in SCRIPTS.glob("*.js"):
        assert f"const {path.stem}_js" in page + forgotten
    assert "recent_js" in forgotten and "suggestions_js" not in forgotten


def test_scripts_are_kept_for_good_by_their_version(settings: Settings) -> None:
    app = create_app(settings)
    with app.test_request_context():
        address = app.url_for("script", name="page")
    client = app.test_client()
    versioned, plain = client.get(address), client.get(address.partition("?")[0])
    assert (
        versioned.mimetype == "text/javascript"
        and versioned.data == plain.data == bundle_modules(SCRIPTS, "page").encode()
    )
    assert versioned.cache_control.immutable and plain.cache_control.no_cache
    assert client.get("/static/crop.js").status_code == 404
    app.extensions["magpie"].close()

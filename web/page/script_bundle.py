"""The page's modules → one script for each page, since a browser that draws has no time to ask for ten.

Plain ES modules of our own are enough for the few forms that this reads: `import { a, b } from "./other.js";` and
`export` before a declaration, each at the beginning of a line. What they declare stays their own, as in modules.
"""

import re
from pathlib import Path

_IMPORT = re.compile(r'^import \{ ([\w, ]+) \} from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:const|class|(?:async )?function) (\w+))", re.MULTILINE)
_LEFT_OVER = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)


def bundle(folder: Path, entry: str) -> str:
    """The module `entry` of the folder with all that it imports, each before the first that needs it.

    Raises ValueError for an import or an export of another form and for modules that need each other, OSError for a
    module that is not there.
    """
    bundled: dict[str, str] = {}
    _add(folder, entry, bundled)
    return "\n".join(bundled.values())


def _add(folder: Path, name: str, bundled: dict[str, str], above: tuple[str, ...] = ()) -> None:
    if name in above:
        raise ValueError(f"modules that need each other cannot be bundled: {' → '.join((*above, name))}")
    source = (folder / f"{name}.js").read_text(encoding="utf-8")
    for _, needed in _IMPORT.findall(source):
        if needed not in bundled:
            _add(folder, needed, bundled, (*above, name))
    exported = ", ".join(_EXPORT.findall(source))
    body = _EXPORT.sub("", _IMPORT.sub(r"const { \1 } = \2_js;", source))
    if left_over := _LEFT_OVER.search(body):
        raise ValueError(f"{name}.js: {left_over.group()!r} is of a form that cannot be bundled")
    bundled[name] = f"const {name}_js = (() => {{\n{body}return {{ {exported} }};\n}})();\n"

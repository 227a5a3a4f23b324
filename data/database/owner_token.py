"""The owner's token: one secret of scope `admin` for each home, in a file that only its owner may read."""

import os
import re
import secrets
from pathlib import Path

from magpie.data.database.api_tokens import PREFIX, new_token
from magpie.data.errors import BadSetting

FILE = "owner-token"
_FORM = re.compile(re.escape(PREFIX) + r"[\w-]{43}")


def make_owner_token(home: Path) -> str:
    """The token of this home, which the first call writes (mode 600). Raises BadSetting where the file holds none."""
    file = home / FILE
    if not file.exists():
        home.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f"{FILE}.{secrets.token_hex(4)}.new")
        try:
            with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as stream:
                stream.write(new_token() + "\n")
            beside.replace(file)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
    token = read_owner_token(home)
    if not token:
        raise BadSetting(f"{file}: holds no token; delete the file, and the next start makes another")
    return token


def read_owner_token(home: Path) -> str:
    """The token of this home, "" where there is none that could be used. Others may not read its file any more."""
    file = home / FILE
    try:
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)
        token = file.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
    return token if _FORM.fullmatch(token) else ""

"""Downloads pictures that are given by URL into the home, only from hosts that the owner named."""

import json
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import blake2b
from pathlib import Path

from magpie.data.errors import BadPicture, NotFetched, TooLarge
from magpie.data.home.atomic_files import write_whole
from magpie.data.pictures.decode import decode_coarsely, verify_picture
from magpie.data.pictures.http_get import FetchPolicy, http_get
from magpie.data.pictures.sandbox import PictureSandbox
from magpie.data.pictures.url_rules import parse_address, parse_rules
from magpie.data.settings import Settings

MOST_REDIRECTS = 3
AT_ONCE = 8
FETCH_AGAIN_AFTER_S = 7 * 86_400.0
GIVE_UP_AFTER = 5  # failures of one host in a row, within one batch


class PictureFetcher:
    """Downloads each URL once, for a week: pictures go to `images/` by content hash, URLs to `fetched/`."""

    def __init__(self, home: Path, policy: FetchPolicy, decoder: PictureSandbox) -> None:
        self._decoder = decoder
        self._images = home.absolute() / "images"
        self._addresses = home.absolute() / "fetched"
        self._policy = policy

    @classmethod
    def of(cls, settings: Settings, decoder: PictureSandbox) -> "PictureFetcher":
        """The fetcher that these settings allow. Raises BadSetting."""
        rules = parse_rules(settings.picture_hosts or "")
        policy = FetchPolicy(rules, settings.max_upload_bytes, settings.max_picture_pixels)
        return cls(settings.home, policy, decoder)

    def fetch_all(self, addresses: Iterable[str]) -> dict[str, Path | str]:
        """For each URL the file with its picture, or the reason why there is none; several are fetched in parallel."""
        distinct = list(dict.fromkeys(addresses))
        if not distinct:
            return {}
        failures: Counter[str] = Counter()

        def fetch(address: str) -> Path | str:
            host = address.split("/")[2:3]
            place = host[0] if host else ""
            if failures[place] >= GIVE_UP_AFTER:
                return "was not fetched: its host did not answer before"
            try:
                found = self.fetch(address)
            except NotFetched as error:
                failures[place] += error.is_of_the_host
                return str(error)
            failures[place] = 0
            return found

        with ThreadPoolExecutor(min(AT_ONCE, len(distinct)), thread_name_prefix="magpie-fetch") as threads:
            return dict(zip(distinct, threads.map(fetch, distinct), strict=True))

    def fetch(self, address: str) -> Path:
        """The file with the picture at this URL, downloaded now or in the last week. Raises NotFetched."""
        parse_address(address, self._policy.rules)
        record = self._addresses / blake2b(address.encode(), digest_size=16).hexdigest()
        kept = self._kept(record)
        if kept and time.time() - record.stat().st_mtime < FETCH_AGAIN_AFTER_S:
            return kept
        try:
            content = self._download(address)
            self._verify(content)
        except (BadPicture, TooLarge) as error:
            raise NotFetched(str(error)) from error
        except NotFetched:
            if kept:  # better an older picture than none
                return kept
            raise
        path = self._images / blake2b(content, digest_size=16).hexdigest()
        if not path.exists():
            write_whole(path, content)
        write_whole(record, json.dumps({"address": address, "content": path.name}).encode())
        return path

    def _verify(self, content: bytes) -> None:
        """Raises BadPicture for content that is not a whole picture, TooLarge."""
        verify_picture(content, "it", self._policy.max_pixels, partial(self._decoder.run, "it", decode_coarsely))

    def _kept(self, record: Path) -> Path | None:
        try:
            path = self._images / str(json.loads(record.read_bytes())["content"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return path if path.is_file() else None

    def _download(self, address: str) -> bytes:
        """The bytes at the URL, redirects followed within the rules. Raises NotFetched."""
        policy, content = self._policy, bytearray()
        until = time.monotonic() + policy.whole_s
        for _ in range(MOST_REDIRECTS + 1):
            answer = http_get(address, policy, content.extend, until, {"Accept": "image/*"})
            if answer.status == 200:
                return bytes(content)
            address = answer.next_address(address)
        raise NotFetched(f"was not fetched: more than {MOST_REDIRECTS} redirects")

"""Finds the encoding of a text feed: UTF-8 or UTF-16 by mark or content, else the likeliest code page."""

import codecs
import re

_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*encoding=["']([\w.:-]{1,40})["']""")
USUAL = "cp1252"  # of Western spreadsheets; holds Latin-1
# code pages that spreadsheets and shops of the last thirty years write
_CODE_PAGES = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp932", "gb18030",
               "big5", "cp949", "koi8_r", "mac_roman"]  # fmt: skip
_SAMPLE_BYTES, _CUT_AT = 100_000, 1 << 16
_FEW = 3
_HALF_WIDTH = re.compile("[\uff61-\uff9f]{3}")  # Chinese that was read as Japanese
_IN_WORDS = re.compile(r"(?<=[^\W\d_])[³¹¿¾¼¯¶±](?=[^\W\d_])|(?<!\w)[³¹¾¼¯¶±](?=[^\W\d_])")  # letters read as signs
# the letters beyond ASCII of the languages that each Latin code page is for (the Unicode CLDR's main exemplars)
_ALPHABETS = {
    "cp1252": ["äöüß", "éèêëàâçîïôùûüœ", "áéíóúñüª", "àèéìòùî", "ãõáéíóúâêôàç", "åäöé", "æøåé", "ëïéèö", "þðýáéíóúæö"],
    "cp1250": ["áčďéěíňóřšťúůýž", "ąćęłńóśźż", "áéíóöőúüű", "ăâîşţ", "čćđšž", "áäčďéíĺľňóôŕšťúýž"],
    "cp1254": ["çğıöşüâîûi̇"],
    "cp1257": ["ąčęėįšųūž", "āčēģīķļņšūž", "äöõüšž"],
}


def find_encoding(head: bytes) -> tuple[str, str]:
    """(encoding, code page of single lines that are not of this encoding) of the feed that begins so.

    Nearly all feeds are UTF-8, so that single lines that are not do not change what the feed is.
    """
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding, USUAL
    declared = _DECLARED.match(head)
    if declared:
        try:
            name = codecs.lookup(declared[1].decode("ascii")).name
        except LookupError:
            name = "utf-8"
        if not name.startswith("utf"):
            return name, USUAL
    if b"\0" in head:
        if head[1::2].count(0) > 0.3 * len(head[1::2]):
            return "utf-16-le", USUAL
        if head[::2].count(0) > 0.3 * len(head[::2]):
            return "utf-16-be", USUAL
    whole = head.splitlines()[:-1] if len(head) >= _CUT_AT else head.splitlines()  # the last line may be cut
    lines = [line for line in whole if not line.isascii()]
    wrong = [line for line in lines if not _is_utf8(line)]
    if not wrong:
        return "utf-8", USUAL
    page = _code_page(b"\n".join(wrong)[:_SAMPLE_BYTES])
    return ("utf-8", page) if len(wrong) < len(lines) / 2 else (page, page)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _code_page(sample: bytes) -> str:
    """The likeliest code page of a text: by its letters where they are Latin, else by the detector."""
    from charset_normalizer import from_bytes

    found = from_bytes(sample, cp_isolation=_CODE_PAGES, enable_fallback=False, threshold=0.5)
    pages = [codecs.lookup(match.encoding).name for match in found]
    pages = [page for page in pages if not _HALF_WIDTH.search(sample.decode(page, "ignore"))]
    latin = max(_ALPHABETS, key=lambda page: _share_of_letters(sample.decode(page, "replace"), _ALPHABETS[page]))
    others = [page for page in pages if page not in _ALPHABETS]
    if sum(letter > "\x7f" for letter in sample.decode("latin-1")) < _FEW:
        return USUAL  # a few letters prove nothing
    letters = [letter for letter in sample.decode(latin, "replace") if letter.isalpha()]
    is_latin = 2 * sum(map(str.isascii, letters)) >= len(letters) and "\ufffd" not in sample.decode(latin, "replace")
    return latin if is_latin or not others else others[0]


def _share_of_letters(text: str, alphabets: list[str]) -> float:
    """The greatest share of the text's letters beyond ASCII that belong to one language's alphabet."""
    letters = [letter for letter in text.casefold() if letter.isalpha() and not letter.isascii()]
    shares = [sum(letter in alphabet for letter in letters) for alphabet in alphabets]
    mixed = 0.9 * sum(letter in "".join(alphabets) for letter in letters)  # of several languages at once
    return max(*shares, mixed) / max(1, len(letters) + len(_IN_WORDS.findall(text)))

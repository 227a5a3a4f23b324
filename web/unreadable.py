"""What gunicorn's parser refuses → the answer to whoever sent it, as problem details like every other."""

from http import HTTPStatus

from gunicorn.http.errors import (
    ExpectationFailed,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)

from magpie.web.wire import Refusal

MAX_ADDRESS_CHARS = 8190  # gunicorn's own most
FAILED = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "The server failed at this request. Its log says why.")
_NO_REQUEST = Refusal(HTTPStatus.BAD_REQUEST, "This is no request that can be read: see RFC 9112.")
_REFUSALS: tuple[tuple[type[Exception], Refusal], ...] = (
    (
        LimitRequestLine,
        Refusal(
            HTTPStatus.REQUEST_URI_TOO_LONG,
            f"The address is longer than {MAX_ADDRESS_CHARS:,} characters. Send the search as JSON: POST /api/search.",
        ),
    ),
    (
        LimitRequestHeaders,
        Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "There are too many or too long headers."),
    ),
    (UnsupportedTransferCoding, Refusal(HTTPStatus.NOT_IMPLEMENTED, "This Transfer-Encoding is not taken here.")),
    (ExpectationFailed, Refusal(HTTPStatus.EXPECTATION_FAILED, "Of Expect only 100-continue is known.")),
    (InvalidResponseHeader, FAILED),
    (InvalidResponseHeaderName, FAILED),
    (ParseException, _NO_REQUEST),
)


def refusal_of(error: BaseException) -> Refusal:
    """The answer; FAILED where the sender is not at fault."""
    return next((refusal for kind, refusal in _REFUSALS if isinstance(error, kind)), FAILED)

"""What went wrong in an exchange, as one sentence for the page that lists attempts."""

import http.client
import ssl
from collections.abc import Iterator
from socket import gaierror

from requests_hardened.ip_filter import InvalidIPAddress
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util.ssl_match_hostname import CertificateError

from webhooks.addresses import BadAddress, Place, demand_permitted
from webhooks.deadline import CONNECTED, ENDED, Exchange, TooMuch

LONGEST = 300


def ended(problem: BaseException) -> bool:
    """True when the receiver ended the connection, in whichever way."""
    ways = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
    return any(isinstance(cause, ways) for cause in _causes(problem))


def sentence(problem: BaseException, place: Place, exchange: Exchange) -> str:
    # requests and urllib3 wrap each other's errors, some twice; what began it all tells most.
    told = (_told(cause, place, exchange) for cause in reversed(list(_causes(problem))))
    said = next(filter(None, told), f"The request failed: {problem}.")
    # An error may carry what a receiver sent, of any length and kind.
    return "".join(sign if sign.isprintable() else " " for sign in said)[:LONGEST]


def _causes(problem: BaseException | None) -> Iterator[BaseException]:
    while problem:
        yield problem
        problem = problem.__cause__ or problem.__context__


def _told(cause: BaseException, place: Place, exchange: Exchange) -> str:
    """The sentence for one error, "" for one that only wraps another."""
    match cause:
        case BadAddress():
            return str(cause)
        case TooMuch():
            return "The answer was cut off: it has too many headers, or they are too long."
        case InvalidIPAddress():
            try:
                demand_permitted(place.host, str(cause.args[0]))
            except BadAddress as problem:
                return str(problem)
            return f"{place.host} is at {cause.args[0]}, which is not public."
        case TimeoutError():
            return f"Given up after {exchange.seconds:g} seconds, before {exchange.before}."
        case gaierror():
            return f"The name {place.host} could not be found."
        case ssl.SSLCertVerificationError() | CertificateError():
            return f"The certificate of {place} is not valid: {getattr(cause, 'verify_message', cause)}."
        case ssl.SSLEOFError() | ConnectionResetError() | BrokenPipeError():
            return f"{place} closed the connection before {exchange.before}."
        case ssl.SSLError():
            return f"TLS with {place} failed: {cause.reason or cause}."
        case http.client.IncompleteRead():
            return f"{place} closed the connection before {ENDED}."
        case http.client.HTTPException() | InvalidHeader():
            return f"What {place} answers is not HTTP: {cause}."
        case HTTPError():
            return ""
        case OSError() if exchange.before == CONNECTED:
            return f"{place} could not be reached: {cause.strerror or cause}."
    return ""

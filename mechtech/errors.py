"""The errors of the domain, and the blueprint that turns every error into the contract's answer."""

import logging
import sqlite3

from flask import Blueprint, request
from limits.errors import StorageError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

log = logging.getLogger("mechtech")


class Refusal(Exception):
    """Something the service will not do; `message` is for a person, `fields` says what is wrong where."""

    message = "The request was refused."

    def __init__(
        self, message: str | None = None, fields: dict[str, str] | None = None, retry_after: int | None = None
    ):
        super().__init__(message or self.message)
        self.fields = fields
        self.retry_after = retry_after  # seconds


class OriginForbidden(Refusal):
    message = "This origin may not use the service."


class RateLimited(Refusal):
    message = "Too many requests. Please try again later."


class InvalidJSON(Refusal):
    message = "The body must be a JSON object."


class Invalid(Refusal):
    message = "Please check the fields that are marked."


class Unauthorized(Refusal):
    message = "Please sign in."


class InvalidCredentials(Refusal):
    message = "The e-mail address or the password is wrong."


class Forbidden(Refusal):
    message = "You are not allowed to do this."


class NotFound(Refusal):
    message = "There is nothing here."


class NotAllowed(Refusal):
    message = "This method is not allowed here."


class Conflict(Refusal):
    message = "The present state does not allow this."


class PayloadTooLarge(Refusal):
    message = "The body is larger than 64 KiB."


class UnsupportedMediaType(Refusal):
    message = "The body must be sent as application/json."


class ServerError(Refusal):
    message = "Something went wrong on our side."


class Unavailable(Refusal):
    message = "The service is not available for the moment. Please try again."


ANSWERS = {
    OriginForbidden: (403, "cors_forbidden"),
    RateLimited: (429, "rate_limited"),
    InvalidJSON: (400, "invalid_json"),
    Invalid: (400, "validation"),
    Unauthorized: (401, "unauthorized"),
    InvalidCredentials: (401, "invalid_credentials"),
    Forbidden: (403, "forbidden"),
    NotFound: (404, "not_found"),
    NotAllowed: (405, "method_not_allowed"),
    Conflict: (409, "conflict"),
    PayloadTooLarge: (413, "payload_too_large"),
    UnsupportedMediaType: (415, "unsupported_media_type"),
    ServerError: (500, "server_error"),
    Unavailable: (503, "unavailable"),
}
BY_STATUS = {status: refusal for refusal, (status, _) in reversed(ANSWERS.items())}

# sqlite3's codes for a statement that is wrong: our mistake, so a 500. Whatever else the database reports is its own
# state (locked, full, read-only, damaged, gone), and a 503.
OUR_MISTAKES = (
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_RANGE,
)

errors = Blueprint("errors", __name__)


@errors.app_errorhandler(Refusal)
def refused(refusal: Refusal):
    status, code = ANSWERS[type(refusal)]
    body = {"error": code, "message": str(refusal), "requestId": request.environ["mechtech.request_id"]}
    headers = {}
    if refusal.fields:
        body["fields"] = refusal.fields
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    return body, status, headers


@errors.app_errorhandler(HTTPException)
def refused_by_routing(error: HTTPException):
    body, status, headers = refused(BY_STATUS.get(error.code, NotFound)())
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return body, status, headers


@errors.app_errorhandler(sqlite3.Error)
@errors.app_errorhandler(StorageError)
def database_failed(error: Exception):
    """The database or the limiter's storage: 503 for its state, 500 for a mistake of ours."""
    cause = error.__cause__ or error
    code = getattr(cause, "sqlite_errorcode", None)
    if isinstance(cause, sqlite3.Error) and (code is None or code & 0xFF in OUR_MISTAKES):
        return unforeseen(error)
    log.error("id=%s unavailable: %s: %s", request.environ["mechtech.request_id"], type(cause).__name__, cause)
    return refused(Unavailable(retry_after=1))


@errors.app_errorhandler(Exception)
def unforeseen(error: Exception):
    """The only place where the cause of a 500 is told: the log, under the request id."""
    log.error("id=%s unforeseen", request.environ["mechtech.request_id"], exc_info=error)
    return refused(ServerError())

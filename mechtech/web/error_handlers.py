"""Every error becomes the contract's answer here, whatever raised it."""

import logging
import sqlite3

from flask import Blueprint, request
from limits.errors import StorageError
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed

from mechtech.errors import InvalidJSON, NotAllowed, NotFound, Refusal, ServerError, Unavailable

log = logging.getLogger("mechtech")

OF_ROUTING = {404: NotFound, 405: NotAllowed}

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
    body = {"error": refusal.code, "message": str(refusal), "requestId": request.environ["mechtech.request_id"]}
    headers = {}
    if refusal.fields:
        body["fields"] = refusal.fields
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    return body, refusal.status, headers


@errors.app_errorhandler(HTTPException)
def refused_by_routing(error: HTTPException):
    body, status, headers = refused(OF_ROUTING.get(error.code, InvalidJSON)())
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


@errors.app_errorhandler(InternalServerError)
def failed_at_the_end(error: InternalServerError):
    """While an answer was written: Flask wraps that."""
    return unforeseen(error.original_exception or error)


@errors.app_errorhandler(Exception)
def unforeseen(error: Exception):
    """The only place where the cause of a 500 is told: the log, under the request id."""
    log.error("id=%s unforeseen", request.environ["mechtech.request_id"], exc_info=error)
    return refused(ServerError())

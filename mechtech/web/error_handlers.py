"""Every error becomes the contract's answer here, whatever raised it."""

import logging

from flask import Blueprint, request
from limits.errors import StorageError
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed

from mechtech.errors import (
    InvalidJSON,
    InvalidToken,
    NotAllowed,
    NotFound,
    RateLimited,
    Refusal,
    ServerError,
    TokenExpired,
    Unavailable,
)
from mechtech.web.request_log import of_request

log = logging.getLogger("mechtech")

OF_HTTP = {404: NotFound, 405: NotAllowed, 429: RateLimited}

# What RFC 6750 has a client told about its token.
CHALLENGES = {
    InvalidToken: 'Bearer error="invalid_token", error_description="The token is not valid"',
    TokenExpired: 'Bearer error="invalid_token", error_description="The token has expired"',
}

errors = Blueprint("errors", __name__)


@errors.app_errorhandler(Refusal)
def refused(refusal: Refusal):
    body = {"error": refusal.code, "message": str(refusal), "requestId": request.environ["mechtech.request_id"]}
    headers = {}
    if refusal.fields:
        body["fields"] = refusal.fields
    if refusal.status == 401:
        headers["WWW-Authenticate"] = CHALLENGES.get(type(refusal), "Bearer")
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    return body, refusal.status, headers


@errors.app_errorhandler(HTTPException)
def refused_by_routing(error: HTTPException):
    body, status, headers = refused(OF_HTTP.get(error.code, InvalidJSON)())
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return body, status, headers


@errors.app_errorhandler(Unavailable)
def unavailable(refusal: Unavailable):
    """The database is locked, full, read-only, damaged or gone. The cause is told in the log only."""
    cause = refusal.__cause__ or refusal
    log.error("unavailable: %s: %s", type(cause).__name__, cause, extra=of_request())
    return refused(refusal)


@errors.app_errorhandler(StorageError)
def storage_failed(error: StorageError):
    """The limiter's storage cannot count."""
    refusal = Unavailable(retry_after=1)
    refusal.__cause__ = error.__cause__ or error
    return unavailable(refusal)


@errors.app_errorhandler(InternalServerError)
def failed_at_the_end(error: InternalServerError):
    """While an answer was written: Flask wraps that."""
    return unforeseen(error.original_exception or error)


@errors.app_errorhandler(Exception)
def unforeseen(error: Exception):
    """The only place where the cause of a 500 is told: the log, under the request id."""
    log.error("unforeseen", exc_info=error, extra=of_request())
    return refused(ServerError())

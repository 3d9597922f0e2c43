"""Every error becomes the contract's answer here, whatever raised it."""

import logging

from flask import Blueprint, request
from limits.errors import StorageError
from werkzeug.exceptions import HTTPException, InternalServerError

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
    if allowed := getattr(error, "valid_methods", None):
        headers["Allow"] = ", ".join(sorted(allowed))
    return body, status, headers


@errors.app_errorhandler(StorageError)
@errors.app_errorhandler(Unavailable)
def unavailable(error: Unavailable | StorageError):
    """The database or the limiter's storage is locked, full, read-only, damaged or gone; the log tells the cause."""
    cause = error.__cause__ or error
    log.error("unavailable: %s: %s", type(cause).__name__, cause)
    return refused(error if isinstance(error, Unavailable) else Unavailable(retry_after=1))


@errors.app_errorhandler(InternalServerError)
@errors.app_errorhandler(Exception)
def unforeseen(error: Exception):
    """The only place where the cause of a 500 is told: the log, under the request id.

    InternalServerError is what Flask makes of an error while an answer was written.
    """
    log.error("unforeseen", exc_info=getattr(error, "original_exception", None) or error)
    return refused(ServerError())

"""Every error becomes the contract's answer here, whatever raised it."""

import logging

from flask import Blueprint, current_app, request
from limits.errors import StorageError
from werkzeug.exceptions import HTTPException, InternalServerError

from mechtech import errors
from mechtech.web.rate_limit import limited

log = logging.getLogger("mechtech")

OF_HTTP = {
    400: errors.InvalidJSON,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.NotAllowed,
    409: errors.Conflict,
    413: errors.PayloadTooLarge,
    415: errors.UnsupportedMediaType,
    429: errors.RateLimited,
    503: errors.Unavailable,
}
# What RFC 6750 has a client told about its token.
CHALLENGES = {
    errors.InvalidToken: 'Bearer error="invalid_token", error_description="The token is not valid"',
    errors.TokenExpired: 'Bearer error="invalid_token", error_description="The token has expired"',
}

error_handlers = Blueprint("errors", __name__)


@error_handlers.app_errorhandler(errors.Refusal)
def refused(refusal: errors.Refusal):
    body = {"error": refusal.code, "message": str(refusal), "requestId": request.environ["mechtech.request_id"]}
    headers = {}
    if refusal.fields:
        body["fields"] = refusal.fields
    if refusal.status == 401:
        headers["WWW-Authenticate"] = CHALLENGES.get(type(refusal), "Bearer")
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    return body, refusal.status, headers


@error_handlers.app_errorhandler(HTTPException)
def refused_by_http(error: HTTPException):
    """What routing raises, and abort(). An error that the contract does not know stays as Flask has it."""
    if error.code not in OF_HTTP:
        return error
    over = error.code == 429 and current_app.extensions["mechtech.limiter"].current_limit  # a view's own limit
    body, status, headers = refused(limited(over.reset_at) if over else OF_HTTP[error.code]())
    if allowed := getattr(error, "valid_methods", None):
        headers["Allow"] = ", ".join(sorted(allowed))
    return body, status, headers


@error_handlers.app_errorhandler(StorageError)
@error_handlers.app_errorhandler(errors.Unavailable)
def unavailable(error: errors.Unavailable | StorageError):
    """The database or the limiter's storage is locked, full, read-only, damaged or gone; the log tells the cause."""
    cause = error.__cause__ or error
    log.error("unavailable: %s: %s", type(cause).__name__, cause)
    return refused(error if isinstance(error, errors.Unavailable) else errors.Unavailable(retry_after=1))


@error_handlers.app_errorhandler(InternalServerError)
@error_handlers.app_errorhandler(Exception)
def unforeseen(error: Exception):
    """The only place where the cause of a 500 is told: the log, under the request id.

    InternalServerError is what Flask makes of an error while an answer was written.
    """
    log.error("unforeseen", exc_info=getattr(error, "original_exception", None) or error)
    return refused(errors.ServerError())

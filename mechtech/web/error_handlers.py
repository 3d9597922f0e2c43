"""Every error becomes the contract's answer here, whatever raised it."""

import logging

from flask import Blueprint, current_app, request
from flask_limiter import RateLimitExceeded
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
    body = {"error": refusal.code, "message": str(refusal), "requestId": request.environ.get("mechtech.request_id")}
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
    if error.code not in OF_HTTP or error.response:
        return error
    refusal = OF_HTTP[error.code](vars(error).get("description") or "")  # abort's, if it was given one
    if isinstance(error, RateLimitExceeded):  # of a view's own limit
        until = current_app.extensions["mechtech.limiter"].current_limit.reset_at
        refusal = limited(until, error.description if error.limit.error_message else "")
    body, status, headers = refused(refusal)
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
def unforeseen(error: InternalServerError):
    """What Flask makes of an error without a handler, once App.log_exception has told the cause; or abort(500)."""
    if error.original_exception is None:
        current_app.log_exception((type(error), error, error.__traceback__))
    return refused(errors.ServerError())

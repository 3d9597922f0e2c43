"""The errors of the domain: what the service will not do, and the code and status by which clients know it."""


class Refusal(Exception):
    """Something the service will not do; `message` is for a person, `fields` says what is wrong where."""

    def __init__(self, message: str = "", fields: dict[str, str] | None = None, retry_after: int | None = None):
        super().__init__(message or self.message)
        self.fields = fields
        self.retry_after = retry_after  # seconds


def _refusal(status: int, code: str, message: str) -> type[Refusal]:
    return type(code, (Refusal,), {"status": status, "code": code, "message": message})


OriginForbidden = _refusal(403, "cors_forbidden", "This origin may not use the service.")
RateLimited = _refusal(429, "rate_limited", "Too many requests. Please try again later.")
InvalidJSON = _refusal(400, "invalid_json", "The body must be a JSON object.")
Invalid = _refusal(400, "validation", "Please check the fields that are marked.")
Unauthorized = _refusal(401, "unauthorized", "Please sign in.")
InvalidToken = _refusal(401, "unauthorized", "This token is not valid, please sign in again.")
TokenExpired = _refusal(401, "token_expired", "Your session has expired, please sign in again.")
InvalidCredentials = _refusal(401, "invalid_credentials", "The e-mail address or the password is wrong.")
Forbidden = _refusal(403, "forbidden", "You are not allowed to do this.")
NotFound = _refusal(404, "not_found", "Not found.")
NotAllowed = _refusal(405, "method_not_allowed", "This method is not allowed here.")
Conflict = _refusal(409, "conflict", "The present state does not allow this.")
PayloadTooLarge = _refusal(413, "payload_too_large", "The body is larger than 64 KiB.")
UnsupportedMediaType = _refusal(415, "unsupported_media_type", "The body must be sent as application/json.")
ServerError = _refusal(500, "server_error", "Something went wrong on our side.")
Unavailable = _refusal(503, "unavailable", "The service is not available for the moment. Please try again.")


def found(row):
    """The row, or the rows, which must be there. Raises NotFound."""
    if not row:
        raise NotFound
    return row

"""/api/contact: messages from the site's form, for an admin to read."""

from flask import Blueprint

from mechtech.contact import repository
from mechtech.contact.schemas import MESSAGE_ID, ContactBody, ContactQuery, Message
from mechtech.errors import Conflict, found
from mechtech.web.answers import NEXT_CURSOR, SENTENCE, TOTAL, gives
from mechtech.web.authentication import Caller, admin, anyone
from mechtech.web.body import asks, takes
from mechtech.web.idempotency import RetryHeaders
from mechtech.web.paging import PageQuery

contact = Blueprint("contact", __name__, url_prefix="/api/contact")


@contact.post("")
@takes(ContactBody, headers=RetryHeaders)
@anyone
@gives(201, Conflict, message=SENTENCE, id=MESSAGE_ID)
def create(fields: dict) -> tuple[dict, int]:
    """Send a message."""
    return {"message": "Thank you, we have your message.", "id": repository.create(fields)}, 201


@contact.get("")
@asks(ContactQuery)
@admin
@gives(total=TOTAL, messages=[Message], nextCursor=NEXT_CURSOR)
def list_page(query: PageQuery, caller: Caller) -> dict:
    """List the messages, the newest first."""
    messages, total, following = repository.list_page(query.filters, query.after, query.limit)
    return {"total": total, "messages": messages, "nextCursor": query.cursor(following)}


@contact.get("/<row_id:id>")
@admin
@gives(message=Message)
def show(id: int, caller: Caller) -> dict:
    """Show a message."""
    return {"message": found(repository.find(id))}


@contact.put("/<row_id:id>/read")
@admin
@gives(message=SENTENCE, messageId=MESSAGE_ID)
def mark_read(id: int, caller: Caller) -> dict:
    """Mark a message as read."""
    found(repository.mark_read(id))
    return {"message": "The message is marked as read.", "messageId": id}


@contact.delete("/<row_id:id>")
@admin
@gives(message=SENTENCE, messageId=MESSAGE_ID)
def delete(id: int, caller: Caller) -> dict:
    """Delete a message."""
    found(repository.delete(id))
    return {"message": "The message is deleted.", "messageId": id}

"""/docs in Chromium, which reaches no other host: one reads there, signs in, tries calls and sees their answers."""

import json

from playwright.sync_api import expect

from tests.browser.conftest import ADMIN
from tests.conftest import BOOKING, CONTACT
from tests.endpoints import ENDPOINTS


def open_docs(garage):
    """The page, once it shows the description, and what the browser's console says about it."""
    page = garage.open("/docs")
    said = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    answer = page.reload()
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    expect(page.locator(".opblock")).to_have_count(len(ENDPOINTS))
    return page, said


def try_call(page, operation, body=None):
    """The answer's part of an operation that was opened and executed. operation: tag/operationId."""
    opened = page.locator(f"#operations-{operation.replace('/', '-')}")
    if not opened.locator(".execute").count():
        opened.locator(".opblock-summary-control").click()
    if body is not None:
        opened.locator("textarea.body-param__text").fill(json.dumps(body))
    opened.locator(".execute").click()
    return opened.locator(".live-responses-table tbody")


def test_who_signs_in_there_is_signed_in_for_the_next_call(garage):
    page, said = open_docs(garage)
    expect(try_call(page, "auth/auth_login", {"email": ADMIN, "password": "password123"})).to_contain_text("200")
    answer = try_call(page, "auth/auth_show_profile")
    expect(answer).to_contain_text(ADMIN)
    expect(answer).to_contain_text("x-ratelimit-remaining")
    assert said == []


def test_a_guest_who_books_there_sees_the_booking(garage):
    page, said = open_docs(garage)
    expect(try_call(page, "booking/booking_create", BOOKING)).to_contain_text("BK000001")
    shown = page.locator("#operations-booking-booking_show")
    shown.locator(".opblock-summary-control").click()
    shown.locator("input[placeholder=id]").fill("BK000001")
    expect(try_call(page, "booking/booking_show")).to_contain_text('"by": "guest"')
    assert said == []


def test_a_token_may_be_pasted(garage):
    page, _ = open_docs(garage)
    garage.call("POST", "/api/contact", CONTACT)
    page.locator(".btn.authorize").first.click()
    page.get_by_label("auth-bearer-value").first.fill(garage.token)
    page.locator(".auth-btn-wrapper .authorize").first.click()
    page.locator(".btn-done").first.click()
    expect(try_call(page, "contact/contact_list_page")).to_contain_text(CONTACT["message"])


def test_an_error_is_shown_field_by_field(garage):
    page, _ = open_docs(garage)
    answer = try_call(page, "booking/booking_create", {**BOOKING, "email": "nobody", "brand": ""})
    expect(answer).to_contain_text("This is not an e-mail address.")
    expect(answer).to_contain_text('"brand": "This field is required."')


def test_the_index_for_a_browser_leads_there(garage):
    page = garage.open("/")
    page.locator("a[href='/docs']").click()
    expect(page.locator(".opblock").first).to_be_visible()

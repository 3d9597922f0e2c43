"""docs/original-site.js in Chromium: pages that read as the original's do show what is there, and run nothing of it.

The pages in original/ read bare arrays, other names and `b.id.substring`, and write by innerHTML.
"""

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import MILLISECONDS, Garage
from tests.browser.site import site
from tests.conftest import BOOKING, CONTACT
from tests.tools import running, sign_up

PAGES = Path(__file__).parent / "original"
MARKUP = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"


@pytest.fixture
def original(tmp_path, chromium):
    """A garage, and a function that opens a page of the original site and may sign in there."""
    with site(tmp_path) as address, running(tmp_path, CORS_ORIGINS=address) as server:
        garage = Garage(server, chromium)
        for page in PAGES.iterdir():
            text = page.read_text(encoding="utf-8").replace("{api}", garage.address)
            (tmp_path / "site" / page.name).write_text(text, encoding="utf-8")

        def open_page(name, signed_in=True):
            page = chromium.new_context().new_page()
            page.set_default_timeout(MILLISECONDS)
            page.clock.install()
            page.goto(f"{address}/{name}.html")
            if signed_in:
                sign_in(page)
            return page

        garage.open_page = open_page
        yield garage
        for context in chromium.contexts:
            context.close()


def sign_in(page, email="admin@example.com", password="password123"):
    page.fill("dialog [name=email]", email)
    page.fill("dialog [name=password]", password)
    page.keyboard.press("Enter")


def cells(page, place):
    expect(page.locator(f"#{place} tr").first).to_be_visible()
    return [row.locator("td").all_inner_texts() for row in page.locator(f"#{place} tr").all()]


def test_the_dashboard_shows_bookings_messages_and_mechanics(original):
    for number in range(6):
        original.book(name=f"Driver {number}")
    original.call("POST", "/api/contact", CONTACT)
    page = original.open_page("dashboard")
    assert cells(page, "bookings")[0] == ["#BK000006", "Driver 5", "Car"]
    assert len(cells(page, "bookings")) == 5
    assert cells(page, "contacts") == [["Jane Roe", "jane.roe@example.com", "Do you repair motorc..."]]
    assert ["Near Nina", "N/A", "0 yrs"] in cells(page, "mechanics")
    expect(page.locator("#status")).to_have_text("Online")
    assert page.locator("#bookingCount").inner_text() == "6"


def test_the_admin_page_lists_all_of_them(original):
    original.book()
    original.call("POST", "/api/contact", CONTACT)
    original.hire("Towing Tom", specializations="Towing", experience_years=12)
    page = original.open_page("admin")
    assert cells(page, "bookings") == [
        ["#BK000001", BOOKING["name"], BOOKING["email"], BOOKING["phone"], "Car", "Engine Repair"]
    ]
    assert cells(page, "contacts") == [["Jane Roe", "N/A", "Do you repair motorcycles too?..."]]
    assert ["Towing Tom", "Towing", "12 years"] in cells(page, "mechanics")


@pytest.mark.parametrize("name", ["dashboard", "admin"])
def test_markup_of_a_customer_is_shown_as_it_was_typed_and_never_run(original, name):
    original.book(name=MARKUP[:100], vehicleType=MARKUP[:50], service_type=MARKUP[:100])
    message = "It's <b>Tom & Co</b>'s \"van\"" + MARKUP
    original.call("POST", "/api/contact", {"fullName": MARKUP[:100], "email": "a@example.com", "message": message})
    original.hire(MARKUP[:100], email="m@garage.example", specializations=MARKUP)
    page = original.open_page(name)
    assert cells(page, "bookings")[0][:2] == ["#BK000001", MARKUP[:100]]
    assert cells(page, "contacts")[0][0] == MARKUP[:100]
    assert cells(page, "contacts")[0][-1] == message[: 20 if name == "dashboard" else 40] + "..."
    assert MARKUP in [row[1] for row in cells(page, "mechanics")]
    page.wait_for_timeout(200)
    assert page.locator("td img, td script, td b").count() == 0
    assert page.title() != "run"


def test_the_counts_are_of_all_though_the_newest_200_are_listed(original):
    for _ in range(205):
        original.book()
    page = original.open_page("admin")
    assert len(cells(page, "bookings")) == 200
    assert page.locator("#totalBookings").inner_text() == "205"


def test_a_wrong_password_is_told_and_one_signing_in_is_enough(original):
    original.book()
    page = original.open_page("dashboard", signed_in=False)
    sign_in(page, password="wrong password")
    expect(page.locator("dialog [role=alert]")).not_to_have_text("Please sign in as an admin.")
    sign_in(page)
    assert cells(page, "bookings")
    page.reload()
    assert cells(page, "bookings")
    assert page.locator("dialog").count() == 0


def test_who_cannot_be_answered_and_who_is_no_admin_may_sign_in_again(original):
    original.call("POST", "/api/contact", CONTACT)
    sign_up(original.server, "customer@example.com")
    page = original.open_page("dashboard", signed_in=False)
    page.route("**/api/auth/login", lambda route: route.abort(), times=1)
    sign_in(page, email="customer@example.com")
    expect(page.locator("dialog [role=alert]")).to_have_text("The service cannot be reached. Please try again.")
    page.keyboard.press("Enter")
    expect(page.locator("dialog [role=alert]")).to_have_text("Please sign in as an admin.")
    sign_in(page)
    assert cells(page, "contacts")


def test_a_session_that_ended_asks_to_sign_in_again(original):
    original.book()
    page = original.open_page("dashboard")
    assert cells(page, "bookings")
    original.call("POST", "/api/auth/logout", token=page.evaluate("sessionStorage['mechtech.token']"))
    original.book()
    page.reload()
    sign_in(page)
    assert len(cells(page, "bookings")) == 2


@pytest.mark.parametrize("name", ["dashboard", "admin"])
def test_a_quarter_of_an_hour_of_polling_stays_within_the_limit(original, name):
    original.book()
    page = original.open_page(name, signed_in=False)
    calls, answered = [], []
    for event, requests in (("request", calls), ("requestfinished", answered), ("requestfailed", answered)):
        page.on(event, lambda request, requests=requests: requests.append(request) if "/api/" in request.url else None)
    sign_in(page)
    assert cells(page, "bookings")
    for _ in range(90):
        page.clock.run_for(10_000)
        page.wait_for_timeout(20)
        while len(answered) < len(calls):  # the page's clock hardly moves meanwhile
            page.wait_for_timeout(20)
    counted = [one for one in calls if one.method != "OPTIONS"]
    assert 30 <= len(counted) < 50
    original.book()
    page.clock.run_for(80_000)
    expect(page.locator("#bookings tr")).to_have_count(2)


def test_a_service_that_refuses_is_no_empty_list(original):
    page = original.open_page("dashboard", signed_in=False)
    page.route("**/api/booking?*", lambda route: route.fulfill(status=503, json={"message": "Later."}))
    sign_in(page)
    expect(page.locator("#bookings")).to_have_text("Could not load bookings")


def test_what_is_no_list_is_passed_on_as_it_is(original):
    page = original.open_page("dashboard")
    book = "given => fetch('/api/booking/', given).then(answer => answer.json())"
    sent = {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": json.dumps(BOOKING)}
    made = page.evaluate(book, sent)
    assert made["id"] == "BK000001"
    assert "bookingToken" in made
    found = page.evaluate("fetch('/api/mechanics?limit=1').then(answer => answer.json())")
    assert (found["total"], len(found["mechanics"])) == (3, 1)
    assert page.evaluate("fetch('/api/none').then(answer => answer.status)") == 404
    assert page.evaluate("fetch('original-site.js').then(answer => answer.text())").startswith("// Lets")

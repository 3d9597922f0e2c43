"""What holds for the pages whatever is done there: sessions, conflicts, markup, sizes, accessibility, refreshing."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import check_accessible
from tests.conftest import BOOKING
from tests.tools import sign_up, sql

MARKUP = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
VIEWS = ["#BK000001", "#waiting", "#new", "#all", "#messages", "#mechanics"]


def test_a_session_that_ended_asks_to_sign_in_and_loses_nothing(garage):
    garage.book()
    owner = garage.dispatch("#BK000001")
    owner.get_by_text("Correct the phone").click()
    owner.fill("#correct-location", "Typed before it expired")
    garage.call("POST", "/api/auth/logout", token=garage.token)
    owner.get_by_role("button", name="Save the corrections").click()
    expect(owner.locator("#sign-in")).to_be_visible()
    expect(owner.locator("#sign-in-email")).to_have_value("admin@example.com")
    garage.sign_in(owner, password="wrong password")
    expect(owner.locator("#sign-in-password-error")).to_be_visible()
    garage.sign_in(owner)
    expect(owner.locator("#opened dl")).to_contain_text("Typed before it expired")


def test_a_customer_does_not_get_in(garage):
    sign_up(garage.server, "customer@example.com")
    page = garage.open("/admin")
    garage.sign_in(page, email="customer@example.com")
    expect(page.locator("#sign-in-email-error")).to_have_text("This account is not an admin's.")
    page.keyboard.press("Escape")
    expect(page.locator("#sign-in")).to_be_visible()


def test_signing_out_ends_the_session(garage):
    owner = garage.dispatch()
    token = owner.evaluate("localStorage.getItem('mechtech.token')")
    owner.get_by_role("button", name="Sign out").click()
    expect(owner.locator("#sign-in")).to_be_visible()
    assert garage.server.call("GET", "/api/auth/profile", token=token).status == 401


def test_two_who_work_at_once_see_a_conflict_as_a_sentence(garage):
    garage.book()
    one, other = garage.dispatch("#BK000001"), garage.dispatch("#BK000001")
    one.get_by_role("button", name="Confirm with Near Nina").click()
    expect(one.locator("#opened h2")).to_contain_text("confirmed")
    other.get_by_role("button", name="Confirm with Middle Mo").click()
    expect(other.locator("#opened-says")).to_contain_text("A booking that is confirmed cannot become confirmed.")
    expect(other.locator("#opened dl")).to_contain_text("Near Nina")


def test_what_a_customer_wrote_is_never_run(garage):
    texts = ("name", "vehicleType", "brand", "model", "service_type", "description", "location")
    fields = {name: MARKUP[: 50 if name in ("vehicleType", "brand", "model") else 100] for name in texts}
    booked = garage.book(**fields)
    garage.call("POST", "/api/contact", {"fullName": MARKUP[:100], "email": "a@example.com", "message": MARKUP})
    garage.hire(MARKUP[:100], email="markup@garage.example", specializations=MARKUP)
    owner = garage.dispatch("#BK000001")
    owner.wait_for_selector(".nearest li")
    for view in VIEWS:
        owner.goto(f"{garage.address}/admin{view}")
        owner.wait_for_timeout(150)
    guest = garage.open(f"/booking#token={booked['bookingToken']}")
    expect(guest.locator("dl")).to_contain_text("<img src=x")
    for page in (owner, guest):
        assert page.locator("img, body script").count() == 0
        assert page.title() != "run"


def test_new_bookings_are_marked_and_counted_every_30_seconds_but_not_while_hidden(garage):
    garage.book()
    page = garage.open("/admin")
    page.clock.install()
    calls = []
    page.on("request", lambda request: calls.append(request.url) if "/api/booking?" in request.url else None)
    garage.sign_in(page)
    expect(page).to_have_title("(1) Dispatch \N{EN DASH} MechTECH")
    garage.book()
    page.clock.run_for(31_000)
    expect(page).to_have_title("(2) Dispatch \N{EN DASH} MechTECH")
    expect(page.locator("#news")).to_have_text("1 new booking")
    expect(page.locator("#waiting-2 .unseen")).to_have_text("New")
    assert len(calls) == 2
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true, configurable: true})")
    page.clock.run_for(300_000)
    assert len(calls) == 2
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => false})")
    with page.expect_request("**/api/booking?**"):
        page.clock.run_for(2_000)


def test_waiting_bookings_come_oldest_first_with_how_long_they_have_waited(garage):
    for name in ("First", "Second"):
        garage.book(name=name)
    update = "UPDATE bookings SET created_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-125 minutes') WHERE id = 1"
    sql(garage.server.environ["DB_PATH"], update)
    rows = garage.dispatch().locator("#waiting-rows li")
    expect(rows.first).to_contain_text("2 h 5 min")
    expect(rows.nth(1)).to_contain_text("0 min")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_every_view_is_accessible_and_no_wider_than_the_screen(garage, width, scheme):
    booked = garage.book(location="W" * 400, description="Ünbröken" * 100)
    garage.call("POST", "/api/contact", {"fullName": "W" * 100, "email": "a@example.com", "message": "W" * 900})
    look = {"viewport": {"width": width, "height": 740}, "color_scheme": scheme}
    owner = garage.dispatch("#BK000001", **look)
    owner.wait_for_selector(".nearest li")
    for view in VIEWS:
        owner.goto(f"{garage.address}/admin{view}")
        owner.wait_for_timeout(200)
        check_page(owner, width, scheme)
    for path in (f"/booking#token={booked['bookingToken']}", "/booking", "/reset", "/reset#token=x", "/"):
        page = garage.open(path, **look)
        page.wait_for_selector("h1")
        check_page(page, width, scheme)


def check_page(page, width, scheme):
    assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0] > 128")
    assert ground == (scheme == "light")
    check_accessible(page)


def test_a_booking_is_confirmed_by_keyboard_alone(garage):
    garage.book()
    owner = garage.dispatch()
    owner.locator("#waiting-1").focus()
    owner.keyboard.press("Enter")
    owner.wait_for_selector(".nearest button")
    for _ in range(12):
        owner.keyboard.press("Tab")
        if owner.evaluate("document.activeElement.textContent") == "Confirm with Near Nina":
            break
    owner.keyboard.press("Enter")
    expect(owner.locator("#opened h2")).to_contain_text("confirmed")


@pytest.mark.parametrize("fragment", ["", "#token=x", "#token=a.b.c", "#token="])
def test_a_link_that_is_no_good_offers_another(garage, fragment):
    page = garage.open(f"/booking{fragment}")
    expect(page.get_by_role("button", name="Mail me the link")).to_be_visible()


def test_two_passwords_that_differ_are_told_at_the_second(garage):
    page = garage.open("/reset#token=x")
    page.fill("#newPassword", "password123")
    page.fill("#repeated", "password124")
    page.get_by_role("button", name="Set the password").click()
    expect(page.locator("#repeated-error")).to_have_text("The two are not the same.")


def test_a_booking_typed_for_a_caller_outlives_the_session_and_is_made_once(garage):
    owner = garage.dispatch("#new")
    for name in ("name", "email", "vehicleType", "brand", "model", "service_type"):
        owner.fill(f"#new-{name}", BOOKING[name])
    garage.call("POST", "/api/auth/logout", token=garage.token)
    owner.get_by_role("button", name="Enter the booking").click()
    expect(owner.locator("#sign-in")).to_be_visible()
    garage.sign_in(owner)
    expect(owner.locator("#made")).to_contain_text("BK000001")
    expect(owner).to_have_title("(1) Dispatch \N{EN DASH} MechTECH")


def test_a_guest_who_cancels_first_and_a_full_mechanic_are_told_as_sentences(garage):
    guest = garage.book()
    owner = garage.dispatch("#BK000001")
    owner.wait_for_selector(".nearest button")
    garage.call("DELETE", "/api/booking/1", token=guest["bookingToken"])
    owner.get_by_role("button", name="Confirm with Near Nina").click()
    expect(owner.locator("#opened-says")).to_contain_text("A booking that is cancelled cannot become confirmed.")
    expect(owner.locator("#opened h2")).to_contain_text("cancelled")

    garage.book()
    owner.goto(f"{garage.address}/admin#BK000002")
    owner.get_by_role("button", name="Confirm with Near Nina").wait_for()
    for number in range(3, 8):
        garage.book()
        garage.call("PUT", f"/api/booking/{number}", {"status": "confirmed", "mechanicId": 1}, garage.token)
    owner.get_by_role("button", name="Confirm with Near Nina").click()
    expect(owner.locator("#opened-says")).to_contain_text("This is how it stands now.")
    expect(owner.locator(".nearest li")).to_have_count(2)
    expect(owner.locator(".nearest")).not_to_contain_text("Near Nina")


def test_a_review_and_a_phone_with_an_extension_are_text_and_a_link(garage):
    guest = garage.book(phone="+1 555 0100 ext. 5")
    for step in ({"status": "confirmed"}, {"status": "in-progress"}, {"status": "completed"}):
        garage.call("PUT", "/api/booking/1", step, garage.token)
    garage.call("POST", "/api/booking/1/review", {"rating": 4, "review": MARKUP}, guest["bookingToken"])
    owner = garage.dispatch("#BK000001")
    expect(owner.locator("#opened dl")).to_contain_text(f"★★★★☆ · {MARKUP}")
    assert owner.locator("#opened img, #opened script").count() == 0
    assert owner.locator("#opened a[href^=tel]").get_attribute("href") == "tel:+15550100"


def test_the_whole_page_works_by_keyboard(garage):
    garage.book()
    owner = garage.open("/admin")
    expect(owner.locator("#sign-in-email")).to_be_focused()
    owner.keyboard.type("admin@example.com")
    owner.keyboard.press("Tab")
    owner.keyboard.type("password123")
    owner.keyboard.press("Enter")
    expect(owner.locator("#waiting-1")).to_be_visible()
    press_tab_until(owner, "BK000001")
    owner.keyboard.press("Enter")
    owner.wait_for_selector(".nearest button")
    press_tab_until(owner, "Correct the phone")
    owner.keyboard.press("Enter")
    owner.keyboard.press("Tab")
    owner.keyboard.press("Tab")
    owner.keyboard.press("Control+A")
    owner.keyboard.type("Reached by Tab alone")
    owner.keyboard.press("Enter")
    expect(owner.locator("#opened dl")).to_contain_text("Reached by Tab alone")
    owner.keyboard.press("Home")
    press_tab_until(owner, "Messages")
    owner.keyboard.press("Enter")
    expect(owner.get_by_text("0 messages")).to_be_visible()


def press_tab_until(page, text):
    """Whoever has no mouse goes on until the focus is on what holds the text."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if text in page.evaluate("document.activeElement.closest('a, button, summary')?.innerText ?? ''"):
            return
    raise AssertionError(f"not reached by Tab: {text}")


def test_what_came_of_a_press_is_seen_on_a_telephone(garage):
    made = garage.book()
    phone = {"viewport": {"width": 360, "height": 640}}
    owner, guest = garage.dispatch("#BK000001", **phone), garage.open(f"/booking#token={made['bookingToken']}", **phone)
    owner.get_by_role("button", name="Mail the guest their link").click()
    expect(owner.get_by_text("its link is on its way there")).to_be_in_viewport()
    garage.call("PUT", "/api/booking/1", {"status": "confirmed"}, garage.token)
    owner.get_by_role("button", name="Confirm without a mechanic").click()
    expect(owner.get_by_text("This is how it stands now.")).to_be_in_viewport()
    guest.get_by_text("Correct your phone").click()
    guest.fill("[name=description]", "line\n" * 30)
    guest.get_by_role("button", name="Save").click()
    expect(guest.get_by_text("Thank you, it is corrected.")).to_be_in_viewport()
    guest.get_by_role("button", name="Cancel the booking").click()
    expect(guest.get_by_text("The booking is cancelled.")).to_be_in_viewport()
    owner.goto(f"{garage.address}/admin#new")
    for name in ("name", "email", "service_type", "vehicleType", "brand", "model"):
        owner.fill(f"#new-{name}", BOOKING.get(name))
    owner.get_by_role("button", name="Enter the booking").click()
    expect(owner.get_by_label("Link for the customer of BK000002")).to_be_in_viewport()


def test_back_leads_to_the_list_from_a_mails_link_too(garage):
    garage.book()
    owner = garage.dispatch("#BK000001", viewport={"width": 360, "height": 640})
    for view, row in (("Waiting", "#waiting-1"), ("All bookings", "#all-1")):
        owner.get_by_role("button", name="← Back").click()
        owner.get_by_role("link", name=view).click()
        owner.locator(row).click()
    owner.get_by_role("button", name="← Back").click()
    expect(owner.locator("#all-1")).to_be_visible()


def test_a_service_date_is_the_day_that_was_chosen_west_of_greenwich_too(garage):
    made = garage.book()
    for status in ("confirmed", "in-progress"):
        garage.call("PUT", "/api/booking/1", {"status": status}, garage.token)
    owner = garage.dispatch("#BK000001", timezone_id="America/New_York")
    owner.get_by_label("Service date").fill("2026-01-19")
    owner.get_by_role("button", name="Complete").click()
    expect(owner.locator("#opened dl")).to_contain_text("19 Jan 2026")
    guest = garage.open(f"/booking#token={made['bookingToken']}", timezone_id="America/Los_Angeles")
    expect(guest.locator("dl")).to_contain_text("19 Jan 2026")


def test_a_mail_is_no_wider_than_a_telephone_whatever_was_written(garage):
    garage.book(name="W" * 100, brand="W" * 50, service_type="W" * 100, location="W" * 500, description="W" * 2000)
    page = garage.open("/booking", viewport={"width": 360, "height": 640}, is_mobile=True)
    page.set_content(garage.mail_to("owner@garage.example").html)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360

"""The pages on a bad line: requests that fail, hang or come late, two presses, and text of any direction."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ADMIN, HASTE
from tests.conftest import BOOKING, CONTACT

PHONE = {"viewport": {"width": 320, "height": 640}}
UNREACHABLE = "The service cannot be reached."


def slow(page):
    """From now on the page's line has 400 ms of latency and 20 kB a second."""
    line = {"offline": False, "latency": 400, "downloadThroughput": 20_000, "uploadThroughput": 20_000}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", line)


def guest_of(garage, **context):
    return garage.open(f"/booking#token={garage.book()['bookingToken']}", **context)


def sent_from(page):
    """The methods of the calls that the page makes from now on."""
    methods = []
    page.on("request", lambda request: methods.append(request.method) if "/api/" in request.url else None)
    return methods


def never_answer(page, address):
    page.route(address, lambda route: None)


def test_a_call_that_is_never_answered_ends_in_a_sentence(garage):
    guest = garage.browser.new_context().new_page()
    guest.add_init_script(HASTE)
    guest.goto(f"{garage.address}/reset")
    never_answer(guest, "**/api/auth/forgot")
    guest.fill("[name=email]", ADMIN)
    guest.get_by_role("button", name="Mail me a link").click()
    expect(guest.locator(".says")).to_contain_text(UNREACHABLE)
    expect(guest.get_by_role("button", name="Mail me a link")).to_be_enabled()


def test_a_wait_is_told_in_one_sentence(garage):
    guest = garage.open("/reset")
    refusal = {"error": "rate_limited", "message": "Too many requests. Please try again later."}
    guest.route("**/api/**", lambda route: route.fulfill(status=429, json=refusal, headers={"Retry-After": "600"}))
    guest.fill("[name=email]", ADMIN)
    guest.get_by_role("button", name="Mail me a link").click()
    expect(guest.locator(".says")).to_have_text("Too many requests. Please try again in 10 minutes.")


@pytest.mark.parametrize("path", ["/booking", "/reset", "/docs"])
def test_a_page_whose_scripts_are_on_their_way_is_not_empty(garage, path):
    page = garage.browser.new_context().new_page()
    page.route(re.compile(r".*\.js"), lambda route: route.abort())
    page.goto(garage.address + path)
    expect(page.get_by_text("One moment")).to_be_visible()


def test_a_guest_without_a_line_may_try_again(garage):
    guest = garage.open("/reset")
    guest.route("**/api/**", lambda route: route.abort())
    guest.goto(f"{garage.address}/booking#token={garage.book()['bookingToken']}")
    expect(guest.locator("#says")).to_contain_text(UNREACHABLE)
    guest.unroute("**/api/**")
    guest.get_by_role("button", name="Try again").click()
    expect(guest.locator("h1")).to_contain_text("BK000001")
    expect(guest.locator("#says")).to_be_hidden()


def test_a_guest_who_presses_twice_cancels_once(garage):
    guest = guest_of(garage)
    slow(guest)
    sent = sent_from(guest)
    guest.get_by_role("button", name="Cancel the booking").dblclick()
    expect(guest.locator("h1")).to_contain_text("cancelled")
    expect(guest.locator("#says")).to_have_text("The booking is cancelled.")
    assert sent.count("DELETE") == 1


def test_a_guest_who_is_offline_sees_it_and_keeps_what_was_typed(garage):
    guest = guest_of(garage, **PHONE)
    guest.get_by_text("Correct your phone").click()
    guest.fill("[name=location]", "By the red barn")
    guest.context.set_offline(True)
    guest.get_by_role("button", name="Cancel the booking").click()
    expect(guest.get_by_text(UNREACHABLE)).to_be_in_viewport()
    guest.context.set_offline(False)
    guest.get_by_role("button", name="Save").click()
    expect(guest.locator("dl")).to_contain_text("By the red barn")
    expect(guest.locator("#says")).to_have_text("Thank you, it is corrected.")


def test_a_view_or_a_booking_that_did_not_come_is_asked_for_by_the_same_link(garage):
    garage.book()
    owner = garage.dispatch()
    for link, address in (("Mechanics", "**/api/mechanics?*"), ("All bookings", "**/api/mechanics?*")):
        owner.route(address, lambda route: route.abort())
        owner.get_by_role("link", name=link).click()
        expect(owner.locator("#trouble")).to_contain_text(UNREACHABLE)
        owner.unroute(address)
        owner.get_by_role("link", name=link).click()
        expect(owner.locator("#trouble")).to_be_hidden()
    owner.route("**/api/booking/1", lambda route: route.abort())
    owner.locator("#all-1").click()
    expect(owner.locator("#opened")).to_contain_text(UNREACHABLE)
    owner.unroute("**/api/booking/1")
    owner.locator("#all-1").click()
    expect(owner.locator("#opened h2")).to_contain_text("BK000001")


def test_a_view_that_is_chosen_twice_on_a_slow_line_has_one_form(garage):
    garage.book()
    owner = garage.dispatch()
    slow(owner)
    for link in ("All bookings", "Messages", "All bookings"):
        owner.get_by_role("link", name=link).click()
    expect(owner.locator("#all-1")).to_be_visible()
    owner.wait_for_timeout(1500)
    assert owner.locator("#filters form").count() == 1


def test_the_list_is_of_what_was_chosen_last_whichever_comes_first(garage):
    garage.call("POST", "/api/contact", CONTACT)
    owner = garage.dispatch()
    late = []
    owner.route("**/api/contact?status=unread*", lambda route: late.append(route))
    owner.get_by_role("link", name="Messages").click()
    owner.select_option("#messages-status", "read")
    expect(owner.get_by_text("0 messages")).to_be_visible()
    late[0].continue_()
    owner.wait_for_timeout(500)
    expect(owner.get_by_text("0 messages")).to_be_visible()
    expect(owner.locator("#messages-rows article")).to_have_count(0)


def test_back_from_a_booking_leads_to_the_page_of_the_list_that_it_was_on(garage):
    for _ in range(26):
        garage.book()
    owner = garage.dispatch("#all", **PHONE)
    owner.get_by_role("button", name="Next page").click()
    owner.locator("#all-1").click()
    owner.get_by_role("button", name="← Back").click()
    expect(owner.locator("#all-1")).to_be_visible()
    expect(owner.get_by_role("button", name="Previous page")).to_be_visible()


def test_what_was_typed_stays_where_a_booking_cannot_be_shown_anew(garage):
    garage.book()
    garage.call("PUT", "/api/booking/1", {"status": "confirmed"}, garage.token)
    owner = garage.dispatch("#BK000001")
    owner.get_by_text("Correct the phone").click()
    owner.fill("#correct-location", "By the red barn")
    owner.route("**/api/booking/1", lambda route: route.abort() if route.request.method == "GET" else route.continue_())
    owner.get_by_role("button", name="Start the service").click()
    expect(owner.locator("#opened-says")).to_contain_text("The booking is updated.")
    expect(owner.locator("#opened-says")).to_contain_text(UNREACHABLE)
    expect(owner.locator("#correct-location")).to_have_value("By the red barn")


def test_a_service_whose_completion_was_not_answered_is_shown_as_it_stands(garage):
    garage.book()
    for status in ("confirmed", "in-progress"):
        garage.call("PUT", "/api/booking/1", {"status": status}, garage.token)
    owner = garage.dispatch("#BK000001")
    owner.fill("#opened-cost", "120")
    owner.route("**/api/booking/1", lambda route: (route.fetch(), route.abort()), times=1)
    owner.get_by_role("button", name="Complete", exact=True).click()
    expect(owner.locator("#opened form .says").first).to_contain_text(UNREACHABLE)
    owner.get_by_role("button", name="Complete", exact=True).click()
    expect(owner.locator("#opened h2")).to_contain_text("completed")
    expect(owner.locator("#opened-says")).to_contain_text("This is how it stands now.")
    assert len(garage.call("GET", "/api/booking/1", token=garage.token)["booking"]["history"]) == 4


def test_a_refresh_that_comes_late_does_not_undo_a_newer_one(garage):
    garage.book()
    owner = garage.dispatch("#BK000001")
    owner.wait_for_selector(".nearest button")
    late = []
    owner.route("**/api/booking?*", lambda route: late.append((route, route.fetch())), times=1)
    owner.get_by_role("button", name="Confirm without a mechanic").wait_for()
    owner.evaluate("import('/pages/dispatch.js').then(({ refresh }) => void refresh())")
    owner.wait_for_timeout(300)
    owner.get_by_role("button", name="Confirm without a mechanic").click()
    expect(owner.get_by_text("Nobody waits.")).to_be_attached()
    route, answer = late[0]
    route.fulfill(response=answer)
    owner.wait_for_timeout(300)
    expect(owner.get_by_text("Nobody waits.")).to_be_attached()


def test_signing_out_without_a_line_says_that_other_sessions_go_on(garage):
    owner = garage.dispatch()
    asked = []
    owner.on("dialog", lambda dialog: asked.append(dialog.message))
    owner.route("**/api/auth/logout", lambda route: route.abort())
    owner.get_by_role("button", name="Sign out").dblclick()
    expect(owner.locator("#sign-in")).to_be_visible()
    assert len(asked) == 1
    assert UNREACHABLE in asked[0]


def test_a_mechanic_who_was_added_while_the_list_fails_is_no_silence(garage):
    owner = garage.dispatch("#mechanics")
    owner.get_by_text("Add a mechanic").click()
    for name, value in {"name": "New Ned", "phone": "+1 555 0123", "email": "ned@garage.example"}.items():
        owner.fill(f"#mechanic-{name}", value)
    owner.route("**/api/mechanics?*", lambda route: route.abort())
    owner.get_by_role("button", name="Add", exact=True).click()
    expect(owner.locator("#trouble")).to_contain_text(UNREACHABLE)


def test_a_link_that_could_not_be_copied_is_not_called_copied(garage):
    owner = garage.dispatch("#new")
    owner.evaluate("document.execCommand = () => false; delete Navigator.prototype.clipboard")
    for name in ("name", "email", "vehicleType", "brand", "model", "service_type"):
        owner.fill(f"#new-{name}", BOOKING[name])
    owner.get_by_role("button", name="Enter the booking").click()
    owner.get_by_role("button", name="Copy the link").click()
    expect(owner.get_by_role("button", name="Please copy it by hand")).to_be_visible()


def test_a_text_from_right_to_left_reads_so_to_its_last_sign(garage):
    guest = garage.open(f"/booking#token={garage.book(name='محمد بن سلمان!')['bookingToken']}")
    name = guest.locator("dd").first
    expect(name).to_contain_text("محمد")
    at = """(name, place) => { const range = new Range(); range.setStart(name.firstChild, place);
        range.setEnd(name.firstChild, place + 1); return range.getBoundingClientRect().left; }"""
    assert name.evaluate(at, 13) < name.evaluate(at, 0)


def test_each_button_of_a_list_has_a_name_of_its_own(garage):
    for number in range(2):
        garage.call("POST", "/api/contact", {**CONTACT, "fullName": f"Caller {number}"})
    owner = garage.dispatch("#messages")
    for number in range(2):
        expect(owner.get_by_role("button", name=f"Delete the message of Caller {number}")).to_be_visible()
        expect(owner.get_by_role("button", name=f"Mark as read the message of Caller {number}")).to_be_visible()


def test_a_session_that_ended_in_another_tab_asks_to_sign_in_here(garage):
    owner = garage.dispatch()
    other = owner.context.new_page()
    other.goto(f"{garage.address}/admin")
    expect(other.locator("#refreshed")).to_contain_text("As of")
    owner.get_by_role("button", name="Sign out").click()
    expect(owner.locator("#sign-in")).to_be_visible()
    other.get_by_role("link", name="Mechanics").click()
    expect(other.locator("#sign-in")).to_be_visible()
    garage.sign_in(other)
    expect(other.get_by_role("button", name="Change Near Nina")).to_be_visible()

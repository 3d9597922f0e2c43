"""The whole day: a guest books, the garage confirms and completes, the guest reviews."""

from playwright.sync_api import expect

from tests.browser.conftest import ADMIN, OWNER
from tests.conftest import BOOKING


def test_a_day_at_the_garage(garage):
    garage.book()
    owner = garage.dispatch(garage.link_in(garage.mail_to(OWNER)).removeprefix("/admin"))
    guest = garage.open(garage.link_in(garage.mail_to(BOOKING["email"])))
    expect(guest.locator("h1")).to_contain_text("BK000001")
    expect(owner.locator("#opened h2")).to_contain_text("BK000001")
    expect(owner).to_have_title("(1) Dispatch \N{EN DASH} MechTECH")

    nearest = owner.locator(".nearest li")
    expect(nearest).to_have_count(3)
    assert [text.split("\n")[0] for text in nearest.all_inner_texts()] == ["Near Nina", "Middle Mo", "Far Fay"]
    expect(nearest.first).to_contain_text("0.73 km · 5 of 5 slots free")
    owner.get_by_role("button", name="Confirm with Near Nina").click()
    expect(owner.locator("#opened h2")).to_contain_text("confirmed")
    expect(owner).to_have_title("Dispatch \N{EN DASH} MechTECH")

    told = garage.mail_to(BOOKING["email"])
    assert "Your mechanic is Near Nina, +1 555 0199." in told.text
    guest = garage.open(garage.link_in(told))
    expect(guest.locator("main")).to_contain_text("Your mechanic is")
    expect(guest.locator(".who")).to_contain_text("Near Nina")
    expect(guest.locator(".who a")).to_have_attribute("href", "tel:+15550199")
    guest.get_by_text("Correct your phone").click()
    guest.fill("[name=location]", "The other end of the bridge")
    guest.get_by_role("button", name="Save").click()
    expect(guest.locator("dl")).to_contain_text("The other end of the bridge")

    owner.get_by_role("button", name="Start the service").click()
    expect(owner.locator("#opened dl")).to_contain_text("The other end of the bridge")
    owner.fill("[name=cost]", "12x")
    owner.get_by_role("button", name="Complete", exact=True).click()
    expect(owner.locator("#opened .error")).to_be_visible()
    expect(owner.locator("[name=cost]")).to_have_attribute("aria-invalid", "true")
    owner.fill("[name=cost]", "120.5")
    owner.get_by_role("button", name="Complete", exact=True).click()
    expect(owner.locator("#opened dl")).to_contain_text("120.50")
    expect(owner.locator(".history li")).to_have_count(4)

    told = garage.mail_to(BOOKING["email"])
    assert "Cost: 120.50" in told.text
    guest = garage.open(garage.link_in(told))
    guest.get_by_role("button", name="Send the review").click()
    expect(guest.locator(".stars .error")).to_be_visible()
    guest.get_by_label("5 ★").check()
    guest.fill("[name=review]", "Quick and kind.")
    guest.get_by_role("button", name="Send the review").click()
    expect(guest.locator("dl")).to_contain_text("★★★★★ Quick and kind.")


def test_a_guest_cancels_and_the_garage_sees_it(garage):
    guest = garage.open(f"/booking#token={garage.book()['bookingToken']}")
    guest.get_by_role("button", name="Cancel the booking").click()
    expect(guest.locator("h1")).to_contain_text("cancelled")
    owner = garage.dispatch("#bk000001")
    expect(owner.locator("#opened h2")).to_contain_text("cancelled")
    expect(owner.get_by_text("Nobody waits.")).to_be_attached()


def test_a_caller_is_booked_and_gets_a_link_that_opens_the_booking(garage):
    owner = garage.dispatch("#new")
    owner.get_by_role("button", name="Enter the booking").click()
    expect(owner.locator("#new-name-error")).to_have_text("This field is required.")
    fields = {**BOOKING, "latitude": "40.7061, -73.9969"}
    for name in ("name", "email", "phone", "vehicleType", "brand", "model", "service_type", "description", "location"):
        owner.fill(f"#new-{name}", fields[name])
    owner.fill("#new-latitude", fields["latitude"])
    expect(owner.locator("#new-longitude")).to_have_value("-73.9969")
    owner.get_by_role("button", name="Enter the booking").click()
    link = owner.locator("#link").input_value()
    guest = garage.open(link.removeprefix(garage.address))
    expect(guest.locator("h1")).to_contain_text("BK000001")
    expect(guest.locator(".history")).to_contain_text("by the garage")
    expect(owner).to_have_title("(1) Dispatch \N{EN DASH} MechTECH")


def test_mechanics_are_added_changed_and_verified(garage):
    owner = garage.dispatch("#mechanics")
    owner.get_by_text("Add a mechanic").click()
    for name, value in {"name": "New Ned", "phone": "+1 555 0123", "email": "NEAR@garage.example"}.items():
        owner.fill(f"#mechanic-{name}", value)
    owner.get_by_role("button", name="Add", exact=True).click()
    expect(owner.locator("#mechanic-email-error")).to_be_visible()
    owner.fill("#mechanic-email", "ned@garage.example")
    owner.get_by_role("button", name="Add", exact=True).click()
    owner.get_by_role("button", name="Verify New Ned", exact=True).click()
    owner.get_by_role("button", name="Change New Ned").click()
    owner.fill("#mechanic-specializations", "Towing")
    owner.get_by_role("button", name="Save").click()
    expect(owner.locator("#mechanics-rows li", has_text="New Ned")).to_contain_text("Towing")
    listed = garage.call("GET", "/api/mechanics")["mechanics"]
    assert {"New Ned": "Towing"}.items() <= {one["name"]: one["specializations"] for one in listed}.items()


def test_messages_are_read_and_deleted(garage):
    for number in range(27):
        message = {"fullName": f"Caller {number}", "email": "caller@example.com", "message": "Do you tow?\nThanks."}
        garage.call("POST", "/api/contact", message)
    owner = garage.dispatch("#messages")
    shown = owner.locator("#messages-rows article")
    expect(shown).to_have_count(25)
    owner.get_by_role("button", name="Next page").click()
    expect(shown).to_have_count(2)
    owner.get_by_role("button", name="Mark as read").first.click()
    expect(owner.get_by_text("Unread", exact=True)).to_have_count(1)
    owner.select_option("#messages-status", "read")
    expect(shown).to_have_count(1)
    expect(shown).to_contain_text("Caller 1")
    owner.get_by_role("button", name="Delete").click()
    expect(shown).to_have_count(0)


def test_all_bookings_are_found_by_filters_and_pages(garage):
    for number in range(26):
        garage.book(name=f"Driver {number}")
    owner = garage.dispatch("#all")
    rows = owner.locator("#all-rows li")
    expect(rows).to_have_count(25)
    expect(owner.get_by_text("26 bookings")).to_be_visible()
    owner.get_by_role("button", name="Next page").click()
    expect(rows).to_have_count(1)
    owner.get_by_role("button", name="Previous page").click()
    expect(rows).to_have_count(25)
    owner.fill("#all-by-q", "driver 7")
    owner.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    owner.fill("#all-by-q", "")
    owner.fill("#all-by-to", "2020-01-01")
    owner.keyboard.press("Enter")
    expect(rows).to_have_count(0)
    expect(owner.get_by_text("0 bookings")).to_be_visible()


def test_a_guest_who_lost_the_link_and_a_customer_who_forgot_the_password_get_mails(garage):
    garage.book()
    guest = garage.open("/booking")
    guest.fill("[name=reference]", "bk000001")
    guest.fill("[name=email]", BOOKING["email"])
    guest.get_by_role("button", name="Mail me the link").click()
    expect(guest.locator("main")).to_contain_text("on its way")
    guest = garage.open(garage.link_in(garage.mail_to(BOOKING["email"])))
    expect(guest.locator("h1")).to_contain_text("BK000001")

    garage.call("POST", "/api/auth/forgot", {"email": ADMIN})
    customer = garage.open(garage.link_in(garage.mail_to(ADMIN)))
    for name in ("newPassword", "repeated"):
        customer.fill(f"[name={name}]", "another-password")
    customer.keyboard.press("Enter")
    expect(customer.locator("main")).to_contain_text("Your new password is set")
    owner = garage.open("/admin")
    garage.sign_in(owner, password="another-password")
    expect(owner.locator("#refreshed:not(:empty)")).to_be_attached()

"""docs/client.js in Chromium, on a page of another origin, against a real server."""

import jwt
import pytest

from tests.answers import sql
from tests.browser.conftest import HASTE
from tests.browser.site import line, site
from tests.conftest import BOOKING, CONTACT, SECRET
from tests.tools import running

PERSON = {"name": "Ann Driver", "email": "ann@example.com", "password": "password123"}
START = """async ([api, options]) => {
    const { client } = await import("/client.js");
    window.said = [];
    window.mechtech = client(api, { onExpired: (sentence) => said.push(sentence), ...options });
    window.refusal = (promise) => promise.then(
        () => "no refusal",
        (failure) => ({ name: failure.constructor.name, message: failure.message, ...failure,
                        headers: Object.fromEntries(failure.headers ?? []) }));
}"""


class Site:
    """A page of the site that has made itself a client."""

    def __init__(self, server, address, browser):
        self.server, self.address, self.browser = server, address, browser
        self.page = browser.new_context().new_page()
        self.open(f"http://127.0.0.1:{server.port}")

    def open(self, api):
        self.page.goto(self.address)
        self.page.evaluate(START, [api, {}])

    def __call__(self, script, argument=None):
        """What the script returns; `given` is the argument in it."""
        return self.page.evaluate(f"async (given) => {{ {script} }}", argument)

    def made(self, table):
        return sql(self.server.environ["DB_PATH"], f"SELECT COUNT(*) FROM {table}")[0][0]


@pytest.fixture
def at_site(tmp_path, chromium):
    with site(tmp_path) as address, running(tmp_path, CORS_ORIGINS=address) as server:
        opened = Site(server, address, chromium)
        yield opened
        opened.page.context.close()


@pytest.fixture
def signed_in(at_site):
    at_site("await mechtech.signUp(given)", PERSON)
    return at_site


def test_who_signs_up_signs_in_and_out_stays_so_after_a_reload(at_site):
    assert at_site("return mechtech.signUp(given)", PERSON)["email"] == "ann@example.com"
    token = at_site("return localStorage['mechtech.token']")
    at_site.open(f"http://127.0.0.1:{at_site.server.port}")
    assert at_site("return mechtech.call('GET', 'auth/profile')")["user"]["name"] == "Ann Driver"
    at_site("await mechtech.signOut()")
    assert at_site("return localStorage['mechtech.token'] ?? null") is None
    assert at_site.server.call("GET", "/api/auth/profile", token=token).status == 401
    assert at_site("return mechtech.signIn('ANN@example.com', 'password123')")["name"] == "Ann Driver"


def test_a_refusal_has_a_sentence_for_each_wrong_field(at_site):
    refusal = at_site("return refusal(mechtech.signUp({ email: 'ann', password: 'password123' }))")
    assert (refusal["status"], refusal["error"]) == (400, "validation")
    assert refusal["message"] == "Please check the fields that are marked."
    assert set(refusal["fields"]) == {"name", "email"}


def test_a_wrong_password_is_no_expiry(signed_in):
    refusal = signed_in("return refusal(mechtech.signIn('ann@example.com', 'password124'))")
    assert (refusal["status"], refusal["error"]) == (401, "invalid_credentials")
    assert signed_in("return said") == []
    assert signed_in("return localStorage['mechtech.token']")


def test_an_expired_token_is_told_and_forgotten_and_nothing_is_made_with_it(signed_in):
    claims = jwt.decode(signed_in("return localStorage['mechtech.token']"), SECRET, ["HS256"])
    over = jwt.encode({**claims, "iat": claims["iat"] - 1000, "exp": claims["iat"] - 10}, SECRET, "HS256")
    signed_in("localStorage['mechtech.token'] = given", over)
    assert signed_in("return refusal(mechtech.book(given))", BOOKING)["error"] == "token_expired"
    assert signed_in("return said") == ["Your session has expired, please sign in again."]
    assert signed_in.made("bookings") == 0
    signed_in("await mechtech.signIn('ann@example.com', 'password123')")
    assert "bookingToken" not in signed_in("return mechtech.book(given)", BOOKING)
    assert signed_in.made("bookings") == 1


def test_a_session_that_was_ended_elsewhere_looks_like_an_expired_one(signed_in):
    signed_in.server.call("POST", "/api/auth/logout", token=signed_in("return localStorage['mechtech.token']"))
    assert signed_in("return refusal(mechtech.call('GET', 'auth/profile'))")["error"] == "unauthorized"
    assert len(signed_in("return said")) == 1
    assert signed_in("return localStorage['mechtech.token'] ?? null") is None


def test_a_guest_books_comes_back_and_cancels(at_site):
    reference = at_site("return mechtech.book(given)", BOOKING)["id"]
    at_site.open(f"http://127.0.0.1:{at_site.server.port}")
    assert at_site("return mechtech.booking(given)", reference)["booking"]["history"][0]["by"] == "guest"
    assert at_site("return mechtech.cancel(given)", reference)["status"] == "cancelled"
    refusal = at_site("return refusal(mechtech.cancel(given))", reference)
    assert (refusal["status"], refusal["error"]) == (409, "conflict")


def test_a_user_books_and_reviews(signed_in):
    reference = signed_in("return mechtech.book(given)", BOOKING)["id"]
    refusal = signed_in("return refusal(mechtech.review(given, { rating: 5 }))", reference)
    assert refusal["status"] == 409
    path = signed_in.server.environ["DB_PATH"]
    sql(path, "UPDATE bookings SET status = 'completed'")
    sql(path, "INSERT INTO service_history (booking_id, service_date) VALUES (1, '2026-01-19T10:30:00Z')")
    assert signed_in("return mechtech.review(given, { rating: 5, review: 'Quick.' })", reference)["rating"] == 5


def test_pages_come_one_after_the_other_until_the_last(signed_in):
    for _ in range(5):
        signed_in("await mechtech.book(given)", BOOKING)
    collect = "const all = []; for await (const page of mechtech.pages({ limit: 2 })) all.push(page); return all"
    pages = signed_in(collect)
    assert [[one["id"] for one in page["bookings"]] for page in pages] == [[5, 4], [3, 2], [1]]
    assert {page["total"] for page in pages} == {5}


def test_two_bookings_of_the_same_kind_are_two(at_site):
    references = at_site("return [await mechtech.book(given), await mechtech.book(given)]", BOOKING)
    assert [one["id"] for one in references] == ["BK000001", "BK000002"]


def test_what_an_endpoint_does_not_know_is_told_to_the_page(at_site):
    assert at_site("return mechtech.contact(given)", {**CONTACT, "subject": "Prices"})["ignored"] == ["subject"]


@pytest.mark.parametrize(
    ("function", "fields", "table"), [("book", BOOKING, "bookings"), ("contact", CONTACT, "contact_messages")]
)
def test_an_answer_that_is_lost_is_asked_for_again_and_nothing_is_made_twice(at_site, function, fields, table):
    with line(at_site.server) as (address, lost):
        at_site.open(address)
        lost[0] = 1
        made = at_site(f"return mechtech.{function}(given)", fields)
        assert lost == [0]
        assert made["id"] in ("BK000001", 1)
        assert at_site.made(table) == 1


def test_who_presses_again_after_all_tries_failed_books_once(at_site):
    with line(at_site.server) as (address, lost):
        at_site.open(address)
        lost[0] = 3
        assert at_site("return refusal(mechtech.book(given))", BOOKING)["name"] == "TypeError"
        assert at_site("return mechtech.book(given)", BOOKING)["id"] == "BK000001"
        assert at_site.made("bookings") == 1


def test_who_presses_twice_at_once_books_once_though_an_answer_is_lost(at_site):
    with line(at_site.server) as (address, lost):
        at_site.open(address)
        lost[0] = 1
        made = at_site("return Promise.all([mechtech.book(given), mechtech.book(given)])", BOOKING)
        assert [one["id"] for one in made] == ["BK000001", "BK000001"]
        assert at_site.made("bookings") == 1


def test_an_answer_that_is_cut_is_no_success(at_site):
    cut = {"status": 201, "content_type": "application/json", "body": '{"message": "Your boo'}
    at_site.page.route("**/api/booking", lambda route: route.fulfill(**cut), times=1)
    assert at_site("return mechtech.book(given)", BOOKING)["id"] == "BK000001"


def test_where_no_answer_comes_the_failure_is_a_sentence(at_site):
    at_site.page.add_init_script(HASTE)
    at_site.page.route("**/api/contact", lambda route: None)
    at_site.page.route("**/api/mechanics", lambda route: route.abort())
    at_site.open(f"http://127.0.0.1:{at_site.server.port}")
    for failing in ("call('GET', 'mechanics')", "contact({})"):
        refusal = at_site(f"return refusal(mechtech.{failing})")
        assert refusal["name"] == "TypeError"
        assert refusal["message"] == "The service cannot be reached. Please try again."


def test_a_page_reads_how_long_to_wait(tmp_path, chromium):
    limits = {"RATE_LIMIT": "2 per hour"}
    with site(tmp_path) as address, running(tmp_path, CORS_ORIGINS=address, **limits) as server:
        page = Site(server, address, chromium)
        for _ in range(2):
            page("await mechtech.call('GET', 'mechanics')")
        refusal = page("return refusal(mechtech.call('GET', 'mechanics'))")
        assert refusal["status"] == 429
        assert 0 < int(refusal["headers"]["retry-after"]) <= 3600
        assert refusal["headers"]["x-ratelimit-limit"] == "2"
        assert refusal["headers"]["x-request-id"] == refusal["requestId"]
        page.page.context.close()


def test_a_site_that_is_not_listed_reads_nothing(tmp_path, chromium):
    with site(tmp_path) as address, running(tmp_path, CORS_ORIGINS="https://another.example") as server:
        page = Site(server, address, chromium)
        assert page("return refusal(mechtech.call('GET', 'mechanics'))")["name"] == "TypeError"
        page.page.context.close()

"""The description: complete, in force, with examples that pass, and served as a file."""

import json
import re

import pytest
from jsonschema_rs import Draft202012Validator

from mechtech.errors import Refusal
from mechtech.openapi.description import describe
from tests.conftest import MECHANIC
from tests.described import validator
from tests.endpoints import ENDPOINTS


@pytest.fixture(scope="module")
def description(lasting):
    return lasting.get("/openapi.json").json


def operations(description):
    return [
        (method.upper(), path, operation)
        for path, described in description["paths"].items()
        for method, operation in described.items()
    ]


def schemas_of(description):
    """Every schema of a field, with the place where it stands."""
    for name, schema in description["components"]["schemas"].items():
        for field, described in schema["properties"].items():
            yield f"{name}.{field}", described
    for method, path, operation in operations(description):
        for parameter in operation["parameters"]:
            yield f"{method} {path} {parameter['name']}", parameter["schema"]


def test_every_endpoint_is_described_and_nothing_else(description):
    described = {(method, path.replace("{id}", ":id")) for method, path, _ in operations(description)}
    assert described == {(method, path) for method, path, _ in ENDPOINTS}


def test_an_object_of_an_answer_has_all_that_is_described_but_for_what_is_optional(description):
    described = description["components"]["schemas"]
    for name in ("User", "Booking", "WholeBooking", "Message", "Mechanic", "RecentService"):
        assert set(described[name]["required"]) == set(described[name]["properties"])
    assert set(described["MechanicFound"]["properties"]) - set(described["MechanicFound"]["required"]) == {
        "distance_km"
    }


@pytest.mark.own_database
def test_a_route_that_says_nothing_of_itself_is_left_out(app):
    @app.get("/undescribed")
    def undescribed():
        return {}

    assert "/undescribed" not in describe(app)["paths"]


def test_who_may_call_is_described(description):
    user, booking = {"userToken": []}, {"bookingToken": []}
    due = {"user": [user], "admin": [user], "owner": [user, booking], "holder": [{"metricsToken": []}]}
    who = {(method, path): who for method, path, who in ENDPOINTS}
    for method, path, operation in operations(description):
        needed = due.get(who[method, path.replace("{id}", ":id")])
        if needed is None:
            assert operation["security"] == [] or {} in operation["security"], path
        else:
            assert operation["security"] == needed, path
            assert "401" in operation["responses"]


def test_every_operation_and_answer_is_told_in_words(description):
    ids = [operation["operationId"] for _, _, operation in operations(description)]
    assert len(ids) == len(set(ids))
    tags = {tag["name"] for tag in description["tags"]}
    for _, path, operation in operations(description):
        assert operation["summary"].endswith("."), path
        assert operation["description"].startswith("For "), path
        assert any(status.startswith("2") for status in operation["responses"]), path
        assert set(operation["tags"]) <= tags, path


def test_the_description_is_openapi_3_1(description):
    assert description["openapi"] == "3.1.0"
    for _, schema in schemas_of(description):
        Draft202012Validator({**schema, "components": description["components"]})
    text = json.dumps(description)
    for reference in set(re.findall(r'"\$ref": "#/(.*?)"', text)):
        found = description
        for part in reference.split("/"):
            found = found[part]


def test_every_bound_of_the_contract_is_described(description):
    schemas = description["components"]["schemas"]
    booking = schemas["BookingBody"]["properties"]
    assert (booking["name"]["minLength"], booking["name"]["maxLength"]) == (1, 100)
    assert booking["vehicleType"]["maxLength"] == 50
    assert booking["description"]["maxLength"] == 2000
    assert booking["latitude"]["anyOf"][0] == {"type": ["number", "null"], "minimum": -90, "maximum": 90}
    assert booking["email"]["maxLength"] == 254
    assert booking["email"]["format"] == "email"
    assert set(schemas["BookingBody"]["required"]) == {"name", "email", "vehicleType", "brand", "model", "service_type"}
    signup = schemas["SignupBody"]["properties"]["password"]
    assert (signup["minLength"], signup["maxLength"]) == (8, 72)
    update = schemas["BookingUpdateBody"]
    assert "pending" in update["properties"]["status"]["enum"]
    assert (update["minProperties"], update["additionalProperties"]) == (1, False)
    parameters = description["paths"]["/api/mechanics"]["get"]["parameters"]
    queries = {parameter["name"]: parameter for parameter in parameters}
    assert queries["radius"]["schema"] == {"type": "number", "default": 50, "exclusiveMinimum": 0}
    assert queries["verified"]["schema"]["enum"] == ["1", "0", "all"]
    key = description["paths"]["/api/booking"]["post"]["parameters"][0]
    assert (key["name"], key["schema"]["pattern"]) == ("Idempotency-Key", "^[ -~]{1,255}$")


def test_every_error_code_is_described_with_its_status(description):
    codes = {(error.status, error.code) for error in Refusal.__subclasses__()}
    described = set()
    for name, response in description["components"]["responses"].items():
        shape = response["content"]["application/json"]["schema"]["allOf"][1]
        described |= {(int(name[:3]), code) for code in shape["properties"]["error"]["enum"]}
    assert described == codes - {(405, "method_not_allowed")}  # an operation has its method


def test_every_body_and_answer_has_an_example_that_its_schema_allows(description):
    described = {**description["components"]["responses"]}
    for method, path, operation in operations(description):
        described |= {f"{method} {path} {status}": answer for status, answer in operation["responses"].items()}
        described[f"{method} {path}"] = operation.get("requestBody", {})
    for place, holder in described.items():
        media = holder.get("content", {}).get("application/json")
        if media and media["schema"] != {"type": "object"}:
            assert validator(json.dumps(media["schema"])).is_valid(media["example"]), place


PASSED = {  # what the examples of bodies are answered with, by an admin, in this order
    ("POST", "/api/auth/signup"): 201,
    ("POST", "/api/auth/login"): 200,
    ("POST", "/api/auth/forgot"): 202,
    ("POST", "/api/booking"): 201,
    ("POST", "/api/booking/{id}/link"): 202,
    ("POST", "/api/contact"): 201,
    ("POST", "/api/mechanics"): 201,
    ("PUT", "/api/mechanics/{id}"): 200,
    ("PUT", "/api/auth/profile"): 200,
    ("POST", "/api/auth/reset"): 400,  # its token is none
    ("PUT", "/api/booking/{id}"): 400,  # there is no mechanic 4
    ("POST", "/api/booking/{id}/review"): 403,  # an admin never reviews
}


def test_the_examples_of_bodies_are_accepted(client, admin, description):
    bodies = {(method, path): body for method, path, body in bodies_of(description)}
    assert bodies.keys() == PASSED.keys()
    for (method, path), status in PASSED.items():
        place = path.replace("{id}", "1")
        answer = client.call(method, place, bodies[method, path], token=admin)
        assert answer.status_code == status, (path, answer.text)
        assert "ignored" not in answer.json
        if status == 400:
            assert set(answer.json["fields"]) <= {"token", "mechanicId"}


def bodies_of(description):
    for method, path, operation in operations(description):
        if "requestBody" in operation:
            yield method, path, operation["requestBody"]["content"]["application/json"]["example"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("latitude", [None, "", 0, 90, -90.0]),
        ("experience_years", [None, "", 0, 80, 5.0]),
        ("specializations", [None, "", "a" * 500]),
        ("verified", [None, "", True, False, 0, 1]),
        ("phone", ["1234", "+1 (212) 555-0108 ext. 5", "123456789012345678901"]),
        ("name", ["a", "a" * 100, "Ünbröken 東京"]),
    ],
)
def test_what_is_described_is_accepted_up_to_its_bounds(client, admin, values, name):
    for number, value in enumerate(values):
        place = {"longitude": value} if name == "latitude" else {}
        body = {**MECHANIC, "email": f"m{number}@garage.example", name: value, **place}
        assert allows("MechanicBody", body), value
        assert client.post("/api/mechanics", body, token=admin).status_code == 201, value


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("latitude", [90.1, "1", True, []]),
        ("experience_years", [-1, 81, 1.5, "5"]),
        ("specializations", ["a" * 501, "a\nb", 5]),
        ("verified", [2, "true", "1", []]),
        ("phone", [None, "", "123", "1234567890123456789012", "12x34x5", "call me"]),
        ("name", [None, "", "a" * 101, "a\tb", "a\0b", {}]),
        ("email", [None, "", "nobody", "a@b", f"{'a' * 250}@b.example"]),
    ],
)
def test_what_the_description_refuses_is_refused(client, admin, values, name):
    for value in values:
        body = {**MECHANIC, "longitude": 1, "latitude": 1, name: value}
        assert not allows("MechanicBody", body), value
        answer = client.post("/api/mechanics", body, token=admin)
        assert set(answer.json["fields"]) == {name}, value


@pytest.mark.parametrize(
    "day", ["2024-02-29", "2000-02-29", "0004-02-29", "0001-01-01", "9999-12-31", "2026-04-30", "2026-12-31T23:59Z"]
)
def test_a_day_that_there_is_is_allowed(client, admin, description, day):
    assert re.search(pattern_of(description, "from"), day)
    assert client.get(f"/api/booking?from={day}", token=admin).status_code == 200


@pytest.mark.parametrize(
    "day",
    [
        *("2026-02-29", "1900-02-29", "0000-02-29", "0000-01-01", "2026-04-31", "2026-13-01", "2026-00-10"),
        *("2026-01-00", "2026-01-32", "2026-01-01T24:00Z", "2026-01-01T23:60Z", "2026-01-01T10:30"),
    ],
)
def test_a_day_that_there_is_not_is_refused(client, admin, description, day):
    assert not re.search(pattern_of(description, "from"), day)
    assert client.get(f"/api/booking?from={day}", token=admin).status_code == 400


def pattern_of(description, query):
    parameters = description["paths"]["/api/booking"]["get"]["parameters"]
    return next(one["schema"]["pattern"] for one in parameters if one["name"] == query)


def allows(name, body):
    return validator(json.dumps({"$ref": f"#/components/schemas/{name}"})).is_valid(body)


def test_a_message_may_come_with_name_in_place_of_full_name():
    body = {"email": "a@example.com", "message": "Do you repair motorcycles?"}
    assert allows("ContactBody", {**body, "name": "Jane"})
    assert allows("ContactBody", {**body, "fullName": "Jane", "name": 5})
    assert not allows("ContactBody", body)
    assert not allows("ContactBody", {**body, "name": 5})


def test_the_description_is_a_file_with_an_etag(lasting):
    answer = lasting.get("/openapi.json")
    assert answer.content_type == "application/json"
    tag = answer.headers["ETag"]
    assert lasting.get("/openapi.json", headers={"If-None-Match": tag}).status_code == 304
    assert lasting.get("/openapi.json", headers={"If-None-Match": '"another"'}).status_code == 200
    assert "X-RateLimit-Limit" not in answer.headers
    assert lasting.call("HEAD", "/openapi.json").headers["ETag"] == tag


def test_the_description_is_the_same_in_every_process_and_built_once(app, lasting):
    first, second = (app.test_client().get("/openapi.json").data for _ in range(2))
    assert first == second == lasting.get("/openapi.json").data
    assert list(app.extensions).count("mechtech.openapi") == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_the_description_takes_get_and_head_alone(lasting, method):
    assert lasting.call(method, "/openapi.json").status_code == 405


def test_no_route_of_ours_is_left_out(app):
    own = [view for name, view in app.view_functions.items() if not name.endswith("static")]
    assert all(view.who for view in own)

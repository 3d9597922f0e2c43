"""What Flask's documentation promises works here: nothing of it is overridden."""

from types import SimpleNamespace

import pytest
from flask import Blueprint, abort, current_app, g, got_request_exception, jsonify, make_response, request, url_for
from marshmallow import INCLUDE, Schema, fields

from mechtech import create_app
from mechtech.settings import from_environment
from mechtech.web.answers import gives
from mechtech.web.authentication import anyone
from mechtech.web.body import takes
from mechtech.web.schemas import Body
from tests.conftest import SECRET


class Teapot(Exception):
    pass


class Wheel(Schema):
    size = fields.Integer(required=True)


class CarBody(Body):
    wheels = fields.List(fields.Nested(Wheel))
    spare = fields.Nested(Wheel)
    doors = fields.Dict(keys=fields.String(), values=fields.Integer())
    made_at = fields.DateTime(dump_only=True)


class AnyBody(Body):
    class Meta:
        unknown = INCLUDE


@pytest.fixture
def app(tmp_path):
    """The service with a blueprint of a newcomer's, which uses the ordinary idioms."""
    app = create_app(from_environment({"DB_PATH": str(tmp_path / "stock.db"), "JWT_SECRET": SECRET}))
    blueprint = Blueprint("newcomer", __name__, url_prefix="/newcomer")
    app.newcomer = {"torn_down": 0}

    @blueprint.before_request
    def begin():
        g.began = True

    @blueprint.after_request
    def end(response):
        response.headers["X-Newcomer"] = "yes"
        return response

    @blueprint.teardown_request
    def tear_down(error):
        app.newcomer["torn_down"] += 1

    @blueprint.errorhandler(Teapot)
    def short_and_stout(error):
        return {"error": "teapot"}, 418

    @blueprint.get("/g")
    def show_g():
        found = {"began": g.get("began"), "left": g.get("left")}
        g.left = "by an earlier request"
        return found

    @blueprint.get("/list")
    def show_list():
        return [1, 2]

    @blueprint.get("/response")
    def show_response():
        return jsonify(ok=True)

    @blueprint.get("/nested")
    def show_nested():
        return {"rows": [{"inner": "{}"}]}

    @blueprint.get("/teapot")
    def brew():
        raise Teapot

    @blueprint.get("/limited")
    @app.extensions["mechtech.limiter"].limit("2 per minute")
    def show_limited():
        return {}

    @blueprint.get("/limited/within")
    def show_limited_within():
        with current_app.extensions["mechtech.limiter"].limit("2 per minute"):
            return {}

    @blueprint.get("/limited/in-words")
    @app.extensions["mechtech.limiter"].limit("0 per minute", error_message="Slowly, please.")
    def show_limited_in_words():
        return {}

    @blueprint.get("/limited/otherwise")
    @app.extensions["mechtech.limiter"].limit("0 per minute", on_breach=lambda limit: make_response("Slowly.", 429))
    def show_limited_otherwise():
        return {}

    @blueprint.get("/broken")
    def break_down():
        raise ZeroDivisionError

    @blueprint.get("/urls")
    def show_urls():
        return [url_for(".show_g"), url_for(".show_g", a=1, _external=True)]

    app.add_url_rule("/newcomer/old", "old", redirect_to="/newcomer/g")

    @blueprint.post("/read-twice")
    @takes(CarBody)
    def read_twice(fields):
        return {"read": request.get_json()}

    @blueprint.get("/guess/<int:status>")
    @app.extensions["mechtech.limiter"].limit("9 per minute")
    @app.extensions["mechtech.limiter"].limit("2 per minute", deduct_when=lambda answer: answer.status_code == 403)
    def guess(status):
        abort(status)

    @blueprint.get("/slash/")
    def show_slash():
        return {}

    @blueprint.get("/abort/<int:status>")
    def give_up(status):
        abort(status, request.args.get("why"))

    @blueprint.get("/abort")
    def give_up_otherwise():
        abort(make_response({"error": "teapot"}, 418))

    @blueprint.post("/car/<kind>")
    @takes(CarBody)
    def make_car(kind, fields):
        return {"list": [1], "response": jsonify(ok=True), "text": "made", "pair": ({"made": 1}, 201)}[kind]

    @blueprint.route("/any", methods=["POST", "PUT"])
    @takes(AnyBody)
    def take_any(fields):
        return {"took": fields}

    @blueprint.get("/framed")
    def show_framed():
        return "", {"X-Frame-Options": "DENY", "content-security-policy": "img-src *", "Vary": "Accept"}

    @blueprint.post("/colours/<int(max=9):number>/<name>")
    @takes(CarBody)
    @anyone
    @gives(colours=[fields.String()])
    def show_colours(number, name, fields):
        """Show the colours of a car."""
        return {"colours": ["red"]}

    @blueprint.get("/undocumented")
    @anyone
    def show_undocumented():
        return {}

    app.register_blueprint(blueprint)
    return app


def test_g_is_empty_at_each_request(app):
    client = app.test_client()
    for _ in range(2):
        assert client.get("/newcomer/g").json == {"began": True, "left": None}


def test_a_blueprints_hooks_run_for_its_own_requests_only(app):
    client = app.test_client()
    assert client.get("/newcomer/list").headers["X-Newcomer"] == "yes"
    assert app.newcomer["torn_down"] == 1
    assert "X-Newcomer" not in client.get("/health").headers
    assert app.newcomer["torn_down"] == 1


def test_a_blueprints_error_handler_answers_its_errors(app):
    answer = app.test_client().get("/newcomer/teapot")
    assert (answer.status_code, answer.json) == (418, {"error": "teapot"})


def test_a_view_may_return_a_list_a_dict_or_a_response(app):
    client = app.test_client()
    assert client.get("/newcomer/list").json == [1, 2]
    assert client.get("/newcomer/nested").json == {"rows": [{"inner": "{}"}]}
    assert client.get("/newcomer/response").json == {"ok": True}


@pytest.mark.parametrize("path", ["/newcomer/slash", "/newcomer/slash/"])
def test_a_route_with_a_slash_at_its_end_answers_with_it_and_without(app, path):
    assert app.test_client().get(path).status_code == 200


@pytest.mark.parametrize(
    "status, code", [(401, "unauthorized"), (403, "forbidden"), (404, "not_found"), (409, "conflict"), (418, None)]
)
def test_abort_ends_a_request_with_its_status(app, status, code):
    answer = app.test_client().get(f"/newcomer/abort/{status}")
    assert (answer.status_code, answer.json["error"] if code else None) == (status, code)


def test_abort_takes_a_response(app):
    answer = app.test_client().get("/newcomer/abort")
    assert (answer.status_code, answer.json) == (418, {"error": "teapot"})


@pytest.mark.parametrize(
    "body",
    [
        {"wheels": [{"size": 1}, {"size": "big"}]},
        {"wheels": [{"size": 1}, {}]},
        {"spare": {"size": "big"}},
        {"doors": {"left": "open"}},
    ],
)
def test_what_is_wrong_within_a_field_is_told_under_its_name(app, body):
    answer = app.test_client().post("/newcomer/car/list", json=body)
    assert (answer.status_code, answer.json["error"], list(answer.json["fields"])) == (400, "validation", list(body))
    assert isinstance(*answer.json["fields"].values(), str)


@pytest.mark.parametrize(
    "kind, told",
    [("list", [1]), ("response", {"ok": True}), ("text", None), ("pair", {"made": 1, "ignored": ["horn"]})],
)
def test_a_view_that_takes_a_body_may_return_anything(app, kind, told):
    answer = app.test_client().post(f"/newcomer/car/{kind}", json={"horn": 1})
    assert (answer.status_code // 100, answer.get_json(silent=True)) == (2, told)


def test_a_name_that_is_for_answers_only_is_unknown_in_a_body(app):
    assert app.test_client().post("/newcomer/car/pair", json={"made_at": 1}).json["ignored"] == ["made_at"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_schema_may_include_names_that_it_does_not_know(app, method):
    assert app.test_client().open("/newcomer/any", method=method, json={"horn": 1}).json == {"took": {"horn": 1}}


def test_a_views_own_security_header_stands_in_place_of_the_default(app):
    headers = app.test_client().get("/newcomer/framed").headers
    assert headers.getlist("X-Frame-Options") == ["DENY"]
    assert headers.getlist("Content-Security-Policy") == ["img-src *"]
    assert headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert headers.getlist("Vary") == ["Accept", "Origin"]


def test_a_body_of_no_length_is_not_waited_for_where_the_server_does_not_end_it(app):
    """As flask's own server does not."""
    asked = []
    stream = SimpleNamespace(read=asked.append)
    environ = {"wsgi.input": stream, "CONTENT_LENGTH": ""}
    assert app.test_client().post("/newcomer/car/list", environ_overrides=environ).status_code == 400
    assert asked == []


@pytest.mark.parametrize("path", ["/newcomer/limited", "/newcomer/limited/within"])
def test_a_limit_of_flask_limiters_on_a_view_or_within_it_is_kept(app, path):
    client = app.test_client()
    answers = [client.get(path) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json["error"] == "rate_limited"
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 61


def test_a_limit_of_flask_limiters_counts_the_answers_that_it_is_told_to(app):
    client = app.test_client()
    statuses = [client.get(f"/newcomer/guess/{status}").status_code for status in (404, 403, 404, 403, 404)]
    assert statuses == [404, 403, 404, 403, 429]


def test_a_limit_of_flask_limiters_on_a_blueprints_hook_is_kept_for_all_its_views(app):
    blueprint = Blueprint("limited", __name__)

    @blueprint.before_request
    @app.extensions["mechtech.limiter"].shared_limit("2 per minute", scope="limited")
    def limit():
        pass

    for name in ("one", "other"):
        blueprint.add_url_rule(f"/{name}", name, dict)
    app.register_blueprint(blueprint)
    client = app.test_client()
    assert [client.get(path).status_code for path in ("/one", "/other", "/one")] == [200, 200, 429]


def test_fields_and_converters_that_are_not_ours_are_described_too(app):
    app.test_client().post("/newcomer/colours/1/red", json={})  # which holds the answer to the description


def test_a_blueprint_without_a_docstring_is_described_too(app, monkeypatch):
    monkeypatch.setattr("tests.unit.test_stock_flask.__doc__", None)
    described = app.test_client().get("/openapi.json").json
    assert {"name": "newcomer", "description": ""} in described["tags"]


def test_a_view_without_a_docstring_is_described_too(app):
    described = app.test_client().get("/openapi.json").json["paths"]["/newcomer/undocumented"]["get"]
    assert "summary" not in described
    assert described["description"] == "For anyone."


def test_a_view_without_a_word_of_who_may_call_it_is_left_out_of_the_description(app):
    described = app.test_client().get("/openapi.json").json
    assert "/api/booking" in described["paths"]
    newcomers = [path for path in described["paths"] if path.startswith("/newcomer")]
    assert newcomers == ["/newcomer/colours/{number}/{name}", "/newcomer/undocumented"]


def test_abort_tells_in_its_own_words(app):
    answer = app.test_client().get("/newcomer/abort/404?why=No+such+colour.")
    assert (answer.json["error"], answer.json["message"]) == ("not_found", "No such colour.")


def test_a_limit_on_a_view_may_have_words_and_an_answer_of_its_own(app):
    answer = app.test_client().get("/newcomer/limited/in-words")
    assert (answer.status_code, answer.json["message"]) == (429, "Slowly, please.")
    answer = app.test_client().get("/newcomer/limited/otherwise")
    assert (answer.status_code, answer.text) == (429, "Slowly.")


def test_what_nobody_handles_is_told_by_flasks_signal_and_once_in_the_log(app, caplog):
    told = []

    def tell(sender, exception, **extra):
        told.append(exception)

    with got_request_exception.connected_to(tell, app), caplog.at_level("ERROR", "mechtech"):
        assert app.test_client().get("/newcomer/broken").json["error"] == "server_error"
        assert app.test_client().get("/newcomer/abort/500").json["error"] == "server_error"
    assert [type(error) for error in told] == [ZeroDivisionError]
    assert [record.getMessage() for record in caplog.records] == ["unforeseen"] * 2
    assert caplog.records[0].exc_info[0] is ZeroDivisionError


def test_an_error_handler_of_a_newcomers_answers_a_500(app):
    app.errorhandler(500)(lambda error: ({"cause": type(error.original_exception).__name__}, 500))
    assert app.test_client().get("/newcomer/broken").json == {"cause": "ZeroDivisionError"}


def test_in_testing_what_a_view_raises_reaches_the_test(app):
    app.testing = True
    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/newcomer/broken")


def test_urls_are_built_and_whole_ones_begin_with_public_url_whatever_host_is_asked(app):
    whole = "http://127.0.0.1:3000/newcomer/g"
    answer = app.test_client().get("/newcomer/urls", base_url="http://evil.example")
    assert answer.json == ["/newcomer/g", f"{whole}?a=1"]
    assert app.test_client().get("/newcomer/old").headers["Location"] == whole
    with app.app_context():
        assert url_for("newcomer.show_g") == whole


def test_a_body_that_was_validated_can_be_read_again_and_one_that_was_read_can_be_validated(app):
    app.before_request(lambda: request.get_data() and None)
    assert app.test_client().post("/newcomer/read-twice", json={"spare": {"size": 1}}).json == {
        "read": {"spare": {"size": 1}}
    }
    app.before_request_funcs.clear()
    assert app.test_client().post("/newcomer/read-twice", json={}).json == {"read": {}}


def test_a_request_context_of_a_test_goes_through_the_layers_in_flask(app):
    with app.test_request_context("/api/mechanics"):
        assert app.preprocess_request() is None
    with app.test_request_context("/api/nothing"):
        assert app.full_dispatch_request().status_code == 404

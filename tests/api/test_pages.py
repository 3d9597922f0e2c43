"""The pages: HTML at their addresses, files with an ETag, and the index for a browser."""

import re

import pytest

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize("path", ["/admin", "/docs", "/booking", "/reset", "/admin/"])
def test_a_page_is_html_without_a_line_of_script_in_it(lasting, path):
    answer = lasting.get(path)
    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    assert not re.search(r"<script(?![^>]* src=)|\son\w+=|style=|javascript:", answer.text)


@pytest.mark.parametrize("path", ["/admin", "/docs", "/booking", "/reset", "/"])
def test_a_page_asks_only_for_files_that_are_there_and_of_this_host(lasting, path):
    page = lasting.get(path, headers=BROWSER).text
    files = re.findall(r'<(?:link|script)[^>]* (?:href|src)="([^"]*)"', page)
    assert files
    for file in files:
        assert file.startswith(("/pages/", "/docs/swagger-ui/"))
        assert lasting.get(file).status_code == 200


def test_a_page_that_has_not_changed_is_304(lasting):
    for path in ("/admin", "/pages/style.css", "/docs", "/docs/swagger-ui/swagger-ui-bundle.js"):
        tag = lasting.get(path).headers["ETag"]
        assert lasting.get(path, headers={"If-None-Match": tag}).status_code == 304
        assert lasting.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize("path", ["/pages/none.css", "/pages/../routes.py", "/pages/%2e%2e/routes.py", "/pages"])
def test_no_other_file_is_served(lasting, path):
    assert lasting.get(path).status_code == 404


def test_pages_do_not_count_against_the_rate_limit(lasting):
    for path in ("/admin", "/pages/dispatch.js"):
        assert "X-RateLimit-Limit" not in lasting.get(path).headers


@pytest.mark.parametrize("path", ["/admin", "/docs", "/docs/swagger-ui/swagger-ui.css"])
def test_a_page_takes_get_and_head_alone(lasting, path):
    assert lasting.call("HEAD", path).status_code == 200
    answer = lasting.post(path, {})
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_the_files_of_swagger_ui_are_there_with_their_licence_and_version(lasting):
    assert "Apache License, Version 2.0" in lasting.get("/docs/swagger-ui/LICENSE").text
    assert re.fullmatch(r"v5\.[0-9.]+", lasting.get("/docs/swagger-ui/VERSION").text.strip())


def test_a_page_looks_at_no_token(lasting):
    assert lasting.get("/admin", token="bad").status_code == 200


def test_a_browser_gets_a_page_at_the_root_with_its_links(lasting):
    answer = lasting.get("/", headers=BROWSER)
    assert answer.content_type == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert {"/admin", "/docs"} <= set(re.findall(r'href="([^"]*)"', answer.text))


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/json, text/html;q=0.9", "image/png"])
def test_others_get_the_index_at_the_root(lasting, accept):
    answer = lasting.get("/", headers={"Accept": accept} if accept else None)
    assert answer.json["name"] == "MechTECH"
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("header", ["bytes=0-9", "bytes=999999-", "nonsense"])
def test_a_file_is_sent_whole_whatever_range_is_asked_for(lasting, header):
    for path in ("/", "/admin", "/pages/style.css", "/docs/swagger-ui/index.css"):
        answer = lasting.get(path, headers={**BROWSER, "Range": header})
        assert (answer.status_code, answer.data) == (200, lasting.get(path, headers=BROWSER).data)

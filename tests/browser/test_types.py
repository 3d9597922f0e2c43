"""The types that docs/frontend.md has made from the description, compiled against the client that it shows."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.browser.conftest import NODE
from tests.browser.site import DOCS
from tests.tools import running

STRICT = ["--strict", "--noEmit", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"]
WRONG = """
import createClient from "openapi-fetch";
import type { paths } from "./mechtech";

const mechtech = createClient<paths>();
// @ts-expect-error no such path
mechtech.GET("/api/bookings");
// @ts-expect-error the rest of what is required is missing
mechtech.POST("/api/booking", { body: { name: "Ann" } });
// @ts-expect-error a rating is a number
mechtech.POST("/api/booking/{id}/review", { params: { path: { id: "BK000001" } }, body: { rating: "5" } });
// @ts-expect-error no such status
mechtech.GET("/api/booking", { params: { query: { status: "new" } } });
// @ts-expect-error a booking has no subject
mechtech.GET("/api/booking").then(({ data }) => data?.bookings[0]?.subject);
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with the types, made by the document's own command from a running server."""
    folder = tmp_path_factory.mktemp("types")
    (folder / "node_modules").symlink_to(NODE)
    command, version, address, file = re.search(
        r"npx ([\w-]+)@([\d.]+) (\S+) --output (\S+)", (DOCS / "frontend.md").read_text(encoding="utf-8")
    ).groups()
    assert json.loads((NODE / command / "package.json").read_text(encoding="utf-8"))["version"] == version
    with running(folder) as server:
        address = address.replace("3000", str(server.port))
        subprocess.run([NODE / ".bin" / command, address, "--output", file], cwd=folder, check=True)
    return folder


def compile_strictly(project: Path, source: str) -> str:
    """What the compiler says; nothing if all is well."""
    (project / "source.ts").write_text(source, encoding="utf-8")
    run = subprocess.run([NODE / ".bin/tsc", *STRICT, "source.ts"], cwd=project, capture_output=True, text=True)
    return run.stdout


def test_the_client_of_the_document_compiles(project):
    (sample,) = re.findall(r"```ts\n(.*?)```", (DOCS / "frontend.md").read_text(encoding="utf-8"), re.DOTALL)
    assert compile_strictly(project, sample) == ""


def test_a_call_that_the_service_would_refuse_does_not_compile(project):
    assert compile_strictly(project, WRONG) == ""
    assert "Unused '@ts-expect-error'" in compile_strictly(project, WRONG.replace("/api/bookings", "/api/booking"))

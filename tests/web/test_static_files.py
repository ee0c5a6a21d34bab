"""Headers of pages and of what they load."""

import re

import httpx

from homeport.web import static_files


def test_what_a_page_loads_is_there_and_kept_for_good(nobody: httpx.Client) -> None:
    found = re.findall(r'(?:src|href)="(/static/[^"]+)"', nobody.get("/sign-in").text)
    assert {address.partition("?")[0] for address in found} >= {"/static/pages.css", "/static/pages.js"}
    for address in set(found):
        answer = nobody.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_another_content_has_another_address(nobody: httpx.Client) -> None:
    assert static_files.address("pages.css") == f"/static/pages.css?v={static_files.digest('pages.css')}"
    for query in ("", "?v=of-before"):
        assert nobody.get(f"/static/pages.css{query}").headers["cache-control"] == "no-cache"


def test_only_static_files_are_served_there(nobody: httpx.Client) -> None:
    for path in ("none.css", "../routes.py", "%2e%2e/routes.py", ""):
        assert nobody.get(f"/static/{path}").status_code in (404, 405)


def test_every_page_says_what_a_browser_may_do_with_it(
    alice: httpx.Client, nobody: httpx.Client, home: str
) -> None:
    for answer in (
        alice.get(home),
        alice.get(f"{home}/none"),
        alice.post(f"{home}/runs/none/-cancel", headers={"Origin": "null"}),
        nobody.get("/sign-in"),
        nobody.get(home),
    ):
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert policy == {
            "default-src": "'none'",
            **dict.fromkeys(("style-src", "script-src", "img-src", "connect-src", "font-src"), "'self'"),
            "form-action": "'self'",
            "frame-ancestors": "'none'",
            "base-uri": "'none'",
        }
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"


def test_pages_are_no_part_of_the_api(nobody: httpx.Client) -> None:
    paths = nobody.get("/api/openapi.json").json()["paths"]
    assert not [path for path in paths if path == "/" or path.startswith(("/w/", "/sign-", "/static"))]

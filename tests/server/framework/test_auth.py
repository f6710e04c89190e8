"""Every route, found by walking the server's own table, refuses whom it should."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.auth import Authorizer
from jupyter_server.utils import JupyterServerAuthWarning
from tornado.web import RequestHandler

from jupyter_mlops.server.app import ROUTES

VERBS = [
    (route, verb)
    for route, handler in ROUTES
    for verb in handler.SUPPORTED_METHODS
    if verb != "OPTIONS" and getattr(handler, verb.lower()) is not RequestHandler._unimplemented_method
]


class Denying(Authorizer):
    """Lets no one do anything, and remembers what was asked."""

    asked: list[tuple[str, str]] = []  # noqa: RUF012 - one list for the one server of a test

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        self.asked.append((action, resource))
        return False


def path_of(route: str) -> list[str]:
    return route.strip("/").replace("([^/]+)", "1").split("/")


async def status_of(fetch: Callable[..., Any], route: str, verb: str) -> tuple[int, Any]:
    body = json.dumps({"path": "", "cells": [], "parameters": {}}) if verb == "POST" else None
    response = await fetch(*path_of(route), method=verb, body=body, follow_redirects=False, raise_error=False)
    return response.code, json.loads(response.body)


def test_the_route_table_is_what_the_server_has(jp_serverapp: Any) -> None:
    served = {
        rule.matcher.regex.pattern
        for rules in (jp_serverapp.web_app.default_router.rules)
        for rule in getattr(rules.target, "rules", ())
        if "/jupyter-mlops" in getattr(getattr(rule.matcher, "regex", None), "pattern", "")
    }
    assert {pattern.split("/a%40b", 1)[-1].rstrip("$") for pattern in served} == {route for route, _ in ROUTES}
    assert VERBS


@pytest.mark.parametrize(("route", "verb"), VERBS)
async def test_without_a_token_it_is_403(
    jp_serverapp: Any, http_server_client: Any, jp_base_url: str, route: str, verb: str
) -> None:
    def fetch(*parts: str, **how: Any) -> Any:
        return http_server_client.fetch(jp_base_url + "/".join(parts), **how)

    status, data = await status_of(fetch, route, verb)
    assert status == 403
    assert set(data) == {"code", "message", "hint"}


@pytest.mark.parametrize(("route", "verb"), [(route, verb) for route, verb in VERBS if verb == "POST"])
async def test_a_post_of_a_browser_without_the_xsrf_token_is_403(
    jp_serverapp: Any, jp_fetch: Any, http_server_client: Any, jp_base_url: str, route: str, verb: str
) -> None:
    login = await jp_fetch("api", "status")
    cookies = "; ".join(cookie.split(";")[0] for cookie in login.headers.get_list("Set-Cookie"))

    def fetch(*parts: str, **how: Any) -> Any:
        return http_server_client.fetch(jp_base_url + "/".join(parts), headers={"Cookie": cookies}, **how)

    known = await fetch("api", "status")
    assert known.code == 200, "the cookie alone logs in"
    status, data = await status_of(fetch, route, verb)
    assert status == 403
    assert "_xsrf" in data["message"]


@pytest.fixture
def denying(jp_server_config: dict[str, Any]) -> type[Denying]:
    Denying.asked.clear()
    jp_server_config["ServerApp"]["authorizer_class"] = Denying
    return Denying


@pytest.mark.parametrize(("route", "verb"), VERBS)
async def test_who_is_not_authorised_gets_403(
    denying: type[Denying], jp_fetch: Any, jp_root_dir: Path, route: str, verb: str
) -> None:
    status, data = await status_of(jp_fetch, route, verb)
    assert status == 403
    assert set(data) == {"code", "message", "hint"}
    writes = verb == "POST" and not route.endswith("/status")
    assert denying.asked == [("execute" if writes else "read", "jupyter_mlops")]
    assert list(jp_root_dir.iterdir()) == []


def test_the_server_has_nothing_to_warn_of(jp_configurable_serverapp: Callable[..., Any]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        jp_configurable_serverapp()
    ours = [
        str(warning.message)
        for warning in caught
        if issubclass(warning.category, JupyterServerAuthWarning) and "jupyter-mlops" in str(warning.message)
    ]
    assert ours == []

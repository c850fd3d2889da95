"""The page at ``/`` answers for that address alone."""

import httpx2
import pytest
from hub_runtime.metrics import new_registry
from hub_runtime.services import Readiness
from hub_runtime.serving import process_app
from hub_standalone.front import front_page


async def ask(method: str, path: str) -> httpx2.Response:
    app = process_app({"/": front_page}, readiness=Readiness([]), registry=new_registry())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as client:
        return await client.request(method, f"http://hub{path}")


async def test_the_front_page_says_where_the_rest_is() -> None:
    response = await ask("GET", "/")
    assert (response.status_code, response.json()["integrations"]) == (200, "/api/integrations")


@pytest.mark.parametrize("path", ["//", "//api/integrations", "//metrics"])
async def test_an_address_with_two_slashes_is_not_the_front_page(path: str) -> None:
    response = await ask("GET", path)
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")


async def test_another_method_is_refused_with_a_problem() -> None:
    response = await ask("POST", "/")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    assert response.headers["content-type"] == "application/problem+json"

"""How a college's system pushes: the integration guide's scheme, hex HMAC-SHA256 over the exact bytes of the body."""

import json

import httpx2
from hub_model.errors import Unavailable
from hub_security.signatures import sign_legacy

from hub_standalone.demo.world import Row


async def push_signed(url: str, secret: str, row: Row) -> int:
    """Push one attendance record; the status of the answer. Raises Unavailable if it is not accepted."""
    body = json.dumps({"dataType": "attendance", "records": [row]}).encode()
    headers = {"content-type": "application/json", "x-webhook-signature": sign_legacy(secret, body)}
    try:
        async with httpx2.AsyncClient(trust_env=False) as client:
            response = await client.post(url, content=body, headers=headers)
            return response.raise_for_status().status_code
    except httpx2.HTTPStatusError as error:
        raise Unavailable(f"The push to {url} was answered with {error.response.status_code}.") from error
    except httpx2.HTTPError as error:
        raise Unavailable(
            f"Nobody took the push to {url}. Name another address with --webhooks-url, or set HUB_PUBLIC_URL there."
        ) from error

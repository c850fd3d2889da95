"""The keys that vendors sign with, fetched from where they publish them and remembered for all their customers."""

import asyncio
from collections import OrderedDict

import httpx2
import structlog
from hub_model.errors import HubError, SourceError, TooLarge, TransientError, Unavailable
from hub_security.bodies import read_bounded
from hub_security.jwks import MAX_KEY_SET_BYTES, JwksCache

log = structlog.get_logger(__name__)

_MAX_REMEMBERED = 1_000


class KeySets:
    """Key sources by address. ``client`` dials what a college has written down, so it is a guarded one.

    ``deadline_s`` bounds a fetch from the lookup of the name to the last byte.
    """

    def __init__(self, client: httpx2.AsyncClient, *, deadline_s: float) -> None:
        self._client = client
        self._deadline_s = deadline_s
        self._sources: OrderedDict[str, JwksCache] = OrderedDict()

    def at(self, url: str) -> JwksCache:
        """The keys at this address; the least used of very many are forgotten."""
        source = self._sources.get(url)
        if source is None:
            source = self._sources[url] = JwksCache(lambda: self._fetch(url))
        self._sources.move_to_end(url)
        if len(self._sources) > _MAX_REMEMBERED:
            self._sources.popitem(last=False)
        return source

    async def _fetch(self, url: str) -> bytes:
        try:
            async with asyncio.timeout(self._deadline_s):
                response = await self._client.send(self._client.build_request("GET", url), stream=True)
                body = await read_bounded(response, MAX_KEY_SET_BYTES)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, SourceError, TooLarge, TransientError) as error:
            raise self._unavailable(url, str(error) if isinstance(error, HubError) else type(error).__name__) from error
        if response.status_code != httpx2.codes.OK:
            raise self._unavailable(url, f"HTTP {response.status_code}")
        return body

    def _unavailable(self, url: str, reason: str) -> Unavailable:
        log.warning("webhook.keys_unavailable", url=url, reason=reason)
        return Unavailable(f"the key set could not be fetched: {reason}")

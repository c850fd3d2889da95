"""``/metrics`` in the Prometheus text format, from the process's own registry."""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub_runtime.services import Service


def new_registry(services: Sequence[Service] = ()) -> CollectorRegistry:
    """A registry with the figures of this process: memory, CPU, files, garbage collection, and its services' counts."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_Counts(services))
    return registry


class _Counts(Collector):
    """``hub_<name>_total`` for everything that the services count; the label says which service."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._services = services

    def collect(self) -> Iterable[CounterMetricFamily]:
        families: dict[str, CounterMetricFamily] = {}
        for service in self._services:
            for name, count in (service.counts() if service.counts else {}).items():
                about = f"{name.replace('_', ' ')}, since the process started".capitalize()
                family = families.setdefault(name, CounterMetricFamily(f"hub_{name}", about, labels=["service"]))
                family.add_metric([service.name], count)
        return families.values()


def metrics_route(registry: CollectorRegistry) -> Route:
    """The route a Prometheus server scrapes; open, so keep it off the public ingress."""

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    return Route("/metrics", metrics)

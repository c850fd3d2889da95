# One image per service: docker build --build-arg SERVICE=fetcher -t hub-fetcher -f deploy/docker/service.Dockerfile .
# It runs as a numeric user on a read-only root file system, and neither it nor its health check needs a shell.
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
ARG SERVICE
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements.lock ./
# The secret "ca", if it is given, holds the certificates of a network that signs TLS itself.
RUN --mount=type=secret,id=ca \
    if [ -e /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    python3 -m venv /opt/uv \
    && sed -n '/^uv==/,/[^\\]$/p' requirements.lock > uv.lock \
    && /opt/uv/bin/pip install --quiet --require-hashes -r uv.lock
COPY libs libs
COPY services services
COPY deploy/docker/members.py ./
# The service, the libraries it uses, and what those use, at the versions and by the hashes of the lock.
ENV UV_CACHE_DIR=/var/cache/uv
RUN --mount=type=secret,id=ca --mount=type=cache,target=/var/cache/uv \
    if [ -e /run/secrets/ca ]; then export SSL_CERT_FILE=/run/secrets/ca; fi; \
    python3 -m venv --without-pip /opt/hub \
    && /opt/uv/bin/uv pip install --quiet --python /opt/hub/bin/python3 --no-sources \
       --constraints requirements.lock --build-constraints requirements.lock $(python3 members.py "${SERVICE}") \
    && /opt/uv/bin/uv pip freeze --quiet --python /opt/hub/bin/python3 | grep -v '^hub-' > installed \
    && while read -r package; do grep -qF "${package} " requirements.lock || exit 1; done < installed \
    && ln -s "$(test "${SERVICE}" = standalone && echo hub || echo "hub-${SERVICE}")" /opt/hub/bin/service \
    && mkdir /opt/data

FROM ${BASE}
ARG SERVICE
LABEL org.opencontainers.image.title="hub-${SERVICE}" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/hub /opt/hub
COPY --from=build --chown=10001:10001 /opt/data /data
ENV PATH=/opt/hub/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HUB_HTTP_HOST=0.0.0.0 HUB_HTTP_PORT=8000
WORKDIR /data
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=10s --start-period=60s --retries=3 CMD ["/opt/hub/bin/hub-health"]
ENTRYPOINT ["/opt/hub/bin/service"]

# SecantusDB, which speaks MongoDB's wire protocol, in place of the official image.
ARG BASE
FROM ${BASE}
COPY requirements.lock /tmp/
ENV UV_CACHE_DIR=/var/cache/uv
RUN --mount=type=secret,id=ca --mount=type=cache,target=/var/cache/uv \
    if [ -e /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca SSL_CERT_FILE=/run/secrets/ca; fi; \
    python3 -m venv /opt/uv && python3 -m venv --without-pip /opt/secantus \
    && sed -n '/^uv==/,/[^\\]$/p' /tmp/requirements.lock > /tmp/uv.lock \
    && /opt/uv/bin/pip install --no-cache-dir --quiet --require-hashes -r /tmp/uv.lock \
    && /opt/uv/bin/uv pip install --quiet --python /opt/secantus/bin/python3 --prerelease allow --link-mode copy \
       --constraints /tmp/requirements.lock secantusdb \
    && rm -r /opt/uv /tmp/requirements.lock /tmp/uv.lock && install -d -o 999 -g 999 /data/db
WORKDIR /data/db
USER 999:999
ENTRYPOINT ["/opt/secantus/bin/secantusd-py"]

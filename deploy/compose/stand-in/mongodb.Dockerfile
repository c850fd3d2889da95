# SecantusDB, which speaks MongoDB's wire protocol, in place of the official image.
ARG BASE
FROM ${BASE}
COPY requirements.lock /tmp/
RUN --mount=type=secret,id=ca \
    if [ -e /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    python3 -m venv /opt/secantus \
    && /opt/secantus/bin/pip install --no-cache-dir --quiet -c /tmp/requirements.lock secantusdb \
    && rm /tmp/requirements.lock && install -d -o 999 -g 999 /data/db
WORKDIR /data/db
USER 999:999
ENTRYPOINT ["/opt/secantus/bin/secantusd-py"]

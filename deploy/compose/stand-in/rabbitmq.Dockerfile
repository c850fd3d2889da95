# Debian's RabbitMQ (3.10) in place of the official image (4), with its users, folders and configuration file.
ARG BASE
FROM ${BASE}
RUN groupadd --gid 999 --system rabbitmq \
    && useradd --uid 999 --system --home-dir /var/lib/rabbitmq --gid rabbitmq rabbitmq \
    && apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends rabbitmq-server \
    && rm -rf /var/lib/apt/lists/* && rm -rf /var/lib/rabbitmq/mnesia \
    && install -d -o 999 -g 999 /var/lib/rabbitmq /etc/rabbitmq/conf.d \
    && rabbitmq-plugins enable --offline rabbitmq_management
ENV RABBITMQ_LOGS=- HOME=/var/lib/rabbitmq
ENTRYPOINT ["/usr/lib/rabbitmq/bin/rabbitmq-server"]

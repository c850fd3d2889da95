"""Development keys: what a laptop needs and production gets from its secret store."""

import os
import secrets
from pathlib import Path

from hub_model.errors import Conflict, InvalidInput
from hub_security.keys import RECIPIENTS, generate_keys

_TOKEN_SECRET = "token-secret"  # noqa: S105 - a file's name


def create_keys(folder: Path) -> bool:
    """Create the sealing keys and the token secret where they are missing; say whether anything was made.

    Nothing is ever overwritten: secrets sealed to a lost key cannot be read again.
    """
    created = False
    names = ["public.json", *(f"{recipient}.json" for recipient in RECIPIENTS)]
    if not all((folder / name).exists() for name in names):
        generate_keys(folder)  # raises Conflict if only some of them are there
        created = True
    path = folder / _TOKEN_SECRET
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        created = True
    return created


def create_compose_secrets(folder: Path) -> bool:
    """Create what docker-compose.yml hands to RabbitMQ and MongoDB, where it is missing; say whether anything was made.

    The users in the containers are not this one, so each file may be read by everybody, and the folder by its owner
    alone.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    broker, store = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    groups = (
        {
            "broker-url": f"amqp://hub:{broker}@rabbitmq:5672/%2F",
            "rabbitmq.conf": f"default_user = hub\ndefault_pass = {broker}\n",
        },
        {
            "store-url": f"mongodb://hub:{store}@mongodb:27017/hub?replicaSet=hub",
            "mongodb-password": store,
            "mongodb-root-password": secrets.token_urlsafe(24),
            "mongodb-key": secrets.token_hex(256),
        },
    )
    created = False
    for group in groups:
        present = [name for name in group if (folder / name).exists()]
        if present and len(present) < len(group):
            missing = ", ".join(sorted(group.keys() - set(present)))
            raise Conflict(f"{folder} holds {', '.join(present)} but not {missing}; put it back, or move all away.")
        for name, text in group.items():
            if not present:
                (folder / name).write_text(text)
                (folder / name).chmod(0o644)
                created = True
    return created


def read_token_secret(folder: Path) -> str | None:
    """The secret that signs development tokens; None when there is none."""
    try:
        return (folder / _TOKEN_SECRET).read_text().strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInput(f"the token secret in {folder} cannot be read: {error.strerror}") from error

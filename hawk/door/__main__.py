"""Starts Dagster's door: `python -m hawk.door`."""

import logging

import uvicorn

from hawk.door.app import create_app
from hawk.settings import DoorSettings


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = DoorSettings()
    uvicorn.run(
        create_app(settings),
        host=settings.door_host,
        port=settings.door_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,  # pages hold their websockets open for ever
    )


if __name__ == "__main__":
    main()

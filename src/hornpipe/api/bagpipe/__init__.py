"""The REST API of BaGPipe BGP, for the clients that exist: URLs, fields, bodies and statuses as they expect them."""

from hornpipe.api.bagpipe.server import make_bagpipe_app

__all__ = ["make_bagpipe_app"]

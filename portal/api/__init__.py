"""The provider's own API, spoken to people's programs: an ASGI application of its own, without Django's handler."""

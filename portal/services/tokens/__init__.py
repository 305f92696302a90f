"""Tokens: with which people's programs come, and what is found again by who sends the same once more."""

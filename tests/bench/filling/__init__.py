"""Fills an empty database with made-up history, to measure pages on: `python -m tests.bench.filling --requests 20000`.

From the same plan comes the same history. It uses the portal's models and the duties of its workers.
"""

"""Labelled images → weights."""

"""Delivery of notifications to endpoints."""

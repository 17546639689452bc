"""Forecasts, objectives and the annual report."""

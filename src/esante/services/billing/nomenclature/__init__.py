"""Acts and their tariffs: coefficients, key letters, index and rounding as dated data."""

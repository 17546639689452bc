"""The values that FHIRPath expressions work on: elements, quantities, dates and times, units."""

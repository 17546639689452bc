"""The values of FHIRPath expressions: elements, quantities, dates and times, units."""

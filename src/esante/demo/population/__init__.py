"""The synthetic persons, professionals and organisations."""

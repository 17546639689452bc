"""Restriction of lines of documents: what others see of a document in which the person restricted something."""

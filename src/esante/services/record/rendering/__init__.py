"""Previews of documents, rendered in separate processes."""

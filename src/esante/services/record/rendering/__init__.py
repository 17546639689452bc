"""Previews of documents, made in separate processes."""

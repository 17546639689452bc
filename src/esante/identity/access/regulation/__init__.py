"""The rules of the country as dated data: the access matrix, the assignment of documents, contexts of care, terms."""

"""The sorting of documents into legal categories: proposed, simulated, confirmed by two operators."""

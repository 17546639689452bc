"""Evidence: what the journal holds of documents, their withdrawal and the labels of software, in own tables."""

"""Publication of an issue: files and texts whose bytes depend on the issue alone."""

from esante.services.bulletin.publication.issue_files import make_document, plan_files, publish, write_file
from esante.services.bulletin.publication.model import IssueDocument, PublishedFile

__all__ = ["IssueDocument", "PublishedFile", "make_document", "plan_files", "publish", "write_file"]

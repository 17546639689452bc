"""Reviews of emergency accesses and admissions: their queue, and questions to the professional."""

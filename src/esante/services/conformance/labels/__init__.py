"""Labels of versions: applied for with a run as evidence, reviewed by two operators, published until they end."""

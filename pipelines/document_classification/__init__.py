"""Classifies documents by the words of their sentences and the sentences of the document."""

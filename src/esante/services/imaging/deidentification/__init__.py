"""Copies of images without identity for secondary use (PS3.15, annex E), proposed and confirmed by two operators."""

"""The process that opens documents from outside: isolated, with limited memory, and expendable.

It is started as a folder (`python -I …/worker`), so that its files are top-level modules and nothing of the
platform is imported.
"""

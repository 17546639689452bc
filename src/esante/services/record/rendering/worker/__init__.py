"""The process that opens documents of others: it runs apart, with a bound on its memory, and may die.

Started as a folder (`python -I …/worker`), so that its files are modules of their own and nothing of the
platform is imported.
"""

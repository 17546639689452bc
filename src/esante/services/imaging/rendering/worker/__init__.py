"""The program of the processes that decode frames; its modules import nothing of esante (see `__main__`)."""

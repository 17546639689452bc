"""esante: the services of a national eHealth agency, as one program."""

__version__ = "0.1.0"

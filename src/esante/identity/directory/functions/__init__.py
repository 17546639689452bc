"""Functions of professionals: whose referring doctor somebody is, and for whom administrative staff acts."""

"""Networks of other operators: agreements as data, what they allow, and the site that stands for each."""

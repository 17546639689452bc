-- Candidates of a match are all persons who were born on a day (`person_traits` finds those of one name on some days).
CREATE INDEX person_birth_date ON person (birth_date);

-- For whom somebody acts: the list that representatives choose from.
CREATE INDEX access_representation_representative ON access_representation (representative_id) WHERE ended_at IS NULL;

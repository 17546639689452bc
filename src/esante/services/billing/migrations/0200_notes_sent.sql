-- When a note reached the health insurance, which may read it from then on; null: it did not.
ALTER TABLE billing_note ADD COLUMN sent_at timestamptz;

-- Digests in two steps: the digest of an entry binds its head (id, person, time, type) for ever, and its content through
-- a hash of its own. The end of retention takes `salt` and `content` away and leaves that hash in `content_hash`;
-- `expiry_id` names the entry that records it. Entries that were sealed before keep their digest and its rule: the
-- sealer writes into the journal, and into every checkpoint from then on, how many they are.
ALTER TABLE journal_entry ADD COLUMN content_hash bytea, ADD COLUMN expiry_id uuid;
-- NOT VALID: a row that breaks the rule already is named by `esante journal verify`, and does not stop the upgrade.
ALTER TABLE journal_entry ADD CONSTRAINT journal_entry_content_with_salt
    CHECK ((salt IS NULL) = (content IS NULL)) NOT VALID;
ALTER TABLE journal_entry ADD CONSTRAINT journal_entry_content_or_hash
    CHECK (content IS NULL OR (content_hash IS NULL AND expiry_id IS NULL)) NOT VALID;

-- How far each reader had come at a checkpoint, "reader seq" a line; the checkpoint is signed over its hash.
ALTER TABLE journal_checkpoint ADD COLUMN cursors text NOT NULL DEFAULT '';

-- The newest entry of a person, by which the sealer checks their count, and the way through their proof.
CREATE INDEX journal_leaf_person ON journal_leaf (person_id, number);

-- What is not sealed yet gets its digest in two steps, where the one it has is right; another stays, and is reported.
UPDATE journal_pending p SET digest = sha256(
        convert_to('esante-journal-entry/2', 'UTF8') || '\x00'::bytea || uuid_send(e.entry_id) || uuid_send(e.person_id)
        || timestamptz_send(e.at) || convert_to(e.type, 'UTF8') || '\x00'::bytea || sha256(e.salt || e.content))
    FROM journal_entry e
    WHERE e.person_id = p.person_id AND e.entry_id = p.entry_id
      AND p.digest = sha256(e.salt || uuid_send(e.entry_id) || uuid_send(e.person_id) || timestamptz_send(e.at)
                            || convert_to(e.type, 'UTF8') || '\x00'::bytea || e.content);

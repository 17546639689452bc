-- An entry has one leaf. Where a journal has entries with several already, `esante journal verify` names them, and the
-- index stays as it was.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM journal_leaf GROUP BY entry_id HAVING count(*) > 1) THEN
        DROP INDEX journal_leaf_entry;
        CREATE UNIQUE INDEX journal_leaf_entry ON journal_leaf (entry_id);
    END IF;
END $$;

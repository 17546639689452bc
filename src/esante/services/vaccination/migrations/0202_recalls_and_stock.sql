-- Recalls of lots that an operator entered, with the source of each; `product` is a key of the catalogue.
CREATE TABLE vaccination_lot_recall (
    recall_id uuid PRIMARY KEY,
    product text NOT NULL,
    lot text NOT NULL,
    lot_key text NOT NULL,
    recalled_on date NOT NULL,
    reason text NOT NULL,
    source text NOT NULL,
    entered_at timestamptz NOT NULL,
    entered_by text NOT NULL,
    lifted_at timestamptz
);
CREATE UNIQUE INDEX vaccination_lot_recall_once ON vaccination_lot_recall (product, lot_key) WHERE lifted_at IS NULL;

-- Movements of the stock of programme vaccines, in doses; what a site has is their sum. `kind`: delivery, use, use_undone,
-- waste, transfer_out, transfer_in, count (a correction to what was counted). `ref`: the key of a form, so that it counts
-- once, or the dose that was used.
CREATE TABLE vaccination_stock_entry (
    entry_id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    product text NOT NULL,
    lot text NOT NULL,
    lot_key text NOT NULL,
    kind text NOT NULL,
    quantity integer NOT NULL,
    expires_on date,
    other_id uuid,
    ref uuid NOT NULL,
    note text NOT NULL,
    at timestamptz NOT NULL,
    by_name text NOT NULL
);
CREATE UNIQUE INDEX vaccination_stock_entry_once ON vaccination_stock_entry (ref, organization_id, kind)
    WHERE kind NOT IN ('use', 'use_undone');
CREATE INDEX vaccination_stock_entry_ref ON vaccination_stock_entry (ref);
CREATE INDEX vaccination_stock_entry_site ON vaccination_stock_entry (organization_id, entry_id);

-- What each site has of a lot, and since when it keeps account of it; the level below which it orders again.
CREATE TABLE vaccination_stock (
    organization_id uuid NOT NULL,
    product text NOT NULL,
    lot_key text NOT NULL,
    lot text NOT NULL,
    expires_on date,
    since date NOT NULL,
    quantity integer NOT NULL CHECK (quantity >= 0),
    PRIMARY KEY (organization_id, product, lot_key)
);
CREATE TABLE vaccination_reorder (
    organization_id uuid NOT NULL,
    product text NOT NULL,
    level integer NOT NULL CHECK (level >= 0),
    PRIMARY KEY (organization_id, product)
);

-- Breaks of the cold chain: doses of the lot that a site gave within the days are suspect, and so is what is left.
CREATE TABLE vaccination_break (
    break_id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    product text NOT NULL,
    lot text NOT NULL,
    lot_key text NOT NULL,
    first_day date NOT NULL,
    last_day date,
    note text NOT NULL,
    at timestamptz NOT NULL,
    by_name text NOT NULL,
    cleared_at timestamptz
);
CREATE INDEX vaccination_break_lot ON vaccination_break (lot_key, organization_id);

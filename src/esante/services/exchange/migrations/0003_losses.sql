-- Codes that translations left: which, in which language, on which day. Nothing says in whose document.
CREATE TABLE exchange_loss (
    id uuid PRIMARY KEY,
    day date NOT NULL,
    side text NOT NULL,
    country text NOT NULL,
    language text NOT NULL,
    outcome text NOT NULL,
    system text NOT NULL,
    code text NOT NULL
);
CREATE INDEX exchange_loss_code ON exchange_loss (system, code, language, outcome);
CREATE INDEX exchange_loss_day ON exchange_loss (day);

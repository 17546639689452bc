-- Sites that forward tunnels of others which cannot reach each other.
ALTER TABLE healthnet_connection ADD COLUMN is_relay boolean NOT NULL DEFAULT false;

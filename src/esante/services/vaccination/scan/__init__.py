"""The code on a pack: what a scanner, a camera or a keyboard gives, as product, lot, expiry and serial number."""

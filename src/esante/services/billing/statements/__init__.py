"""What a patient paid: their fee notes on both ways, with the shares, and the statement of a year."""

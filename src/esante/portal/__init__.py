"""The portal: the HTML shell of every page, sign-in, home, and the operator's view of the journal."""

"""Coverage: which techniques of attackers (ATT&CK) the loaded rules can see in what a member sends."""

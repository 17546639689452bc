"""How many fee notes flow, how fast they are decided and which rules refuse: counts without persons."""

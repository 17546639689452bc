"""The kit of authorization servers for apps and software: SMART App Launch with PKCE, Backend Services."""

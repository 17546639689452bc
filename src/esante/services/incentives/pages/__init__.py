"""The pages of incentives: of professionals, vendors and operators, and the public figures."""

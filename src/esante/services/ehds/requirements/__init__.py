"""The requirements of the European Health Data Space, each with the tests that show it and their last outcome."""

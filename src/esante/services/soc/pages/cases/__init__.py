"""The pages of the queue, cases, duties with their clocks, and the page of the small practice."""

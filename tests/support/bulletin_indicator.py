"""An indicator that tests add to the specification."""

ADDED_INDICATOR = """
[[indicator]]
id = "documents_replaced_by_hospitals"
unit = "documents"
kind = "flow"
measure = "rows"
protection = "suppress"
since = "2023-01"
source_events = ["record.deposited"]
breakdowns = ["format"]
sql = "SELECT seq AS unit, format FROM events WHERE type = 'record.deposited' AND role = 'hospital'"
titles = { fr = "x", de = "x", en = "x", lb = "x" }
definitions = { fr = "x", de = "x", en = "x", lb = "x" }
"""

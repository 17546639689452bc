"""Who is due: the forecast of every person, kept; reminders to them, the lists of professionals, the calendar file."""

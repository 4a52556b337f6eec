"""When clients leave: hazard, survival, the date a change began, and what could be seen."""

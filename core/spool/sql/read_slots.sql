-- Which slots have entries.
SELECT DISTINCT slot FROM outbox WHERE slot >= 0

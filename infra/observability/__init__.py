"""Who is told when something is wrong: alarms, a dashboard, a budget, collectors of metrics."""

"""What follows from the marts by itself: statistics that SQL cannot do, as tables and plots of Dagster assets."""

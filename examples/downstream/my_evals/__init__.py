"""What one team has Dagster do beside Hawk."""

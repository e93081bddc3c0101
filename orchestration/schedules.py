"""What happens by the clock."""

import dagster as dg

from orchestration.jobs import check_warehouse, keep_up_warehouse

check_schedule = dg.ScheduleDefinition(
    name="check_warehouse_schedule",
    job=check_warehouse,
    cron_schedule="*/15 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Looks every quarter of an hour whether logs were set aside that nobody has seen to, and counts rows.",
)

upkeep_schedule = dg.ScheduleDefinition(
    name="keep_up_warehouse_schedule",
    job=keep_up_warehouse,
    cron_schedule="7 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Looks each hour for uploads that were given up, and for events that the setting of retention lets go.",
)

warehouse_schedules = [check_schedule, upkeep_schedule]

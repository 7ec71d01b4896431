"""Many accounts at once: in several processes, and in one."""

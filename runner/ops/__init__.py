"""What operating it needs: notifications, metrics, secrets, systemd."""

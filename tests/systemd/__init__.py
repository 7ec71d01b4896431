"""The systemd units and what installs them."""

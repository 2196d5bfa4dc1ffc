"""What can break: each fault breaks one control and names the checks that must notice it."""

"""An account of AWS, looked at before the lab is deployed in it: whose it is, what it allows, what is there."""
